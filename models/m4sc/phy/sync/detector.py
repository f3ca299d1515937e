"""Burst detection, timing and carrier offset: both sync words against a bank of carrier offsets."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from m4sc.phy.sync.first_look import first_look
from m4sc.phy.sync.preamble_bank import MAX_OFFSET_CARRIERS, preamble, preamble_bank, search_blocks
from m4sc.phy.sync.repeats import BEHIND, LOW_ENERGY, repeat_tables
from m4sc.phy.waveform import COVERS, WaveformConfig

# Share of the energy that must lie in the preamble. In noise the share of one offset is exponential with
# mean 1 / len(preamble): with the defaults, some fifty of a million samples pass, and fail at the header.
_MATCH_THRESHOLD = 0.08  # of one preamble; see `match_threshold`
_BANKS = 4
_NEVER = 2.0  # no share of the energy is above
_SHORT, _LONG = 512, 2048  # FFT lengths: the first blocks of a search, and those far behind its begin


class Burst(NamedTuple):
    """start: sample where the first preamble's prefix begins; cfo: cycles a sample; match: 0 to 1;
    repeats: how often the preamble is sent, as the search found it."""

    start: int
    cfo: float
    match: float
    repeats: int = 1


class Search(NamedTuple):
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


def peak_reach(waveform: WaveformConfig, repeats: int = 1) -> int:
    """Samples behind a place at which a preamble may match better: at a repetition it matches in part.

    repeats: of the waveform's preamble.
    """
    return (repeats * waveform.preamble_symbols - 1) * waveform.symbol_len


class BurstSearch:
    """Finds the bursts of one waveform; keeps nothing but tables.

    Args:
        waveform: with the preamble that is looked for.
        repeats: how often it may be sent besides once; the search finds out which it is.

    Attributes:
        behind: samples before the place of a search that it looks at.
    """

    def __init__(self, waveform: WaveformConfig, repeats: tuple[int, ...] = ()) -> None:
        short = max(_SHORT, 1 << ((2 * waveform.preamble_symbols - 1) * waveform.symbol_len - 1).bit_length())
        # none longer than the shortest frame
        sizes = (short,) * 2 + tuple(size for size in (2 * short, 4 * short) if size <= _LONG)
        # the last one repeated; always as many, since a tuple of another length is compiled anew
        sizes += (sizes[-1],) * (_BANKS - len(sizes))
        self._banks = tuple(preamble_bank(waveform, size).tables for size in sizes)
        self._length = waveform.preamble_symbols * waveform.symbol_len
        self._timing = peak_reach(waveform), window_backoff(waveform), waveform.cp_len
        self._threshold = match_threshold(waveform)
        self.behind = BEHIND * self._length if repeats else 0
        known = preamble(waveform)
        tables = repeat_tables(repeats, COVERS, self._length), known.astype(np.complex64)
        self._none = np.float32(_NEVER), *tables
        self._look = first_look(waveform, known, MAX_OFFSET_CARRIERS, bool(repeats))
        self._no_look = self._look._replace(lag=0)
        self._repeats = np.float32(LOW_ENERGY / self._length if repeats else _NEVER), *tables

    @property
    def tables(self) -> tuple[Any, ...]:
        """What :func:`m4sc.phy.sync.preamble_bank.search_blocks` takes behind a search, but for the end."""
        return self._banks, self._length, np.float32(self._threshold), self._timing, self._repeats, self._look

    def find(
        self, samples: np.ndarray, search: Search, threshold: float | None = None, final: bool = False
    ) -> tuple[Burst | None, Search]:
        """First burst that starts at or after the place of `search`.

        Args:
            samples: complex64 (n,).
            search: where to begin, or to go on.
            threshold: energy share that counts as a preamble, without a look for repetitions; None for the
                one of `match_threshold`.
            final: no more samples come: look at incomplete blocks too.

        Returns:
            The burst, or None; and where the search goes on once there are more samples. A burst is reported
            once no place within `peak_reach` behind it can be stronger.
        """
        least, repeats = (self._threshold, self._repeats) if threshold is None else (threshold, self._none)
        found, start, cfo, match, count, place, block = search_blocks(
            samples,
            *search,
            self._banks,
            self._length,
            np.float32(least),
            self._timing,
            repeats,
            self._look if threshold is None else self._no_look,
            final,
        )
        return (Burst(start, cfo, match, count) if found else None), Search(place, block)
