"""Whether a sentence says the same thing twice, as a model of words does that has lost its thread."""

from __future__ import annotations

import itertools

from m4sc.space.truth import PERSON, thing_of
from m4sc.space.word_speaker import words_of

_SHORT = 3  # letters of a word that may well stand twice in a sentence
_ALIKE = {"motorcycle": "bicycle"}  # things that share a name: a bike may be either


def says_twice(sentence: str) -> bool:
    """Whether a pair of words, a word of more than three letters or a thing occurs twice.

    A thing is the same under another name and in the plural ("a bicycle on a bike", "dogs with a dog").
    People are not one thing: a man may sit beside a woman.
    """
    words = words_of(sentence)
    pairs = list(itertools.pairwise(words))
    long = [word for word in words if len(word) > _SHORT]
    things = [_ALIKE.get(thing, thing) for thing in map(thing_of, words) if thing not in ("", PERSON)]
    return any(len(set(said)) < len(said) for said in (pairs, long, things))
