"""Sweeps: told what is wrong with a configuration, choices kept off the test split, reports."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from m4sc.data.example import Example
from m4sc.evaluate.crossing import cross
from m4sc.evaluate.envelope import assured_snr_db, best_scheme, choose_protection, choose_scheme
from m4sc.evaluate.metrics.bootstrap import crossed_interval, share_interval
from m4sc.evaluate.sweep.config import SweepConfigError, SystemSpec, load_config
from m4sc.evaluate.sweep.ground import Ground, Place
from m4sc.evaluate.sweep.points import points_of
from m4sc.evaluate.sweep.systems import build, carries, commonest

GOOD = """\
examples: 20
channels:
  - {channel: awgn, snr_db: [0, 5]}
  - {channel: tdl-a, snr_db: 10}
tasks: [classify, text]
systems:
  ours: {codec: semantic}
  webp: {codec: webp, side: 32, quality: [20, 60]}
  words: {codec: zstd, mcs: 2}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_configuration_becomes_its_points(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    keys = [point.key for point in points_of(config)]
    assert len(keys) == len(set(keys)) == 3 * 4  # webp carries no text, zstd no picture
    assert keys[0] == "ours/classify/awgn/0" and "words/text/tdl-a/10" in keys
    assert config.systems[1].quality == (20, 60) and config.systems[2].mcs == 2
    other = load_config(written(tmp_path, GOOD.replace("20\n", "30\n")))
    assert config.settings_digest != other.settings_digest
    fewer = load_config(written(tmp_path, "controls: {text: 5}\n" + GOOD))  # told in a row, as points are
    assert fewer.controls == (("text", 5),) and fewer.settings_digest == config.settings_digest
    digests = {config.digest_of(system) for system in config.systems}
    assert len(digests) == 3 and all(digest.startswith(config.settings_digest) for digest in digests)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("examples: 20", "examples: many", 1),
        ("examples: 20", "exmples: 20", 1),
        ("channel: awgn", "channel: vacuum", 3),
        ("examples: 20", "controls: {cook: 5}", 1),
        ("examples: 20", "controls: {text: -1}", 1),
        ("examples: 20", "controls: 5", 1),
        ("[0, 5]", "[0, 99]", 3),
        ("[classify, text]", "[classify, cook]", 5),
        ("[20, 60]", "[60, 20]", 8),
        ("side: 32", "size: 32", 8),
        ("mcs: 2", "mcs: 99", 9),
        ("mcs: 2", "protection: 1", 9),
        ("mcs: 2", "symbols: 8", 9),
        ("codec: semantic", "codec: semantic, symbols: 0", 7),
        ("words: {codec", "ours: {codec", 9),
        ("words: {codec: zstd, mcs: 2}", "words: {mcs: 2}", 9),
        ("words: {codec: zstd", "words: {codec: [zstd", 9),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int) -> None:
    assert old in GOOD
    with pytest.raises(SweepConfigError, match=f"line {line}:"):
        load_config(written(tmp_path, GOOD.replace(old, new, 1)))


@pytest.mark.parametrize("text", ["", "a", "[1]", "tasks: [text]"])
def test_no_sweep_at_all_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(SweepConfigError, match="line"):
        load_config(written(tmp_path, text))


def examples(n: int = 12) -> list[Example]:
    return [
        Example(str(i), "image", "classify", "What?", ("cat" if i % 3 else "dog",), "k",
                np.full((32, 32, 3), 40 * (i % 3), np.uint8), str(i))
        for i in range(n)
    ]  # fmt: skip


def test_the_lowest_quality_that_still_answers_is_chosen() -> None:
    def read(message, task, instruction):
        return SimpleNamespace(text="dog" if np.asarray(message.data).mean() < 20 else "cat", image=None)

    model = SimpleNamespace(read=lambda *given: _answer(read(*given).text))
    spec = SystemSpec("webp", "webp", side=32, quality=(5, 50, 90))
    built = build(spec, "classify", Ground(model, examples(), 10))
    assert built.chosen.startswith("side 32, quality 5") and "10 validation" in built.chosen
    assert built.system.all_without_channel(examples()) == [e.answers[0] for e in examples()]


