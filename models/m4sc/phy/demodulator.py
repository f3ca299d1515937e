"""Bursts of the project's frames: which protection one has, its header, then its equalised payload."""

from __future__ import annotations

import numpy as np

from m4sc.phy.equalizer.clock import ClockOffError
from m4sc.phy.equalizer.estimator import PHASE_WINDOW, SFO_SYMBOLS, phase_tables
from m4sc.phy.frame import frame_waveform
from m4sc.phy.frame_reader import (
    MIN_NOISE_VAR,
    ROUNDS,
    Estimates,
    FrameReader,
    FrameTooLongError,
    Opening,
    ReceivedFrame,
    grid_side,
)
from m4sc.phy.frame_run import (
    FOUND,
    MORE,
    MOST,
    OPENED,
    PLAIN,
    SEARCHING,
    SHORT,
    SIZES,
    FrameTables,
    OpeningTables,
    open_frame,
    run_frames,
)
from m4sc.phy.header.fields import HEADER_BYTES, FrameHeader, HeaderError, PayloadKind
from m4sc.phy.header.old import OldFrameError, OldHeaders
from m4sc.phy.header.protection import PROTECTIONS
from m4sc.phy.preamble_demodulator import TAIL_LOST, TAIL_SYMBOLS, MoreSamplesError, Run
from m4sc.phy.sync.detector import Burst, BurstSearch, Search
from m4sc.phy.waveform import WaveformConfig

__all__ = [
    "ClockOffError",
    "FrameDemodulator",
    "FrameTooLongError",
    "OldFrameError",
    "Opening",
    "ReceivedFrame",
]

_CLEAR_MATCH = 0.2  # of one preamble, about -5 dB: below it no light header can be read
_BINARY = 0.12  # share of Re^2 - Im^2 in a header: 0 of QPSK; of BPSK snr / (snr + 1), 0.33 at -3 dB
_STRONG_MATCH = 0.3
# Where a burst of so many preambles has no header: the counts and first preambles it may have instead.
_INSTEAD = {2: ((1, 0, 1), (3, 0, -1)), 3: ((2, 0, 1),)}


