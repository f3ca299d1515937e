"""Digits of any radix to bytes and back: mixed-radix packing."""

from __future__ import annotations

import math

import numpy as np

_WORD_BITS = 62  # an int64 holds as many digits of the largest radix as fit in these


def packed_bytes(radices: np.ndarray) -> int:
    """Bytes of a digit of each radix, int (n,)."""
    return -(-int(_layout(np.asarray(radices, np.int64)).bits.sum()) // 8)


def pack_digits(digits: np.ndarray, radices: np.ndarray) -> bytes:
    """Runs of digits as numbers d_0 + r_0 (d_1 + r_1 (d_2 + ...)), each in whole bits, lowest first.

    A run fills up to 62 bits, so that less than a bit a run is lost: radix 5 takes 2.35 bits a digit instead
    of 3. For a radix that is a power of two these are its digits' bits, one after the other.

    Args:
        digits: int (n,), 0 to radix - 1 each.
        radices: int (n,), at least 1.

    Returns:
        ``packed_bytes(radices)`` bytes.

    Raises:
        ValueError: lengths that differ, or a digit or radix out of range.
    """
    digits, radices = np.asarray(digits, np.int64), np.asarray(radices, np.int64)
    if digits.shape != radices.shape or digits.ndim != 1:
        raise ValueError(f"digits of shape {digits.shape} do not go with radices of shape {radices.shape}")
    if (radices < 1).any() or (digits < 0).any() or (digits >= radices).any():
        raise ValueError("a digit is from 0 to its radix less 1, and a radix at least 1")
    layout = _layout(radices)
    words = (_in_rows(digits, layout.places.shape, 0) * layout.places).sum(1)
    bits = words[:, None] >> np.arange(_WORD_BITS) & 1  # (words, 62)
    return np.packbits(bits[layout.used].astype(np.uint8), bitorder="little").tobytes()


def unpack_digits(data: bytes, radices: np.ndarray) -> np.ndarray:
    """Inverse of :func:`pack_digits`: int64 (n,).

    Raises:
        ValueError: not as many bytes as the radices take, or bits that no digits make.
    """
    radices = np.asarray(radices, np.int64)
    layout = _layout(radices)
    total = int(layout.bits.sum())
    if len(data) != -(-total // 8):
        raise ValueError(f"{len(data)} bytes came where the digits take {-(-total // 8)}")
    found = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    bits = np.zeros(layout.used.shape, np.int64)
    bits[layout.used] = found[:total]
    words = (bits << np.arange(_WORD_BITS)).sum(1)
    if found[total:].any() or (words >= layout.sizes).any():
        raise ValueError("the bytes are above all that these digits make")
    digits = words[:, None] // layout.places % _in_rows(radices, layout.places.shape, 1)
    return np.asarray(digits.ravel()[: len(radices)])


class _Layout:
    """Of the words: value of each digit's place, int64 (words, digits); size, and bits, int64 (words,)."""

    def __init__(self, places: np.ndarray, sizes: np.ndarray) -> None:
        self.places, self.sizes = places, sizes
        self.bits = np.array([(size - 1).bit_length() for size in sizes.tolist()], np.int64)
        self.used = np.arange(_WORD_BITS) < self.bits[:, None]  # bool (words, 62)


def _layout(radices: np.ndarray) -> _Layout:
    count = int(_WORD_BITS / math.log2(max(int(radices.max(initial=2)), 2)))
    table = _in_rows(radices, (-(-len(radices) // count), count), 1)
    products = np.cumprod(table, axis=1)
    places = np.concatenate([np.ones((len(table), 1), np.int64), products[:, :-1]], axis=1)
    return _Layout(places, products[:, -1])


def _in_rows(values: np.ndarray, shape: tuple[int, ...], fill: int) -> np.ndarray:
    """Values (n,) in rows, filled up at the end."""
    out = np.full(math.prod(shape), fill, np.int64)
    out[: len(values)] = values
    return out.reshape(shape)
