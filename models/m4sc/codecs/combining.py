"""Copies of one message to what they say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from m4sc.codecs.base import Received

_LEAST_VARIANCE = 1e-6


def maximal_ratio(copies: Sequence[Received]) -> Received:
    """Copies of the same symbols, each weighted by its noise (Brennan, "Linear diversity combining
    techniques", Proc. IRE 47(6), 1959); a symbol that no copy brought stays lost.

    Raises:
        ValueError: no copy, bytes, or copies of different lengths.
    """
    if len({len(one.symbols) for one in copies}) != 1 or any(one.data for one in copies):
        raise ValueError("only copies of as many symbols each are combined")
    total = np.zeros(len(copies[0].symbols), np.complex128)
    weight = np.zeros(len(total))
    for one in copies:
        noise = np.asarray(one.noise_var, np.float64)
        own = np.where(np.isfinite(noise), 1.0 / np.maximum(noise, _LEAST_VARIANCE), 0.0)
        total += np.where(own > 0, own * np.where(own > 0, one.symbols, 0), 0)
        weight += own
    heard = weight > 0
    symbols = np.divide(total, weight, out=np.zeros_like(total), where=heard)
    noise_var = np.divide(1.0, weight, out=np.full_like(weight, np.inf), where=heard)
    least = min(one.min_confidence for one in copies)
    return Received(symbols.astype(np.complex64), noise_var.astype(np.float32), min_confidence=least)


def of_one_length(copies: Sequence[Received]) -> Received:
    """Where lengths differ the copies mean different things: those of the length that says most, combined.

    What symbols say is the capacity of a Gaussian channel with their noise, summed.
    """
    whole = [one for one in copies if one.data]
    if whole:
        return whole[-1]
    by_length: dict[int, list[Received]] = {}
    for one in copies:
        by_length.setdefault(len(one.symbols), []).append(one)
    return max(map(maximal_ratio, by_length.values()), key=information)


def nested(copies: Sequence[Received], scale: Callable[[int], float]) -> Received:
    """Copies of which each is the beginning of every longer one, but for its power.

    Args:
        copies: with at least a symbol.
        scale: what the leading symbols are multiplied with where so many are sent.

    Returns:
        As many symbols as the longest copy, on its scale.
    """
    most = max(len(one.symbols) for one in copies)
    return maximal_ratio([_stretched(one, most, scale(most) / scale(len(one.symbols))) for one in copies])


def _stretched(one: Received, count: int, factor: float) -> Received:
    """A copy on another scale, with `count` symbols of which those that it has not are lost."""
    more = count - len(one.symbols)
    noise = np.asarray(one.noise_var, np.float64) * factor**2
    return Received(
        np.pad(one.symbols * np.float32(factor), (0, more)),
        np.pad(noise, (0, more), constant_values=np.inf).astype(np.float32),
        min_confidence=one.min_confidence,
    )


def information(received: Received) -> float:
    """Bits that symbols with such noise carry at most: sum of log2(1 + 1 / noise_var)."""
    noise = np.maximum(np.asarray(received.noise_var, np.float64), _LEAST_VARIANCE)
    return float(np.sum(np.log2(1.0 + 1.0 / noise)))


def effective_snr_db(received: Received) -> float:
    """Es/N0 of the AWGN in which as many symbols carry as much, dB; -inf where nothing was heard."""
    if not len(received.symbols):
        return -np.inf
    per_symbol = information(received) / len(received.symbols)
    return float(10.0 * np.log10(max(2.0**per_symbol - 1.0, 1e-12)))
