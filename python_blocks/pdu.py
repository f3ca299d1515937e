"""PDUs: a PMT pair of a dictionary and a uniform vector, to and from Python values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pmt


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
    pairs = pmt.make_dict()
    for key, value in meta.items():
        if value is not None:
            pairs = pmt.dict_add(pairs, pmt.intern(key), _item(value))
    return pmt.cons(pairs, _vector(payload))


def read_pdu(message: Any) -> tuple[dict[str, Any], np.ndarray]:
    """Split a PDU into its metadata and its payload (uint8, float32 or complex64 (n,)).

    Raises:
        PduError: not a pair of a dictionary and a uniform vector.
    """
    if not pmt.is_pair(message) or not (pmt.is_dict(pmt.car(message)) or pmt.is_null(pmt.car(message))):
        raise PduError(f"not a PDU: {pmt.write_string(message)[:80]}; send (dictionary . uniform vector)")
    data = pmt.cdr(message)
    if not (pmt.is_uniform_vector(data) or pmt.is_null(data)):
        raise PduError("the PDU carries no uniform vector; send u8, f32 or c32")
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


def _item(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, np.ndarray):
        return pmt.to_pmt(value)
    if value.dtype != np.uint8:
        value = value.astype(np.complex64 if np.iscomplexobj(value) else np.float32, copy=False)
    return _vector(value)


def _vector(payload: np.ndarray | bytes) -> Any:
    """A uniform vector; of a list, whose numbers are Python's, it is made three times as fast."""
    if isinstance(payload, bytes | bytearray):
        return pmt.init_u8vector(len(payload), list(payload))
    values = payload.ravel().tolist()
    if payload.dtype == np.uint8:
        return pmt.init_u8vector(payload.size, values)
    if payload.dtype == np.float32:
        return pmt.init_f32vector(payload.size, values)
    if payload.dtype == np.complex64:
        return pmt.init_c32vector(payload.size, values)
    raise TypeError(f"PDU payloads are uint8, float32 or complex64; got {payload.dtype}")
