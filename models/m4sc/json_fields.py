"""A frozen dataclass from JSON text that a person may have edited."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")
_MOST_BYTES = 1 << 20


def from_json(cls: type[T], text: str, what: str) -> T:
    """An object of a dataclass whose fields all have defaults.

    Args:
        cls: the dataclass; a value has the type of its field's default, lists stand for tuples.
        text: JSON, an object with some of its fields.
        what: name of the whole, for errors.

    Raises:
        ValueError: no JSON, no object, unknown keys, or values of another type.
    """
    if len(text) > _MOST_BYTES:
        raise ValueError(f"{what} has {len(text):,} characters; at most {_MOST_BYTES:,} are read")
    try:
        values: Any = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"{what} is no JSON ({exc})") from exc
    if not isinstance(values, dict) or not values:
        raise ValueError(f"{what} is no JSON object with its settings")
    defaults = {field.name: field.default for field in fields(cls)}  # type: ignore[arg-type]
    if unknown := set(values) - set(defaults):
        raise ValueError(f"unknown keys in {what}: {', '.join(sorted(unknown))}")
    return cls(**{key: _value(key, value, defaults[key], what) for key, value in values.items()})


def _value(key: str, value: Any, default: Any, what: str) -> Any:
    """A value of the type of its default."""
    if isinstance(value, list):
        value = tuple(value)
    if default is MISSING:
        return value
    fits = type(value) is type(default) or (type(default) is float and type(value) is int)
    if fits and isinstance(default, tuple) and default:
        fits = all(type(item) is type(default[0]) for item in value)
    if not fits:
        raise ValueError(f"{key} in {what} is {value!r}; it must be like {default!r}")
    return value