def _answer(text: str):
    from m4sc.codecs.base import Answer

    return Answer(text, None, 0.0)


def test_constant_says_the_commonest_and_costs_nothing() -> None:
    assert commonest(examples()) == {"": "cat", "k": "cat"}
    built = build(SystemSpec("c", "constant"), "classify", Ground(None, examples(), 1))
    (delivery,) = built.system.send_all(examples(1), "awgn", 0.0, [np.random.default_rng(0)])
    assert delivery.said == "cat" and delivery.air_time_s == 0
    assert not carries(SystemSpec("c", "constant"), "text")
    assert carries(SystemSpec("c", "constant"), "text-question")
    assert not carries(SystemSpec("r", "retrieval"), "text-question")
    assert carries(SystemSpec("l", "llm"), "text") and not carries(SystemSpec("l", "llm"), "caption")


def test_the_caption_that_most_agree_with_is_the_constant_one() -> None:
    said = ["A dog runs on grass.", "A dog runs on the grass.", "Two boats at sea.", "A dog runs."]
    captions = [
        Example(str(i), "image", "caption", "Say.", (text,), "k", np.zeros((8, 8, 3), np.uint8), str(i))
        for i, text in enumerate(said)
    ]
    assert commonest(captions)[""].startswith("A dog runs on")


class Placed:
    """A model of pictures whose first pixel is where they lie."""

    fingerprint = 5

    def __init__(self) -> None:
        self.looked, self.turned = 0, 0.0

    def place(self, message, task) -> np.ndarray:
        self.looked += 1
        angle = float(np.asarray(message.data)[0, 0, 0]) / 100 + self.turned
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


def test_retrieval_sends_the_place_of_the_nearest_training_answer(tmp_path: Path, monkeypatch) -> None:
    from m4sc.evaluate.sweep import retrieval

    rng = np.random.default_rng(0)
    shades = rng.permutation(120)
    pool = [
        Example(f"t{i}", "image", "classify", "What?", ("dark" if shade < 60 else "light",), "k",
                np.full((8, 8, 3), shade, np.uint8), f"t{i}")
        for i, shade in enumerate(shades)
    ]  # fmt: skip
    monkeypatch.setattr(retrieval, "training_pool", lambda *given, **more: pool)
    model, place = Placed(), Place(tmp_path, tmp_path)
    ground = Ground(model, pool, 40, place)
    built = build(SystemSpec("r", "retrieval"), "classify", ground)
    assert "neighbours" in built.chosen and "40 validation" in built.chosen
    new = [
        Example(f"n{i}", "image", "classify", "What?", ("?",), "k",
                np.full((8, 8, 3), shade, np.uint8), f"n{i}")
        for i, shade in enumerate((3, 110, 20))
    ]  # fmt: skip
    sent = built.system.send_all(new, "awgn", 10.0, [np.random.default_rng(i) for i in range(3)])
    assert [delivery.said for delivery in sent] == ["dark", "light", "dark"]
    assert all(0 < delivery.air_time_s < 1e-3 for delivery in sent)
    looked = model.looked
    model.fingerprint = 6  # weights of something else changed
    build(SystemSpec("r", "retrieval"), "classify", ground)
    assert model.looked == looked + retrieval._PROBES  # places are kept, a few are looked at again
    model.turned = 0.01
    build(SystemSpec("r", "retrieval"), "classify", ground)
    assert model.looked > looked + retrieval._PROBES + len(pool)  # they lie elsewhere now
    with pytest.raises(ValueError, match="folder"):
        build(SystemSpec("r", "retrieval"), "classify", Ground(model, pool, 40))


