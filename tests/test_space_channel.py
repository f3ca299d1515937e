"""The space's channel codec, knowledge base, consensus and speaker on made-up points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from m4sc.coding.torch_link.link import transmit
from m4sc.space.channel_codec import SpaceCodec, SpaceCodecConfig, SpaceCodecStage, train_space_codec
from m4sc.space.consensus import Rarity, agreement
from m4sc.space.knowledge_base import KnowledgeBase, build, distinct, quantised, sentences_of
from m4sc.space.word_speaker import (
    SpeakerData,
    SpeakerStage,
    WordSpeaker,
    WordSpeakerConfig,
    padded,
    train_speaker,
    vocabulary,
)
from torch.nn import functional

DIM = 32


def points(n: int = 400, seed: int = 1) -> torch.Tensor:
    """Unit vectors whose principal components fall off."""
    generator = torch.Generator().manual_seed(seed)
    spread = torch.arange(1, DIM + 1).float() ** -0.7
    return functional.normalize(torch.randn(n, DIM, generator=generator) * spread + 0.1, dim=-1)


@pytest.fixture(scope="module")
def codec() -> SpaceCodec:
    made = SpaceCodec(SpaceCodecConfig(DIM, symbols=16, least_symbols=2))
    made.fit(points())
    return made


def kept(codec: SpaceCodec, count: int, snr_db: float) -> float:
    x = points(300, seed=2)
    sent = codec.send(x, count)
    y, n = transmit(sent[:, :, None], torch.full((300,), snr_db), "awgn", torch.Generator().manual_seed(0))
    return (codec.receive(y[:, :, 0], n[:, :, 0]) * x).sum(-1).mean().item()


def test_symbols_have_unit_power_and_are_nested(codec: SpaceCodec) -> None:
    x = points(20)
    for count in (2, 5, 16):
        sent = codec.send(x, count)
        assert sent.shape == (20, count, 2)
        torch.testing.assert_close(sent.square().sum((1, 2)) / count, torch.ones(20))
    few, all_ = codec.send(x, 4).flatten(1), codec.send(x).flatten(1)[:, :8]
    torch.testing.assert_close(functional.normalize(few, dim=-1), functional.normalize(all_, dim=-1))


def test_what_a_point_means_crosses_better_than_its_error() -> None:
    """Half of the points' deviation is error, in directions of its own that are as strong."""
    generator = torch.Generator().manual_seed(4)
    signal, error = torch.randn(2, 600, 8, generator=generator)
    meant = functional.normalize(torch.cat([signal, 0 * error, torch.ones(600, 4)], 1), dim=-1)
    seen = functional.normalize(torch.cat([signal, 1.5 * error, torch.ones(600, 4)], 1), dim=-1)
    plain, taught = (SpaceCodec(SpaceCodecConfig(20, symbols=8, least_symbols=2)) for _ in range(2))
    plain.fit(seen[:400])
    taught.fit(seen[:400], meant[:400])

    def near(codec: SpaceCodec, count: int) -> float:
        sent = codec.send(seen[400:], count)
        return (codec.receive(sent, torch.full((200, count), 1e-3)) * meant[400:]).sum(-1).mean().item()

    for count in (4, 8):
        assert near(taught, count) > near(plain, count) + 0.1
    assert near(taught, 8) > near(taught, 4) - 0.01  # what comes later does no harm


def test_more_symbols_and_less_noise_keep_more(codec: SpaceCodec) -> None:
    assert kept(codec, 2, 10.0) < kept(codec, 6, 10.0) < kept(codec, 16, 10.0)
    assert kept(codec, 16, -5.0) < kept(codec, 16, 5.0) < kept(codec, 16, 25.0)
    assert kept(codec, 16, 60.0) > 0.999  # all components, no noise


def test_a_lost_symbol_is_one_that_was_not_sent(codec: SpaceCodec) -> None:
    x = points(50)
    sent = codec.send(x, 16)
    noise = torch.full((50, 16), 0.01)
    noise[:, 5:] = torch.inf
    lost = sent.clone()
    lost[:, 5:] = 100.0  # whatever stands in their place
    right = (codec.receive(lost, noise) * x).sum(-1).mean()
    assert torch.isfinite(right)
    assert float(right) == pytest.approx(kept(codec, 5, 20.0), abs=0.02)


