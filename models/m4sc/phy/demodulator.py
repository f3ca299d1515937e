"""One burst: preamble and header first, then, when its samples are there, equalised payload symbols."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from m4sc.phy.airtime import header_ofdm_symbols, payload_ofdm_symbols
from m4sc.phy.burst_kernels import equalize, error_power, least_squares, power_at
from m4sc.phy.equalizer import (
    PHASE_WINDOW,
    ChannelSmoother,
    clock_offset,
    follow,
    phase_error_var,
    straighten,
    without_clock_offset,
)
from m4sc.phy.header import FrameHeader, HeaderError
from m4sc.phy.header_code import decode_header, header_symbols
from m4sc.phy.preamble_demodulator import PreambleDemodulator, inverse
from m4sc.phy.sync import Burst
from m4sc.phy.waveform import WaveformConfig

_MIN_NOISE_VAR = 1e-6


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


class FrameDemodulator(PreambleDemodulator):
    """Arithmetic of one burst; keeps nothing between bursts but tables."""

    def __init__(self, waveform: WaveformConfig) -> None:
        super().__init__(waveform, header_ofdm_symbols(waveform))
        pilots = np.zeros((self.header_symbols, waveform.fft_len), np.complex64)
        pilots[:, self.pilot_bins] = waveform.pilots(self.header_symbols)
        self._pilots, both = pilots, self.sync_weight + np.sum(np.abs(pilots) ** 2, axis=0)
        self._smooth_pilots, self._pilot_scale = ChannelSmoother(both, waveform), inverse(both)
        weight = np.zeros(waveform.fft_len)
        weight[self.data_bins] = self.header_symbols
        weight[self.pilot_bins] = np.sum(np.abs(waveform.pilots(self.header_symbols)) ** 2, axis=0)
        self._smooth_header, self._header_scale = ChannelSmoother(weight, waveform), inverse(weight)

    def open(self, samples: np.ndarray, burst: Burst) -> Opening:
        """Read the header of a burst whose `opening_samples` are there.

        Raises:
            HeaderError: no valid header.
            FrameTooLongError: its length is 0 or above the waveform's limit.
        """
        w = self.waveform
        burst, head, h, noise_var = self.read_opening(samples, burst)
        bins = head[w.preamble_symbols :]
        if self.is_noisy(noise_var, power_at(h, self.used_bins)):
            # So far below, a clock's offset cannot be seen in a header, nor does it do much harm there.
            how = PHASE_WINDOW * w.header_repeats, w.header_repeats == 1
            straight, _ = follow(bins, h, w, *how)
            h = self._with_pilots(head[: w.preamble_symbols], straight, noise_var)
            straight, _ = follow(bins, h, w, *how)
        else:
            straight, _ = follow(bins, h, w)
        soft = np.real(straight[:, self.data_bins] * np.conj(h[self.data_bins])).ravel()
        header = decode_header(4.0 / max(noise_var, 1e-30) * soft, w)
        if not 0 < header.n_symbols <= w.max_payload_symbols:
            raise FrameTooLongError(
                f"a header promises {header.n_symbols} symbols; accepted are 1 to {w.max_payload_symbols}"
            )
        return Opening(burst, header, bins, h, noise_var)

    def _with_pilots(self, words: np.ndarray, straight: np.ndarray, noise: float) -> np.ndarray:
        """Channel from sync words and the header's pilots together, complex64 (fft_len,)."""
        seen = (words * self._sync.conj()).sum(axis=0) + (straight * self._pilots.conj()).sum(axis=0)
        return self._smooth_pilots.sparse(seen * self._pilot_scale, noise)

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
        body = self.bins(samples, opening.burst, w.preamble_symbols + n_head, n_body)
        bins = np.concatenate([opening.bins, body])
        straight, ppm = follow(bins, opening.h, w)
        known = self._known(header, n_head)
        if not self.pilot_bins.size:
            straight = self._steady(straight, opening.h * known)
        pilots = (
            self.pilot_bins,
            straight[:, self.pilot_bins],
            opening.h[self.pilot_bins] * w.pilots(len(bins)),
        )
        head = self.data_bins, straight[:n_head, self.data_bins], (opening.h * known)[:, self.data_bins]
        more = clock_offset((pilots, head), opening.noise_var, w)
        straight, ppm = without_clock_offset(straight, more, opening.h, w), ppm + more
        h, noise, observed = self._second_estimate(straight[:n_head], known, opening.noise_var)
        symbols, gain, power = equalize(straight, n_head, self.data_bins, h)
        tail, pilot_power = self.tail(straight, h)
        # Errors of the two estimates turn and scale the symbols themselves, whose mean power is 1.
        own = noise / gain * (1.0 + self._smooth_header.taps / observed) + phase_error_var(
            noise / pilot_power, len(bins), w
        )
        own = np.maximum(own, _MIN_NOISE_VAR).astype(np.float32)
        noise_var = np.broadcast_to(own, (n_body, len(own))).ravel()[: header.n_symbols]
        return ReceivedFrame(
            header=header,
            symbols=symbols[: header.n_symbols],
            noise_var=noise_var,
            snr_db=10 * math.log10(max(power, 1e-30) / max(noise, 1e-30)),
            cfo_hz=opening.burst.cfo * w.samp_rate,
            sfo_ppm=ppm,
            h_hat=h[self.data_bins],
            start_sample=origin + opening.burst.start,
            tail=tail,
        )

    def _steady(self, straight: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Without pilots: undo the line that the header's phases show, complex64 (symbols, fft_len)."""
        phases = np.unwrap(np.angle((straight[: len(wanted)] * np.conj(wanted)).sum(axis=1)))
        slope, first = np.polyfit(np.arange(len(wanted)), phases, 1)
        line = first + slope * np.arange(len(straight))
        return straighten(straight, line, np.zeros(len(straight)), self.waveform)

    def _known(self, header: FrameHeader, count: int) -> np.ndarray:
        """What header and pilots are known to hold, complex64 (count, fft_len); 0 on the payload."""
        sent = np.zeros((count, self.waveform.fft_len), dtype=np.complex64)
        sent[: self.header_symbols, self.data_bins] = header_symbols(header, self.waveform).reshape(
            self.header_symbols, -1
        )
        sent[:, self.pilot_bins] = self.waveform.pilots(count)
        return sent

    def _second_estimate(
        self, straight: np.ndarray, sent: np.ndarray, noise: float
    ) -> tuple[np.ndarray, float, int]:
        """Channel, noise variance of a bin, and how many observations are behind them."""
        h_ls = least_squares(straight, sent, self._header_scale)
        power = max(power_at(h_ls, self._smooth_header.bins), 1e-30)
        h = self._smooth_header(h_ls, min(noise / power, 1.0))
        error, observed = error_power(straight, sent, h, self.used_bins), len(straight) * len(self.used_bins)
        return h, error * observed / max(observed - self._smooth_header.taps, 1), observed
