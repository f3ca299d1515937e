"""What captions probably mean, foretold from a picture's features, and what is sent of a picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from m4sc.message import Message
from m4sc.space.config import SpaceConfig
from m4sc.space.contrastive import Pairs
from m4sc.space.expectation import Expectation, ExpectationStage, train_expectation
from m4sc.space.projector import ProjectorConfig
from m4sc.space.system import SpaceNetwork, SpaceSystem
from torch import Tensor
from torch.nn import functional

DIM, SPACE = 40, 24


def _messages(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Features, of which the first half says something, and five sentences of each message."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, DIM, generator=generator)
    way = torch.randn(DIM // 2, SPACE, generator=torch.Generator().manual_seed(99)) / DIM**0.5
    said = 0.5 + torch.tanh(features[:, : DIM // 2]) @ way
    scatter = 0.5 * torch.randn(count, 5, SPACE, generator=generator)
    return features, functional.normalize(said[:, None] + scatter, dim=-1)


@pytest.fixture(scope="module")
def taught() -> tuple[Expectation, Tensor]:
    features, said = _messages(1500, 0)
    network = Expectation(DIM, SPACE, 64, dropout=0.1)
    network.fit_scale(features)
    centre = functional.normalize(said.mean(1), dim=-1).mean(0)
    assert not network(features).any()  # nothing is expected before something was learned
    train_expectation(network, Pairs.of(features[None], said), centre, ExpectationStage(epochs=60))
    return network, centre


def test_it_foretells_what_new_messages_mean_better_than_a_constant(
    taught: tuple[Expectation, Tensor],
) -> None:
    network, centre = taught
    features, said = _messages(400, 1)
    mean = functional.normalize(said.mean(1), dim=-1)
    with torch.inference_mode():
        expected = network(features)
        others = network(features.roll(1, 0))
    error = (centre + expected - mean).square().sum(-1).mean()
    assert error < 0.6 * (centre - mean).square().sum(-1).mean()
    assert error < 0.5 * (centre + others - mean).square().sum(-1).mean()


def test_it_expects_less_where_nothing_can_be_foretold() -> None:
    features, said = _messages(1500, 2)
    unrelated = said[torch.randperm(len(said), generator=torch.Generator().manual_seed(0))]
    lengths = []
    for sentences in (said, unrelated):
        network = Expectation(DIM, SPACE, 64)
        network.fit_scale(features)
        centre = functional.normalize(sentences.mean(1), dim=-1).mean(0)
        train_expectation(network, Pairs.of(features[None], sentences), centre, ExpectationStage(epochs=30))
        with torch.inference_mode():
            lengths.append(float(network(_messages(400, 3)[0]).norm(dim=-1).mean()))
    assert lengths[1] < 0.5 * lengths[0]


def test_a_training_stops_when_its_time_is_up() -> None:
    features, said = _messages(100, 0)
    steps: list[int] = []
    stage = ExpectationStage(epochs=10**6, budget_s=0.0)
    network = Expectation(DIM, SPACE, 8)
    train_expectation(
        network, Pairs.of(features[None], said), said.mean((0, 1)), stage, lambda n, _: steps.append(n)
    )
    assert steps == [0] and not network.training


class _Features:
    def __call__(self, pictures: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack([p.reshape(-1)[:DIM] for p in pictures]).astype(np.float32) / 255)

    def class_scores(self, features: Tensor) -> Tensor:
        return torch.zeros(len(features), 1000)


def _system(expecting: float, naming: float = 0.0) -> SpaceSystem:
    torch.manual_seed(0)
    projector = ProjectorConfig(DIM, SPACE, dropout=0.0)
    network = SpaceNetwork(
        SpaceConfig(projector=projector, naming=naming, expecting=expecting, expecting_hidden=8)
    )
    network.set_classes(torch.ones(1000, SPACE) / SPACE**0.5)
    system = SpaceSystem.__new__(SpaceSystem)
    system.network, system.config = network.eval().requires_grad_(False), network.config
    system.__dict__["pictures"] = _Features()
    system.__dict__["sentences"] = lambda texts: functional.normalize(torch.ones(len(texts), SPACE), dim=-1)
    return system


def test_what_is_sent_of_a_picture_is_drawn_towards_what_is_expected() -> None:
    picture = Message("image", np.random.default_rng(0).integers(256, size=(8, 8, 3), dtype=np.uint8))
    plain, drawn = _system(0.0), _system(2.0)
    torch.testing.assert_close(plain.meanings_of([picture]), plain.points_of([picture]))
    assert drawn.network.expectation is not None
    torch.testing.assert_close(
        drawn.meanings_of([picture]), drawn.points_of([picture])
    )  # it expects nothing yet
    goal = functional.normalize(torch.arange(SPACE).float(), dim=0)
    drawn.network.expectation.last.bias.copy_(goal)
    point, sent = drawn.points_of([picture])[0], drawn.meanings_of([picture])[0]
    torch.testing.assert_close(sent, functional.normalize(point + 2.0 * goal, dim=0))
    assert float(sent @ goal) > float(point @ goal) + 0.1


def test_what_the_heads_name_keeps_its_weight_however_much_is_expected() -> None:
    picture = Message("image", np.random.default_rng(0).integers(256, size=(8, 8, 3), dtype=np.uint8))
    named = torch.ones(SPACE) / SPACE**0.5 * 0.35 * 5 / 1000  # five of a thousand classes as likely
    sent = []
    for expecting in (1.0, 1000.0):
        system = _system(expecting, naming=0.35)
        assert system.network.expectation is not None
        goal = functional.normalize(torch.linspace(-1, 1, SPACE), dim=0)
        system.network.expectation.last.bias.copy_(goal)
        sent.append(system.meanings_of([picture])[0])
    torch.testing.assert_close(sent[1], functional.normalize(goal + named, dim=0), atol=2e-3, rtol=0)
    assert float((sent[1] - goal) @ named) > 0 and not torch.allclose(sent[0], sent[1])


def test_a_text_means_what_it_says() -> None:
    system = _system(2.0)
    text = Message("text", "A dog runs.")
    torch.testing.assert_close(system.meanings_of([text]), system.points_of([text]))


def test_settings_of_nothing_are_told() -> None:
    with pytest.raises(ValueError, match="expecting is -1 with 384 units"):
        SpaceConfig(expecting=-1.0)
    with pytest.raises(ValueError, match="0 units"):
        SpaceConfig(expecting_hidden=0)
