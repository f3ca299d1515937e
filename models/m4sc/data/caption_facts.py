"""Plain facts that captions state, found with word lists: things, their colours, numbers and places.

Nothing is inferred: a colour or a number counts only where the words stand
together ("a red bus", "two dogs").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COLOUR_WORDS = "black white brown red blue green yellow orange pink purple gray tan gold silver"
COLOURS = tuple(_COLOUR_WORDS.split())
_SPELT = {"grey": "gray", "golden": "gold"}

# kind -> the things of it, each with its other names
_THINGS = {
    "animal": """dog/puppy cat/kitten/kitty horse/pony/foal cow/bull/calf sheep/lamb goat
        bird/pigeon/seagull/parrot duck goose/geese elephant giraffe zebra bear/cub monkey lion tiger rabbit
        fish deer kangaroo camel pig""",
    "person": "man/guy/gentleman woman/lady boy girl baby/infant/toddler",
    "vehicle": """bus car/suv/sedan train/locomotive truck/lorry airplane/plane/jet/aeroplane
        boat/ship/canoe/kayak/raft bicycle/bike motorcycle/motorbike/moped/scooter helicopter tractor""",
    "gear": """skateboard surfboard frisbee kite umbrella snowboard skis/ski sled ball guitar laptop camera
        phone/cellphone clock toothbrush hydrant bench ladder rope swing slide trampoline tent""",
    "food": "pizza sandwich cake banana apple broccoli carrot donut/doughnut hotdog salad bread",
    "clothing": """shirt/t-shirt/tshirt/blouse jacket/coat/sweater/vest dress/gown/skirt hat/cap/helmet
        pants/jeans/shorts uniform/jersey shoes/shoe/boots/sneakers tie scarf suit costume""",
    "furniture": """table chair couch/sofa bed toilet sink desk refrigerator/fridge oven/stove television/tv
        mirror window door wall floor cabinet/cabinets bathtub/tub shower fence vase plate bowl blanket""",
    "place": """street/road/highway beach grass/lawn field/meadow snow water/ocean/sea/lake/river/pool
        mountain/hill forest/woods park kitchen bathroom bedroom sidewalk/pavement sand rock/rocks/boulder
        tree/trees stage""",
}
_COMPOUNDS = {"teddy bear": "teddy", "stuffed bear": "teddy", "hot dog": "hotdog", "train track": "track"}
# words that leave open which of a kind's things is there
_VAGUE = {
    "animal": "animal animals pet pets wildlife herd flock creature",
    "person": """person people child children kid kids someone adult adults couple family crowd group player
        players rider riders surfer skier snowboarder skateboarder friends team youth teenager teen""",
    "vehicle": "vehicle vehicles traffic aircraft",
    "food": "food meal dish fruit vegetables dessert breakfast lunch dinner",
}
_MODIFIERS = """big large small little young old tall long short tiny bright dark light very shaggy fluffy
    furry wet muddy"""
_PREPOSITIONS = (
    "in front of|next to|on top of|in|on|at|under|beside|behind|inside|near|through|across|along|over|into|by"
)
_DETERMINERS = "a|an|the|some|his|her|its|their"


_IRREGULAR = {"man": "men", "woman": "women", "goose": "geese", "calf": "calves"}
_NO_NUMBER = {"skis", "pants", "jeans", "shorts", "shoes", "boots", "sneakers"}  # a pair of them is one
_SAME_PLURAL = {"sheep", "deer", "fish"}
_IS_PLURAL = {*_IRREGULAR.values(), *_NO_NUMBER, *_SAME_PLURAL, "cabinets", "rocks", "trees", "woods"}


def _plural(word: str) -> str:
    if word in _IS_PLURAL:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(("s", "sh", "ch", "x")):
        return word + "es"
    return word[:-1] + "ies" if re.search(r"[^aeiou]y$", word) else word + "s"


def _forms() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Word -> thing, thing -> kind, word -> its plural."""
    forms: dict[str, str] = {}
    kinds: dict[str, str] = {}
    plurals: dict[str, str] = {}
    for kind, text in _THINGS.items():
        for entry in text.split():
            thing, *others = entry.split("/")
            kinds.setdefault(thing, kind)
            for name in (thing, *others):
                forms.setdefault(name, thing)
                forms.setdefault(_plural(name), thing)
                plurals.setdefault(name, _plural(name))
    return forms, kinds, plurals


