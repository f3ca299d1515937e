"""One burst: preamble and header first, then, when its samples are there, equalised payload symbols."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from m4sc.phy.air_time import header_ofdm_symbols, payload_ofdm_symbols
from m4sc.phy.burst_kernels import close_frame, finish_frame, with_body
from m4sc.phy.equalizer.estimator import (
    PHASE_WINDOW,
    ChannelSmoother,
    follow,
    is_short,
    phase_tables,
    straighten,
)
from m4sc.phy.header.code import header_code
from m4sc.phy.header.fields import FrameHeader, HeaderError
from m4sc.phy.preamble_demodulator import TAIL_SYMBOLS, PreambleDemodulator, inverse
from m4sc.phy.sync.detector import Burst
from m4sc.phy.waveform import WaveformConfig

_MIN_NOISE_VAR = 1e-6


class FrameTooLongError(HeaderError):
    """The header promises no symbol, or more than the receiver accepts."""


class ReceivedFrame(NamedTuple):
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
        sent: complex64 (header symbols, data carriers), the header's symbols.
        bins: complex64 (header symbols, fft_len), spectra of the header.
        h, noise_var: first channel estimate, complex (fft_len,), and noise variance of a bin.
    """

    burst: Burst
    header: FrameHeader
    sent: np.ndarray
    bins: np.ndarray
    h: np.ndarray
    noise_var: float


class FrameDemodulator(PreambleDemodulator):
    """Arithmetic of one burst; keeps nothing between bursts but tables."""

    def __init__(self, waveform: WaveformConfig) -> None:
        super().__init__(waveform, header_ofdm_symbols(waveform))
        self._header_code = header_code(waveform)
        pilots = np.zeros((self.header_symbols, waveform.fft_len), np.complex64)
        pilots[:, self.pilot_bins] = waveform.pilots(self.header_symbols)
        self._pilots, both = pilots, self.sync_weight + np.sum(np.abs(pilots) ** 2, axis=0)
        self._smooth_pilots, self._pilot_scale = ChannelSmoother(both, waveform), inverse(both)
        weight = np.zeros(waveform.fft_len)
        weight[self.data_bins] = self.header_symbols
        weight[self.pilot_bins] = np.sum(np.abs(waveform.pilots(self.header_symbols)) ** 2, axis=0)
        smoother = ChannelSmoother(weight, waveform)
        self._finish = *smoother.factors, smoother.bins, inverse(weight)

    def open(self, samples: np.ndarray, burst: Burst) -> Opening:
        """Read the header of a burst whose `opening_samples` are there.

        Raises:
            HeaderError: no valid header.
            FrameTooLongError: its length is 0 or above the waveform's limit.
        """
        w = self.waveform
        burst, head, h, noise_var, noisy = self.read_opening(samples, burst)
        bins = head[w.preamble_symbols :]
        if noisy:
            # So far below, a clock's offset cannot be seen in a header, nor does it do much harm there.
            how = PHASE_WINDOW * w.header_repeats, w.header_repeats == 1
            straight, _ = follow(bins, h, w, *how)
            h = self._with_pilots(head[: w.preamble_symbols], straight, noise_var)
            straight, _ = follow(bins, h, w, *how)
        else:
            straight, _ = follow(bins, h, w)
        header, sent = self._header_code.decode(straight, self.data_bins, h, noise_var)
        if not 0 < header.n_symbols <= w.max_payload_symbols:
            raise FrameTooLongError(
                f"a header promises {header.n_symbols} symbols; accepted are 1 to {w.max_payload_symbols}"
            )
        return Opening(burst, header, sent.reshape(len(bins), -1), bins, h, noise_var)

    def _with_pilots(self, words: np.ndarray, straight: np.ndarray, noise: float) -> np.ndarray:
        """Channel from sync words and the header's pilots together, complex64 (fft_len,)."""
        seen = (words * self._sync.conj()).sum(axis=0) + (straight * self._pilots.conj()).sum(axis=0)
        return self._smooth_pilots.sparse(seen * self._pilot_scale, noise)

    def samples_of(self, opening: Opening) -> int:
        """Samples of the whole frame, from its preamble on."""
        n_body = payload_ofdm_symbols(opening.header.n_symbols, self.waveform)
        return self.opening_samples + n_body * self.waveform.symbol_len

    def close(
        self, samples: np.ndarray, opening: Opening, origin: int = 0, skipped: int = 0
    ) -> ReceivedFrame:
        """Second estimate, with the decoded header as a long training sequence, then the payload.

        origin, skipped: as :class:`m4sc.phy.receiver.BurstDemodulator` has them.
        """
        w, header, n_head = self.waveform, opening.header, self.header_symbols
        n_body = payload_ofdm_symbols(header.n_symbols, w)
        count = n_head + n_body
        body, pilots, ppm = self.body_of(samples, opening.burst, n_body, skipped), w.pilots(count), 0.0
        bins = self.data_bins, self.pilot_bins, self.used_bins
        limits = header.n_symbols, TAIL_SYMBOLS, PHASE_WINDOW, _MIN_NOISE_VAR
        known = opening.sent, pilots, opening.noise_var, bins, self.clock, self._finish, limits
        if is_short(count) and self.pilot_bins.size:
            found = close_frame(opening.bins, *body, phase_tables(count), opening.h, *known)
        else:
            straight, ppm = follow(with_body(opening.bins, *body[0], *body[1], *body[2]), opening.h, w)
            if not self.pilot_bins.size:
                straight = self._steady(straight, opening)
            found = finish_frame(straight, opening.h, *known)
        symbols, noise_var, h, power, noise, more, tail = found
        return ReceivedFrame(
            header=header,
            symbols=symbols,
            noise_var=noise_var,
            snr_db=10 * math.log10(max(power, 1e-30) / max(noise, 1e-30)),
            cfo_hz=opening.burst.cfo * w.samp_rate,
            sfo_ppm=ppm + more,
            h_hat=h,
            start_sample=origin + opening.burst.start,
            tail=tail,
        )

    def _steady(self, straight: np.ndarray, opening: Opening) -> np.ndarray:
        """Without pilots: undo the line that the header's phases show, complex64 (symbols, fft_len)."""
        wanted = opening.h[self.data_bins] * opening.sent
        seen = straight[: len(wanted), self.data_bins]
        phases = np.unwrap(np.angle((seen * np.conj(wanted)).sum(axis=1)))
        slope, first = np.polyfit(np.arange(len(wanted)), phases, 1)
        line = first + slope * np.arange(len(straight))
        return straighten(straight, line, np.zeros(len(straight)), self.waveform)
