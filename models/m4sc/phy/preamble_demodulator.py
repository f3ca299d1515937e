"""What frames of every format share: spectra of a burst, its fine offset, the channel at its sync words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from m4sc.phy.burst_kernels import read_preamble
from m4sc.phy.equalizer.estimator import ChannelSmoother, slope_unit
from m4sc.phy.fft_kernels import roots_of_unity
from m4sc.phy.sync.detector import Burst, BurstSearch, Search, window_backoff
from m4sc.phy.waveform import WaveformConfig

TAIL_LOST = 0.75  # of the pilots' mean; less calls for a look inside the frame
TAIL_SYMBOLS = 4  # at a frame's end, that show whether it was cut
_FEW_QUIET = 8
_PLAIN_MATCH = 0.5  # of repeated sync words: above about 0 dB of SNR
_LOW_SNR_NOISE = 0.4  # noise over the power of the channel's estimate: below about 2 dB of SNR


class MoreSamplesError(Exception):
    """A burst cannot be read yet: it takes `count` samples from its start on."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} samples are needed")
        self.count = count


def inverse(weight: np.ndarray) -> np.ndarray:
    """1 / weight, float32, 0 where there is none."""
    return np.divide(1.0, weight, out=np.zeros_like(weight, float), where=weight > 0).astype(np.float32)


@dataclass(frozen=True)
class Run:
    """What a demodulator found by itself: frames, and how things stand behind them.

    search: where it goes on; burst: found, its header not read yet; opening: header read, payload under way;
    wanted: samples from which on there is more to find, 0 where there may be more already.
    """

    frames: list[Any]
    search: Search
    burst: Burst | None
    opening: Any
    wanted: int = 0


class PreambleDemodulator:
    """Tables of a waveform and the arithmetic on preamble and spectra.

    Args:
        waveform: of both ends.
        header_symbols: OFDM symbols of the header behind the preamble.
    """

    low_snr_noise = _LOW_SNR_NOISE

    def __init__(self, waveform: WaveformConfig, header_symbols: int) -> None:
        self.waveform = waveform
        self.header_symbols = header_symbols
        self.backoff = window_backoff(waveform)
        self.preamble_samples = waveform.preamble_symbols * waveform.symbol_len
        self.opening_samples = (waveform.preamble_symbols + header_symbols) * waveform.symbol_len
        self.data_bins, self.pilot_bins = waveform.data_bins, waveform.pilot_bins
        self.used_bins = np.concatenate([self.data_bins, self.pilot_bins])
        self.clock = waveform.signed_carriers, slope_unit(waveform)
        self._roots = roots_of_unity(waveform.fft_len)
        carriers = np.fft.fftfreq(waveform.fft_len)
        self._advance = np.exp(2j * np.pi * self.backoff * carriers).astype(np.complex64)
        self._sync = waveform.preamble_bins.astype(np.complex64)
        weight = self.sync_weight = np.sum(np.abs(self._sync) ** 2, axis=0)
        self._smooth_sync, self._sync_scale = ChannelSmoother(weight, waveform), inverse(weight)
        # Noise is measured inside the band, where the first word has every second carrier empty: a radio's
        # filter may take it away elsewhere.
        silent = self._sync == 0
        silent[:, 0] = False  # a radio's DC offset stays there
        inside = silent & (weight > 0)
        self._quiet = np.flatnonzero(inside if inside.sum() >= _FEW_QUIET else silent)

    def body_of(
        self, samples: np.ndarray, burst: Burst, count: int, skipped: int
    ) -> tuple[tuple[Any, ...], tuple[int, ...], tuple[np.ndarray, np.ndarray]]:
        """What the kernels take to read the `count` OFDM symbols behind a header: burst, shape, tables.

        skipped: samples before `samples`, that the burst's start counts.
        """
        w = self.waveform
        first = w.preamble_symbols + self.header_symbols
        shape = (first, count, w.symbol_len, w.cp_len - self.backoff)
        return (samples, burst.start - skipped, burst.cfo), shape, (self._advance, self._roots)

    def read_opening(
        self, samples: np.ndarray, burst: Burst, lag: int | None = None
    ) -> tuple[Burst, np.ndarray, np.ndarray, float, bool]:
        """Burst with its fine carrier offset, spectra of preamble and header, channel, noise variance.

        lag: OFDM symbols over which the offset is refined, None for those of :meth:`_lag`.
        The last value says whether the SNR is so low that taps which noise explains are better pruned.
        """
        count, _, *tables = self.opening_tables
        cfo, head, h, noise, noisy = read_preamble(
            samples, burst.start, burst.cfo, count, self._lag(burst) if lag is None else lag, *tables
        )
        if noisy:
            h = self._smooth_sync.sparse(h, noise)
        return burst._replace(cfo=cfo), head, h, noise, noisy

    @cached_property
    def opening_tables(self) -> tuple[Any, ...]:
        """Symbols of preamble and header, lag of one preamble, and what ``read_preamble`` takes behind."""
        w, smoother = self.waveform, self._smooth_sync
        return (
            w.preamble_symbols + self.header_symbols,
            1,
            (w.symbol_len, w.cp_len - self.backoff),
            (self._advance, self._roots),
            (self._sync, self._sync_scale, self._quiet),
            (*smoother.factors, smoother.bins),
            self.low_snr_noise,
        )

    def run(self, samples: np.ndarray, search: Search, finder: BurstSearch, origin: int) -> Run | None:
        """As :class:`m4sc.phy.receiver.BurstDemodulator` has it: no such way."""
        return None

    def _lag(self, burst: Burst) -> int:
        """OFDM symbols over which the offset is refined; 0 where the search's is better: it is coherent."""
        repeats = self.waveform.preamble_repeats
        if repeats == 1:
            return 1
        return 2 * (repeats - 1) if burst.match > _PLAIN_MATCH else 0
