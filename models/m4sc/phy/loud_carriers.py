"""A header beside a strong carrier inside the band: read again without the bins that it fills."""

from __future__ import annotations

from typing import Any

import numpy as np

from m4sc.phy.burst_kernels import least_squares, read_preamble, undo_phase
from m4sc.phy.equalizer.sparse import sparse_channel, tap_tables

_LOUD = 4.0  # times the usual power of a bin
_MOST = 0.25  # of the bins; with more of them it is another thing
_ROUNDS = 6


def loud_bins(words: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Bins that stand out of the sync words, int; none where too many do.

    words: complex64 (words, fft_len); used: int (carriers,).
    """
    power = np.mean(np.abs(words[:, used]) ** 2, axis=0)
    loud = used[power > _LOUD * np.median(power)]
    return loud if len(loud) <= _MOST * len(used) else loud[:0]


def read_without(
    samples: np.ndarray,
    start: int,
    cfo: float,
    opening: tuple[Any, ...],
    basis: np.ndarray,
    pilots: tuple[np.ndarray, np.ndarray, tuple[Any, ...]],
    loud: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray, float, np.ndarray]:
    """Fine offset, spectra of preamble and header, channel, noise of a bin, and the header less its phases.

    Bins that are left out are 0 in the last, which says nothing about their symbols.

    Args:
        samples: complex64 (n,).
        start, cfo: of the burst.
        opening: symbols of preamble and header, lag, and what ``read_preamble`` takes behind them.
        basis: of the channel's taps, complex64 (fft_len, taps).
        pilots: bins, values, float (header symbols, pilots), and what ``undo_phase`` takes behind them.
        loud: bins to leave out.
    """
    count, lag, shape, tables, (sync, scale, quiet), smoother, low_snr = opening
    sync, scale, quiet = sync.copy(), scale.copy(), np.setdiff1d(quiet, loud)
    sync[:, loud], scale[loud] = 0, 0
    estimation = sync, scale, quiet
    cfo, head, _, noise, _ = read_preamble(
        samples, start, cfo, count, lag, shape, tables, estimation, smoother, low_snr
    )
    words = head[: len(sync)]
    weight = np.sum(np.abs(sync) ** 2, axis=0).astype(np.float32)
    places = np.flatnonzero(weight)
    part = basis[places].astype(np.complex128) * np.sqrt(weight[places])[:, None]
    sums = least_squares(words, sync, np.ones(len(weight), np.float32))
    h, _ = sparse_channel(
        sums, weight, tap_tables(places, basis, part.conj().T @ part), max(noise, 1e-30), _ROUNDS
    )
    bins, values, phase = pilots
    kept = ~np.isin(bins, loud)
    kept = kept if kept.any() else ~kept
    straight = undo_phase(
        head[len(sync) :].copy(), bins[kept], h, np.ascontiguousarray(values[:, kept]), *phase
    )
    straight[:, loud] = 0
    return cfo, head, h, noise, straight
