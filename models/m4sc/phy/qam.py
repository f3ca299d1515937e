"""Square QAM with the Gray labels of 3GPP TS 38.211 clause 5.1: bits to symbols, symbols to LLRs."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

BITS_PER_SYMBOL = (1, 2, 4, 6, 8)


@lru_cache(maxsize=4)
def levels(bits: int) -> np.ndarray:
    """Amplitudes of one dimension by label, float64 (2**bits,), odd integers, before scaling.

    The label's first bit is the sign; 38.211 nests the others as 2^(b-1) - (1 - 2 bit) (...).
    """
    labels = np.arange(2**bits)
    value = np.ones(labels.size)
    for place in range(bits - 1, 0, -1):
        bit = (labels >> (bits - 1 - place)) & 1
        value = 2.0 ** (bits - place) - (1 - 2 * bit) * value
    sign = 1 - 2 * ((labels >> (bits - 1)) & 1)
    return sign * value


def _scale(bits_per_symbol: int) -> float:
    return float(np.sqrt(2.0 * (2**bits_per_symbol - 1) / 3.0))


def _check(bits_per_symbol: int) -> None:
    if bits_per_symbol not in BITS_PER_SYMBOL:
        raise ValueError(f"{bits_per_symbol} bits a symbol are not supported; use one of {BITS_PER_SYMBOL}")


def map_bits(bits: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Bits to symbols of unit mean energy.

    Args:
        bits: uint8 (n * bits_per_symbol,).
        bits_per_symbol: 1 (BPSK), 2, 4, 6 or 8.

    Returns:
        complex64 (n,).

    Raises:
        ValueError: another modulation, or bits that do not fill whole symbols.
    """
    _check(bits_per_symbol)
    bits = np.asarray(bits, dtype=np.int64)
    if bits.size % bits_per_symbol:
        raise ValueError(f"{bits.size} bits do not fill symbols of {bits_per_symbol}")
    if bits_per_symbol == 1:
        return ((1 - 2 * bits) * (1 + 1j) / np.sqrt(2)).astype(np.complex64)
    half = bits_per_symbol // 2
    weights = 1 << np.arange(half - 1, -1, -1)
    groups = bits.reshape(-1, bits_per_symbol)
    table = levels(half) / _scale(bits_per_symbol)
    return (table[groups[:, 0::2] @ weights] + 1j * table[groups[:, 1::2] @ weights]).astype(np.complex64)


def soft_demap(symbols: np.ndarray, noise_var: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Symbols to exact LLRs, positive for a 0.

    Args:
        symbols: complex (n,), unbiased.
        noise_var: float (n,), complex noise variance of each.
        bits_per_symbol: as in :func:`map_bits`.

    Returns:
        float32 (n * bits_per_symbol,).
    """
    _check(bits_per_symbol)
    symbols = np.asarray(symbols, dtype=np.complex128)
    variance = np.maximum(np.asarray(noise_var, dtype=np.float64), 1e-9)
    if bits_per_symbol == 1:
        return (4.0 * (symbols.real + symbols.imag) / np.sqrt(2) / variance).astype(np.float32)
    half = bits_per_symbol // 2
    out = np.empty((symbols.size, bits_per_symbol), np.float32)
    table = levels(half) / _scale(bits_per_symbol)
    labels = np.arange(table.size)
    for offset, part in ((0, symbols.real), (1, symbols.imag)):
        metric = -np.square(part[:, None] - table) / variance[:, None]
        for place in range(half):
            one = ((labels >> (half - 1 - place)) & 1).astype(bool)
            zero_score = np.logaddexp.reduce(metric[:, ~one], axis=1)
            one_score = np.logaddexp.reduce(metric[:, one], axis=1)
            out[:, 2 * place + offset] = zero_score - one_score
    return out.reshape(-1)
