"""What frames of every format share: spectra of a burst, its fine offset, the channel at its sync words."""

from __future__ import annotations

import numpy as np

from m4sc.phy.burst_kernels import pilot_share, read_preamble, spectra
from m4sc.phy.equalizer import ChannelSmoother
from m4sc.phy.fft_kernels import roots_of_unity
from m4sc.phy.sync import Burst, window_backoff
from m4sc.phy.waveform import WaveformConfig

_TAIL_SYMBOLS = 4
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

    def bins(self, samples: np.ndarray, burst: Burst, first: int, count: int) -> np.ndarray:
        """Spectra of OFDM symbols `first` to `first + count` of a burst, complex64 (count, fft_len)."""
        w, skip = self.waveform, self.waveform.cp_len - self.backoff
        found = spectra(
            samples, burst.start, burst.cfo, first, count, w.symbol_len, skip, self._advance, self._roots
        )
        return np.asarray(found)

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

    def tail(self, straight: np.ndarray, h: np.ndarray) -> tuple[float, float]:
        """Last pilots over what they should be, about 1, or 0 where nothing was sent; power of all.

        1 without pilots: nothing shows it.
        """
        if not self.pilot_bins.size:
            return 1.0, 1.0
        first, pilots = max(len(straight) - _TAIL_SYMBOLS, 0), self.waveform.pilots(len(straight))
        share, power = pilot_share(straight, first, self.pilot_bins, h, pilots)
        return share, power