def test_training_makes_the_codec_better() -> None:
    x = points(4000)
    made = SpaceCodec(SpaceCodecConfig(DIM, symbols=16, least_symbols=2))
    made.fit(x)
    before = np.mean([kept(made, count, snr) for count in (3, 8) for snr in (-5.0, 0.0, 5.0)])
    train_space_codec(made, x, x[:, None], SpaceCodecStage(minutes=0.3, steps=200, batch=128))
    after = np.mean([kept(made, count, snr) for count in (3, 8) for snr in (-5.0, 0.0, 5.0)])
    assert after > before + 0.001


def test_near_duplicates_are_left_out_of_a_knowledge_base(tmp_path: Path) -> None:
    x = points(3000)
    doubled = torch.cat([x, functional.normalize(x + 0.001, dim=-1)])
    allowed = 0.999
    found = distinct(doubled, allowed)
    near = doubled[found] @ doubled[found].T
    near.fill_diagonal_(0)
    assert float(near.max()) <= allowed and len(found) <= 3000
    base = KnowledgeBase.of([f"Sentence {n}." for n in range(6000)], doubled, "made up", 500, allowed)
    base.save(tmp_path / "kb.safetensors")
    again = KnowledgeBase.load(tmp_path / "kb.safetensors")
    assert again.sentences == base.sentences and again.fingerprint == base.fingerprint
    assert again.about == "made up" and len(again) == 500
    changed = KnowledgeBase((*base.sentences[:-1], "Another."), base.vectors)
    assert changed.fingerprint != base.fingerprint
    assert float((quantised(x).float() * x).sum(-1).div(quantised(x).float().norm(dim=-1)).min()) > 0.999


def test_a_folder_of_texts_becomes_a_knowledge_base(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# A title\n\nThe pump is off. It leaks!\n- one valve is open\nHm.\n")

    class Encoder:
        def __call__(self, sentences: list[str]) -> torch.Tensor:
            return points(len(sentences))

    base = build(tmp_path, Encoder())  # type: ignore[arg-type]
    assert base.sentences == ("A title", "The pump is off.", "It leaks!", "one valve is open")
    assert sentences_of("x " * 50) == []
    with pytest.raises(ValueError, match="holds no text"):
        build(tmp_path / "nothing", Encoder())  # type: ignore[arg-type]
    (tmp_path / "bad.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(ValueError, match="cannot be read as a knowledge base"):
        KnowledgeBase.load(tmp_path / "bad.safetensors")


def test_the_sentence_that_most_support_is_chosen() -> None:
    said = [
        "A brown dog runs over the grass.",
        "A dog is running on green grass.",
        "A brown dog runs on the grass.",
        "Two men play chess.",
        "A brown dog running through grass.",
    ]
    rarity = Rarity.of([*said, "A cat sleeps.", "The man eats.", "Two women talk."])
    alike = agreement(said, rarity)
    assert np.allclose(alike, alike.T, atol=1e-6) and np.allclose(np.diag(alike), 1.0, atol=1e-5)
    support = alike.mean(1)
    assert support.argmax() != 3 and support.argmin() == 3


def test_a_speaker_says_what_its_point_stands_for() -> None:
    who, what = ("dog", "cat", "man", "girl"), ("runs", "sleeps", "eats")
    sentences = [f"A {a} {b} here." for a in who for b in what]
    own = points(len(sentences), seed=5)
    speaker = WordSpeaker(WordSpeakerConfig(vocabulary(sentences, 1), ("plain",), DIM, 24, 48, dropout=0.0))
    n = len(sentences)
    data = SpeakerData(
        own,
        padded(speaker, sentences),
        torch.zeros(n, dtype=torch.long),
        torch.full((n,), -1),
        own[:0],
    )
    stage = SpeakerStage(
        minutes=0.5, steps=200, batch=64, learning_rate=1e-2, most_noise=0.0, smoothing=0.0, bf16=False
    )
    train_speaker(speaker, data, stage)
    said = speaker.beam_search(own, torch.ones(n), beams=2)
    right = [best[0][0] == sentence for best, sentence in zip(said, sentences, strict=True)]
    assert np.mean(right) >= 0.9
    other = speaker.beam_search(own.roll(1, 0), torch.ones(n), beams=2)
    assert np.mean([a[0][0] == b for a, b in zip(other, sentences, strict=True)]) < 0.3
    drawn = speaker.sample(own[:2], torch.ones(2), count=3, generator=torch.Generator().manual_seed(0))
    assert [len(group) for group in drawn] == [3, 3]
