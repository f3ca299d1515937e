"""The space's system with tiny made-up weights, its codec, its command, and the shipped weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from m4sc.codecs.base import Budget, Received
from m4sc.codecs.space import SpaceCodec
from m4sc.message import Message
from m4sc.space.channel_codec import SpaceCodecConfig
from m4sc.space.confidence import calibration_error, confidence, fit
from m4sc.space.config import SpaceConfig, SpeakingConfig, WordSpeakerShape
from m4sc.space.knowledge_base import KnowledgeBase
from m4sc.space.projector import ProjectorConfig
from m4sc.space.repeats import says_twice
from m4sc.space.sentence_encoder import RememberedSentences
from m4sc.space.system import NOT_SURE, SpaceNetwork, SpaceSystem
from m4sc.space.word_speaker import END, padded
from m4sc.tasks import get_task
from torch.nn import functional

DIM = 24
SENTENCES = [
    f"A {who} {what} {where}."
    for who in ("dog", "man", "cat")
    for what in ("runs", "sits")
    for where in ("here", "there")
]


class Sentences:
    """Stands in for the sentence encoder: a point for each word, summed."""

    def __call__(self, sentences: list[str]) -> torch.Tensor:
        rows = []
        for sentence in sentences:
            seeds = [sum(map(ord, word)) for word in sentence.lower().rstrip(".").split()]
            parts = [torch.randn(DIM, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
            rows.append(torch.stack(parts).sum(0))
        return functional.normalize(torch.stack(rows), dim=-1)


class Pictures:
    """Stands in for the picture features: the picture's first pixels are the features."""

    def __call__(self, pictures: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack([p.reshape(-1)[:DIM] for p in pictures]).astype(np.float32))

    def class_scores(self, features: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(features), 1000)


def make_system(words: tuple[str, ...] = (), styles: tuple[str, ...] = ("flickr",)) -> SpaceSystem:
    torch.manual_seed(0)
    config = SpaceConfig(
        projector=ProjectorConfig(DIM, DIM, dropout=0.0),
        codec=SpaceCodecConfig(DIM, symbols=12, least_symbols=4),
        speaker=WordSpeakerShape(styles, 8, 8, 6),
        second=len(styles) > 1,
        speaking=SpeakingConfig(neighbours=4, beams=2, nearness=1.0),
        naming=0.0,
        symbols=10,
        confidence=(4.0, 0.0, 0.0, 0.0, 0.0, -2.0),
    )
    network = SpaceNetwork(config, words)
    points = Sentences()(SENTENCES)
    network.codec.fit(points)
    system = SpaceSystem(network, KnowledgeBase.of(SENTENCES, points))
    system.__dict__["sentences"] = Sentences()
    system.__dict__["pictures"] = Pictures()
    return system


@pytest.fixture(scope="module")
def system() -> SpaceSystem:
    return make_system()


def hear(latents: np.ndarray, noise_var: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=latents.shape) * np.sqrt(noise_var / 2)
    y = latents + noise
    return (y[:, 0] + 1j * y[:, 1]).astype(np.complex64), np.full(len(y), noise_var, np.float32)


def test_a_sentence_comes_back_and_noise_costs_confidence(system: SpaceSystem) -> None:
    clear, noisy = [], []
    for sentence in SENTENCES:
        latents = system.encode(Message("text", sentence))
        assert latents.shape == (10, 2) and latents.dtype == np.float32
        assert np.isclose(np.square(latents).sum(1).mean(), 1.0, atol=1e-5)
        clear.append(system.decode(*hear(latents, 1e-4)))
        noisy.append(system.decode(*hear(latents, 30.0)))
    assert np.mean([a.text == s for a, s in zip(clear, SENTENCES, strict=True)]) == 1.0
    assert np.mean([a.text == s for a, s in zip(noisy, SENTENCES, strict=True)]) < 0.6
    assert np.mean([a.confidence for a in clear]) > np.mean([a.confidence for a in noisy]) + 0.02
    assert clear[0].neighbours[0][0] == SENTENCES[0]


