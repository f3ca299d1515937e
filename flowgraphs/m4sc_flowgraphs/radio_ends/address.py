"""Addresses of radio ends: ``sim:``, ``zmq://HOST:PORT``, ``file:NAME``, ``uhd:ARGS``, ``soapy:ARGS``."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, TypeVar, get_type_hints
from urllib.parse import unquote

KINDS = ("sim", "zmq", "file", "uhd", "soapy")
_FORMS = "sim:, zmq://HOST:PORT, file:NAME, uhd:ARGS?freq=..., soapy:driver=NAME?freq=..."
_SUFFIXES = {"k": 1e3, "M": 1e6, "G": 1e9}

Options = TypeVar("Options")


class RadioEndError(ValueError):
    """A radio end cannot be opened; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Address:
    """A parsed address.

    Attributes:
        kind: one of :data:`KINDS`.
        place: what stands between the kind and the ``?``: host and port, a name, device arguments.
        options: text by name, after the ``?``.
        text: the address as given.
    """

    kind: str
    place: str
    options: dict[str, str]
    text: str


def parse_address(text: str | Address) -> Address:
    """Split ``KIND:PLACE?NAME=VALUE&NAME=VALUE``; what is split already is returned as it is.

    Raises:
        RadioEndError: unknown kind, an option without a value, or one given twice.
    """
    if isinstance(text, Address):
        return text
    kind, colon, rest = text.partition(":")
    if not colon or kind not in KINDS:
        raise RadioEndError(f"'{text}' is not the address of a radio end; give one of {_FORMS}")
    place, _, query = rest.partition("?")
    options: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals or not name or not value:
            raise RadioEndError(f"option '{pair}' in '{text}' has no value; write NAME=VALUE, joined by '&'")
        if name in options:
            raise RadioEndError(f"option '{name}' is given twice in '{text}'; give it once")
        options[name] = unquote(value)
    return Address(kind, place.removeprefix("//"), options, text)


def split_inverted(address: Address) -> tuple[Address, bool]:
    """An address to receive from without the option ``inverted``, and whether it is set: a front end, or who
    recorded, swapped I and Q.

    Raises:
        RadioEndError: it is neither yes nor no.
    """
    rest = {name: text for name, text in address.options.items() if name != "inverted"}
    inverted = _value("inverted", address.options.get("inverted", "no"), "bool")
    return replace(address, options=rest), bool(inverted)


def read_options(address: Address, into: type[Options], **known: Any) -> Options:
    """Fill the frozen dataclass ``into`` from the address's options; the caller gives the ``known`` fields.

    Numbers may end in k, M or G. A field without a default is required.

    Raises:
        RadioEndError: unknown or missing option, a value of the wrong type, or one that ``into`` refuses.
    """
    types = get_type_hints(into)
    names = [field.name for field in fields(into) if field.name not in known]  # type: ignore[arg-type]
    for name in address.options:
        if name not in names:
            raise RadioEndError(
                f"'{address.kind}:' has no option '{name}'; its options are {', '.join(sorted(names))}"
            )
    for field in fields(into):  # type: ignore[arg-type]
        required = field.default is MISSING and field.default_factory is MISSING
        if required and field.name not in known and field.name not in address.options:
            raise RadioEndError(f"'{address.text}' lacks the option '{field.name}'; add {field.name}=VALUE")
    values = {name: _value(name, text, str(types[name])) for name, text in address.options.items()}
    try:
        return into(**known, **values)
    except ValueError as exc:
        raise RadioEndError(f"'{address.text}': {exc}") from exc


def _value(name: str, text: str, kind: str) -> Any:
    """Text as the type named by a dataclass's annotation."""
    if "str" in kind:
        return text
    if "bool" in kind:
        if text not in ("0", "1", "no", "yes"):
            raise RadioEndError(f"option {name} is '{text}'; give yes or no")
        return text in ("1", "yes")
    factor = _SUFFIXES.get(text[-1:], 1.0)
    try:
        number = float(text[:-1] if factor != 1.0 else text) * factor
    except ValueError as exc:
        raise RadioEndError(f"option {name} is '{text}'; give a number, such as 1e6 or 2.45G") from exc
    if math.isnan(number):
        raise RadioEndError(f"option {name} is '{text}'; give a number")
    if "int" in kind:
        if not number.is_integer():
            raise RadioEndError(f"option {name} is '{text}'; give a whole number")
        return int(number)
    return number