class FrameDemodulator:
    """Arithmetic of one burst; keeps nothing between bursts but tables.

    A burst of one preamble has one of two protections: which of them is tried first depends on whether the
    header's first symbols look like BPSK. A burst of several has the one that sends so many.
    """

    def __init__(self, waveform: WaveformConfig) -> None:
        self.waveform = frame_waveform(waveform, PROTECTIONS[0])
        self._readers = [FrameReader(self.waveform, protection) for protection in PROTECTIONS]
        self._light, self._normal = self._readers[0], self._readers[1]
        self.backoff = self._light.backoff
        self.opening_samples = self._light.opening_samples
        self._old = OldHeaders(self.waveform)
        self._tables, self._sizes = self._frame_tables(), np.zeros(SIZES, np.int32)
        self.repeats = tuple(sorted({p.preambles for p in PROTECTIONS if p.preambles > 1}))

    def run(self, samples: np.ndarray, search: Search, finder: BurstSearch, origin: int) -> Run | None:
        """As :class:`m4sc.phy.receiver.BurstDemodulator` has it."""
        if self._tables is None:
            return None
        how, place, block, (start, cfo, match, repeats), wanted, opened, found = run_frames(
            samples, *search, finder.tables, self._tables, self._sizes
        )
        burst, opening = (Burst(start, cfo, match, repeats) if how in (FOUND, OPENED) else None), None
        if burst is not None and how == OPENED:
            opening, burst = self._opened(burst, *opened), None
        if how == SEARCHING and len(found[0]) < MOST:
            wanted = len(samples) + 1  # all is searched: the same samples need no second call
        return Run(self._frames(found, origin), Search(place, block), burst, opening, wanted)

    def _frames(self, found: tuple[np.ndarray, ...], origin: int) -> list[ReceivedFrame]:
        """What the compiled loop found."""
        numbers, headers, symbols, noise_var, channels = found
        frames, begin, rows = [], 0, np.packbits(headers, axis=1)
        for (start, cfo, power, noise, ppm, tail, normal, used), bits, h in zip(
            numbers.tolist(), rows, channels, strict=True
        ):
            reader, end = self._readers[int(normal)], int(used)
            values = symbols[begin:end].copy(), noise_var[begin:end].copy(), h.copy()
            estimates = Estimates(origin + int(start), cfo, power, noise, ppm, tail)
            frames.append(reader.frame(FrameHeader.unpack(bits.tobytes()), *values, estimates))
            begin = end
        return frames

    def _opened(
        self,
        burst: Burst,
        normal: bool,
        head: np.ndarray,
        h: np.ndarray,
        noise_var: float,
        bits: np.ndarray,
    ) -> Opening:
        """Of what :func:`m4sc.phy.frame_run.open_frame` found; raises as :meth:`open` does."""
        reader, count = self._readers[int(normal)], self.waveform.preamble_symbols
        data = np.packbits(bits[: 8 * HEADER_BYTES]).tobytes()
        opening = reader.opened(data, burst, head[:count].copy(), head[count:].copy(), h, noise_var)
        if opening.header.payload_kind == PayloadKind.DIGITAL:  # the loop will know the next one
            self._sizes[opening.header.mcs, opening.header.payload_bytes] = opening.header.n_symbols
        return opening

    def _frame_tables(self) -> FrameTables | None:
        """What the compiled loop takes; None for a waveform that it cannot receive."""
        w, light, normal = self.waveform, self._light.tables, self._normal.tables
        if not self._light.pilot_bins.size or max(light.rows, normal.rows) >= SFO_SYMBOLS:
            return None  # it knows neither how to do without pilots nor long headers
        pilots, phases = w.pilots(SFO_SYMBOLS), (phase_tables(SHORT), phase_tables(SFO_SYMBOLS))
        opening = OpeningTables(
            light=(light.rows, light.step, light.code),
            normal=(normal.rows, normal.step, normal.code),
            binary=_BINARY,
            preamble=w.preamble_symbols,
            read=self._light.opening_tables[1:],
            bins=(self._light.data_bins, self._light.pilot_bins),
            pilots=pilots,
            phases=phases,
        )
        return FrameTables(
            opening=opening,
            light=light,
            normal=normal,
            bins=(self._light.data_bins, self._light.pilot_bins, self._light.used_bins),
            clock=self._light.clock,
            pilots=pilots,
            phases=phases,
            rounds=(1, ROUNDS),
            least_match=_CLEAR_MATCH,
            most=w.max_payload_symbols,
            long=SFO_SYMBOLS,
            backoff=self.backoff,
            tail=TAIL_LOST,
            tail_rows=TAIL_SYMBOLS,
            window=PHASE_WINDOW,
            noise=MIN_NOISE_VAR,
            sides=np.array([grid_side(mcs) for mcs in range(16)]),
        )

    def open(self, samples: np.ndarray, burst: Burst) -> Opening:
        """Read the header of a burst whose `opening_samples` are there.

        Raises:
            HeaderError: no valid header.
            FrameTooLongError: its length is 0 or above the waveform's limit.
            OldFrameError: the header is one of an earlier version.
            MoreSamplesError: more samples are needed to tell.
        """
        if burst.repeats > 1:
            return self._open_repeated(samples, burst)
        if burst.match <= _CLEAR_MATCH:
            return self._normal.open(samples, burst)
        if self._tables is not None:
            how, normal, fine, *opened = open_frame(samples, burst.start, burst.cfo, self._tables.opening)
            if how == MORE:
                raise MoreSamplesError(self._normal.opening_samples)
            if how == PLAIN:
                return self._opened(burst._replace(cfo=fine), normal, *opened)
        order = [self._light, self._normal]
        if self._looks_binary(samples, burst):
            order.reverse()
        for reader in order:
            try:
                return reader.open(samples, burst)
            except FrameTooLongError:
                raise
            except HeaderError as exc:
                failed = exc
        if burst.match > _STRONG_MATCH:
            self._old.look(samples, burst)
        raise failed

    def _open_repeated(self, samples: np.ndarray, burst: Burst) -> Opening:
        """Of a burst of several preambles; noise and data may make one more or one less of them."""
        readers = {reader.protection.preambles: reader for reader in self._readers[1:]}
        length, tried = self._light.preamble_samples, [(burst.repeats, 0)]
        tried += [(count, shift) for count, *shifts in _INSTEAD[burst.repeats] for shift in shifts]
        failed = HeaderError("the burst begins before the samples do")
        for count, shift in tried:
            other = burst._replace(repeats=count, start=burst.start + shift * length)
            if other.start < 0:
                continue
            try:
                return readers[count].open(samples, other)
            except FrameTooLongError:
                raise
            except HeaderError as exc:
                failed = exc
        raise failed

    def _looks_binary(self, samples: np.ndarray, burst: Burst) -> bool:
        """Whether the symbols that every header has are rather BPSK than QPSK."""
        reader = self._light
        _, head, h, _, _ = reader.read_opening(samples, burst)
        bins = head[reader.waveform.preamble_symbols :]
        return bool(reader.binary_share(bins, h) > _BINARY)

    def samples_of(self, opening: Opening) -> int:
        """Samples of the whole frame, from its preamble on."""
        return self._reader(opening).samples_of(opening)

    def close(
        self, samples: np.ndarray, opening: Opening, origin: int = 0, skipped: int = 0
    ) -> ReceivedFrame:
        """Second estimate, with the decoded header as a training sequence, then the payload.

        origin, skipped: as :class:`m4sc.phy.receiver.BurstDemodulator` has them.
        """
        return self._reader(opening).close(samples, opening, origin, skipped)

    def _reader(self, opening: Opening) -> FrameReader:
        return self._readers[opening.protection.index]
