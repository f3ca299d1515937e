"""A question about a picture as statements about it: the answer is the one that fits the picture best.

"What colour is the car?" becomes "A red car.", "A blue car." and so on; a yes-no question becomes one
statement. What a receiver can judge is then one thing alone, whether a sentence describes a picture, and an
answer that no training picture had can be given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from m4sc.data.caption_facts import COLOURS, FORMS, NUMBER_WORDS, PLURALS
from m4sc.questions.placed import asks_what_is_placed
from m4sc.questions.vocabulary import ACTIVITIES, GROUPS, PEOPLE, PLACES, UNCOUNTED, things_of

KINDS = ("existence", "sentence", "colour", "count", "where", "doing", "which", "what", "placed")
_MOST_COUNTED = 9
_PICTURE = r"(?:the |this |that )?(?:picture|photo|photograph|image|scene|shot)"
_TAIL = re.compile(rf"(?<!part)[ ,]+(?:(?:shown |visible )?(?:in|on|of) {_PICTURE}|here|yes or no)$")
_THING = r"(?:an? |any |some |the |one )?(?P<x>.+?)"
_EXISTENCE = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:is|are|was|were) there (?:any sign of )?{_THING}",
        rf"(?:does|do) {_PICTURE} (?:show|contain|have|include) {_THING}",
        rf"(?:do|can|could|did) (?:you|we|i|one) (?:see|find|spot|notice) {_THING}",
        rf"can {_THING} be (?:seen|found)",
        rf"(?:is|are) {_THING} (?:part of {_PICTURE}|present|shown|visible|there|in {_PICTURE})",
        rf"any {_THING}",
    )
)
_SENTENCE = re.compile(
    r"(?:(?:does|is|do) (?:this|the|that|it|the following)?.*?(?:sentence|caption|description|statement|it|"
    r"right|true|correct).*?|true or false|right or wrong): *(?P<s>.+)"
)
_QUOTED = re.compile(r"[\"“'](?P<s>[^\"”]{4,})[\"”'].*(?:describe|true|right|correct|fit|match)")
_COLOUR = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:what|which) colou?rs? (?:is|are|was|does|do|has|have) {_THING}(?: have| show)?",
        rf".*colou?r (?:of|does|has) {_THING}(?: have)?",
        rf"{_THING} (?:has|have|is|are) (?:what|which) colou?r",
    )
)
_COUNT = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:tell me )?how many (?P<x>.+?)(?: (?:are|is|do|can|were|does)(?: .*)?| there are)?",
        r"count the (?P<x>.+?)",
        r".*number of (?P<x>.+?)(?: is there| are there| there are)?",
    )
)
_DOING = re.compile(r"what (?:is|are|was|were) (?P<x>.+?) doing|what(?: is|'s) (?:happening|going on).*")
_WHICH = re.compile(
    r".*\b(?:what|which|name the|name an?)\b(?: (?:kind|type|sort) of)? ?"
    rf"(?P<x>{'|'.join(sorted(GROUPS))})s?\b.*"
)
_WHO = re.compile(r"(?:who(?:'s| is| are)?|what person|which person)\b.*")
_WHERE = re.compile(r".*\b(?:where|in which place|what place|which place|what room|which room|location)\b.*")
_CHOICE = re.compile(
    r"(?:.*?: *|is (?:it|this|that|there) |(?:are|were) (?:they|these|those) )(?P<a>.+?) or (?P<b>.+)"
)
_YES_NO = re.compile(r"(?P<v>is|are|was|were|does|do|did|has|have|can) (?P<rest>.+)")
_PRONOUNS = ("he", "she", "it", "they", "this", "that", "these", "those", "someone", "anyone", "everyone")
_DETERMINERS = ("the", "a", "an", "his", "her", "their", "this", "that", "any", "some")
_PREDICATE = re.compile(
    r"\w+ing|an?|the|in|on|at|under|near|with|by|behind|wearing|made|\w+ed|inside|outside|indoors|outdoors"
)


@dataclass(frozen=True)
class Asked:
    """What a question asks to be judged.

    Attributes:
        kind: of `KINDS`.
        statements: sentences about the picture; one of a yes-no question.
        answers: the answer that each of several statements stands for; empty of a yes-no question.
    """

    kind: str
    statements: tuple[str, ...]
    answers: tuple[str, ...] = ()

    @property
    def yes_no(self) -> bool:
        """Whether the answer is yes or no."""
        return not self.answers


def ask(question: str, placed: tuple[str, ...] = ()) -> Asked:
    """Read a question as people type it; one of no known form asks what is in the picture.

    placed: names for what is beside, on or in something; without them that is asked as any other thing.
    """
    text = " ".join(question.lower().replace("’", "'").split()).strip(" ?.!")
    found = _SENTENCE.fullmatch(text) or _QUOTED.search(text)
    if found:
        return Asked("sentence", (_sentence(found["s"].strip(" '\"")),))
    text = _TAIL.sub("", _TAIL.sub("", text))
    return _open(text, placed) or _closed(text) or _any_thing()


def _open(text: str, placed: tuple[str, ...]) -> Asked | None:
    """Questions that no yes or no answers."""
    if found := _first(_COLOUR, text):
        return colour(_plain(found))
    if found := _first(_COUNT, text):
        return count(_plain(found))
    if choice := _CHOICE.fullmatch(text):
        names = [_plain(name) for part in choice.groups() for name in part.split(", ")]
        return Asked("which", tuple(thing_statement(name) for name in names), tuple(names))
    if _DOING.fullmatch(text):
        return Asked("doing", tuple(f"Someone is {a}." for a in ACTIVITIES), ACTIVITIES)
    if _WHERE.fullmatch(text):
        return where()
    if placed and asks_what_is_placed(text):
        return Asked("placed", tuple(thing_statement(name) for name in placed), placed)
    if which := _WHICH.fullmatch(text):
        return things(GROUPS[which["x"]])
    if _WHO.fullmatch(text):
        return Asked("which", tuple(thing_statement(p) for p in PEOPLE), PEOPLE)
    return None


def _closed(text: str) -> Asked | None:
    """Questions for yes or no."""
    if found := _first(_EXISTENCE, text):
        return Asked("existence", (thing_statement(found),))
    if said := _YES_NO.fullmatch(text):
        return Asked("sentence", (_declared(said["v"], said["rest"]),))
    return None


def _any_thing() -> Asked:
    names = things_of(None)
    return Asked("what", tuple(thing_statement(name) for name in names), names)


def things(group: str) -> Asked:
    """Which thing of a group it is, such as of the animals."""
    names = things_of(group)
    return Asked("which", tuple(thing_statement(name) for name in names), names)


def colour(thing: str) -> Asked:
    """Which colour a thing has."""
    return Asked("colour", tuple(f"{_article(c)} {c} {thing}.".capitalize() for c in COLOURS), COLOURS)


def count(things: str) -> Asked:
    """How many of them there are, from one to nine."""
    single = FORMS.get(things, things.removesuffix("s"))
    numbers = NUMBER_WORDS[1 : _MOST_COUNTED + 1]
    several = PLURALS.get(single, things)
    if things in ("people", "persons"):
        single, several = "person", "people"
    said = [f"{n} {single if n == 'one' else several}.".capitalize() for n in numbers]
    return Asked("count", tuple(said), numbers)


def where() -> Asked:
    """In what kind of place the picture was taken."""
    return Asked("where", tuple(f"It is {place}." for place in PLACES), PLACES)


def thing_statement(thing: str) -> str:
    """ "dog" to "A dog."."""
    words = thing.split()
    if not words or words[0] in _DETERMINERS or words[0] in NUMBER_WORDS:
        return _sentence(thing)
    known = FORMS.get(thing)
    plural = thing.endswith("s") and not thing.endswith("ss")
    if words[-1] in UNCOUNTED or plural or (known and PLURALS[known] == thing):
        return _sentence(thing)
    return _sentence(f"{_article(thing)} {thing}")


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> str:
    """What the first fitting pattern asks about; empty where none fits."""
    for pattern in patterns:
        found = pattern.fullmatch(text)
        if found and found["x"]:
            return found["x"].strip()
    return ""


def _declared(verb: str, rest: str) -> str:
    """ "is the man running" to "The man is running."; the subject ends where a predicate seems to begin."""
    words = rest.split()
    end = 1
    if words[0] not in _PRONOUNS:
        end = 2 if words[0] in _DETERMINERS and len(words) > 2 else 1
        while end < len(words) - 1 and not _PREDICATE.fullmatch(words[end]) and len(words) - end > 1:
            if verb in ("does", "do", "did", "has", "have", "can") or end >= 2:
                break
            end += 1
    spoken = [] if verb in ("does", "do", "did") else [verb]
    return _sentence(" ".join([*words[:end], *spoken, *words[end:]]))


def _plain(thing: str) -> str:
    """Without articles."""
    words = thing.split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in _DETERMINERS else words)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _sentence(text: str) -> str:
    text = text.strip(" .")
    return f"{text[:1].upper()}{text[1:]}."
