"""One burst: preamble and header first, then, when its samples are there, equalised payload symbols."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft

from m4sc.phy.airtime import PREAMBLE_SYMBOLS, header_ofdm_symbols, payload_ofdm_symbols
from m4sc.phy.equalizer import (
    ChannelSmoother,
    clock_offset,
    phase_error_var,
    slope_unit,
    straighten,
    track,
)
from m4sc.phy.header import FrameHeader, HeaderError
from m4sc.phy.header_code import decode_header, header_symbols
from m4sc.phy.sync import Burst
from m4sc.phy.waveform import WaveformConfig

_MIN_NOISE_VAR = 1e-6
_TAIL_SYMBOLS = 4


class FrameTooLongError(HeaderError):
    """The header promises no symbol, or more than the receiver accepts."""


@dataclass(frozen=True)
class ReceivedFrame:
    """One frame.

    Attributes:
        header: decoded, CRC checked.
        symbols: complex64 (n,), unbiased: sent symbol plus noise.
        noise_var: float32 (n,), complex noise variance of each symbol.
        snr_db: Es/N0 over the data carriers, dB.
        cfo_hz, sfo_ppm: carrier and sampling-clock offset.
        h_hat: complex64 (data carriers,), channel in the order of ``occupied_carriers``.
        start_sample: where the preamble began in the stream.
        tail: mean of the last pilots over what they should be: about 1, or 0 where the frame was cut off.
    """

    header: FrameHeader
    symbols: np.ndarray
    noise_var: np.ndarray
    snr_db: float
    cfo_hz: float
    sfo_ppm: float
    h_hat: np.ndarray
    start_sample: int
    tail: float = 1.0


@dataclass(frozen=True)
class Opening:
    """What preamble and header say of a frame under way.

    Attributes:
        burst: with its fine carrier offset.
        header: decoded.
        bins: complex64 (header symbols, fft_len), spectra of the header.
        h, noise_var: first channel estimate, complex (fft_len,), and noise variance of a bin.
    """

    burst: Burst
    header: FrameHeader
    bins: np.ndarray
    h: np.ndarray
    noise_var: float


def mean_power(values: np.ndarray) -> float:
    """Mean of |x|^2 of complex values."""
    flat = values.ravel()
    return float(np.vdot(flat, flat).real) / max(flat.size, 1)


def _inverse(weight: np.ndarray) -> np.ndarray:
    """1 / weight, float32, 0 where there is none."""
    return np.divide(1.0, weight, out=np.zeros_like(weight, float), where=weight > 0).astype(np.float32)


class FrameDemodulator:
    """Arithmetic of one burst; keeps nothing between bursts but tables."""

    def __init__(self, waveform: WaveformConfig) -> None:
        self.waveform = waveform
        self.header_symbols = header_ofdm_symbols(waveform)
        self.backoff = max(waveform.cp_len // 4, 1)  # the window opens inside the prefix
        self.opening_samples = (PREAMBLE_SYMBOLS + self.header_symbols) * waveform.symbol_len
        carriers = np.fft.fftfreq(waveform.fft_len)
        self._within = np.arange(waveform.cp_len - self.backoff, waveform.symbol_len - self.backoff)
        self._advance = np.exp(2j * np.pi * self.backoff * carriers).astype(np.complex64)
        self._data, self._pilot = waveform.data_bins, waveform.pilot_bins
        self._used = np.concatenate([self._data, self._pilot])
        self._sync = np.stack([waveform.sync_bins(1), waveform.sync_bins(2)]).astype(np.complex64)
        sync_weight = np.sum(np.abs(self._sync) ** 2, axis=0)
        self._smooth_sync, self._sync_scale = ChannelSmoother(sync_weight, waveform), _inverse(sync_weight)
        header_weight = np.zeros(waveform.fft_len)
        header_weight[self._data] = self.header_symbols
        header_weight[self._pilot] = np.sum(np.abs(waveform.pilots(self.header_symbols)) ** 2, axis=0)
        self._smooth_header = ChannelSmoother(header_weight, waveform)
        self._header_scale = _inverse(header_weight)
        quiet = sync_weight == 0
        quiet[0] = False  # a radio's DC offset stays there
        self._quiet = np.flatnonzero(quiet)

    def open(self, samples: np.ndarray, burst: Burst) -> Opening:
        """Read the header of a burst whose `opening_samples` are there.

        Raises:
            HeaderError: no valid header.
            FrameTooLongError: its length is 0 or above the waveform's limit.
        """
        w = self.waveform
        burst = self._fine_offset(samples, burst)
        head = self._bins(samples, burst, 0, PREAMBLE_SYMBOLS + self.header_symbols)
        h, noise_var = self._first_estimate(head[:PREAMBLE_SYMBOLS])
        bins = head[PREAMBLE_SYMBOLS:]
        phase, slope, _ = track(bins, h, w)
        straight = straighten(bins, phase, slope, w)
        soft = np.real(straight[:, self._data] * np.conj(h[self._data])).ravel()
        header = decode_header(4.0 / max(noise_var, 1e-30) * soft, w)
        if not 0 < header.n_symbols <= w.max_payload_symbols:
            raise FrameTooLongError(
                f"a header promises {header.n_symbols} symbols; accepted are 1 to {w.max_payload_symbols}"
            )
        return Opening(burst, header, bins, h, noise_var)

    def samples_of(self, opening: Opening) -> int:
        """Samples of the whole frame, from its preamble on."""
        n_body = payload_ofdm_symbols(opening.header.n_symbols, self.waveform)
        return self.opening_samples + n_body * self.waveform.symbol_len

    def close(self, samples: np.ndarray, opening: Opening, origin: int = 0) -> ReceivedFrame:
        """Second estimate, with the decoded header as a long training sequence, then the payload.

        origin: number in the stream of the first of `samples`.
        """
        w, header, n_head = self.waveform, opening.header, self.header_symbols
        n_body = payload_ofdm_symbols(header.n_symbols, w)
        body = self._bins(samples, opening.burst, PREAMBLE_SYMBOLS + n_head, n_body)
        bins = np.concatenate([opening.bins, body])
        phase, slope, ppm = track(bins, opening.h, w)
        straight = straighten(bins, phase, slope, w)
        known = self._known(header, len(bins))
        more = clock_offset(straight, known, opening.h, opening.noise_var, w)
        left = more * slope_unit(w) * np.arange(len(bins))
        straight, ppm = straighten(straight, np.zeros(len(bins)), left, w), ppm + more
        h, noise, observed = self._second_estimate(straight[:n_head], known[:n_head], opening.noise_var)
        h_data, power = h[self._data], mean_power(h[self._used]) + 1e-30
        gain = np.maximum(h_data.real**2 + h_data.imag**2, np.float32(1e-12 * power))
        symbols = (straight[n_head:, self._data] * (np.conj(h_data) / gain)).ravel()[: header.n_symbols]
        pilot_power = mean_power(h[self._pilot]) + 1e-30
        # Errors of the two estimates turn and scale the symbols themselves, whose mean power is 1.
        own = noise / gain * (1.0 + self._smooth_header.taps / observed) + phase_error_var(
            noise / pilot_power, len(bins), w
        )
        noise_var = np.maximum(np.tile(own, n_body)[: header.n_symbols], _MIN_NOISE_VAR)
        return ReceivedFrame(
            header=header,
            symbols=symbols.astype(np.complex64),
            noise_var=noise_var.astype(np.float32),
            snr_db=float(10 * np.log10(np.mean(gain) / max(noise, 1e-30))),
            cfo_hz=opening.burst.cfo * w.samp_rate,
            sfo_ppm=ppm,
            h_hat=h_data.astype(np.complex64),
            start_sample=origin + opening.burst.start,
            tail=self._tail(straight, h, pilot_power),
        )

    def _bins(self, samples: np.ndarray, burst: Burst, first: int, count: int) -> np.ndarray:
        """Spectra of OFDM symbols `first` to `first + count` of a burst, complex64 (count, fft_len)."""
        w = self.waveform
        begin = burst.start + first * w.symbol_len
        skip = w.cp_len - self.backoff
        time = samples[begin : begin + count * w.symbol_len].reshape(count, w.symbol_len)
        turn = -2j * np.pi * burst.cfo  # within a symbol, and from symbol to symbol
        within = np.exp(turn * self._within).astype(np.complex64)
        of_symbol = np.exp(turn * w.symbol_len * np.arange(first, first + count)).astype(np.complex64)
        spectra = fft.fft(time[:, skip : skip + w.fft_len] * within, axis=1, norm="ortho", overwrite_x=True)
        spectra *= self._advance
        spectra *= of_symbol[:, None]
        return np.asarray(spectra)

    def _fine_offset(self, samples: np.ndarray, burst: Burst) -> Burst:
        """What the phase between both sync words says of the offset that is left."""
        words = self._bins(samples, burst, 0, PREAMBLE_SYMBOLS) * np.conj(self._sync)
        turn = float(np.angle(np.vdot(words[0], words[1])))
        return replace(burst, cfo=burst.cfo + turn / (2 * np.pi * self.waveform.symbol_len))

    def _first_estimate(self, words: np.ndarray) -> tuple[np.ndarray, float]:
        """Channel and noise variance from the sync words."""
        h_ls = (words * self._sync.conj()).sum(axis=0) * self._sync_scale
        noise = mean_power(words[:, self._quiet])
        power = max(mean_power(h_ls[self._smooth_sync.bins]), 1e-30)
        return self._smooth_sync(h_ls, min(noise / power, 1.0)), noise

    def _known(self, header: FrameHeader, count: int) -> np.ndarray:
        """What header and pilots are known to hold, complex64 (count, fft_len); 0 on the payload."""
        sent = np.zeros((count, self.waveform.fft_len), dtype=np.complex64)
        sent[: self.header_symbols, self._data] = header_symbols(header, self.waveform).reshape(
            self.header_symbols, -1
        )
        sent[:, self._pilot] = self.waveform.pilots(count)
        return sent

    def _second_estimate(
        self, straight: np.ndarray, sent: np.ndarray, noise: float
    ) -> tuple[np.ndarray, float, int]:
        """Channel, noise variance of a bin, and how many observations are behind them."""
        h_ls = (straight * sent.conj()).sum(axis=0) * self._header_scale
        power = max(mean_power(h_ls[self._smooth_header.bins]), 1e-30)
        h = self._smooth_header(h_ls, min(noise / power, 1.0))
        error = (straight - h * sent)[:, self._used]
        observed = error.size
        return h, mean_power(error) * observed / max(observed - self._smooth_header.taps, 1), observed

    def _tail(self, straight: np.ndarray, h: np.ndarray, pilot_power: float) -> float:
        last = min(_TAIL_SYMBOLS, len(straight))
        pilots = self.waveform.pilots(len(straight))[-last:]
        seen = np.mean(np.real(straight[-last:, self._pilot] * np.conj(h[self._pilot] * pilots)))
        return float(seen) / pilot_power
