"""Stop-and-wait ARQ with combining: the receiver reports each frame, the sender sends again what failed.

A frame that failed is not thrown away: its symbols are combined with those of the next copy, each weighted
by its noise (maximum-ratio combining; of coded bits that is Chase combining: Chase, "Code combining", IEEE
Trans. Commun. 33(5), 1985). So each copy adds its SNR, and a frame gets through a fade by being repeated.

The same reports close the loop of the link adaptation (:mod:`m4sc.phy.modulation.link_adapter`): the scheme
of the next message and the protection of every header follow the SNR that was seen last.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field, replace

import numpy as np

from m4sc.codecs.base import Payload
from m4sc.phy.header.fields import PayloadKind
from m4sc.phy.header.protection import protection_for
from m4sc.phy.modulation.arrangement import restore
from m4sc.phy.modulation.digital import decode_transport
from m4sc.phy.modulation.link_adapter import LinkAdapter, LinkAdapterConfig
from m4sc.phy.modulation.mcs import get_mcs
from m4sc.transport.assembler import Frame
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, OutgoingFrame, to_frames

_LEAST_VARIANCE = 1e-6
_FORM = struct.Struct(">BHHBBh")  # source, user, sequence, segment, flags, SNR in tenths of a dB
REPORT_BYTES = _FORM.size + 4


@dataclass(frozen=True)
class Report:
    """What a receiver says of a frame.

    Attributes:
        source_id, user_id, sequence, segment: of the frame.
        acknowledged: whether it, or what its copies give together, was decoded.
        snr_db: Es/N0 of this copy alone.
    """

    source_id: int
    user_id: int
    sequence: int
    segment: int
    acknowledged: bool
    snr_db: float

    @property
    def key(self) -> tuple[int, int, int, int]:
        """Whose frame it is."""
        return self.source_id, self.user_id, self.sequence, self.segment

    def to_bytes(self) -> bytes:
        """`REPORT_BYTES` bytes, their CRC-32 included."""
        snr = round(10.0 * min(max(self.snr_db, -100.0), 100.0))
        data = _FORM.pack(*self.key, int(self.acknowledged), snr)
        return data + zlib.crc32(data).to_bytes(4, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> Report:
        """Inverse of :meth:`to_bytes`; raises ValueError for bytes that are no report."""
        if len(data) != REPORT_BYTES or zlib.crc32(data[:-4]).to_bytes(4, "big") != data[-4:]:
            raise ValueError(f"{len(data)} bytes are no report: it has {REPORT_BYTES}, with a CRC-32")
        *key, flags, snr = _FORM.unpack(data[:-4])
        if flags > 1 or abs(snr) > 1000:
            raise ValueError("a report has fields out of range")
        return cls(key[0], key[1], key[2], key[3], bool(flags), snr / 10.0)


# --- receiver -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CombinerConfig:
    """frames: kept at most, failed ones with their symbols; max_symbols: of these together; timeout_s: until
    a frame that got no further copy is given up, s."""

    frames: int = 64
    max_symbols: int = 1 << 20
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if self.frames < 1 or self.max_symbols < 1 or not self.timeout_s > 0:
            raise ValueError("frames, max_symbols and timeout_s must be above 0")


@dataclass(frozen=True)
class Combined:
    """report: to the sender; symbols, noise_var: of all copies, once the frame is decoded for the first time,
    else None: then there is nothing to hand on; copies: so far."""

    report: Report
    symbols: np.ndarray | None
    noise_var: np.ndarray | None
    copies: int


@dataclass
class _Held:
    total: np.ndarray
    weight: np.ndarray
    copies: int
    until: float


@dataclass(frozen=True)
class _Done:
    """Of a decoded frame: its scheme, the CRC-32 of its bytes, and until when it is remembered, s."""

    mcs: int
    check: int
    until: float


class Combiner:
    """Copies of digital frames to decoded ones, and the reports on them.

    Counters: ``decoded``, of them ``combined`` from several copies; ``failed`` copies; ``repeated`` (copies
    of what was decoded already: a report was lost); ``given_up``.

    Args:
        n_carriers: data carriers of the waveform, for the interleaver.
        config: what is kept.
    """

    def __init__(self, n_carriers: int, config: CombinerConfig | None = None) -> None:
        self.config, self._n_carriers = config or CombinerConfig(), n_carriers
        self.counters: Counter[str] = Counter(decoded=0, combined=0, failed=0, repeated=0, given_up=0)
        self._held: OrderedDict[tuple[object, ...], _Held] = OrderedDict()
        self._done: OrderedDict[tuple[object, ...], _Done] = OrderedDict()

    def push(self, frame: Frame, now: float) -> Combined:
        """Take a frame at time `now`, s.

        Raises:
            ValueError: not a digital frame, or lengths that do not fit its header.
        """
        header = frame.header
        if header.payload_kind is not PayloadKind.DIGITAL:
            raise ValueError(f"a frame of kind {header.payload_kind.name.lower()} has no check to report on")
        self._expire(now)
        key = (header.source_id, header.user_id, header.sequence, header.segment)
        part = (*key, header.n_segments, header.payload_bytes, header.task_id)
        kept = (*part, header.mcs, header.interleaved)  # another scheme is no copy
        done = self._done.get(part)
        if done is not None and done.mcs == header.mcs:
            return self._repeated(part, done, Report(*key, True, float(frame.snr_db)), now)
        noise = np.asarray(frame.noise_var, np.float64)
        known = np.isfinite(noise) & (noise > 0.0)
        weight = np.where(known, 1.0 / np.maximum(np.where(known, noise, 1.0), _LEAST_VARIANCE), 0.0)
        total = weight * np.nan_to_num(np.asarray(frame.symbols, np.complex128))
        held = self._held.get(kept)
        copies = 1
        if held is not None:
            total, weight, copies = held.total + total, held.weight + weight, held.copies + 1
        some = weight > 0
        symbols = np.divide(total, weight, out=np.zeros_like(total), where=some).astype(np.complex64)
        noise_var = np.divide(1.0, weight, out=np.full_like(weight, np.inf), where=some).astype(np.float32)
        straight = restore(symbols, noise_var, self._n_carriers, header.interleaved, header.precoded)
        data = decode_transport(*straight, header.mcs, header.payload_bytes)
        decoded = data is not None
        report = Report(*key, decoded, float(frame.snr_db))
        if data is not None:
            self._held.pop(kept, None)
            check = zlib.crc32(data)
            if done is not None and done.check == check:  # begun anew: the report on it was late
                return self._repeated(part, done, report, now)
            self._done[part] = _Done(header.mcs, check, now + self.config.timeout_s)
            self._done.move_to_end(part)
            self.counters["decoded"] += 1
            self.counters["combined"] += copies > 1
        else:
            self.counters["failed"] += 1
            self._held[kept] = _Held(total, weight, copies, now + self.config.timeout_s)
            self._held.move_to_end(kept)
        self._bound()
        return (
            Combined(report, symbols, noise_var, copies) if decoded else Combined(report, None, None, copies)
        )

    def _repeated(self, part: tuple[object, ...], done: _Done, report: Report, now: float) -> Combined:
        """A frame that was handed on already."""
        self.counters["repeated"] += 1
        self._done[part] = replace(done, until=now + self.config.timeout_s)
        return Combined(report, None, None, 0)

    def _expire(self, now: float) -> None:
        for key in [key for key, held in self._held.items() if held.until <= now]:
            del self._held[key]
            self.counters["given_up"] += 1
        for part in [part for part, done in self._done.items() if done.until <= now]:
            del self._done[part]

    def _bound(self) -> None:
        while len(self._held) > self.config.frames or (
            sum(held.total.size for held in self._held.values()) > self.config.max_symbols
        ):
            self._held.popitem(last=False)
            self.counters["given_up"] += 1
        while len(self._done) > self.config.frames:
            self._done.popitem(last=False)


# --- sender ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ArqConfig:
    """Sender's side.

    Attributes:
        timeout_s: until a frame without a report is sent again, s.
        tries: copies of a frame at most; then its message is given up.
        most_copies: that should do for a frame; where the SNR has fallen so far that more are needed, the
            message is sent anew with another scheme.
        silent_db: by which the SNR is taken to have fallen with each time without a report, dB.
        header_margin_db: of the protection of preamble and header below the SNR, dB.
        queue: messages that wait at most.
        adapter: of the scheme; with combining a lost first copy costs little, so more of them may be.
    """

    timeout_s: float = 0.25
    tries: int = 32
    most_copies: float = 4.0
    silent_db: float = 3.0
    header_margin_db: float = 3.0
    queue: int = 64
    adapter: LinkAdapterConfig = field(default_factory=lambda: LinkAdapterConfig(target_loss=0.2))

    def __post_init__(self) -> None:
        if not self.timeout_s > 0 or self.tries < 1 or self.queue < 1 or not self.most_copies >= 1.0:
            raise ValueError("timeout_s must be above 0, and tries, queue and most_copies at least 1")
        if not (self.silent_db >= 0 and math.isfinite(self.silent_db) and self.header_margin_db >= 0):
            raise ValueError("silent_db and header_margin_db must be 0 or more")


@dataclass
class _UnderWay:
    payload: Payload
    address: Address
    frames: list[OutgoingFrame]
    place: int = 0  # frame that is sent or waited for
    copies: int = 0  # of it, in all
    received: float = 0.0  # copies' SNRs that were reported, summed, linear
    asked: float | None = None  # when the last copy went out
    failed: bool = False  # the last copy was reported as not decoded


class ArqSender:
    """Messages to frames, one at a time, until each is acknowledged.

    Counters: ``messages`` acknowledged, ``given_up``, ``sent`` frames, of them ``again``; ``anew`` (messages
    begun again with another scheme), ``silent`` (times without a report), ``strange`` (reports of nothing
    that is under way).

    Args:
        transport: how messages are cut and sent; its form's SNR and the protection are overruled.
        config: of the ARQ.
    """

    def __init__(self, transport: TransportConfig, config: ArqConfig | None = None) -> None:
        self.config, self._transport = config or ArqConfig(), transport
        self.counters: Counter[str] = Counter(
            messages=0, given_up=0, sent=0, again=0, anew=0, silent=0, strange=0
        )
        self.adapter = LinkAdapter(self.config.adapter)
        self._waiting: deque[tuple[Payload, Address]] = deque()
        self._now: _UnderWay | None = None
        self._silent, self._snr_db = 0, -10.0  # until a report comes, what the strongest protection stands

    def __len__(self) -> int:
        """Messages that wait or are under way."""
        return len(self._waiting) + (self._now is not None)

    def offer(self, payload: Payload, address: Address) -> bool:
        """Take a message; False where the queue is full."""
        if len(self._waiting) >= self.config.queue:
            return False
        self._waiting.append((payload, address))
        return True

    @property
    def snr_db(self) -> float:
        """Es/N0 that the next copy is taken to have."""
        return self._snr_db - self.config.silent_db * self._silent

    def poll(self, now: float) -> OutgoingFrame | None:
        """The frame to send now; None while one is waited for, or there is nothing to send.

        Raises:
            ValueError: a message cannot be sent; it is dropped and counted as given up.
        """
        way = self._now
        if way is not None and way.asked is not None:
            if now - way.asked < self.config.timeout_s:
                return None
            self.counters["silent"] += 1
            self._silent += 1
            self.adapter.report_block(False)
            way.asked, way.failed = None, True
        if way is None:
            way = self._next()
            if way is None:
                return None
        if way.copies >= self.config.tries:
            self._now = None
            self.counters["given_up"] += 1
            return self.poll(now)
        if way.failed and self._needs_another_scheme(way):
            way = self._now = self._begin(way.payload, way.address)
            self.counters["anew"] += 1
        frame = way.frames[way.place]
        self.counters["sent"] += 1
        self.counters["again"] += way.copies > 0
        way.copies, way.asked, way.failed = way.copies + 1, now, False
        return replace(frame, protection=protection_for(self.snr_db, self.config.header_margin_db))

    def take(self, report: Report) -> None:
        """What the receiver says."""
        way = self._now
        if way is None or way.asked is None or report.key != _key(way):
            self.counters["strange"] += 1
            return
        self._silent, self._snr_db = 0, report.snr_db
        self.adapter.report_snr(report.snr_db)
        if way.copies == 1 or not report.acknowledged:
            self.adapter.report_block(report.acknowledged)
        way.asked = None
        if not report.acknowledged:
            way.failed = True
            way.received += 10.0 ** (report.snr_db / 10.0)
            return
        way.place, way.copies, way.received, way.failed = way.place + 1, 0, 0.0, False
        if way.place == len(way.frames):
            self._now = None
            self.counters["messages"] += 1

    def _next(self) -> _UnderWay | None:
        if not self._waiting:
            return None
        payload, address = self._waiting.popleft()
        try:
            self._now = self._begin(payload, address)
        except ValueError:
            self.counters["given_up"] += 1
            raise
        return self._now

    def _begin(self, payload: Payload, address: Address) -> _UnderWay:
        scheme = self.adapter.mcs.index
        if self._silent:  # the adapter knows nothing of what was not heard
            margin = self.adapter.margin_db
            fitting = [
                i for i in range(scheme + 1) if get_mcs(i).required_snr_db(256) <= self.snr_db - margin
            ]
            scheme = max(fitting, default=0)
        form = replace(self._transport.form, kind="digital", mcs=scheme)
        frames = to_frames(payload, address, replace(self._transport, form=form))
        return _UnderWay(payload, address, frames)

    def _needs_another_scheme(self, way: _UnderWay) -> bool:
        """Whether more copies at this SNR would take longer than another scheme."""
        if self.adapter.mcs.index >= way.frames[way.place].header.mcs:
            return False
        header = way.frames[way.place].header
        wanted = 10.0 ** (get_mcs(header.mcs).required_snr_db(header.payload_bytes) / 10.0)
        return (wanted - way.received) / 10.0 ** (self.snr_db / 10.0) > self.config.most_copies


def _key(way: _UnderWay) -> tuple[int, int, int, int]:
    header = way.frames[way.place].header
    return header.source_id, header.user_id, header.sequence, header.segment
