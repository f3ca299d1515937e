"""Codec2, a coder of speech at a few kbit/s, by the system's library, which GNU Radio comes with."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.signal import resample_poly

from m4sc.message import SAMPLE_RATE_HZ, Message, MessageError

BITS_PER_S = 3200
"""The highest of its rates."""
_MODE = 0  # of that rate
_RATE_HZ = 8000
_FRAME, _BYTES = 160, 8  # samples of a frame of 20 ms, and what it takes
_MOST_BYTES = 1 << 16
_FULL = 32767


def available() -> bool:
    """Whether the library is there."""
    return ctypes.util.find_library("codec2") is not None


def encode_codec2(samples: np.ndarray) -> bytes:
    """A sound's bytes, 8 for each 20 ms.

    Args:
        samples: float32 (n,), -1 to 1, at 16 kHz.

    Raises:
        OSError: the library is not there.
    """
    narrow = resample_poly(samples.astype(np.float64), _RATE_HZ, SAMPLE_RATE_HZ)
    narrow = np.pad(narrow, (0, -len(narrow) % _FRAME))
    whole = np.round(_FULL * np.clip(narrow, -1, 1)).astype(np.int16)
    coded = np.zeros(_BYTES, np.uint8)
    found = []
    with _opened() as (library, state):
        for frame in whole.reshape(-1, _FRAME):
            library.codec2_encode(state, _pointer(coded), _pointer(frame))
            found.append(coded.tobytes())
    return b"".join(found)


def decode_codec2(payload: bytes) -> Message:
    """The sound of :func:`encode_codec2`'s bytes, filled up to whole frames.

    Raises:
        MessageError: bytes that are no whole frames.
        OSError: the library is not there.
    """
    if not 0 < len(payload) <= _MOST_BYTES or len(payload) % _BYTES:
        raise MessageError(f"{len(payload)} bytes are no frames of Codec2; they are broken")
    frames = np.frombuffer(payload, np.uint8).reshape(-1, _BYTES).copy()
    spoken = np.zeros((len(frames), _FRAME), np.int16)
    with _opened() as (library, state):
        for coded, frame in zip(frames, spoken, strict=True):
            library.codec2_decode(state, _pointer(frame), _pointer(coded))
    wide = resample_poly(spoken.reshape(-1) / _FULL, SAMPLE_RATE_HZ, _RATE_HZ)
    return Message("speech", wide.astype(np.float32))


@contextmanager
def _opened() -> Iterator[tuple[Any, ctypes.c_void_p]]:
    """The library, and a state of its coder that is taken away again."""
    path = ctypes.util.find_library("codec2")
    if path is None:
        raise OSError("the library codec2 is not there; install it (Debian: libcodec2-1.0)")
    library: Any = ctypes.CDLL(path)
    library.codec2_create.restype = ctypes.c_void_p
    library.codec2_encode.restype = library.codec2_decode.restype = None
    state = ctypes.c_void_p(library.codec2_create(_MODE))
    try:
        yield library, state
    finally:
        library.codec2_destroy(state)


def _pointer(values: np.ndarray) -> ctypes.c_void_p:
    return values.ctypes.data_as(ctypes.c_void_p)
