"""Questions with short answers made from captions: about a picture, or about a text of several sentences.

"Is there a dog?" is asked as often where the answer is no as where it is yes, for each thing: the question
alone does not tell the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from m4sc.data.caption_facts import KINDS, PLURALS, Facts, find_facts, place_answers
from m4sc.data.example import Example
from m4sc.data.wordings import pick

QUESTION_KINDS = ("existence", "colour", "count", "animal", "vehicle", "where")
_TEXT_ONLY = ("where",)  # a photograph admits too many right answers
_EXISTING = ("animal", "person", "vehicle", "gear", "food")
_SUBSTANCES = ("grass", "snow", "water", "sand", "bread")
_PICTURE_PLACES = ("beach", "snow", "water", "kitchen", "bathroom", "street", "grass")

WORDINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "seen": {
        "existence": (
            "Is there {a}?",
            "Is there {a} in the {m}?",
            "Does the {m} show {a}?",
            "Can {a} be found here?",
            "Do you see {a}?",
            "Is {a} there, yes or no?",
            "Is there any sign of {a}?",
            "Is {a} part of the {m}?",
        ),
        "colour": (
            "What color is the {x}?",
            "What colour is the {x}?",
            "Which color does the {x} have?",
            "What is the color of the {x}?",
            "Name the color of the {x}.",
            "The {x} has what color?",
        ),
        "count": (
            "How many {xs} are there?",
            "How many {xs} are in the {m}?",
            "Count the {xs}.",
            "How many {xs} do you see?",
            "What number of {xs} is there?",
        ),
        "animal": (
            "What animal is in the {m}?",
            "Which animal is there?",
            "What kind of animal is it?",
            "Name the animal.",
            "What animal do you see?",
        ),
        "vehicle": (
            "What vehicle is in the {m}?",
            "Which vehicle is there?",
            "What kind of vehicle is it?",
            "Name the vehicle.",
        ),
        "where": (
            "Where is the {x}?",
            "Where can the {x} be found?",
            "In which place is the {x}?",
            "Say where the {x} is.",
        ),
    },
    "heldout": {
        "existence": ("Can you see {a}?", "Is {a} present?"),
        "colour": ("Tell me the color of the {x}.", "Of what color is the {x}?"),
        "count": ("Tell me how many {xs} there are.", "What is the number of {xs}?"),
        "animal": ("Tell me which animal this is.", "What animal is shown?"),
        "vehicle": ("Tell me which vehicle this is.", "What vehicle is shown?"),
        "where": ("Tell me where the {x} is.", "What is the location of the {x}?"),
    },
}


@dataclass(frozen=True)
class Fact:
    """One thing to ask. kind: of `QUESTION_KINDS`; thing: asked about; answers: right ones, best first."""

    kind: str
    thing: str
    answers: tuple[str, ...]


def certain_facts(facts: Facts, *, about_text: bool) -> list[Fact]:
    """What may be asked beside existence: only where the captions agree."""
    found = []
    for thing, colours in facts.colours.items():
        if len(colours) == 1 and facts.counts.get(thing, {"one"}) == {"one"}:
            found.append(Fact("colour", thing, tuple(colours)))
    for thing, counts in facts.counts.items():
        asked = KINDS[thing] in ("animal", "person", "vehicle", "gear")
        clear = about_text or KINDS[thing] not in facts.vague
        if asked and len(counts) == 1 and counts != {"several"} and facts.mentions[thing] >= 2 and clear:
            found.append(Fact("count", thing, tuple(counts)))
    for kind in ("animal", "vehicle"):
        named = [thing for thing in facts.mentions if KINDS[thing] == kind]
        if len(named) == 1 and (about_text or facts.mentions[named[0]] >= 2):
            found.append(Fact(kind, named[0], (named[0],)))
    if about_text:
        found += [Fact("where", thing, place_answers(p)) for thing, p in facts.places.items()]
    return found


def existence_facts(
    all_facts: Sequence[Facts], rng: np.random.Generator, *, about_text: bool
) -> list[list[Fact]]:
    """Of each message what is there and what is not: of each thing as many of the one as of the other."""
    asked: list[list[Fact]] = [[] for _ in all_facts]
    things = sorted({thing for facts in all_facts for thing in facts.mentions})
    for thing in things:
        kind = KINDS[thing]
        if not (about_text or kind in _EXISTING or thing in _PICTURE_PLACES):
            continue
        least = 1 if about_text else 2
        there = [i for i, f in enumerate(all_facts) if f.mentions.get(thing, 0) >= least]
        absent = [
            i
            for i, f in enumerate(all_facts)
            if thing not in f.mentions and (about_text or kind not in f.vague)
        ]
        n = min(len(there), len(absent))
        for indices, answer in ((there, "yes"), (absent, "no")):
            for i in rng.permutation(len(indices))[:n]:
                asked[indices[int(i)]].append(Fact("existence", thing, (answer,)))
    return asked


def word_question(fact: Fact, medium: str, rng: np.random.Generator, wording: str) -> str:
    """A question for a fact. medium: "picture" or "text"; wording: "seen" or "heldout"."""
    thing = fact.thing
    several = PLURALS[thing]
    one = thing if several == thing or thing in _SUBSTANCES else _with_article(thing)
    return pick(WORDINGS[wording][fact.kind], rng).format(a=one, x=thing, xs=several, m=medium)


def _with_article(thing: str) -> str:
    return ("an " if thing[0] in "aeiou" else "a ") + thing


def picture_questions(
    pictures: Sequence[Example], *, per_picture: int = 6, wording: str = "seen", seed: int = 0
) -> list[Example]:
    """`vqa` examples about pictures whose captions are known.

    Args:
        pictures: `caption` examples; their answers are the captions.
        per_picture: questions about one picture at most, drawn.
        wording: "seen" or "heldout".
        seed: of the choice of questions and wordings.
    """
    found = [find_facts(picture.answers) for picture in pictures]
    return _examples(pictures, found, "vqa", "picture", per_picture, wording, seed)


def text_questions(
    texts: Sequence[Example],
    sentences: Sequence[Sequence[str]],
    *,
    per_text: int = 6,
    wording: str = "seen",
    seed: int = 0,
) -> list[Example]:
    """`text-question` examples about texts.

    Args:
        texts: examples whose data are the texts.
        sentences: of each text.
        per_text, wording, seed: as in `picture_questions`.
    """
    found = [find_facts(group) for group in sentences]
    return _examples(texts, found, "text-question", "text", per_text, wording, seed)


def _examples(
    messages: Sequence[Example],
    found: Sequence[Facts],
    task: str,
    medium: str,
    most: int,
    wording: str,
    seed: int,
) -> list[Example]:
    rng = np.random.default_rng(seed)
    about_text = medium == "text"
    existing = existence_facts(found, rng, about_text=about_text)
    every = _balanced_counts([certain_facts(facts, about_text=about_text) for facts in found], rng)
    examples = []
    for message, certain, yes_no in zip(messages, every, existing, strict=True):
        asked = [certain[int(i)] for i in rng.permutation(len(certain))[: most - 2]]
        more = min(most - len(asked), max(2, len(asked)))
        asked += [yes_no[int(i)] for i in rng.permutation(len(yes_no))[:more]]
        for number, fact in enumerate(asked):
            examples.append(
                replace(
                    message,
                    id=f"{message.id}-q{number}",
                    task=task,
                    instruction=word_question(fact, medium, rng, wording),
                    answers=fact.answers,
                    kind=f"{'text' if about_text else 'captions'}-{fact.kind}",
                    wording=wording,
                )
            )
    return examples


def _balanced_counts(every: Sequence[list[Fact]], rng: np.random.Generator) -> list[list[Fact]]:
    """Leave out most single things, so that "one" is the answer to about half of the counts at most."""
    counts = [fact.answers for facts in every for fact in facts if fact.kind == "count"]
    ones = counts.count(("one",))
    kept = min(1.0, (len(counts) - ones) / max(ones, 1))
    return [
        [f for f in facts if f.kind != "count" or f.answers != ("one",) or rng.random() < kept]
        for facts in every
    ]