def test_a_blind_receiver_gets_nothing_and_costs_nothing() -> None:
    from m4sc.codecs.base import Payload
    from m4sc.evaluate.systems import Blind, Semantic

    asked = []

    class Model:
        def encode(self, message, task, told=None, **more) -> Payload:
            return Payload(1, "image", latents=np.full((more.get("symbols", 8), 2), 0.5**0.5, np.float32))

        def decode_many(self, received, task, instructions) -> list:
            asked.extend(received)
            return [_answer("seen" if np.abs(y).max() > 0 else "guessed") for y, _ in received]

    own = Semantic(Model(), symbols=4, name="few")
    blind = Blind(own, 10.0)
    rngs = [np.random.default_rng(0)] * 3
    some = [*examples(2), replace(examples(3)[2], instruction="Else?")]
    sent = blind.send_all(some, "awgn", 0.0, rngs) + blind.send_all(some, "awgn", 5.0, rngs)
    assert {str(d.said) for d in sent} == {"guessed"} and {d.air_time_s for d in sent} == {0.0}
    assert len(asked) == 2 and all(len(y) == 4 for y, _ in asked)  # each question once
    assert [str(said) for said in own.all_without_channel(examples(2))] == ["seen", "seen"]
    assert own.name == "few"


def test_the_envelope_takes_the_fastest_scheme_that_holds() -> None:
    from m4sc.codecs.base import Payload
    from m4sc.evaluate.systems import frames_for
    from m4sc.phy.modulation.payload import PayloadFormat

    choice = choose_scheme("awgn", 5.0, 200)
    assert choice.lost <= 1 and choice.draws == 40 and best_scheme("awgn", 5.0, 200) == choice.mcs
    low, high = choice.interval
    assert 0 <= low <= choice.lost / 40 < high < 0.15
    lost = []
    for mcs in (choice.mcs, choice.mcs + 1):
        config = frames_for(5.0, PayloadFormat(mcs=mcs))
        crossings = [
            cross(Payload(1, "image", data=bytes(200)), "awgn", 5.0, np.random.default_rng(i), config)
            for i in range(12)
        ]
        lost.append(sum(crossing.received is None for crossing in crossings))
    assert lost[0] <= 1 and lost[1] >= 6
    assert choice.mcs > best_scheme("awgn", -3.0, 200)


def test_where_every_scheme_loses_the_least_loss_decides(monkeypatch) -> None:
    from m4sc.evaluate import envelope

    losses = {0: 20, 1: 12, 2: 13, 3: 30}
    monkeypatch.setattr(envelope, "_candidates", lambda *given: [3, 2, 1, 0])
    monkeypatch.setattr(envelope, "_lost", lambda c, s, n, mcs, most, way: min(losses[mcs], most + 1))
    envelope._choose.cache_clear()
    found = envelope.choose_scheme("awgn", -50.0, 77)
    envelope._choose.cache_clear()
    assert (found.mcs, found.lost) == (2, 13)  # one more lost than the least of 40: faster, and allowed


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_the_interval_of_a_share_holds_it(n: int, share: float) -> None:
    count = round(share * n)
    low, high = share_interval(count, n)
    assert 0 <= low <= count / n + 1e-9 and count / n - 1e-9 <= high <= 1 and low < high
    wider = share_interval(count, n, 2.58)
    assert wider[0] <= low + 1e-9 and wider[1] >= high - 1e-9


def test_no_draws_have_no_interval() -> None:
    for count, n in ((0, 0), (3, 2), (-1, 4)):
        with pytest.raises(ValueError, match="no share"):
            share_interval(count, n)


def test_questions_about_one_picture_are_drawn_together() -> None:
    pictures = np.random.default_rng(0).integers(0, 2, 60).astype(float)
    values = np.repeat(pictures, 6)[None, :, None]  # six questions, right or wrong together
    groups = [str(i) for i in range(60) for _ in range(6)]

    def mean(means: np.ndarray) -> np.ndarray:
        return means[:, 0]

    low, high = crossed_interval(values, mean, groups)
    one_each = crossed_interval(pictures[None, :, None], mean)
    blind = crossed_interval(values, mean)
    assert high - low == pytest.approx(one_each[1] - one_each[0], rel=0.1)
    assert high - low > 2 * (blind[1] - blind[0])
    with pytest.raises(ValueError, match="groups"):
        crossed_interval(values, mean, groups[:-1])


