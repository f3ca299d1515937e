"""Weights in CTranslate2's ``model.bin`` (version 6): read, and written with other values.

Layout, little endian: version; name and revision of the kind of model; number of variables, and of each its
name, rank, dimensions, type, size and bytes; number of aliases, and of each its name and what it stands for.
A string is its length with the closing zero, then the bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_VERSION = 6
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)  # by CTranslate2's number


@dataclass(frozen=True)
class Ct2Weights:
    """kind, revision: of the model; variables: arrays by name; aliases: other names of some."""

    kind: str
    revision: int
    variables: dict[str, np.ndarray]
    aliases: dict[str, str] = field(default_factory=dict)


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def take(self, count: int) -> bytes:
        part = self.content[self.place : self.place + count]
        if len(part) < count:
            raise ValueError("the file of CTranslate2 weights ends too early")
        self.place += count
        return part

    def number(self, form: str) -> int:
        return int(struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0])

    def text(self) -> str:
        return self.take(self.number("H")).rstrip(b"\0").decode()


def read_ct2(path: Path) -> Ct2Weights:
    """Read a whole file.

    Raises:
        ValueError: another version, a type that is not known, or a file that is cut off.
    """
    reader = _Reader(path.read_bytes())
    version = reader.number("I")
    if version != _VERSION:
        raise ValueError(f"CTranslate2 weights of version {version}; version {_VERSION} is known")
    kind, revision = reader.text(), reader.number("I")
    variables = dict(_variable(reader) for _ in range(reader.number("I")))
    aliases = {reader.text(): reader.text() for _ in range(reader.number("I"))}
    return Ct2Weights(kind, revision, variables, aliases)


def _variable(reader: _Reader) -> tuple[str, np.ndarray]:
    name, rank = reader.text(), reader.number("B")
    shape = [reader.number("I") for _ in range(rank)]
    number, size = reader.number("B"), reader.number("I")
    if number >= len(_TYPES):
        raise ValueError(f"variable {name} has the unknown type {number}")
    values = np.frombuffer(reader.take(size), np.dtype(_TYPES[number]).newbyteorder("<"))
    if values.size != int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"variable {name} has {values.size} values for the shape {tuple(shape)}")
    return name, values.reshape(shape)


def write_ct2(weights: Ct2Weights, path: Path) -> None:
    """Inverse of :func:`read_ct2`.

    Raises:
        ValueError: a variable of a type that the format has not.
    """
    numbers = {np.dtype(kind): number for number, kind in enumerate(_TYPES)}
    parts = [struct.pack("<I", _VERSION), _text(weights.kind)]
    parts.append(struct.pack("<II", weights.revision, len(weights.variables)))
    for name, values in weights.variables.items():
        if values.dtype not in numbers:
            raise ValueError(f"variable {name} is of {values.dtype}, which the format has not")
        parts += [_text(name), struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)]
        parts += [struct.pack("<BI", numbers[values.dtype], values.nbytes), values.tobytes()]
    parts.append(struct.pack("<I", len(weights.aliases)))
    parts += [_text(text) for pair in weights.aliases.items() for text in pair]
    path.write_bytes(b"".join(parts))


def _text(text: str) -> bytes:
    content = text.encode() + b"\0"
    return struct.pack("<H", len(content)) + content
