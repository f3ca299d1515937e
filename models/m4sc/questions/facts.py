"""What photographs with captions teach about questions: statements that fit each, and choices."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from m4sc.data.caption_facts import COLOURS, KINDS, NUMBER_WORDS, find_facts
from m4sc.questions.statements import Asked, colour, count, thing_statement
from m4sc.questions.vocabulary import ACTIVITIES, PLACES, all_things

_PHRASE = re.compile(r"\b(?:a|an|the|his|her|their|some|two|three|four) ((?:[a-z-]+ ){0,1}[a-z-]+)\b")
_LEAST_SEEN = 6  # captions that have a phrase, for it to be asked about
_STOPPED_WORDS = """of in on at with and is are to by from for that as up over while who which front back side
    top other another group large small big little one two three into his her their near its it through out
    off down has having looking being running playing standing sitting walking jumping wearing holding
    riding"""
_STOPPED = frozenset(_STOPPED_WORDS.split())
_NOT_SEEN = ("A camera.", "An air.", "A background.", "A mouth.")  # "looks at the camera", "in the air"
# what a caption says of a place, beside the words of the answer itself
_PLACE_WORDS = {
    "on a beach": "beach shore seashore",
    "in the snow": "snow snowy ski skis snowboard snowboarder skier",
    "in the water": "water swimming swims splashing",
    "on the sea": "ocean sea surfer surfing wave waves",
    "in a pool": "pool",
    "on a street": "street road sidewalk crosswalk",
    "in a city": "city urban downtown",
    "in a park": "park playground",
    "on the grass": "grass grassy lawn",
    "in a field": "field meadow",
    "in a forest": "forest woods wooded",
    "in the mountains": "mountain mountains cliff",
    "by a river": "river creek stream lake",
    "on a rock": "rock rocks boulder boulders rocky",
    "in a kitchen": "kitchen cooking",
    "in a bathroom": "bathroom bathtub toilet",
    "in a bedroom": "bed bedroom",
    "in a living room": "couch sofa livingroom",
    "in an office": "office desk",
    "in a restaurant": "restaurant bar cafe",
    "in a garden": "garden backyard yard",
    "in a stadium": "stadium arena baseball football",
    "on a stage": "stage concert",
    "in a store": "store shop market",
    "indoors": "indoors indoor room kitchen bathroom bedroom couch office restaurant hallway",
    "in the sky": "sky flying",
    "at a station": "station subway",
}


@dataclass
class Told:
    """What the captions of a photograph say of it.

    Attributes:
        true: statements that fit: things, phrases; captions are kept apart.
        certain: those of them that are things which at least two captions name.
        words: every word of the captions, so that a thing that is named is not called absent.
        choices: open questions with the number of the right answer.
        vague: kinds of things of which something unnamed is there.
    """

    true: list[str] = field(default_factory=list)
    certain: list[str] = field(default_factory=list)
    words: frozenset[str] = frozenset()
    choices: list[tuple[Asked, int]] = field(default_factory=list)
    vague: frozenset[str] = frozenset()


def tell(captions: Sequence[Sequence[str]]) -> list[Told]:
    """Of each photograph, from its captions."""
    lists = [[_plain(text) for text in group] for group in captions]
    phrases = [Counter(p for text in group for p in set(_PHRASE.findall(text))) for group in lists]
    often = Counter(p for found in phrases for p in found)
    common = {p for p, n in often.items() if n >= _LEAST_SEEN and not set(p.split()) & _STOPPED}
    found = []
    for own, texts, named in zip(captions, lists, phrases, strict=True):
        facts = find_facts(own)
        words = frozenset(w for text in texts for w in text.split())
        counted = Counter(w for text in texts for w in set(text.split()))
        people = "person" in facts.vague or any(KINDS[t] == "person" for t in facts.mentions)
        true = [thing_statement(p) for p in named if p in common]
        true += [thing_statement(t) for t in facts.mentions]
        true += ["A person.", "People."] if people else []
        true = [said for said in dict.fromkeys(true) if said not in _NOT_SEEN]
        certain = [thing_statement(t) for t, times in facts.mentions.items() if times >= 2]
        certain = [said for said in certain if said in true]
        choices = [
            (asked, asked.answers.index(next(iter(right))))
            for thing, right in facts.colours.items()
            if len(right) == 1 and next(iter(right)) in COLOURS
            for asked in (colour(thing),)
        ]
        choices += [
            (asked, asked.answers.index(next(iter(right))))
            for thing, right in facts.counts.items()
            if len(right) == 1 and next(iter(right)) in NUMBER_WORDS[1:10] and facts.mentions[thing] >= 2
            for asked in (count(thing),)
        ]
        choices += _counted_people(texts)
        choices += _named(facts.mentions)
        choices += _placed(counted)
        choices += _doing(texts)
        found.append(Told(true, certain, words, choices, frozenset(facts.vague)))
    return found


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^a-z' -]+", " ", text.lower()).split())


def _counted_people(texts: Sequence[str]) -> list[tuple[Asked, int]]:
    """How many people there are, where at least two captions say so and none says another number."""
    one = re.compile(
        r"^(?:an?|one|the) (?:[a-z-]+ ){0,2}(?:man|woman|boy|girl|person|child|skier|surfer|rider)\b"
    )
    many = re.compile(
        r"\b(two|three|four|five|six) (?:[a-z-]+ ){0,2}(?:people|men|women|boys|girls|children|kids)\b"
    )
    joined = re.compile(
        r"\band (?:an?|another|two|his|her)\b|\bwith (?:an?|his|her) (?:man|woman|boy|girl|child)"
    )
    said = Counter(n for text in texts for n in set(many.findall(text)))
    if len(said) == 1 and next(iter(said.values())) >= 2:
        return [_choice(count("people"), next(iter(said)))]
    single = sum(bool(one.match(text)) for text in texts)
    crowd = re.compile(r"\b(?:people|men|women|boys|girls|children|kids|group|crowd|couple)\b")
    if single >= 4 and not said and not any(joined.search(t) or crowd.search(t) for t in texts):
        return [_choice(count("people"), "one")]
    return []


def _choice(asked: Asked, answer: str) -> tuple[Asked, int]:
    return asked, asked.answers.index(answer)


def _named(mentions: dict[str, int]) -> list[tuple[Asked, int]]:
    """Which animal or vehicle it is, where captions name one alone."""
    from m4sc.questions.statements import things

    found = []
    groups = {thing.name: thing.group for thing in all_things()}
    for group in ("animal", "vehicle"):
        own = [thing for thing in mentions if groups.get(thing) == group]
        if len(own) == 1 and mentions[own[0]] >= 2:
            found.append(_choice(things(group), own[0]))
    return found


def _placed(counted: Counter[str]) -> list[tuple[Asked, int]]:
    """In which place it is: the one that most captions name, if two do."""
    from m4sc.questions.statements import where

    votes = {place: max(counted[word] for word in words.split()) for place, words in _PLACE_WORDS.items()}
    best = max(votes, key=lambda place: votes[place])
    return [_choice(where(), best)] if votes[best] >= 2 and best in PLACES else []


def _doing(texts: Sequence[str]) -> list[tuple[Asked, int]]:
    """What someone is doing, where at least two captions use the words."""
    votes = {a: sum(re.search(rf"\b{_stem(a)}", text) is not None for text in texts) for a in ACTIVITIES}
    best = max(votes, key=lambda a: (votes[a], len(a)))
    if votes[best] < 2:
        return []
    statements = tuple(f"Someone is {a}." for a in ACTIVITIES)
    return [(Asked("doing", statements, ACTIVITIES), ACTIVITIES.index(best))]


def _stem(activity: str) -> str:
    """ "riding a bicycle" to a pattern that "rides his bicycle" fits too."""
    first, *rest = activity.split()
    stem = re.sub(r"(?:ing)$", "", first)
    stem = stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem
    return rf"{stem}(?:\w*)" + (rf" (?:\w+ ){{0,2}}{rest[-1]}" if rest else r"")
