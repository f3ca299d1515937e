"""Mosaics: the right answers, balance, determinism and the split of pictures."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.data import mosaic
from m4sc.data.cifar10 import Cifar10

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def tiny(split: str = "train") -> Cifar10:
    labels = np.repeat(np.arange(10), 2)
    images = np.broadcast_to((labels * 25).astype(np.uint8)[:, None, None, None], (20, 32, 32, 3))
    return Cifar10(split, images, labels, NAMES)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), grid=st.sampled_from([2, 3]))
def test_answers_follow_from_the_pixels(seed: int, grid: int) -> None:
    for example in mosaic.mosaic_examples(tiny(), 1, grid=grid, seed=seed):
        image = example.load()
        assert image.shape == (224, 224, 3) and image.dtype == np.uint8
        centers = (np.arange(grid) * 224 + 112) // grid
        seen = [NAMES[int(image[y, x, 0]) // 25] for y in centers for x in centers]  # row by row
        kind, question, answer = example.kind.split("-", 1)[1], example.instruction, example.answers[0]
        asked = [name for name in NAMES if name in question]
        if kind == "position":
            named = {mosaic.position_name(grid, cell): cell for cell in range(grid**2)}
            place = max((name for name in named if name in question), key=len)  # "top center", not "center"
            assert answer == seen[named[place]]
        elif kind == "existence":
            assert answer == ("yes" if asked[0] in seen else "no")
        elif kind == "count":
            assert answer == mosaic.NUMBER_WORDS[seen.count(asked[0])]
        elif kind == "comparison":
            first, second = sorted(asked, key=question.index)
            assert answer == ("yes" if seen.count(first) > seen.count(second) else "no")
        elif kind == "left-of":
            assert answer == seen[seen.index(asked[0]) - 1]
        elif kind == "above":
            assert answer == seen[seen.index(asked[0]) - grid]
        else:
            assert answer.replace(";", ",").split(", ") == seen


def test_a_blind_guesser_gains_little() -> None:
    bars = {
        "position": 0.16,
        "existence": 0.56,
        "count": 0.26,
        "comparison": 0.58,
        "left-of": 0.17,
        "above": 0.17,
    }
    answers: dict[str, Counter[str]] = {}
    for example in mosaic.mosaic_examples(tiny(), 800, grid=2):
        answers.setdefault(example.kind[4:], Counter())[example.answers[0]] += 1
    for kind, bar in bars.items():
        assert answers[kind].most_common(1)[0][1] / answers[kind].total() < bar, kind


def test_seed_and_split_decide() -> None:
    def ids(**options: int) -> list[str]:
        return [e.instruction + e.answers[0] for e in mosaic.mosaic_examples(tiny(), 5, **options)]

    assert ids(seed=1) == ids(seed=1) != ids(seed=2)
    test = [e.answers for e in mosaic.mosaic_examples(tiny("test"), 5)]
    assert test != [e.answers for e in mosaic.mosaic_examples(tiny("train"), 5)]


def test_held_out_wordings_are_disjoint() -> None:
    for kind in mosaic.KINDS:
        assert not set(mosaic.SEEN[kind]) & set(mosaic.HELDOUT[kind])


def test_other_grids_are_refused() -> None:
    with pytest.raises(ValueError, match="use 2 or 3"):
        mosaic.draw_mosaic(tiny(), 4, np.random.default_rng(0))
