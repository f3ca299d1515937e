"""One burst of a known protection: preamble and header first, then equalised payload symbols."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from m4sc.phy.air_time import header_ofdm_symbols, message_ofdm_symbols, payload_ofdm_symbols
from m4sc.phy.burst_kernels import (
    close_frame,
    finish_frame,
    spectra,
    undo_noisy_phase,
    undo_phase,
    with_body,
)
from m4sc.phy.channel.impairments import HALF_WIDTH
from m4sc.phy.close_look import Received, Setting, grid_levels, look_closely
from m4sc.phy.equalizer.clock import MOST_PPM, ClockOffError, far_clock, on_senders_clock
from m4sc.phy.equalizer.estimator import (
    PHASE_WINDOW,
    ChannelSmoother,
    follow,
    is_short,
    phase_tables,
    straighten,
    track,
)
from m4sc.phy.frame import frame_waveform
from m4sc.phy.frame_run import HeaderTables
from m4sc.phy.header.code import binary_share, header_code
from m4sc.phy.header.fields import MESSAGE_BYTES, FrameHeader, HeaderError, PayloadKind
from m4sc.phy.header.protection import NORMAL, Protection
from m4sc.phy.loud_carriers import loud_bins, read_without
from m4sc.phy.loud_symbols import symbol_weights
from m4sc.phy.modulation.mcs import MCS_TABLE
from m4sc.phy.preamble_demodulator import (
    TAIL_SYMBOLS,
    MoreSamplesError,
    PreambleDemodulator,
    inverse,
)
from m4sc.phy.sync.detector import Burst
from m4sc.phy.waveform import WaveformConfig

MIN_NOISE_VAR = 1e-6
_FAR_PPM = 40.0  # from which on a frame's samples are brought to the sender's clock
_MOST_TURN = 1.2  # rad an OFDM symbol that a single preamble's offset may be off by at the lowest SNR
ROUNDS = (
    4  # of the second channel estimate, which prunes taps; at high SNR all of them are seen, and one does
)


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
        message: fields of the message that the header announced, CRC checked; empty where there are none, or
            where their CRC failed.
        protection: of preamble, header and message fields.
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
    message: bytes = b""
    protection: Protection = NORMAL


class Estimates(NamedTuple):
    """What the kernels say of a frame.

    Attributes:
        start: sample of the stream where the preamble begins.
        cfo: cycles a sample.
        power, noise: of the channel and of a bin.
        ppm: sampling-clock offset.
        tail: as in :class:`ReceivedFrame`.
    """

    start: int
    cfo: float
    power: float
    noise: float
    ppm: float
    tail: float


@dataclass(frozen=True)
class Opening:
    """What preamble and header say of a frame under way.

    Attributes:
        burst: with its fine carrier offset.
        header: decoded.
        protection: of preamble and header.
        sent: complex64 (header symbols, data carriers), the header's symbols.
        words, bins: complex64 (symbols, fft_len), spectra of preamble and header.
        h, noise_var: first channel estimate, complex (fft_len,), and noise variance of a bin.
        noisy: whether the SNR is below about 2 dB.
    """

    burst: Burst
    header: FrameHeader
    protection: Protection
    sent: np.ndarray
    words: np.ndarray
    bins: np.ndarray
    h: np.ndarray
    noise_var: float
    noisy: bool


def _clock_off(ppm: float) -> str:
    return (
        f"the sampling clock is {ppm:+.0f} ppm off, and up to {MOST_PPM:.0f} are followed; "
        "do both ends run at the same sample rate?"
    )


def grid_side(mcs: int) -> int:
    """Points of a scheme's grid in one dimension; 0 where there is no such scheme."""
    if mcs >= len(MCS_TABLE):
        return 0
    return 1 << max(MCS_TABLE[mcs].bits_per_symbol // 2, 1)  # BPSK lies on two points of QPSK's four


def _side_of(header: FrameHeader) -> int:
    """Of the grid that the carriers' values lie on; 0 where they lie on none."""
    digital = header.payload_kind == PayloadKind.DIGITAL and not header.precoded
    return grid_side(header.mcs) if digital else 0


class FrameReader(PreambleDemodulator):
    """Arithmetic of a burst of one protection; keeps nothing between bursts but tables.

    Args:
        waveform: of both ends.
        protection: of preamble and header.
    """

    low_snr_noise = 0.1  # below about 8 dB a short header is lost by too many taps

    def __init__(self, waveform: WaveformConfig, protection: Protection) -> None:
        rows = header_ofdm_symbols(waveform, protection)
        super().__init__(frame_waveform(waveform, protection), rows)
        w = self.waveform
        self.protection, self._message_symbols = protection, message_ofdm_symbols(w, protection)
        self._code = header_code(waveform, protection)
        self._message_code = header_code(waveform, protection, MESSAGE_BYTES)
        pilots = np.zeros((rows, w.fft_len), np.complex64)
        pilots[:, self.pilot_bins] = w.pilots(rows)
        power = np.sum(np.abs(pilots) ** 2, axis=0)
        self._pilots, both = pilots, self.sync_weight + power
        self._smooth_pilots, self._pilot_scale = ChannelSmoother(both, w), inverse(both)
        both = both.copy()
        both[self.data_bins] += rows
        smoother = ChannelSmoother(both, w)
        self._most_turn = _MOST_TURN / self.protection.preambles
        self._training = self._sync, smoother.weight, smoother.training

    @property
    def tables(self) -> HeaderTables:
        """What the compiled loop takes of a protection."""
        code, generator, signs, step = self._code.tables
        rows, fields = self.header_symbols, self._message_symbols
        return HeaderTables(rows, fields, step, code, generator, signs, self._training)

    def binary_share(self, bins: np.ndarray, h: np.ndarray) -> float:
        """Of the header's spectra, complex64 (header symbols, fft_len); see
        :func:`m4sc.phy.header.code.binary_share`.
        """
        count = len(bins)
        straight = undo_phase(bins, self.pilot_bins, h, self.waveform.pilots(count), *phase_tables(count))
        return float(binary_share(straight, count, self.data_bins, h))

    def open(self, samples: np.ndarray, burst: Burst) -> Opening:
        """Read the header of a burst.

        Raises:
            HeaderError: no valid header.
            FrameTooLongError: its length is 0 or above the waveform's limit.
            MoreSamplesError: its samples are not all there.
        """
        w = self.waveform
        if burst.start + self.opening_samples > len(samples):
            raise MoreSamplesError(self.opening_samples)
        found = burst
        burst, head, h, noise_var, noisy = self.read_opening(samples, burst)
        words, bins = head[: w.preamble_symbols].copy(), head[w.preamble_symbols :].copy()
        if noisy:
            # So far below, a clock's offset cannot be seen in a header, nor does it do much harm there.
            count = len(head)
            _, _, roots, most = phase_tables(count, count, self._most_turn)
            how = self.pilot_bins, h, w.pilots(len(bins)), count, roots, most
            turned, straight = undo_noisy_phase(words, self._sync, bins, *how)
            h = self._with_pilots(turned, straight, noise_var)
            turned, straight = undo_noisy_phase(words, self._sync, bins, how[0], h, *how[2:])
        else:
            straight, _ = follow(bins, h, w)
        try:
            data = self._code.decode(straight, self.data_bins, h, noise_var)
        except HeaderError:
            data = b"" if noisy else self._decode_hit(bins, h, noise_var)
            if not data:
                loud = loud_bins(words, self.used_bins)
                if not loud.size or not self.pilot_bins.size:
                    raise
                return self._open_without(samples, found, loud)
        return self.opened(data, burst, words, bins, h, noise_var, noisy)

    def _decode_hit(self, bins: np.ndarray, h: np.ndarray, noise_var: float) -> bytes:
        """A header's bytes where some of its OFDM symbols are hit; empty where none is, or it is not read."""
        weights = symbol_weights(bins, self.used_bins, h, noise_var)
        if weights is None:
            return b""
        straight, _ = follow(bins * weights[:, None], h, self.waveform)
        try:
            return self._code.decode(straight, self.data_bins, h, noise_var)
        except HeaderError:
            return b""

    def _open_without(self, samples: np.ndarray, burst: Burst, loud: np.ndarray) -> Opening:
        """Read the header without some bins; raises as :meth:`open` does."""
        opening, basis = list(self.opening_tables), self._training[2][1]
        opening[1] = self._lag(burst)
        pilots = self.waveform.pilots(self.header_symbols), phase_tables(self.header_symbols)
        cfo, head, h, noise_var, straight = read_without(
            samples, burst.start, burst.cfo, tuple(opening), basis, (self.pilot_bins, *pilots), loud
        )
        data = self._code.decode(straight, self.data_bins, h, noise_var)
        count = self.waveform.preamble_symbols
        words, bins = head[:count].copy(), head[count:].copy()
        return self.opened(data, burst._replace(cfo=cfo), words, bins, h, noise_var)

    def opened(
        self,
        data: bytes,
        burst: Burst,
        words: np.ndarray,
        bins: np.ndarray,
        h: np.ndarray,
        noise_var: float,
        noisy: bool = False,
    ) -> Opening:
        """Of a decoded header's bytes; raises HeaderError and FrameTooLongError as :meth:`open` does."""
        header, most = FrameHeader.unpack(data), self.waveform.max_payload_symbols
        if not 0 < header.n_symbols <= most:
            raise FrameTooLongError(f"a header promises {header.n_symbols} symbols; accepted are 1 to {most}")
        sent = self._code.encode(data).reshape(len(bins), -1)
        return Opening(burst, header, self.protection, sent, words, bins, h, noise_var, noisy)

    def _with_pilots(self, words: np.ndarray, straight: np.ndarray, noise: float) -> np.ndarray:
        """Channel from sync words and the header's pilots together, complex64 (fft_len,)."""
        seen = (words * self._sync.conj()).sum(axis=0) + (straight * self._pilots.conj()).sum(axis=0)
        return self._smooth_pilots.sparse(seen * self._pilot_scale, noise)

    def _body_rows(self, header: FrameHeader) -> int:
        """OFDM symbols behind the header."""
        message = self._message_symbols if header.announced else 0
        return message + payload_ofdm_symbols(header.n_symbols, self.waveform)

    def samples_of(self, opening: Opening) -> int:
        """Samples of the whole frame, from its preamble on."""
        return self.opening_samples + self._body_rows(opening.header) * self.waveform.symbol_len

    def close(
        self, samples: np.ndarray, opening: Opening, origin: int = 0, skipped: int = 0
    ) -> ReceivedFrame:
        """Second estimate, with the decoded header as a training sequence, then the payload.

        origin, skipped: as :class:`m4sc.phy.receiver.BurstDemodulator` has them.

        Raises:
            ClockOffError: the sampling clock is further off than is followed.
        """
        return self._close(samples, opening, origin + opening.burst.start, skipped)

    def _close(
        self, samples: np.ndarray, opening: Opening, start: int, skipped: int, clock_ppm: float | None = None
    ) -> ReceivedFrame:
        """The same of a frame that begins at sample `start`; clock_ppm: of the offset that was taken out of
        its samples, None where it was not looked for yet.
        """
        w, header = self.waveform, opening.header
        n_body = self._body_rows(header)
        count = self.header_symbols + n_body
        body, pilots, ppm = self.body_of(samples, opening.burst, n_body, skipped), w.pilots(count), 0.0
        bins = self.data_bins, self.pilot_bins, self.used_bins
        fields = len(self.data_bins) * self._message_symbols if header.announced else 0
        limits = (
            fields + header.n_symbols,
            TAIL_SYMBOLS,
            PHASE_WINDOW,
            MIN_NOISE_VAR,
            fields,
            _side_of(header),
        )
        known = opening.words, opening.h, opening.sent, opening.noise_var
        rounds = ROUNDS if opening.noisy or n_body > len(self._sync) + self.header_symbols else 1
        how = bins, self.clock, (*self._training, rounds), limits
        most = self._most_turn if opening.noisy else np.pi
        phase, undone = phase_tables(count, PHASE_WINDOW, most), None
        if is_short(count) and self.pilot_bins.size:
            found = close_frame((opening.bins, known), *body, phase, pilots, *how)
        else:
            straight = with_body(opening.bins, *body[0], *body[1], *body[2])
            tracked = track(straight, opening.h, w)
            ppm, straight = tracked.ppm, straighten(straight, tracked.phase, tracked.slope, w)
            if not self.pilot_bins.size:
                straight = self._steady(straight, opening)
            undone = tracked.phase, tracked.frequency
            found = finish_frame(straight, undone, known, pilots, *how)
        symbols, noise_var, h, power, noise, more, tail, strange = found
        is_far = undone is not None and abs(ppm + more) > _FAR_PPM
        if self.pilot_bins.size and (strange or is_far):
            every = with_body(opening.bins, *body[0], *body[1], *body[2])
            off_ppm = self._far_clock(every, opening, pilots) if clock_ppm is None else 0.0
            if off_ppm:
                samples, opening = self._on_senders_clock(samples, opening, skipped, off_ppm)
                return self._close(samples, opening, start, 0, off_ppm)
            if strange:
                received = self._received(opening, every if undone is None else straight, undone, pilots)
                found = look_closely(received, self._setting(phase, rounds))
                symbols, noise_var, h, power, noise, more = found
        if abs(ppm + more) > MOST_PPM:
            raise ClockOffError(_clock_off(ppm + more))
        ppm += more + (clock_ppm or 0.0)
        estimates = Estimates(start, opening.burst.cfo, power, noise, ppm, tail)
        return self.frame(header, symbols, noise_var, h, estimates)

    def _far_clock(self, every: np.ndarray, opening: Opening, pilots: np.ndarray) -> float:
        """Offset of a sampling clock that is far off, ppm; 0 where it is not, or pilots do not say so.

        every: complex64 (rows, fft_len), spectra of header and payload.
        """
        seen = far_clock(every, opening.h, pilots, self.waveform)
        if not seen.sure or abs(seen.ppm) < _FAR_PPM:
            return 0.0
        if abs(seen.ppm) > MOST_PPM:
            raise ClockOffError(_clock_off(seen.ppm))
        return seen.ppm

    def _on_senders_clock(
        self, samples: np.ndarray, opening: Opening, skipped: int, ppm: float
    ) -> tuple[np.ndarray, Opening]:
        """A frame's samples and its opening without an offset of the sampling clock; its channel stays."""
        start = opening.burst.start - skipped
        first = max(start - HALF_WIDTH, 0)
        samples = on_senders_clock(samples[first : start + self.samples_of(opening)], ppm)
        burst, n_words = opening.burst._replace(start=start - first), len(opening.words)
        symbol, skip = self.opening_tables[2]
        head = spectra(
            samples,
            burst.start,
            burst.cfo,
            0,
            n_words + self.header_symbols,
            symbol,
            skip,
            *self.opening_tables[3],
        )
        words, bins = head[:n_words].copy(), head[n_words:].copy()
        return samples, replace(opening, burst=burst, words=words, bins=bins)

    def _setting(self, phase: tuple[int, int, np.ndarray, float], rounds: int) -> Setting:
        """What a closer look takes of waveform and protection."""
        basis = self._training[2][1]
        bins = self.data_bins, self.pilot_bins
        window = self.waveform.fft_len / self.waveform.symbol_len
        return Setting(self._sync, *bins, self.clock, basis, phase, rounds, window)

    def _received(
        self,
        opening: Opening,
        bins: np.ndarray,
        tracked: tuple[np.ndarray, float] | None,
        pilots: np.ndarray,
    ) -> Received:
        """What a closer look takes of a frame; bins: complex64 (rows, fft_len), header and payload."""
        header = opening.header
        fields = self._message_symbols if header.announced else 0
        return Received(
            bins,
            tracked,
            opening.words,
            opening.h,
            opening.noise_var,
            opening.sent,
            pilots,
            fields,
            fields * len(self.data_bins) + header.n_symbols,
            grid_levels(_side_of(header)),
            header.precoded,
        )

    def frame(
        self,
        header: FrameHeader,
        symbols: np.ndarray,
        noise_var: np.ndarray,
        h: np.ndarray,
        estimates: Estimates,
    ) -> ReceivedFrame:
        """A frame of what the kernels found.

        symbols, noise_var: those of message fields first; h: at the data carriers.
        """
        fields = len(self.data_bins) * self._message_symbols if header.announced else 0
        message = self._message(symbols[:fields], noise_var[:fields]) if fields else b""
        return ReceivedFrame(
            header=header,
            symbols=symbols[fields:],
            noise_var=noise_var[fields:],
            snr_db=10 * math.log10(max(estimates.power, 1e-30) / max(estimates.noise, 1e-30)),
            cfo_hz=estimates.cfo * self.waveform.samp_rate,
            sfo_ppm=estimates.ppm,
            h_hat=h,
            start_sample=estimates.start,
            tail=estimates.tail,
            message=message,
            protection=self.protection,
        )

    def read_opening(
        self, samples: np.ndarray, burst: Burst, lag: int | None = None
    ) -> tuple[Burst, np.ndarray, np.ndarray, float, bool]:
        """As of all preambles; in noise with the search's own offset: it is coherent over the preamble."""
        found = super().read_opening(samples, burst, lag)
        return super().read_opening(samples, burst, lag=0) if found[-1] and lag is None else found

    def _message(self, symbols: np.ndarray, noise_var: np.ndarray) -> bytes:
        """Fields of the message; empty where their CRC fails."""
        try:
            return self._message_code.decode_symbols(symbols, noise_var)
        except HeaderError:
            return b""

    def _steady(self, straight: np.ndarray, opening: Opening) -> np.ndarray:
        """Without pilots: undo the line that the header's phases show, complex64 (symbols, fft_len)."""
        wanted = opening.h[self.data_bins] * opening.sent
        seen = straight[: len(wanted), self.data_bins]
        phases = np.unwrap(np.angle((seen * np.conj(wanted)).sum(axis=1)))
        slope, first = np.polyfit(np.arange(len(wanted)), phases, 1) if len(wanted) > 1 else (0.0, phases[0])
        line = first + slope * np.arange(len(straight))
        return straighten(straight, line, np.zeros(len(straight)), self.waveform)
