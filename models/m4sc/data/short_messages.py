"""Short messages with names, numbers, times and places, made from lists written for this project.

They teach the language model what such a message looks like, so that its belief costs fewer bits a token.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.data.example import Example
from m4sc.data.wordings import pick, wordings_of


def short_messages(count: int, rng: np.random.Generator) -> list[str]:
    """`count` messages drawn at random."""
    return [_message(rng) for _ in range(count)]


def message_examples(*, wording: str = "seen", seed: int = 0) -> list[Example]:
    """One `text` example for each message of a list that was written for tests and is trained on nowhere."""
    path = Path(__file__).with_name("test_messages.json")
    rng = np.random.default_rng(seed)
    choices = wordings_of("text", wording)
    return [
        Example(
            id=f"message-{n}",
            modality="text",
            task="text",
            instruction=pick(choices, rng),
            answers=(text,),
            kind="numbers",
            source=text,
            media_id=f"message-{n}",
            wording=wording,
        )
        for n, text in enumerate(json.loads(path.read_text(encoding="utf-8")))
    ]


@cache
def _lists() -> Any:
    """Sentences with places in braces, and what may stand there."""
    return json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def _message(rng: np.random.Generator) -> str:
    sentence = _pick(_lists()["sentences"], rng)
    if rng.random() < 0.1:
        sentence = f"{sentence}, {_pick(_lists()['sentences'], rng)}"
    text = re.sub(r"\{(\w+)\}", lambda found: _fill(found[1], rng), sentence)
    chance = rng.random()
    if chance < 0.12:
        return text + "."
    return text[0].lower() + text[1:] if chance < 0.16 else text


def _pick(values: list[str], rng: np.random.Generator) -> str:
    return values[rng.integers(len(values))]


def _number(low: int, high: int, rng: np.random.Generator) -> str:
    return str(rng.integers(low, high))


def _fill(slot: str, rng: np.random.Generator) -> str:
    """What stands at a place of a sentence: from the list of its name, or made up."""
    made = _MADE.get(slot)
    return _pick(_lists()[slot], rng) if made is None else made(rng)


def _time(rng: np.random.Generator) -> str:
    hour, minute = int(rng.integers(24)), int(rng.choice([0, 15, 30, 45, int(rng.integers(60))]))
    forms = (
        f"{hour}:{minute:02d}",
        f"{hour:02d}:{minute:02d}",
        f"{hour % 12 + 1} {_pick(['am', 'pm'], rng)}",
        _pick(["noon", "midnight"], rng),
        str(hour % 12 + 1),
    )
    return str(rng.choice(forms, p=[0.45, 0.2, 0.2, 0.05, 0.1]))


def _date(rng: np.random.Generator) -> str:
    day, month = _number(1, 31, rng), _fill("month", rng)
    return _pick([f"{day} {month}", f"{month} {day}", f"the {day}th of {month}", _fill("day", rng)], rng)


def _money(rng: np.random.Generator) -> str:
    few, some = _number(1, 100, rng), _number(100, 1000, rng)
    amount, coin = _pick([few, some, f"{_number(1, 10, rng)},{some}"], rng), _pick(_lists()["money"], rng)
    with_cents = f"{amount}.{_number(10, 100, rng)} {coin}"
    return _pick([f"{amount} {coin}", f"{amount} {coin}", f"${amount}", with_cents], rng)


def _phone(rng: np.random.Generator) -> str:
    area, own = _number(100, 1000, rng), _number(1000, 10000, rng)
    return _pick([f"{area} {own}", f"0{area} {own}", f"555 {own}", f"{area}-{own}"], rng)


def _long_number(rng: np.random.Generator) -> str:
    two_parts = f"{_number(1, 100, rng)}-{_number(100, 10000, rng)}"
    return _pick([_number(1000, 10000, rng), two_parts, _number(10000, 100000, rng)], rng)


_MADE = {
    "time": _time,
    "date": _date,
    "money": _money,
    "phone": _phone,
    "n1": lambda rng: _number(1, 13, rng),
    "n2": lambda rng: _number(10, 100, rng),
    "n3": lambda rng: _number(100, 1000, rng),
    "n4": _long_number,
    "year": lambda rng: _number(1850, 2026, rng),
    "full": lambda rng: f"{_fill('name', rng)} {_fill('last', rng)}",
    "street": lambda rng: f"{_fill('road', rng)} {_fill('kind', rng)}",
    "gate": lambda rng: f"{_pick(list('ABCDEF'), rng)}{_number(1, 40, rng)}",
    "code": lambda rng: (
        f"{_pick(list('ABDEFKLQSTUX'), rng)}{_pick(list('ABCFHLRSXZ'), rng)} {_number(10, 5000, rng)}"
    ),
}