FORMS, KINDS, PLURALS = _forms()
_SEVERAL = frozenset(plural for name, plural in PLURALS.items() if plural != name) | _IS_PLURAL
VAGUE_KINDS = {word: kind for kind, text in _VAGUE.items() for word in text.split()}
_HEADS = sorted((w for w, t in FORMS.items() if KINDS[t] in ("place", "furniture", "vehicle")), key=len)
_PLACE = re.compile(
    rf"\b((?:{_PREPOSITIONS}) (?:(?:{_DETERMINERS}) )?(?:[a-z]+ ){{0,2}}?(?:{'|'.join(reversed(_HEADS))}))\b"
)
_NOT_INSIDE = re.compile(rf" (?:and|with|that|while|of|{_PREPOSITIONS}|[a-z]+ing) ")


@dataclass
class Facts:
    """What some captions of one picture say.

    Attributes:
        mentions: thing -> in how many captions it is named.
        vague: kinds of which something unnamed is there ("people", "animals").
        colours: thing -> its colours, as far as named ("black and white" is one).
        counts: thing -> its numbers, as words; "one" where a caption names a single one.
        places: thing -> phrases that say where it is ("in the grass").
    """

    mentions: dict[str, int] = field(default_factory=dict)
    vague: set[str] = field(default_factory=set)
    colours: dict[str, set[str]] = field(default_factory=dict)
    counts: dict[str, set[str]] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)


def find_facts(captions: Sequence[str]) -> Facts:
    """Read the captions of one picture, or the sentences of one text."""
    facts = Facts()
    for caption in captions:
        text = re.sub(r"[^a-z' -]+", " , ", caption.lower()).strip(" ,")
        for compound, word in _COMPOUNDS.items():
            text = text.replace(compound, word)
        words = text.split()
        named = [FORMS[word] for word in words if word in FORMS]
        for thing in dict.fromkeys(named):
            facts.mentions[thing] = facts.mentions.get(thing, 0) + 1
        facts.vague |= {VAGUE_KINDS[word] for word in words if word in VAGUE_KINDS}
        _read_colours(words, facts)
        _read_counts(words, facts)
        _read_place(text, facts)
    return facts


def _read_colours(words: list[str], facts: Facts) -> None:
    words = [_SPELT.get(word, word) for word in words]
    for i, word in enumerate(words):
        if word not in FORMS or i == 0 or words[i - 1] not in COLOURS:
            continue
        colour = words[i - 1]
        if i >= 3 and words[i - 2] == "and" and words[i - 3] in COLOURS:
            colour = " and ".join(sorted((words[i - 3], colour)))
        facts.colours.setdefault(FORMS[word], set()).add(colour)


def _read_counts(words: list[str], facts: Facts) -> None:
    skipped = set(_MODIFIERS.split()) | set(COLOURS)
    single: set[str] = set()
    for i, word in enumerate(words):
        if word not in FORMS or word in _NO_NUMBER | _SAME_PLURAL:
            continue
        j = i - 1
        while j >= 0 and (words[j] in skipped or (words[j] == "and" and words[j - 1] in COLOURS)):
            j -= 1
        before = words[j] if j >= 0 else ""
        if word in _SEVERAL:
            counted = before if before in NUMBER_WORDS[2:] else "several"
        else:
            counted = "one" if before in ("a", "an", "one") else ""
            if FORMS[word] in single:  # "a black dog and a brown dog"
                counted = "several"
            single.add(FORMS[word])
        if counted:
            facts.counts.setdefault(FORMS[word], set()).add(counted)


def _read_place(text: str, facts: Facts) -> None:
    """The first place of a sentence, if one living thing or vehicle alone is named before it."""
    found = next((m for m in _PLACE.finditer(text) if not _NOT_INSIDE.search(f" {_inner(m[1])} ")), None)
    if found is None:
        return
    before = [w for w in text[: found.start()].split() if w in FORMS or w in VAGUE_KINDS]
    things = [FORMS.get(word, "") for word in before]
    if len(things) == 1 and KINDS.get(things[0]) in ("animal", "person", "vehicle"):
        facts.places.setdefault(things[0], []).append(found[1])


def _inner(phrase: str) -> str:
    """The phrase without its leading preposition."""
    return re.sub(rf"^(?:{_PREPOSITIONS}) ", "", phrase)


def place_answers(phrases: Iterable[str]) -> tuple[str, ...]:
    """Each phrase, and the place alone: "in the grass", "the grass"."""
    found = [form for phrase in phrases for form in (phrase, _inner(phrase))]
    return tuple(dict.fromkeys(found))