def test_headers_of_symbols_are_as_short_as_channel_and_snr_allow() -> None:
    clean, noisy, fading = (choose_protection(*at) for at in (("awgn", 10.0), ("awgn", 0.0), ("tdl-a", 10.0)))
    assert (clean.index, noisy.index, fading.index) == (0, 1, 1)
    assert clean.draws == 200 and clean.lost <= 5


def test_a_sender_of_words_reckons_with_what_fades_leave() -> None:
    assert assured_snr_db("awgn", 5.0) == 5.0
    fading, interleaved, worse = (
        assured_snr_db(*at) for at in (("tdl-a", 10.0), ("rayleigh", 10.0), ("tdl-a", 5.0))
    )
    assert worse < fading < interleaved < 9.0
    assert fading - worse == pytest.approx(5.0, abs=1.5)
    with pytest.raises(ValueError, match="none of"):
        assured_snr_db("tdl-z", 5.0)


def test_only_a_sweep_tells_senders_of_words_the_snr() -> None:
    from m4sc.codecs.base import Payload
    from m4sc.evaluate.systems import Semantic

    told: list[float | None] = []

    class Model:
        def encode(self, message, task, asked=None, snr_db=None) -> Payload:
            told.append(snr_db)
            return Payload(1, "image", latents=np.full((8, 2), 0.5**0.5, np.float32))

        def decode_many(self, received, task, instructions) -> list:
            return [_answer("seen") for _ in received]

    rngs = [np.random.default_rng(0)] * 2
    Semantic(Model()).send_all(examples(2), "awgn", 3.0, rngs)
    assert told == [None, None]
    knowing = Semantic(Model(), told=lambda channel, snr_db: snr_db - 1.0)
    for _ in range(2):  # each message is encoded once for what is known
        knowing.send_all(examples(2), "awgn", 3.0, rngs)
    knowing.send_all(examples(2), "awgn", 5.0, rngs)
    knowing.symbols(examples(2)[0])
    assert told[2:] == [2.0, 2.0, 4.0, 4.0, None]


def test_a_row_of_symbols_costs_what_its_header_does() -> None:
    from m4sc.codecs.base import Payload
    from m4sc.evaluate.systems import frames_for

    payload = Payload(1, "image", 5, np.full((64, 2), 0.5**0.5, np.float32))
    shortest, usual = (
        cross(payload, "awgn", 10.0, np.random.default_rng(0), frames_for(10.0, None, False, protection))
        for protection in (0, 1)
    )
    assert shortest.air_time_s < 0.5 * usual.air_time_s and shortest.received is not None


def test_the_longest_messages_are_drawn_no_longer_than_frames_can_number() -> None:
    from m4sc.codecs.base import Payload
    from m4sc.evaluate import envelope
    from m4sc.phy.modulation.payload import PayloadFormat
    from m4sc.transport.config import TransportConfig
    from m4sc.transport.frames import Address, to_frames

    n_bytes = 150_000  # as of a sound without loss; the next power of two has a frame too many
    size = envelope.size_of(n_bytes)
    assert n_bytes < size < 1 << 18 and envelope.size_of(300) == 512
    for channel in ("awgn", "tdl-a"):
        schemes = envelope._candidates(channel, -9.0, size)
        assert schemes and min(schemes) > min(envelope._candidates(channel, -9.0, 200)) == 0
        for mcs in schemes:
            config = TransportConfig(PayloadFormat(mcs=mcs))
            assert len(to_frames(Payload(1, "speech", data=bytes(size)), Address(), config)) <= 256
    with pytest.raises(ValueError, match="more frames than can be numbered"):
        best_scheme("awgn", 10.0, 400_000)
