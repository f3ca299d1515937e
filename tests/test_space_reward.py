"""Rewards of captions, and a speaker that learns from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.evaluate.metrics.captions import cider
from m4sc.space.reward import CaptionReward, Likeness
from m4sc.space.reward_training import RewardStage, train_by_reward
from m4sc.space.word_speaker import SpeakerData, WordSpeaker, WordSpeakerConfig, padded

_CAPTIONS = [
    ["A dog runs on the grass.", "A brown dog is running."],
    ["A man climbs a rock.", "A climber on a steep rock."],
    ["Two children play football.", "Kids play with a ball."],
]


def test_own_caption_earns_more_than_another_pictures() -> None:
    reward = CaptionReward(_CAPTIONS)
    own = reward([group[0] for group in _CAPTIONS], [0, 1, 2])
    other = reward([group[0] for group in _CAPTIONS], [1, 2, 0])
    assert (own > other + 1).all()


def test_orders_sentences_as_the_measure_does() -> None:
    reward = CaptionReward(_CAPTIONS)
    said = ["A dog runs on the grass.", "A man on a steep rock.", "Football."]
    ours, measured = reward(said, [0, 1, 2]), cider(said, _CAPTIONS)
    assert min(np.abs(np.diff(np.sort(measured)))) > 0
    assert np.argsort(ours).tolist() == np.argsort(measured).tolist()


def test_a_dangling_end_earns_less() -> None:
    reward = CaptionReward(_CAPTIONS)
    whole, dangling = reward(["A brown dog is running.", "A brown dog is running with a."], [0, 0])
    assert whole > dangling


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_any_sentence_earns_between_0_and_10(text: str) -> None:
    (earned,) = CaptionReward(_CAPTIONS)([text], [1])
    assert 0 <= earned <= 10


def test_likeness_reads_words_as_the_encoder_would() -> None:
    words = ("dog", "man", "child", "runs", "climbs", "plays", "a")
    generator = torch.Generator().manual_seed(0)
    own = torch.randn(len(words), 16, generator=generator)
    texts = [f"A {who} {does}." for who in words[:3] for does in words[3:6]]
    place = {word: n for n, word in enumerate(words)}
    points = torch.stack([own[[place[w] for w in t.lower().rstrip(".").split()]].sum(0) for t in texts])
    points = torch.nn.functional.normalize(points, dim=-1)
    likeness = Likeness(words, texts[:-1], points[:-1], ridge=0.01)
    assert (likeness.points(texts[-1:]) * points[-1:]).sum() > 0.9  # a pair of words it has not met
    near = likeness(["A dog runs.", "A child plays."], points[[0, 0], None])
    assert near[0] > near[1] + 0.2
    assert np.isfinite(likeness(["", "Unheard words"], points[[0, 1], None])).all()


def test_reward_lifts_what_a_speaker_earns() -> None:
    torch.manual_seed(0)
    words = ("a", "dog", "man", "child", "runs", "climbs", "plays")
    speaker = WordSpeaker(WordSpeakerConfig(words, space_dim=8, width=16, hidden=24, most_words=5))
    captions = [["A dog runs."], ["A man climbs."], ["A child plays."]]
    pictures = torch.eye(8)[:3]
    texts = [group[0] for group in captions]
    data = SpeakerData(
        pictures.half(), padded(speaker, texts), torch.zeros(3).long(), torch.arange(3), pictures
    )
    reward, rows = CaptionReward(captions), torch.arange(3)

    def earns() -> float:
        said = [best[0][0] for best in speaker.beam_search(pictures, torch.ones(3))]
        return float(reward(said, [0, 1, 2]).mean())

    before = earns()
    stage = RewardStage(steps=120, batch=12, learning_rate=1e-2, kept=0.1, sentences=6, average=0.9)
    train_by_reward(speaker, rows, reward, data, stage)
    assert earns() > before + 1
    assert not speaker.training


def test_reward_of_no_picture_is_an_error() -> None:
    with pytest.raises(IndexError):
        CaptionReward(_CAPTIONS)(["A dog."], [7])
