"""What frames of every format share: spectra of a burst, its fine offset, the channel at its sync words."""

from __future__ import annotations

import numpy as np

from m4sc.phy.burst_kernels import read_preamble, with_body
from m4sc.phy.equalizer import ChannelSmoother, slope_unit
from m4sc.phy.fft_kernels import roots_of_unity
from m4sc.phy.sync import Burst, window_backoff
from m4sc.phy.waveform import WaveformConfig

TAIL_SYMBOLS = 4  # at a frame's end, that show whether it was cut
_FEW_QUIET = 8
_PLAIN_MATCH = 0.5  # of repeated sync words: above about 0 dB of SNR
_LOW_SNR_NOISE = 0.4  # noise over the power of the channel's estimate: below about 2 dB of SNR


def inverse(weight: np.ndarray) -> np.ndarray:
    """1 / weight, float32, 0 where there is none."""
    return np.divide(1.0, weight, out=np.zeros_like(weight, float), where=weight > 0).astype(np.float32)


class PreambleDemodulator:
    """Tables of a waveform and the arithmetic on preamble and spectra.

    Args:
        waveform: of both ends.
        header_symbols: OFDM symbols of the header behind the preamble.
    """

    def __init__(self, waveform: WaveformConfig, header_symbols: int) -> None:
        self.waveform = waveform
        self.header_symbols = header_symbols
        self.backoff = window_backoff(waveform)
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

    def with_body(
        self, head: np.ndarray, samples: np.ndarray, burst: Burst, count: int, skipped: int
    ) -> np.ndarray:
        """Spectra of the header, `head`, and of the `count` symbols behind, complex64 (.., fft_len).

        skipped: samples before `samples`, that the burst's start counts.
        """
        w, first = self.waveform, self.waveform.preamble_symbols + self.header_symbols
        shape = (first, count, w.symbol_len, w.cp_len - self.backoff)
        start = burst.start - skipped
        return np.asarray(with_body(head, samples, start, burst.cfo, *shape, self._advance, self._roots))

    def read_opening(self, samples: np.ndarray, burst: Burst) -> tuple[Burst, np.ndarray, np.ndarray, float]:
        """Burst with its fine carrier offset, spectra of preamble and header, channel, noise variance."""
        cfo, head, h_ls, power, noise = read_preamble(
            samples,
            burst.start,
            burst.cfo,
            self.waveform.preamble_symbols + self.header_symbols,
            self._lag(burst),
            (self.waveform.symbol_len, self.waveform.cp_len - self.backoff),
            (self._advance, self._roots),
            (self._sync, self._sync_scale, self._quiet, self._smooth_sync.bins),
        )
        power = max(power, 1e-30)
        if self.is_noisy(noise, power):
            h = self._smooth_sync.sparse(h_ls, noise)
        else:
            h = self._smooth_sync(h_ls, min(noise / power, 1.0))
        return Burst(burst.start, cfo, burst.match), head, h, noise

    def _lag(self, burst: Burst) -> int:
        """OFDM symbols over which the offset is refined; 0 where the search's is better: it is coherent."""
        repeats = self.waveform.preamble_repeats
        if repeats == 1:
            return 1
        return 2 * (repeats - 1) if burst.match > _PLAIN_MATCH else 0

    def is_noisy(self, noise: float, power: float) -> bool:
        """Whether the SNR is so low that taps which noise explains are better pruned."""
        return noise > _LOW_SNR_NOISE * power
