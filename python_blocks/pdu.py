"""PDUs: a PMT pair of a dictionary and a uniform vector, to and from Python values."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pmt

# pmt::serialize's format: one call that reads bytes costs a fraction of a call for each entry and element.
_NULL, _PAIR, _ENTRY, _SYMBOL = b"\x06", b"\x07", b"\x09\x07", b"\x02"
_TRUE, _FALSE = b"\x00", b"\x01"
_INT32, _INT64, _DOUBLE = struct.Struct(">Bi"), struct.Struct(">Bq"), struct.Struct(">Bd")
_UNIFORM = struct.Struct(">BBIBB")  # tag, kind, number of items, padding: one byte of 0
_FEW = 256  # numbers from 0 on whose entries are kept
_LONG = 250  # characters; pmt reads no symbol that is much longer than 1000 bytes
_DONE = pmt.intern("done")
_KINDS = {"u1": (0, "u1"), "f4": (8, ">f4"), "c8": (10, ">c8")}


class PduError(ValueError):
    """The message is not a PDU of the kind that the block reads."""


def make_pdu(meta: Mapping[str, Any], payload: np.ndarray | bytes) -> Any:
    """Build a PDU.

    Args:
        meta: plain values; None entries are left out; NumPy scalars become Python's.
        payload: bytes, or an array of dtype uint8, float32 or complex64.

    Raises:
        TypeError: a payload of another dtype.
    """
    entries, others = [], []
    for key, value in meta.items():
        kind = type(value)
        if kind is bool or (kind is int and 0 <= value < _FEW) or (kind is str and len(value) < _LONG):
            entries.append(_entry(key, value))
        elif value is not None:
            item = _ENCODERS.get(kind, _item)(value)
            if item is None:
                others.append((key, value))
            else:
                entries.append(_key(key) + item)
    # pmt's dictionaries have the newest entry first
    pdu = pmt.deserialize_str(b"".join([_PAIR, *reversed(entries), _NULL, _vector(payload)]))
    if others:
        pairs = pmt.car(pdu)
        for key, value in others:
            pairs = pmt.dict_add(pairs, pmt.intern(key), pmt.to_pmt(value))
        pdu = pmt.cons(pairs, pmt.cdr(pdu))
    return pdu


def check_pdu(message: Any) -> None:
    """Raise PduError if a message is not a pair of a dictionary and a uniform vector; reads no entry."""
    if not pmt.is_pair(message) or not (pmt.is_dict(pmt.car(message)) or pmt.is_null(pmt.car(message))):
        raise PduError(f"not a PDU: {pmt.write_string(message)[:80]}; send (dictionary . uniform vector)")
    data = pmt.cdr(message)
    if not (pmt.is_uniform_vector(data) or pmt.is_null(data)):
        raise PduError("the PDU carries no uniform vector; send u8, f32 or c32")


def read_pdu(message: Any) -> tuple[dict[str, Any], np.ndarray]:
    """Split a PDU into its metadata and its payload (uint8, float32 or complex64 (n,)).

    Raises:
        PduError: not a pair of a dictionary and a uniform vector.
    """
    check_pdu(message)
    data = pmt.cdr(message)
    meta = {} if pmt.is_null(pmt.car(message)) else pmt.to_python(pmt.car(message))
    if pmt.is_null(data) or pmt.length(data) == 0:
        return meta, np.zeros(0, np.uint8)
    return meta, np.asarray(pmt.to_python(data))


def done_pdu(last_block: str = "") -> Any:
    """The PDU that follows the last message; every block hands it on in order, under its own name."""
    return make_pdu({"done": True, "last_block": last_block}, b"")


def is_done(meta: Mapping[str, Any]) -> bool:
    """Whether the metadata are those of :func:`done_pdu`."""
    return bool(meta.get("done", False))


def carries_done(message: Any) -> bool:
    """Whether a message is a ``done`` PDU; reads that entry alone, and takes anything for a message."""
    if not pmt.is_pair(message) or not pmt.is_dict(pmt.car(message)):
        return False
    try:
        value = pmt.dict_ref(pmt.car(message), _DONE, pmt.PMT_F)
        return value is not pmt.PMT_F and bool(pmt.to_python(value))
    except (RuntimeError, TypeError, ValueError):  # a pair that is no dictionary
        return False


@lru_cache(maxsize=1024)
def _symbol(text: str) -> bytes:
    data = text.encode()
    return _SYMBOL + struct.pack(">H", len(data)) + data


@lru_cache(maxsize=1024)
def _key(text: str) -> bytes:
    """What comes before an entry's value."""
    return _ENTRY + _symbol(text)


@lru_cache(maxsize=4096, typed=True)
def _entry(key: str, value: bool | int | str) -> bytes:
    """An entry whose value is one of few: most of a message's metadata are those of the message before."""
    return _key(key) + (_ENCODERS[type(value)](value) or b"")


def _item(value: Any) -> bytes | None:
    """A value's bytes; None for one that the format has no bytes for."""
    encode = _ENCODERS.get(type(value))
    if encode is not None:
        return encode(value)
    return _item(value.item()) if isinstance(value, np.generic) else None


def _integer(value: int) -> bytes | None:
    if -(2**31) <= value < 2**31:
        return _INT32.pack(3, value)
    return _INT64.pack(13, value) if -(2**63) <= value < 2**63 else None


def _text(value: str) -> bytes | None:
    return _symbol(value) if len(value) < _LONG else None


def _array(value: np.ndarray) -> bytes:
    if value.dtype != np.uint8:
        value = value.astype(np.complex64 if np.iscomplexobj(value) else np.float32, copy=False)
    return _vector(value)


def _vector(payload: np.ndarray | bytes) -> bytes:
    if isinstance(payload, bytes | bytearray):
        return _UNIFORM.pack(10, 0, len(payload), 1, 0) + bytes(payload)
    kind = _KINDS.get(payload.dtype.str[1:])
    if kind is None:
        raise TypeError(f"PDU payloads are uint8, float32 or complex64; got {payload.dtype}")
    return _UNIFORM.pack(10, kind[0], payload.size, 1, 0) + payload.astype(kind[1]).tobytes()


_ENCODERS: dict[type, Callable[[Any], bytes | None]] = {
    bool: lambda value: _TRUE if value else _FALSE,
    int: _integer,
    float: lambda value: _DOUBLE.pack(4, value),
    str: _text,
    np.ndarray: _array,
}
