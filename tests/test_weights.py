"""The shipped weights through the real flowgraph: the answer comes from what is heard, not from a prior."""

from __future__ import annotations

import m4sc
import numpy as np
import pytest
from m4sc.system import SemanticSystem
from m4sc_app.demo.messages import DemoMessage, message_set, select
from m4sc_app.demo.scoring import score
from m4sc_flowgraphs.loopback import open_radio

pytestmark = pytest.mark.timeout(280)
SENT = ["cat", "mosaic", "digits", "paragraph"]


@pytest.fixture(scope="module")
def model() -> SemanticSystem:
    return m4sc.load("default")


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoMessage, ...]:
    return select(message_set(tmp_path_factory.mktemp("sounds")), SENT)


def mean_score(
    model: SemanticSystem, messages: tuple[DemoMessage, ...], snr_db: float, zero_latents: bool = False
) -> float:
    deliveries = open_radio(model)(
        messages, system="semantic", channel="awgn", snr_db=snr_db, zero_latents=zero_latents
    )
    scores = [score(m.task, d.answer, m.references)[1] for m, d in zip(messages, deliveries, strict=True)]
    return float(np.mean(scores))


def test_zeroed_latents_fall_to_the_prior_and_noise_costs_score(
    model: SemanticSystem, messages: tuple[DemoMessage, ...]
) -> None:
    heard = mean_score(model, messages, 20.0)
    zeroed = mean_score(model, messages, 20.0, zero_latents=True)
    drowned = mean_score(model, messages, -10.0)
    assert zeroed <= 0.3  # a right guess at one of the four questions, no more
    assert heard >= zeroed + 0.25
    assert drowned <= heard - 0.2


def test_the_answer_follows_the_picture(model: SemanticSystem, messages: tuple[DemoMessage, ...]) -> None:
    """The same question about a picture of noise is answered otherwise: the words are not a constant."""
    cat = messages[0]
    radio = open_radio(model)
    (right,) = radio([cat], system="semantic", channel="awgn", snr_db=20.0)
    (blind,) = radio([cat], system="semantic", channel="awgn", snr_db=20.0, zero_latents=True)
    assert right.answer != blind.answer and right.frames_lost == blind.frames_lost == 0
