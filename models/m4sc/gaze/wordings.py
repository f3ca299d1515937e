"""Instructions that name a place, and such that do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m4sc.data import mosaic
from m4sc.gaze.canvases import Place
from m4sc.tasks import TASKS

_ROWS = (("top", "upper"), ("middle", "center", "centre"), ("bottom", "lower"))
_COLUMNS = (("left",), ("center", "middle", "centre"), ("right",))
_ROW_NAMES = ("{} row", "{} part", "{}", "{} edge")
_COLUMN_NAMES = ("{} column", "{} side", "{}", "{}-hand side", "{} edge")
_CORNER_NAMES = ("{r} {c}", "{r}-{c}", "{r} {c}", "{r} {c} corner")
_MIDDLES = ("center", "middle", "centre", "very middle", "exact center")

_ASKS = (
    "What is {x}?", "What do you see {x}?", "Tell me what is {x}.", "Which object is {x}?",
    "Which animal is {x}?", "What kind of vehicle is {x}?", "Name the thing {x}.", "Name what is {x}.",
    "Is there a {a} {x}?", "Do you see a {a} {x}?", "Can a {a} be seen {x}?", "Is the {a} {x} {b}?",
    "What colour is the {a} {x}?", "What color is the {a} {x}?", "How many {a}s are {x}?",
    "Count the {a}s {x}.",
    "What is the {a} {x} doing?", "What is happening {x}?", "Who is {x}?", "Write a caption for the {t} {x}.",
    "Describe the {t} {x}.", "Describe what is {x}.", "Caption the {t} {x}.", "Look {x}: what is it?",
    "The {t} {x}: what does it show?", "Show me the {t} {x}.", "Send the {t} {x}.", "Classify the {t} {x}.",
    "What does the {t} {x} show?", "I want to know what is {x}.", "Please describe the {t} {x}.",
    "Write one sentence about the {t} {x}.", "Is that a {a} {x}, yes or no?", "Does the {t} {x} show a {a}?",
)  # fmt: skip
_BARE = (
    "Describe the {p}.", "{p}?", "{p}: what is it?", "What does the {p} show?", "Does the {p} show a {a}?",
    "Send the {p} part.", "Say what the {p} has.", "Look at the {p}.",
)  # fmt: skip
_BEFORE = ("{X}, what is there?", "{X}, is there a {a}?", "{X}, what do you see?", "{X}: a {a} or a {b}?")
_AT = (
    "at the {p}",
    "on the {p}",
    "in the {p}",
    "in the {p} of the picture",
    "at the {p} of the {s}",
    "to the {p}",
)
_PICTURES = ("picture", "photo", "image", "photograph", "scene", "frame")
_TILES = (
    "picture",
    "photo",
    "image",
    "tile",
    "photograph",
    "object",
    "thing",
    "part",
    "scene",
    "panel",
    "one",
)
HELD_OUT = (
    *mosaic.HELDOUT["position"],
    "I wonder what the {p} has.",
    "Could you say whether the {p} has a {a}?",
    "Please identify the thing at the {p}.",
    "What would I find at the {p}?",
    "Give the {t} in the {p} a title.",
    "And at the {p}?",
)
"""{p}: the place; {a}, {b}: things or what one may say of them; {t}: a word for what is there."""
_WHOLE_KINDS = ("existence", "count", "comparison", "left-of", "above", "describe")
_WHOLE = (
    "What colour is the {a}?",
    "What color is the {a}'s {b}?",
    "What is the {a} doing?",
    "How many {a}s do you see?",
    "Where is the {a}?",
    "What is on the {a}?",
    "What is in the {a}?",
    "What is next to the {a}?",
    "What is left of the {a}?",
    "What is to the right of the {a}?",
    "What is under the {a}?",
    "What is above the {b}?",
    "What is in front of the {a}?",
    "Is the {a} {b}?",
    "Is the {a} left of the {b}?",
    "Does this sentence describe the picture? A {a} and a {b}.",
    "Who is in the picture?",
    "Was this taken outdoors?",
    "What season is it?",
    "{a}",
    "{a} {b} {a}.",
)
_NEAR = (
    "What is on top of the {a}?",
    "What is in the middle of the {a}?",
    "What is at the bottom of the {a}?",
    "What is on the left side of the {a}?",
    "What is to the right of the {a}?",
    "What is in the center of the {a}?",
    "Is there a {b} on top of the {a}?",
    "Is there a {b} in the middle of the {a}?",
    "Is the {a} to the left of the {b}?",
    "What colour is the top of the {a}?",
    "Which {a} is on the right of the {b}?",
    "What is at the left of the {a}?",
    "Who left?",
    "Who has left the {a}?",
    "Have they left?",
    "What is left?",
    "What is left on the {a}?",
    "How many {a}s are left?",
    "Is any {a} left?",
    "Is that right?",
    "What is right?",
    "Which is the right {a}?",
    "Is it right that the {a} is {b}?",
    "What is the {a} doing right now?",
    "What time is it right now?",
    "Is the {a} turning left?",
    "Does the {a} look to the right?",
    "Which way does the {a} go, left or right?",
    "Is he left-handed?",
    "What is in his right hand?",
    "What does the {a} hold in the left hand?",
    "What is in the top drawer?",
    "What is on the bottom shelf?",
    "Is a right turn allowed?",
    "Is the {a} upside down?",
    "What is on the upper arm of the {a}?",
    "Is this a middle class {a}?",
    "Is it a shopping center?",
)
_NEAR_HELD_OUT = (
    "What stands on top of the {a}?",
    "What lies in the middle of the {a}?",
    "What do you see at the right of the {a}?",
    "Has the {a} left?",
    "Is everything all right?",
    "What may be on the bottom of the {a}?",
)
"""Words of places that name none on the picture: beside a thing, a part of one, to leave, to be right."""
_WHOLE_HELD_OUT = ("Tell me the {a}'s colour.", "Is anybody near the {a}?", "What might the {a} be called?")


def place_name(place: Place, rng: np.random.Generator) -> str:
    """One of the names of a place: "top left", "upper left corner", "left side"."""
    row = None if place.row is None else _drawn(_ROWS[place.row], rng)
    column = None if place.column is None else _drawn(_COLUMNS[place.column], rng)
    if row is None or column is None:
        return _drawn(_COLUMN_NAMES if row is None else _ROW_NAMES, rng).format(
            column if row is None else row
        )
    if (place.row, place.column) == (1, 1):
        return _drawn(_MIDDLES, rng)
    names = _CORNER_NAMES if place.row != 1 and place.column != 1 else _CORNER_NAMES[:3]
    return _drawn(names, rng).format(r=row, c=column)


def placed(place: Place, things: Sequence[str], rng: np.random.Generator, held_out: bool = False) -> str:
    """An instruction that names a place.

    Args:
        place: which one.
        things: words for what it may be about.
        rng: draws wording and words.
        held_out: of a wording that is not trained on.
    """
    name = place_name(place, rng)
    filled = {"p": name, "a": _drawn(things, rng), "b": _drawn(things, rng), "t": _drawn(_TILES, rng)}
    filled["s"] = _drawn(_PICTURES, rng)
    if held_out:
        said = _drawn(HELD_OUT, rng).format(**filled)
    elif (kind := rng.random()) < 0.2:
        said = _drawn(mosaic.SEEN["position"], rng).format(p=name)
    elif kind < 0.35:
        said = _drawn(_BARE, rng).format(**filled)
    else:
        where = _drawn(_AT, rng).format(**filled)
        wording = _drawn(_ASKS if kind < 0.9 else _BEFORE, rng)
        said = wording.format(x=where, X=where.capitalize(), **filled)
    return said[:1].upper() + said[1:]


def unplaced(
    things: Sequence[str], sentences: Sequence[str], rng: np.random.Generator, held_out: bool = False
) -> str:
    """An instruction that names no place on the picture.

    One of the tasks' own, of mosaics, about things, with a place's words in another sense; a sentence about
    anything; a heap of words.

    sentences: about anything.
    """
    kind = int(rng.integers(7))
    if kind == 0:
        tasks = [task for task in TASKS.values() if task.modality == "image"]
        wordings = [w for task in tasks for w in (task.held_out if held_out else task.instructions)]
        return _drawn([w for w in wordings if w not in TASKS["mosaic"].instructions], rng)
    if kind == 1:
        table = mosaic.HELDOUT if held_out else mosaic.SEEN
        wording = _drawn([w for name in _WHOLE_KINDS for w in table[name]], rng)
    elif kind == 2:
        wording = _drawn(_WHOLE_HELD_OUT if held_out else _WHOLE, rng)
    elif kind in (3, 4):
        wording = _drawn(_NEAR_HELD_OUT if held_out else _NEAR, rng)
    elif kind == 5:
        return _drawn(sentences, rng)
    else:
        words = " ".join(_drawn(sentences, rng) for _ in range(3)).lower().split()
        heap = rng.choice([w for w in words if w.strip(".") not in _WORDS_OF_PLACES], int(rng.integers(3, 9)))
        return " ".join(heap).capitalize()
    return wording.format(a=_drawn(things, rng), b=_drawn(things, rng))


_WORDS_OF_PLACES = {
    *("top", "upper", "middle", "center", "centre", "bottom", "lower"),
    *("left", "right", "corner", "side", "edge"),
}


def _drawn(choices: Sequence[str], rng: np.random.Generator) -> str:
    return str(choices[int(rng.integers(len(choices)))])
