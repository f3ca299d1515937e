"""Burst detection, timing and carrier offset: both sync words against a bank of carrier offsets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from m4sc.phy.fec.compiled import compiled
from m4sc.phy.preamble_bank import preamble_bank
from m4sc.phy.waveform import WaveformConfig

# Share of the energy that must lie in the preamble. In noise the share of one offset is exponential with
# mean 1 / len(preamble): with the defaults, some fifty of a million samples pass, and fail at the header.
_MATCH_THRESHOLD = 0.08  # of one preamble; see `match_threshold`
_SHORT, _LONG = 512, 2048  # FFT lengths: the first blocks of a search, and those far behind its begin


@dataclass(frozen=True)
class Burst:
    """start: sample where the preamble's first prefix begins; cfo: cycles a sample; match: 0 to 1."""

    start: int
    cfo: float
    match: float


@dataclass(frozen=True)
class Search:
    """Where a search goes on: place, and number of its next block.

    Blocks follow from the place where the search began alone, and are worked on when all their samples
    are there: what is found is the same, bit for bit, however the samples came in.
    """

    place: int
    block: int = 0


def window_backoff(waveform: WaveformConfig) -> int:
    """Samples by which an FFT window opens inside the prefix."""
    return max(waveform.cp_len // 4, 1)


def match_threshold(waveform: WaveformConfig) -> float:
    """Energy share that counts as a preamble: repetitions lower it, as many places of noise pass it."""
    repeats, length = waveform.preamble_repeats, 2 * waveform.symbol_len
    return (_MATCH_THRESHOLD + math.log(repeats) / length) / repeats


def peak_reach(waveform: WaveformConfig) -> int:
    """Samples behind a place at which a preamble may match better: at a repetition it matches in part."""
    return (waveform.preamble_symbols - 1) * waveform.symbol_len


def find_burst(
    samples: np.ndarray,
    search: Search,
    waveform: WaveformConfig,
    threshold: float | None = None,
    final: bool = False,
) -> tuple[Burst | None, Search]:
    """First burst that starts at or after the place of `search`.

    Args:
        samples: complex64 (n,).
        search: where to begin, or to go on.
        waveform: the waveform.
        threshold: energy share that counts as a preamble; None for the one of `match_threshold`.
        final: no more samples come: look at incomplete blocks too.

    Returns:
        The burst, or None; and where the search goes on once there are more samples. A burst is reported
        once no place within `peak_reach` behind it can be stronger.
    """
    length, reach = waveform.preamble_symbols * waveform.symbol_len, peak_reach(waveform)
    least = np.float32(match_threshold(waveform) if threshold is None else threshold)
    sizes = _block_sizes(waveform)
    place, step = search.place, search.block
    while True:
        bank = preamble_bank(waveform, sizes[min(step, len(sizes) - 1)])
        block = samples[place : place + bank.size]
        if len(block) < (length if final else bank.size):
            return None, Search(place, step)
        match, found = bank.match(block)
        first, peak = _first_peak(match, least, reach)
        if first < 0:
            place, step = place + len(match), step + 1
            continue
        last = len(block) < bank.size
        if peak < 0 and (last or (first == 0 and step >= len(sizes) - 1)):
            peak = int(np.argmax(match))  # ever stronger over a whole block: no burst does that
        if peak >= 0:
            share = float(match[peak])
            move, cfo = bank.refine(found, peak, len(match), share, window_backoff(waveform))
            return Burst(place + peak + move, cfo, share), Search(place + peak)
        place, step = place + first, (step + 1 if first == 0 else 0)


@lru_cache(maxsize=8)
def _block_sizes(waveform: WaveformConfig) -> tuple[int, ...]:
    """FFT lengths of a search's blocks, the last one repeated; none longer than the shortest frame."""
    short = max(_SHORT, 1 << ((2 * waveform.preamble_symbols - 1) * waveform.symbol_len - 1).bit_length())
    return (short,) * 2 + tuple(size for size in (2 * short, 4 * short) if size <= _LONG)


@compiled
def _first_peak(match, threshold, reach):  # type: ignore[no-untyped-def]
    """First place above `threshold`, and place from there on that is the strongest up to `reach` behind it.

    Either is -1 if there is none, or if it is not known yet.
    """
    first = 0
    while first < len(match) and not match[first] > threshold:
        first += 1
    if first == len(match):
        return -1, -1
    peak, place = first, first + 1
    while place <= peak + reach:
        if place == len(match):
            return first, -1
        if match[place] > match[peak]:
            peak = place
        place += 1
    return first, peak
