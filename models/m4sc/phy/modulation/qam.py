"""Square QAM with the Gray labels of 3GPP TS 38.211 clause 5.1: bits to symbols, symbols to LLRs."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from m4sc.phy.fec.compiled import compiled

BITS_PER_SYMBOL = (1, 2, 4, 6, 8)
_LEAST_NOISE_VAR = 1e-9
_LEAST_EXPONENT = -700.0  # below it exp() of a float64 loses digits, then is zero


@lru_cache(maxsize=4)
def levels(bits: int) -> np.ndarray:
    """Amplitudes of one dimension by label, float64 (2**bits,), odd integers, before scaling.

    The label's first bit is the sign; 38.211 nests the others as 2^(b-1) - (1 - 2 bit) (...).
    """
    labels = np.arange(2**bits)
    value: np.ndarray = np.ones(labels.size)
    for place in range(bits - 1, 0, -1):
        bit = (labels >> (bits - 1 - place)) & 1
        value = 2.0 ** (bits - place) - (1 - 2 * bit) * value
    sign = 1 - 2 * ((labels >> (bits - 1)) & 1)
    return sign * value


def grid_scale(order: int) -> float:
    """Root mean square of a square grid of `order` points on odd integers: sqrt(2 (order - 1) / 3)."""
    return float(np.sqrt(2.0 * (order - 1) / 3.0))


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
    table = levels(half) / grid_scale(2**bits_per_symbol)
    return (table[groups[:, 0::2] @ weights] + 1j * table[groups[:, 1::2] @ weights]).astype(np.complex64)


def soft_demap(symbols: np.ndarray, noise_var: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Symbols to exact LLRs, positive for a 0.

    Args:
        symbols: complex (n,), unbiased.
        noise_var: float (n,), complex noise variance of each.
        bits_per_symbol: as in :func:`map_bits`.

    Returns:
        float32 (n * bits_per_symbol,).

    Raises:
        ValueError: another modulation, or shapes that differ.
    """
    _check(bits_per_symbol)
    symbols = np.asarray(symbols)
    if symbols.shape != np.shape(noise_var):
        raise ValueError(f"{symbols.shape} symbols with {np.shape(noise_var)} noise variances")
    variance = np.maximum(np.asarray(noise_var, dtype=np.float64), _LEAST_NOISE_VAR)
    if bits_per_symbol == 1:
        return ((symbols.real + symbols.imag) * (4.0 / np.sqrt(2.0) / variance)).astype(np.float32)
    parts = np.stack([symbols.real, symbols.imag], axis=-1).astype(np.float64)
    if bits_per_symbol == 2:
        return (parts * (4.0 / np.sqrt(2.0) / variance)[:, None]).astype(np.float32).ravel()
    half = bits_per_symbol // 2
    out = np.empty((symbols.size, bits_per_symbol), np.float32)
    _demap_grid(parts, variance, levels(half) / grid_scale(2**bits_per_symbol), half, out)
    return out.ravel()


@compiled
def _demap_grid(parts, variance, table, half, out):  # type: ignore[no-untyped-def]
    """LLRs of the bits of each dimension by itself.

    Args:
        parts: float64 (n, 2), in phase and in quadrature.
        variance: float64 (n,), complex.
        table: float64 (2**half,), amplitude by label.
        half: bits of a dimension.
        out: float32 (n, 2 * half), written; the dimensions alternate.
    """
    metric, best = np.empty(table.size), np.empty((half, 2))
    total = np.empty((half, 2))
    for n in range(variance.size):
        for part in range(2):
            best[:], total[:] = -np.inf, 0.0
            for label in range(table.size):
                distance = parts[n, part] - table[label]
                metric[label] = -distance * distance / variance[n]
                for place in range(half):
                    bit = (label >> (half - 1 - place)) & 1
                    best[place, bit] = max(best[place, bit], metric[label])
            top = max(best[0, 0], best[0, 1])
            for label in range(table.size):
                if metric[label] - top > _LEAST_EXPONENT:
                    weight = np.exp(metric[label] - top)
                    for place in range(half):
                        total[place, (label >> (half - 1 - place)) & 1] += weight
            for place in range(half):
                zero, one = total[place, 0], total[place, 1]
                if zero > 0.0 and one > 0.0:
                    out[n, 2 * place + part] = np.log(zero / one)
                else:  # one side is so far that its nearest point is all of it
                    out[n, 2 * place + part] = best[place, 0] - best[place, 1]