def test_it_abstains_when_asked_for_more_than_it_is_sure_of(system: SpaceSystem) -> None:
    heard = hear(system.encode(Message("text", SENTENCES[3])), 1e-3)
    said = system.decode(*heard)
    assert system.decode(*heard, least_confidence=said.confidence - 0.01).text == said.text
    unsure = system.decode(*heard, least_confidence=said.confidence + 0.01)
    assert unsure.text == NOT_SURE and unsure.confidence == said.confidence


def test_lost_symbols_are_left_out(system: SpaceSystem) -> None:
    y, noise = hear(system.encode(Message("text", SENTENCES[5])), 1e-4)
    y[8:], noise[8:] = np.nan, np.inf
    assert system.decode(y, noise).text == SENTENCES[5]
    with pytest.raises(ValueError, match="different models"):
        system.decode(np.zeros(13, np.complex64), np.ones(13, np.float32))
    with pytest.raises(ValueError, match="not numbers"):
        system.decode(np.full(10, np.nan, np.complex64), np.ones(10, np.float32))
    with pytest.raises(ValueError, match="4 to 12 symbols; got 3"):
        system.encode(Message("text", "x y"), 3)


def test_weights_and_knowledge_make_the_fingerprint(tmp_path: Path) -> None:
    system = make_system(("dog", "man", "runs", "a"))
    system.save(tmp_path)
    again = SpaceSystem.load(tmp_path)
    assert again.fingerprint == SpaceSystem.load(tmp_path).fingerprint
    again.__dict__["sentences"] = Sentences()
    latents = again.encode(Message("text", SENTENCES[1]))
    np.testing.assert_allclose(latents, system.encode(Message("text", SENTENCES[1])), atol=0.02)
    assert again.decode(*hear(latents, 1e-3)).text
    other = KnowledgeBase.of(SENTENCES[:6], Sentences()(SENTENCES[:6]))
    assert SpaceSystem.load(tmp_path, other).fingerprint != again.fingerprint
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, "colour": 1}))
    with pytest.raises(ValueError, match="unknown keys"):
        SpaceSystem.load(tmp_path)


def test_of_its_beams_the_speaker_says_what_the_others_say_and_nothing_twice() -> None:
    system = make_system(("a", "dog", "cat", "runs"))
    point = Sentences()(["A dog runs."])
    beams = [[("A cat runs.", -0.4), ("A dog runs a dog runs.", -0.5), ("A dog runs.", -0.6)]]
    assert system.network.speaker is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system.network.speaker, "beam_search", lambda *_: beams)
        (own,) = system._spoken(point, torch.ones(1))
        assert own is not None and own.text == "A dog runs." and own.closeness == pytest.approx(1.0)
        assert 0 < own.accord < 1
        beams[0] = [("A dog runs.", -0.4), *[(f"A cat runs{'.' * n}", -0.5) for n in range(1, 9)]]
        system.config = replace(system.config, speaking=replace(system.config.speaking, accord=50.0))
        (own,) = system._spoken(point, torch.ones(1))
        assert own is not None and own.text.startswith("A cat runs")  # what most of them say


