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

SEEN = (
    *mosaic.SEEN["position"],
    "What is on the {p}?",
    "What is in the {p}?",
    "What can be seen in the {p} of the picture?",
    "What is shown on the {p}?",
    "Which animal is at the {p}?",
    "What kind of vehicle is on the {p}?",
    "Is there a {a} at the {p}?",
    "Is there a {a} on the {p}?",
    "Do you see a {a} in the {p} of the picture?",
    "Does the {p} show a {a}?",
    "Is the {a} on the {p} {b}?",
    "What colour is the {a} at the {p}?",
    "What color is the {a} on the {p}?",
    "How many {a}s are at the {p}?",
    "Count the {a}s on the {p}.",
    "What is the {a} at the {p} doing?",
    "What is happening at the {p}?",
    "Who is on the {p}?",
    "Write a caption for the {p} picture.",
    "Describe the photo on the {p}.",
    "Describe the {p} of the picture.",
    "Caption the picture at the {p}.",
    "Look at the {p}: what is it?",
    "At the {p}, what is there?",
    "On the {p}, is there a {a}?",
    "The picture at the {p}: what does it show?",
    "Show me the {p} of the picture.",
    "Send the {p} part.",
    "Classify the object at the {p}.",
    "{p}?",
)
"""{p}: the place; {a}, {b}: things or what one may say of them."""
HELD_OUT = (
    *mosaic.HELDOUT["position"],
    "I wonder what the {p} has.",
    "Could you say whether the {p} has a {a}?",
    "Please identify the thing at the {p}.",
    "What would I find at the {p}?",
)
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
    wording = _drawn(HELD_OUT if held_out else SEEN, rng)
    said = wording.format(p=place_name(place, rng), a=_drawn(things, rng), b=_drawn(things, rng))
    return said[:1].upper() + said[1:]


def unplaced(
    things: Sequence[str], sentences: Sequence[str], rng: np.random.Generator, held_out: bool = False
) -> str:
    """An instruction that names no place: of tasks, of mosaics, about things; a sentence, or a heap of words.

    sentences: about anything.
    """
    kind = int(rng.integers(5))
    if kind == 0:
        tasks = [task for task in TASKS.values() if task.modality == "image"]
        wordings = [w for task in tasks for w in (task.held_out if held_out else task.instructions)]
        return _drawn([w for w in wordings if w not in TASKS["mosaic"].instructions], rng)
    if kind == 1:
        table = mosaic.HELDOUT if held_out else mosaic.SEEN
        wording = _drawn([w for name in _WHOLE_KINDS for w in table[name]], rng)
    elif kind == 2:
        wording = _drawn(_WHOLE_HELD_OUT if held_out else _WHOLE, rng)
    elif kind == 3:
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
