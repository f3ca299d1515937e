"""The header that gr-zeromq's blocks put before samples when *Pass Tags* is on.

Magic, version, offset and number of tags in the machine's byte order, then each tag's offset and its key,
value and source as serialised PMTs (gr-zeromq/lib/tag_headers.cc). The tags themselves are not wanted here:
they are measured, not made, so that nothing that a stranger sends is built up in memory.
"""

from __future__ import annotations

import struct

MAGIC = 0x5FF0
_HEADER = struct.Struct("=HBQQ")
_VERSION = 1
_PARTS = 3  # PMTs of a tag
_FIXED = {0x00: 0, 0x01: 0, 0x03: 4, 0x04: 8, 0x05: 16, 0x06: 0, 0x0B: 8, 0x0D: 8}
_SYMBOL, _PAIR, _VECTOR, _DICT, _NUMBERS, _TUPLE = 0x02, 0x07, 0x08, 0x09, 0x0A, 0x0C
_NUMBER_BYTES = (1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 8, 16)  # by the type of a uniform vector


def has_magic(data: bytes) -> bool:
    """Whether a message may begin with such a header; bare samples do so once in 65,536 by chance."""
    return len(data) >= _HEADER.size and struct.unpack_from("=H", data)[0] == MAGIC


def header_bytes(data: bytes) -> int | None:
    """Length of the header at the beginning of a message; None when there is none or it is cut."""
    if not has_magic(data):
        return None
    _, version, _, n_tags = _HEADER.unpack_from(data)
    if version != _VERSION or n_tags > len(data):
        return None
    at = _HEADER.size
    for _ in range(n_tags):
        end = _after(data, at + 8, _PARTS)
        if end is None:
            return None
        at = end
    return at


def _after(data: bytes, at: int, wanted: int) -> int | None:
    """Place behind a number of serialised PMTs, one inside another or not; None when the data ends before."""
    try:
        while wanted:
            kind, at, wanted = data[at], at + 1, wanted - 1
            if kind in _FIXED:
                at += _FIXED[kind]
            elif kind == _SYMBOL:
                at += 2 + int.from_bytes(data[at : at + 2], "big")
            elif kind in (_PAIR, _DICT):
                wanted += 2
            elif kind in (_VECTOR, _TUPLE):
                wanted, at = wanted + int.from_bytes(data[at : at + 4], "big"), at + 4
            elif kind == _NUMBERS:
                count, padding = int.from_bytes(data[at + 1 : at + 5], "big"), data[at + 5]
                at += 6 + padding + count * _NUMBER_BYTES[data[at]]
            else:
                return None
    except IndexError:
        return None
    return at if at <= len(data) else None
