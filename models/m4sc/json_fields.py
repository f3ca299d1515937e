"""A frozen dataclass from JSON text that a person may have edited."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

T = TypeVar("T")
_MOST_BYTES = 1 << 20
_MOST_NUMBER = 1 << 53  # beyond it JSON's numbers are not whole any more

Convert = Callable[[Any], Any]


def from_json(cls: type[T], text: str, what: str, special: Mapping[str, Convert] | None = None) -> T:
    """An object of a dataclass whose fields all have defaults.

    Args:
        cls: the dataclass; a value has the type of its field's default, lists stand for tuples.
        text: JSON, an object with some of its fields.
        what: name of the whole, for errors.
        special: of fields that JSON writes otherwise, by name: JSON's value to the field's.

    Raises:
        ValueError: no JSON, no object, unknown keys, or values of another type or out of range.
    """
    if len(text) > _MOST_BYTES:
        raise ValueError(f"{what} has {len(text):,} characters; at most {_MOST_BYTES:,} are read")
    try:
        values: Any = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"{what} is no JSON ({exc})") from exc
    return from_object(cls, values, what, special)


def from_object(cls: type[T], values: Any, what: str, special: Mapping[str, Convert] | None = None) -> T:
    """As :func:`from_json`, of what JSON holds; raises as it does."""
    if not isinstance(values, dict) or not values:
        raise ValueError(f"{what} is no JSON object with its settings")
    defaults = {field.name: _default(field) for field in fields(cls)}  # type: ignore[arg-type]
    if unknown := set(values) - set(defaults):
        raise ValueError(f"unknown keys in {what}: {', '.join(sorted(unknown))[:80]}")
    special = special or {}
    given = {
        key: _converted(key, value, special[key], what)
        if key in special
        else _value(key, value, defaults[key], what)
        for key, value in values.items()
    }
    try:
        return cls(**given)
    except (TypeError, OverflowError, RecursionError) as exc:
        raise ValueError(f"{what} contradicts itself: {exc}") from exc


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _converted(key: str, value: Any, convert: Convert, what: str) -> Any:
    try:
        return convert(value)
    except (TypeError, KeyError, AttributeError, OverflowError, RecursionError) as exc:
        raise ValueError(f"{key} in {what} is {_shown(value)}; it cannot be read") from exc


def _value(key: str, value: Any, default: Any, what: str) -> Any:
    """A value of the type of its default."""
    if default is MISSING:
        return value
    value = _tuples(value)
    if not _fits(value, default):
        raise ValueError(f"{key} in {what} is {_shown(value)}; it must be like {_shown(default)}")
    return value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _fits(value: Any, default: Any) -> bool:
    """Whether a value has its default's type, a list's items that of the default's first."""
    if type(default) is float and type(value) is int:
        return abs(value) <= _MOST_NUMBER
    if type(value) is not type(default):
        return False
    if isinstance(value, tuple):
        return not default or all(_fits(item, default[0]) for item in value)
    if isinstance(value, float):
        return not math.isnan(value)
    return not isinstance(value, int) or abs(value) <= _MOST_NUMBER


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
