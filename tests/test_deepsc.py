"""DeepSC, a rival for texts: its pieces of words, its symbols, its training, its place in a sweep."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.codecs.base import Budget, Received
from m4sc.codecs.rivals.deepsc import DeepScCodec
from m4sc.coding.deepsc.codec import MOST_PIECES, DeepScTexts, load_deepsc
from m4sc.coding.deepsc.config import DeepScConfig
from m4sc.coding.deepsc.network import DeepScNetwork
from m4sc.coding.deepsc.pieces import FILE, Pieces
from m4sc.coding.deepsc.training import StepLoss
from m4sc.coding.reconstruction.training import ReconstructionStage, train_timed
from m4sc.message import Message
from m4sc.tasks import get_task

TASK = get_task("text")
TEXTS = ["a dog runs", "a cat sleeps", "two dogs sleep at 9", "a cat runs at 7", "the dog is here"] * 4
SMALL = DeepScConfig(pieces=300, symbols=4, run=8, width=32, heads=2, layers=1, hidden=32)


@pytest.fixture(scope="module")
def texts() -> DeepScTexts:
    torch.manual_seed(0)
    return DeepScTexts(DeepScNetwork(SMALL), Pieces.learned(TEXTS, SMALL.pieces), 7)


def clean(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    symbols = (latents[:, 0] + 1j * latents[:, 1]).astype(np.complex64)
    return symbols, np.full(len(symbols), 1e-3, np.float32)


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_any_text_is_written_in_pieces_and_read_back(text: str) -> None:
    pieces = Pieces.learned(TEXTS, 300)
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        with pytest.raises(ValueError, match="surrogate"):
            pieces.numbers(text)
    else:
        assert pieces.text(pieces.numbers(text)) == text


def test_digits_are_pieces_of_their_own() -> None:
    pieces = Pieces.learned(["room 4711"] * 9, 400)
    assert len(pieces.numbers("4711")) == 4


@pytest.mark.parametrize("text", ["a", "a dog runs at 9", "words without end " * 9])
def test_symbols_are_as_many_as_pieces_take_of_unit_power(texts: DeepScTexts, text: str) -> None:
    latents = texts.encode(text)
    assert latents.shape == (SMALL.symbols * len(texts.pieces.numbers(text)), 2)
    assert 2 * (latents**2).mean() == pytest.approx(1, rel=1e-3)
    assert isinstance(texts.decode(*clean(latents)), str)


def test_the_runs_of_a_long_text_do_not_touch_each_other(texts: DeepScTexts) -> None:
    pieces, whole = texts.pieces.numbers("a dog runs and a cat sleeps and runs and sleeps"), SMALL.run
    first, both = texts.pieces.text(pieces[:whole]), texts.pieces.text(pieces)
    assert len(pieces) > whole
    alone, together = texts.encode(first), texts.encode(both)
    np.testing.assert_allclose(together[: len(alone)], alone, atol=1e-4)


def test_what_did_not_arrive_counts_as_nothing(texts: DeepScTexts) -> None:
    symbols, noise = clean(texts.encode("a dog runs at 9"))
    for lost in (np.nan, 5.0):
        heard, told = symbols.copy(), noise.copy()
        heard[:4], told[:4] = lost, np.inf
        assert texts.decode(heard, told) == texts.decode(np.where(np.isinf(told), 0, symbols), told)


def test_what_is_no_text_is_refused(texts: DeepScTexts) -> None:
    with pytest.raises(ValueError, match="pieces"):
        texts.encode("")
    with pytest.raises(ValueError, match="pieces"):
        texts.encode("x" * 9 * MOST_PIECES)
    with pytest.raises(ValueError, match="no text"):
        texts.decode(np.zeros(5, np.complex64), np.zeros(5, np.float32))
    with pytest.raises(ValueError, match="no text"):
        texts.decode(np.zeros(4, np.complex64), np.zeros(8, np.float32))
    codec = DeepScCodec(texts)
    with pytest.raises(ValueError, match="takes texts"):
        codec.encode(Message("image", np.zeros((8, 8, 3), np.uint8)), TASK, Budget())
    with pytest.raises(ValueError, match="4 are allowed"):
        codec.encode(Message("text", "a dog runs"), TASK, Budget(4))


def test_it_learns_a_few_texts_through_noise(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pieces = Pieces.learned(TEXTS, SMALL.pieces)
    network, stage = DeepScNetwork(SMALL), ReconstructionStage(0.15, batch=16, rate=3e-3, ema=0.9)
    loss = StepLoss(network, [pieces.numbers(text) for text in TEXTS], stage)
    before = float(loss(0).detach())
    assert before == float(loss(0).detach())  # of the step's number alone
    curve = train_timed(network, loss, stage, tmp_path, "deepsc", lambda line: None, "log_likelihood")
    assert curve[-1]["log_likelihood"] > -before
    trained = DeepScTexts(network, pieces)
    trained.save(tmp_path / "kept")
    kept = load_deepsc(tmp_path / "kept")
    said = [kept.decode(*clean(kept.encode(text))) for text in TEXTS[:5]]
    assert sum(a == b for a, b in zip(said, TEXTS, strict=False)) >= 4
    assert kept.fingerprint and kept.fingerprint == load_deepsc(tmp_path / "kept").fingerprint
    answer = DeepScCodec(kept).decode(Received(*clean(kept.encode(TEXTS[0]))), TASK)
    assert answer.text == said[0]


def test_broken_files_are_told(tmp_path: Path, texts: DeepScTexts) -> None:
    texts.save(tmp_path)
    with pytest.raises(ValueError, match="know 257 pieces"):
        DeepScTexts(DeepScNetwork(DeepScConfig(pieces=257)), Pieces.load(tmp_path))
    (tmp_path / FILE).write_text("{")
    with pytest.raises(ValueError, match="copy it again"):
        load_deepsc(tmp_path)


@pytest.mark.parametrize(
    "bad",
    [{"pieces": 100}, {"symbols": 0}, {"run": 0}, {"width": 30, "heads": 4}, {"hidden": 4}, {"layers": 0},
     {"least_snr_db": 30.0}, {"depth": 3}],
)  # fmt: skip
def test_configurations_that_contradict_themselves_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        DeepScConfig.from_json(json.dumps(bad))
    assert DeepScConfig.from_json(SMALL.to_json()) == SMALL


def test_the_shipped_weights_repeat_a_text_and_are_a_system_of_the_sweep() -> None:
    from m4sc.data.example import Example
    from m4sc.evaluate.link_way import LinkWay
    from m4sc.evaluate.sweep.config import SystemSpec
    from m4sc.evaluate.sweep.ground import Ground
    from m4sc.evaluate.sweep.systems import build, carries

    spec = SystemSpec("rival", "deepsc")
    assert carries(spec, "text") and not carries(spec, "summarize") and not carries(spec, "caption")
    system = build(spec, "text", Ground(SimpleNamespace(), [], 0, way=LinkWay(), choosing=LinkWay())).system
    said = "a man is riding a horse on the beach"
    examples = [Example("1", "text", "text", "", (said,), "", said, "1")]
    (sent,) = system.send_all(examples, "awgn", 20.0, [np.random.default_rng(0)])
    assert sent.said == said
    (sent,) = system.send_all(examples, "awgn", -15.0, [np.random.default_rng(0)])
    assert sent.said != said


def test_it_is_sent_behind_the_header_of_its_channel(texts: DeepScTexts) -> None:
    from m4sc.data.example import Example
    from m4sc.evaluate.foreign_system import Foreign

    example = Example("1", "text", "text", "", ("a dog runs",), "", "a dog runs", "1")
    times = []
    for protection in (0, 1):
        system = Foreign(DeepScCodec(texts), "rival", header=lambda channel, snr_db, p=protection: p)
        (sent,) = system.send_all([example], "awgn", 20.0, [np.random.default_rng(0)])
        times.append(sent.air_time_s)
        assert sent.symbols == SMALL.symbols * len(texts.pieces.numbers("a dog runs"))
    assert times[0] < times[1]
