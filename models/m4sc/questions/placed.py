"""Questions for what is beside, on or in something, and captions that answer such."""

from __future__ import annotations

import re
from collections.abc import Sequence

from m4sc.data.caption_facts import KINDS
from m4sc.questions.vocabulary import things_of

_BETWEEN = (
    "on|in|inside|at|under|underneath|beneath|below|above|over|behind|near|nearby|beside|besides|between|around|"
    "against|along|across|through|by|to|next|close|attached|front|from"
)
_THINGS = r"(?:what|which)(?:(?:\s\w+)?\s(?:objects?|things?|items?))?(?:'s| is| are| was| were)"
_PLACED = re.compile(rf"{_THINGS}\b.*?\b(?:{_BETWEEN})\s.+")
_OF_PICTURE = re.compile(
    rf"{_THINGS}(?: shown| seen| visible)? (?:at|on|in|to) the (?:very |far )?"
    r"(?:top|upper|bottom|lower|left|right|middle|center|centre)(?:[ -](?:left|right|center|centre|middle))?"
    r"(?:[ -](?:corner|side|edge|row|column|part|half|hand side|tile))?"
)
_TOLD = re.compile(
    r"\b(?P<where>on|in|near|behind|under|beside|by|inside|in front of|next to|on top of) "
    r"(?:an?|the|his|her|their) (?P<what>(?:[a-z-]+ )?[a-z-]+)\b"
)


_STOPPED_WORDS = "while to of is are and with in on at as that which who for by from into looks has"
_STOPPED = frozenset(_STOPPED_WORDS.split())
_NO_PLACE_WORDS = "background foreground air picture camera front edge side middle large"
_NO_PLACES = frozenset(_NO_PLACE_WORDS.split())


def asks_what_is_placed(question: str) -> bool:
    """Whether a question, in lower case and without its mark, asks what is beside, on or in something.

    A place of the picture itself, such as "at the top left", is none: who looks there sees a thing like any.
    """
    return _PLACED.fullmatch(question) is not None and _OF_PICTURE.fullmatch(question) is None


def placed_in(caption: str) -> tuple[str, str] | None:
    """A question that a caption answers, and the answer; None where it tells of nothing placed.

    "A dog sleeps on a red couch." to ("What is on the red couch?", "dog").
    """
    text = caption.lower().strip(" .")
    found = _TOLD.search(text)
    if found is None:
        return None
    named = [word for word in text[: found.start()].split() if word in _names()]
    words = [word for word in found["what"].split() if word not in _STOPPED and not word.endswith("ing")]
    if not named or not words or words[-1] in (*named, *_NO_PLACES) or KINDS.get(words[-1]) == "clothing":
        return None
    return f"What is {found['where']} the {' '.join(words)}?", named[0]


def _names() -> frozenset[str]:
    return frozenset(things_of(None))


def all_names(answers: Sequence[str]) -> tuple[str, ...]:
    """The names that answers have, and those of all everyday things, each once."""
    return tuple(dict.fromkeys([*answers, *things_of(None)]))