def test_each_style_is_searched_as_far_as_its_source_is_likely() -> None:
    system = make_system(("a", "dog", "cat", "runs"), ("flickr", "coco"))
    network = system.network
    with torch.no_grad():
        network.manner.weight.zero_()
        network.manner.weight[0, 0] = 40.0
        network.manner.bias.zero_()
    points = torch.zeros(3, network.config.projector.out_dim)
    points[0, 0], points[1, 0], points[2, 1] = 1.0, -1.0, 1.0  # of the last source, of the first, of either
    shares = network.style_shares(points)
    torch.testing.assert_close(shares.sum(1), torch.ones(3))
    assert shares[0, -1] > 0.99 and shares[1, 0] > 0.99 and float(shares[2, 0]) == pytest.approx(0.5)
    said = {0: "A dog runs.", 1: "A cat runs."}
    with pytest.MonkeyPatch.context() as patch:
        for number, speaker in enumerate((network.speaker, network.second)):
            assert speaker is not None
            patch.setattr(speaker, "beam_search", lambda p, *_, s=number: [[(said[s], -0.1)] for _ in p])
        voices = network.voices(shares)
        found = system._beams(points, torch.ones(3), voices)
    torch.testing.assert_close(torch.stack([voice.weight for voice in voices]).sum(0), torch.ones(3))
    assert [set(beams) for beams in found] == [{said[1]}, {said[0], said[1]}, {said[0], said[1]}]
    assert found[0] == {said[1]: pytest.approx(1.0, abs=0.01)}  # the last style is the second speaker's alone
    assert found[1] == {said[0]: pytest.approx(2 / 3, abs=0.01), said[1]: pytest.approx(1 / 3, abs=0.01)}
    assert found[2] == {said[0]: pytest.approx(1 / 3), said[1]: pytest.approx(2 / 3)}


def test_the_probability_of_a_sentence_is_the_product_of_its_words() -> None:
    system = make_system(("a", "dog", "cat", "runs"))
    speaker = system.network.speaker
    assert speaker is not None
    texts = ["A dog runs.", "A cat.", "Cat dog a runs."]
    said = padded(speaker, texts)
    points, quality = functional.normalize(torch.randn(3, 24), dim=-1), torch.tensor([1.0, 0.5, 0.2])
    found = speaker.log_probability(points, quality, torch.zeros(3, dtype=torch.long), said)
    for n, text in enumerate(texts):
        beside, state = speaker.context(
            points[n : n + 1], quality[n : n + 1], torch.zeros(1, dtype=torch.long)
        )
        total, word = 0.0, torch.tensor([[END]])
        for following in [*speaker.token_ids(text), END]:
            foretold, state = speaker.states(word, beside, state)
            total += float(speaker.scores(foretold)[0, 0].log_softmax(-1)[following])
            word = torch.tensor([[following]])
        assert float(found[n]) == pytest.approx(total, abs=1e-4)


