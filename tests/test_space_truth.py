"""What a sentence names, and whether it is there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.encoders.object_detector import THINGS
from m4sc.space.truth import PERSON, Truth, spoken_of

_CAPTIONS = [
    ["A red motorcycle on a street.", "A parked motorbike.", "Motorcycle near a wall."],
    ["A man rides a motorcycle.", "A biker on a motorbike.", "Someone on a motorcycle."],
]


@pytest.mark.parametrize("word", ["man", "women", "Children", "someone", "crowd", "person", "player"])
def test_people_are_a_person(word: str) -> None:
    assert spoken_of(f"A {word} here.") == {PERSON}


def test_things_have_one_name() -> None:
    assert spoken_of("Two puppies beside a motorbike.") == {"dog", "motorcycle"}
    assert spoken_of("A man at a parking meter, two suitcases.") == {PERSON, "parking meter", "suitcase"}
    assert spoken_of("") == frozenset()


@pytest.mark.parametrize("thing", THINGS)
def test_every_kind_of_the_detector_is_understood(thing: str) -> None:
    assert len(spoken_of(f"A {thing}.")) >= 1


def test_people_are_invented_only_where_nobody_is() -> None:
    truth = Truth(_CAPTIONS)
    said = ["A man riding a motorcycle.", "A motorcycle.", "A man riding a motorcycle."]
    assert truth.invented_people(said, [0, 0, 1]).tolist() == [1.0, 0.0, 0.0]


def test_a_detector_that_is_sure_of_a_person_is_believed() -> None:
    seen = torch.zeros(1, len(THINGS))
    seen[0, THINGS.index("person")] = 0.9
    said = ["A man riding a motorcycle."]
    assert Truth(_CAPTIONS, seen).invented_people(said, [0]).tolist() == [0.0]
    assert Truth(_CAPTIONS, 0.4 * seen).invented_people(said, [0]).tolist() == [1.0]
    assert Truth(_CAPTIONS[::-1], seen).invented_people(said, [1]).tolist() == [1.0]  # its row has no scores


def test_naming_what_most_captions_name_earns() -> None:
    truth = Truth(_CAPTIONS)
    said = ["A parked motorbike.", "A street.", "A person on a motorcycle.", "A dog and a motorcycle."]
    np.testing.assert_allclose(truth.named(said, [0, 0, 1, 1]), [1.0, 0.0, 1.0, 0.5])
    assert Truth([[]]).named(["A dog."], [0]).tolist() == [0.0]


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_any_sentence_is_judged(text: str) -> None:
    truth = Truth(_CAPTIONS)
    assert 0 <= float(truth.named([text], [1])[0]) <= 1
    assert float(truth.invented_people([text], [0])[0]) in (0.0, 1.0)


def test_another_picture_is_an_error() -> None:
    with pytest.raises(IndexError):
        Truth(_CAPTIONS).named(["A dog."], [5])
