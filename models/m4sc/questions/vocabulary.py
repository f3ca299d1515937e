"""The words that open questions choose among: things by groups, places, activities, people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

from m4sc.data.caption_facts import KINDS as CAPTION_THINGS

GROUPS = {
    "animal": "animal",
    "pet": "animal",
    "creature": "animal",
    "vehicle": "vehicle",
    "food": "food",
    "fruit": "food",
    "vegetable": "food",
    "dish": "food",
    "drink": "drink",
    "object": "object",
    "thing": "object",
    "item": "object",
    "building": "building",
    "plant": "plant",
}
"""Words of questions, and the group of things that they ask about."""

PLACES = (
    "on a beach",
    "in the snow",
    "in the water",
    "on the sea",
    "in a pool",
    "on a street",
    "in a city",
    "in a park",
    "on the grass",
    "in a field",
    "in a forest",
    "in the mountains",
    "by a river",
    "on a rock",
    "in a kitchen",
    "in a bathroom",
    "in a bedroom",
    "in a living room",
    "in an office",
    "in a restaurant",
    "in a garage",
    "in a garden",
    "in a stadium",
    "on a stage",
    "in a zoo",
    "at a station",
    "at an airport",
    "in a store",
    "in the sky",
    "in space",
    "on a table",
    "indoors",
)

ACTIVITIES = (
    "running",
    "walking",
    "standing",
    "sitting",
    "jumping",
    "swimming",
    "playing",
    "climbing",
    "riding a bicycle",
    "riding a horse",
    "riding a motorcycle",
    "skateboarding",
    "surfing",
    "skiing",
    "snowboarding",
    "playing soccer",
    "playing football",
    "playing baseball",
    "playing basketball",
    "playing tennis",
    "playing music",
    "singing",
    "dancing",
    "eating",
    "drinking",
    "cooking",
    "reading",
    "sleeping",
    "smiling",
    "taking a picture",
    "talking",
    "fishing",
    "rafting",
    "rowing",
    "sailing",
    "flying",
    "swinging",
    "sliding",
    "posing",
    "brushing teeth",
)

CIFAR_THINGS = {"automobile": "car"}
"""Names of CIFAR-10's classes that are other words here."""

DETECTED = {
    "fire hydrant": "hydrant",
    "stop sign": "sign",
    "sports ball": "ball",
    "dining table": "table",
    "tv": "television",
    "mouse": "computer mouse",
    "remote": "remote control",
    "cell phone": "phone",
    "hair drier": "hair dryer",
}
"""Names of the detector's kinds that are other words here."""

_UNCOUNTED = (
    "people men women children grass snow water sand bread food coffee wine beer fruit ice cream soup"
)
UNCOUNTED = frozenset(_UNCOUNTED.split())
"""Words without an article."""

PEOPLE = ("a man", "a woman", "a boy", "a girl", "a baby", "a child", "a group of people", "nobody")


@dataclass(frozen=True)
class Thing:
    """An everyday word.

    Attributes:
        name: the word.
        group: a value of `GROUPS`, or "place" or "person".
        classes: numbers of the ImageNet classes that it covers; empty of things that captions alone show.
    """

    name: str
    group: str
    classes: tuple[int, ...]


@cache
def all_things() -> tuple[Thing, ...]:
    """The words for ImageNet's classes, then those of captions that have none there."""
    text = resources.files("m4sc.questions").joinpath("class_things.txt").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, group, ranges = (part.strip() for part in line.split(":"))
            found.append(Thing(name, group, tuple(n for r in ranges.split() for n in _range(r))))
    known = {thing.name for thing in found}
    groups = {"animal": "animal", "vehicle": "vehicle", "food": "food", "person": "person", "place": "place"}
    for name, kind in CAPTION_THINGS.items():
        if name not in known:
            found.append(Thing(name, groups.get(kind, "object"), ()))
    return tuple(found)


def things_of(group: str | None) -> tuple[str, ...]:
    """Names of the things of a group; None for all."""
    return tuple(thing.name for thing in all_things() if group in (None, thing.group))


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)
