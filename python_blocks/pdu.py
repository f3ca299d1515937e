"""PDUs: a PMT pair of a dictionary and a uniform vector, to and from Python values."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pmt

_DONE = pmt.intern("done")
_address = ctypes.pythonapi.PyCapsule_GetPointer
_address.restype, _address.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
# By dtype: what makes a vector of so many, and the value to fill it with.
_VECTORS: dict[Any, tuple[Callable[[int, Any], Any], Any]] = {
    np.dtype(np.uint8): (pmt.make_u8vector, 0),
    np.dtype(np.float32): (pmt.make_f32vector, 0.0),
    np.dtype(np.complex64): (pmt.make_c32vector, 0j),
}
_DTYPES: tuple[tuple[Callable[[Any], bool], Any], ...] = (
    (pmt.is_c32vector, np.complex64),
    (pmt.is_f32vector, np.float32),
    (pmt.is_u8vector, np.uint8),
)


class PduError(ValueError):
    """The message is not a PDU of the kind that the block reads."""


def make_pdu(meta: Mapping[str, Any], payload: np.ndarray | bytes, shared: Any = None) -> Any:
    """Build a PDU.

    Args:
        meta: plain values; None entries are left out; NumPy scalars become Python's.
        payload: bytes, or an array of dtype uint8, float32 or complex64.
        shared: a dictionary of :func:`make_entries` that many PDUs have in common, None for an empty one;
            `meta` has none of its keys.

    Raises:
        TypeError: a payload of another dtype.
    """
    return pmt.cons(make_entries(meta, shared), _vector(payload))


def make_entries(meta: Mapping[str, Any], shared: Any = None) -> Any:
    """A PDU's dictionary; see :func:`make_pdu`."""
    # A dictionary is a list that begins with the newest entry, so that those of many PDUs may share its end.
    pairs = pmt.make_dict() if shared is None else shared
    for key, value in meta.items():
        if value is not None:
            pairs = pmt.acons(_key(key), _MAKERS.get(type(value), _item)(value), pairs)
    return pairs


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
    meta = _read_entries(pmt.car(message))
    if pmt.is_null(data) or pmt.length(data) == 0:
        return meta, np.zeros(0, np.uint8)
    return meta, np.asarray(_value(data))


def _read_entries(pairs: Any) -> dict[Any, Any]:
    """A dictionary's values; of a key that is there twice the newer one, as GNU Radio has it."""
    meta: dict[Any, Any] = {}
    try:
        while not pmt.is_null(pairs):
            entry, pairs = pmt.car(pairs), pmt.cdr(pairs)
            meta.setdefault(pmt.to_python(pmt.car(entry)), _value(pmt.cdr(entry)))
    except (RuntimeError, TypeError, ValueError) as exc:  # whatever PMT's own checks throw
        raise PduError(f"the PDU's metadata are no dictionary: {pmt.write_string(pairs)[:80]}") from exc
    return meta


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
def _key(text: str) -> Any:
    return pmt.intern(text)


def _item(value: Any) -> Any:
    """Of a value that is of no plain kind."""
    return pmt.to_pmt(value.item() if isinstance(value, np.generic) else value)


def _integer(value: int) -> Any:
    return pmt.from_long(value) if -(2**63) <= value < 2**63 else pmt.to_pmt(value)


def _array(value: np.ndarray) -> Any:
    if value.dtype != np.uint8:
        value = value.astype(np.complex64 if np.iscomplexobj(value) else np.float32, copy=False)
    return _vector(value)


def _vector(payload: np.ndarray | bytes) -> Any:
    """A uniform vector by one copy of memory: GNU Radio's own calls make a Python object of each element."""
    values = np.frombuffer(payload, np.uint8) if isinstance(payload, bytes | bytearray) else payload
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    known = _VECTORS.get(values.dtype)
    if known is None:
        raise TypeError(f"PDU payloads are uint8, float32 or complex64; got {values.dtype}")
    make, fill = known
    vector = make(values.size, fill)
    if values.size:
        ctypes.memmove(_place(vector), values.tobytes(), values.nbytes)
    return vector


def _place(vector: Any) -> int:
    """Address of a uniform vector's first element."""
    place: int = _address(pmt.uniform_vector_elements(vector, 0), None)
    return place


def _value(value: Any) -> Any:
    """A Python value; an array of a uniform vector, copied at once like :func:`_vector`."""
    if not pmt.is_uniform_vector(value):
        return pmt.to_python(value)
    for is_one, dtype in _DTYPES:
        if is_one(value):
            found = np.empty(pmt.length(value), dtype)
            if found.size:
                ctypes.memmove(found.ctypes.data, _place(value), found.nbytes)
            return found
    return pmt.to_python(value)


_MAKERS: dict[type, Callable[[Any], Any]] = {
    bool: pmt.from_bool,
    int: _integer,
    float: pmt.from_double,
    str: pmt.intern,
    np.ndarray: _array,
}