def test_of_sentences_alike_the_one_that_all_speakers_find_likely_is_said() -> None:
    system = make_system(("a", "dog", "cat", "runs"), ("flickr", "coco"))
    network = system.network
    assert network.speaker is not None and network.second is not None
    point, beams = Sentences()(["A dog runs."]), [[("A cat runs.", -0.5), ("A dog runs.", -0.5)]]
    likely = {"A cat runs.": -1.0, "A dog runs.": -9.0}

    def log_probability(points: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        assert network.speaker is not None
        cat = network.speaker.numbers["cat"]
        return torch.where((rest[-1] == cat).any(1), likely["A cat runs."], likely["A dog runs."])

    with pytest.MonkeyPatch.context() as patch:
        for speaker in (network.speaker, network.second):
            patch.setattr(speaker, "beam_search", lambda *_: beams)
            patch.setattr(speaker, "log_probability", log_probability)
        said = []
        for weight in (0.0, 5.0):
            speaking = replace(system.config.speaking, likelihood=weight)
            system.config = replace(system.config, speaking=speaking)
            (own,) = system._spoken(point, torch.ones(1))
            assert own is not None
            said.append(own.text)
    assert said == ["A dog runs.", "A cat runs."]


@pytest.mark.parametrize(
    ("sentence", "twice"),
    [
        ("A man and a dog.", False),
        ("The man at the end of the path.", False),
        ("A toilet and a toilet.", True),
        ("A kitchen is in the kitchen.", True),
        ("A man is riding a bicycle on a bike.", True),
        ("A person is riding a motorcycle on a dirt bike.", True),
        ("Two dogs are playing with a dog.", True),
        ("A dog and a cat are playing.", False),
        ("A man and a boy are beside a lady.", False),
        ("", False),
    ],
)
def test_repetition_is_of_pairs_long_words_and_things(sentence: str, twice: bool) -> None:
    assert says_twice(sentence) == twice


def test_the_codec_carries_captions(system: SpaceSystem) -> None:
    codec, task = SpaceCodec(system, 77), get_task("caption")
    picture = Message("image", np.random.default_rng(0).integers(0, 255, (4, 4, 3)).astype(np.uint8))
    payload = codec.encode(picture, task, Budget())
    assert payload.fingerprint == 77 and payload.latents is not None and len(payload.latents) == 10
    fewer = codec.encode(picture, task, Budget(symbols=5)).latents
    more = codec.encode(picture, task, Budget(symbols=500)).latents
    assert fewer is not None and more is not None and (len(fewer), len(more)) == (5, 12)
    symbols, noise_var = hear(payload.latents, 0.01)
    answer = codec.decode(Received(symbols, noise_var), task)
    assert answer.text in SENTENCES and answer.confidence is not None and 0 < answer.confidence < 1
    with pytest.raises(ValueError, match="answers caption"):
        codec.encode(picture, get_task("vqa"), Budget())
    with pytest.raises(ValueError, match="takes image"):
        codec.encode(Message("text", "A dog."), task, Budget())
    assert codec.possible_symbols(task)[0] == 10


def test_a_picture_that_another_system_delivered_is_read_through_all_symbols_without_noise() -> None:
    system, task = make_system(), get_task("caption")
    codec, most = SpaceCodec(system, 77), system.config.codec.symbols
    picture = Message("image", np.random.default_rng(0).integers(0, 255, (4, 4, 3)).astype(np.uint8))
    latents = codec.encode(picture, task, Budget(symbols=most)).latents
    assert latents is not None
    crossed = codec.decode(Received(*hear(latents, 1e-6)), task)
    answer = codec.read(picture, task)
    assert answer.confidence is not None and crossed.confidence is not None
    assert answer.text == crossed.text and answer.confidence == pytest.approx(crossed.confidence, abs=1e-3)
    sure = SpaceCodec(system, 77, least_confidence=1.0)
    assert sure.read(picture, task).text == "Not sure."
    with pytest.raises(ValueError, match="answers caption"):
        codec.read(picture, get_task("vqa"))


def test_confidence_is_calibrated_on_what_it_was_fitted_to() -> None:
    rng = np.random.default_rng(0)
    seen = np.column_stack([rng.uniform(size=(2000, 4)), np.ones(2000)])
    right = rng.uniform(size=2000) < 1 / (1 + np.exp(-(4 * seen[:, 0] - 2)))
    coefficients = fit(seen, right)
    sure = np.array([confidence(row, coefficients) for row in seen])
    assert calibration_error(sure, right) < 0.05
    assert calibration_error(1 - sure, right) > 0.1


@pytest.mark.slow
def test_shipped_weights_name_what_a_picture_shows() -> None:
    import gnuradio.m4sc as blocks
    from m4sc.shipped import weights_folder
    from PIL import Image

    system = SpaceSystem.load(weights_folder("space"))
    folder = Path(blocks.__file__).parent / "samples"
    words = {"cat": ("cat",), "motorcycle": ("motorcycle", "moped", "scooter", "bike")}
    for name, subject in words.items():
        picture = np.asarray(Image.open(folder / f"{name}.jpg").convert("RGB"))
        latents = system.encode(Message("image", picture))
        said = system.decode(*hear(latents, 0.1))
        assert any(word in said.text.lower() for word in subject), said.text
        drowned = system.decode(*hear(latents, 100.0))
        assert drowned.confidence < said.confidence


def test_a_remembered_sentence_is_encoded_once() -> None:
    asked: list[str] = []

    def encode(sentences: Sequence[str]) -> torch.Tensor:
        asked.extend(sentences)
        return Sentences()(list(sentences))

    remembered = RememberedSentences(encode)
    first, again = ["A dog.", "A cat.", "A dog."], ["A cat.", "A bird."]
    torch.testing.assert_close(remembered(first), Sentences()(first))
    torch.testing.assert_close(remembered(again), Sentences()(again))
    assert asked == ["A dog.", "A cat.", "A bird."]
