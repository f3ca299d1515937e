"""Frames back to payloads: order, duplicates, erasures, time-outs, and a count of all that is lost."""

from __future__ import annotations

import zlib
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from m4sc.codecs.base import Received
from m4sc.phy.header.fields import PayloadKind
from m4sc.phy.modulation.arrangement import restore
from m4sc.phy.modulation.digital import decode_transport
from m4sc.phy.modulation.fsq import bytes_to_latents
from m4sc.phy.modulation.mapping import symbols_to_latents
from m4sc.phy.modulation.payload import grid_noise
from m4sc.transport.config import AssemblerConfig
from m4sc.transport.frames import CHECK_BYTES, Extent
from m4sc.transport.message_header import TransportHeader

ERASED = np.float32(np.inf)
"""Complex noise variance of a symbol that did not arrive."""
_Key = tuple[int, int, int]


class Frame(Protocol):
    """What the assembler reads of a received frame (``m4sc.phy.receiver.ReceivedFrame``)."""

    @property
    def header(self) -> TransportHeader:
        """Decoded."""

    @property
    def symbols(self) -> np.ndarray:
        """complex64 (n,), unbiased."""

    @property
    def noise_var(self) -> np.ndarray:
        """float32 (n,), complex noise variance of each symbol."""

    @property
    def snr_db(self) -> float:
        """Es/N0, dB."""

    @property
    def cfo_hz(self) -> float:
        """Carrier offset, Hz."""


@dataclass(frozen=True)
class ReceivedMessage:
    """One message as it came through.

    Attributes:
        header: of the message's first frame that arrived; of its fields the message's own are meant.
        received: symbols or bytes for the codec; None where the message is lost.
        lost_segments: frames that did not arrive or whose code failed; their symbols are erased.
        n_segments: frames that were sent.
        snr_db, cfo_hz: means over the frames that arrived.
        reason: why it is lost, else empty.
    """

    header: TransportHeader
    received: Received | None
    lost_segments: int
    n_segments: int
    snr_db: float
    cfo_hz: float
    reason: str = ""


@dataclass
class _Partial:
    """Frames of one message that came so far, by segment: latents and noise variances, or bytes."""

    header: TransportHeader
    deadline: float
    symbols: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)
    snr_db: list[float] = field(default_factory=list)
    cfo_hz: list[float] = field(default_factory=list)
    crc_errors: int = 0
    extent: Extent | None = None

    @property
    def size(self) -> int:
        """Bytes held."""
        held = sum(latents.nbytes + noise_var.nbytes for latents, noise_var in self.symbols.values())
        return held + sum(map(len, self.data.values()))

    def estimates(self, frame: Frame) -> None:
        """Keep those of a frame that was taken."""
        self.snr_db.append(float(frame.snr_db))
        self.cfo_hz.append(float(frame.cfo_hz))

    @property
    def segments(self) -> set[int]:
        """Which came."""
        return set(self.symbols) | set(self.data)


class Assembler:
    """Puts the frames of messages together.

    A message is complete with its last missing frame. It is closed incomplete when nothing came for
    ``timeout_s``, when a frame of a later message of the same sender to the same user arrives, when memory is
    full, and at the end (:meth:`flush`). Closed incomplete, a message of symbols is delivered with the lost
    segments' symbols erased (symbol 0, infinite noise variance); one of bytes is lost. Frames whose header
    contradicts the message under way (another task, another number of segments) begin a new one; bytes in
    another scheme, but otherwise alike, are the same message begun anew, and nothing is lost.

    Counters: ``messages`` delivered, of them ``partial`` with erasures; ``lost`` messages; ``crc_errors``
    (frames), ``duplicates`` (frames), ``segments_lost`` (frames), ``contradictions`` (frames whose segment
    number or message fields do not fit), ``anew`` (messages begun anew in another scheme).

    Args:
        n_carriers: data carriers of the waveform, for the interleaver.
        config: time-out and memory.
    """

    def __init__(self, n_carriers: int, config: AssemblerConfig | None = None) -> None:
        self.config = AssemblerConfig() if config is None else config
        self.n_carriers = n_carriers
        self.counters: Counter[str] = Counter(
            messages=0,
            partial=0,
            lost=0,
            crc_errors=0,
            duplicates=0,
            segments_lost=0,
            contradictions=0,
            anew=0,
        )
        self._open: OrderedDict[_Key, _Partial] = OrderedDict()
        self._done: OrderedDict[_Key, float] = OrderedDict()  # whole ones of several frames, until

    def push(self, frame: Frame, now: float) -> list[ReceivedMessage]:
        """Take one frame at time `now`, s; return the messages that it completes or closes.

        Raises:
            ValueError: lengths that do not fit the frame's own header.
        """
        header = frame.header
        if header.payload_kind is PayloadKind.GROUP:
            raise ValueError("a frame of several users: give this receiver its user id to take its own part")
        closed = self.expire(now)
        if header.segment >= header.n_segments:
            self.counters["contradictions"] += 1
            return closed
        key = (header.source_id, header.user_id, header.sequence)
        closed += self._close_older(key)
        if self._is_repeated(key, header, now):
            self.counters["duplicates"] += 1
            return closed
        partial = self._open.get(key)
        if partial is not None and not _agree(partial.header, header):
            if _same_but_for_scheme(partial.header, header):
                self.counters["anew"] += 1
                del self._open[key]
            else:
                self.counters["contradictions"] += 1
                closed.append(self._close(key))
            partial = None
        if partial is None:
            partial = self._open[key] = _Partial(header, now + self.config.timeout_s)
        try:
            self._take(partial, frame)
        except ValueError:
            if not partial.snr_db:  # of a message that this frame began nothing is there
                del self._open[key]
            raise
        partial.deadline = now + self.config.timeout_s
        if len(partial.segments) == header.n_segments or (header.n_segments == 1 and partial.crc_errors):
            closed.append(self._close(key))
            if header.n_segments > 1:
                self._done[key] = now + self.config.timeout_s
        return closed + self._within_bounds()

    def expire(self, now: float) -> list[ReceivedMessage]:
        """Close the messages whose time is over."""
        while self._done and next(iter(self._done.values())) <= now:
            self._done.popitem(last=False)
        return [self._close(key) for key in [k for k, p in self._open.items() if p.deadline <= now]]

    def flush(self) -> list[ReceivedMessage]:
        """Close every message: nothing more will come."""
        self._done.clear()
        return [self._close(key) for key in list(self._open)]

    # --- taking ----------------------------------------------------------------------------------------

    def _take(self, partial: _Partial, frame: Frame) -> None:
        header = frame.header
        symbols, noise_var = np.asarray(frame.symbols), np.asarray(frame.noise_var, np.float32)
        symbols, noise_var = restore(symbols, noise_var, self.n_carriers, header.interleaved, header.precoded)
        if header.payload_kind is PayloadKind.DIGITAL:
            data = decode_transport(symbols, noise_var, header.mcs, header.payload_bytes)
            if data is None:
                self.counters["crc_errors"] += 1
                partial.crc_errors += 1
            else:
                partial.data[header.segment] = data
            partial.estimates(frame)
            return
        if header.payload_kind is PayloadKind.QAM:
            noise_var = noise_var + np.float32(grid_noise(1 << header.mcs))
        if partial.extent is None:
            partial.extent = Extent.of(header)
        elif partial.extent != Extent.of(header):
            raise ValueError(f"segment {header.segment} is of another length than its message's others")
        partial.symbols[header.segment] = symbols_to_latents(symbols), noise_var
        partial.estimates(frame)

    def _is_repeated(self, key: _Key, header: TransportHeader, now: float) -> bool:
        if header.n_segments > 1 and key in self._done:
            return True
        partial = self._open.get(key)
        return partial is not None and _agree(partial.header, header) and header.segment in partial.segments

    # --- closing ---------------------------------------------------------------------------------------

    def _close_older(self, key: _Key) -> list[ReceivedMessage]:
        """A sender's messages come one after another: a new one ends those before it."""
        older = [k for k in self._open if k[:2] == key[:2] and k != key]
        return [self._close(k) for k in older]

    def _within_bounds(self) -> list[ReceivedMessage]:
        closed = []
        while self._open and (
            len(self._open) > self.config.max_messages
            or sum(partial.size for partial in self._open.values()) > self.config.max_bytes
        ):
            closed.append(self._close(next(iter(self._open))))
        while len(self._done) > self.config.max_messages:
            self._done.popitem(last=False)
        return closed

    def _close(self, key: _Key) -> ReceivedMessage:
        partial = self._open.pop(key)
        header = partial.header
        missing = header.n_segments - len(partial.segments)
        received, reason = self._put_together(partial, missing)
        self.counters["segments_lost"] += missing
        if received is None:
            self.counters["lost"] += 1
        else:
            self.counters["messages"] += 1
            self.counters["partial"] += missing > 0
        return ReceivedMessage(
            header,
            received,
            missing,
            header.n_segments,
            float(np.mean(partial.snr_db)),
            float(np.mean(partial.cfo_hz)),
            reason,
        )

    def _put_together(self, partial: _Partial, missing: int) -> tuple[Received | None, str]:
        header = partial.header
        if header.payload_kind is not PayloadKind.DIGITAL:
            return _joined_symbols(partial), ""
        if missing:
            lost = "CRC failed" if partial.crc_errors else f"{missing} of {header.n_segments} frames missing"
            return None, f"{lost}: the message is lost"
        data = b"".join(partial.data[i] for i in range(header.n_segments))
        if header.n_segments > 1:
            data, check = data[:-CHECK_BYTES], data[-CHECK_BYTES:]
            if zlib.crc32(data).to_bytes(CHECK_BYTES, "big") != check:
                return (
                    None,
                    "the check over the whole message failed, though each frame's own passed",
                )
        if not header.model_fingerprint:
            return Received(data=data), ""
        latents, noise_var = bytes_to_latents(data)
        return Received((latents[:, 0] + 1j * latents[:, 1]).astype(np.complex64), noise_var), ""


def _agree(first: TransportHeader, other: TransportHeader) -> bool:
    """Whether two frames can be of one message, sent once: all bytes of one have the same scheme."""
    is_digital = first.payload_kind is PayloadKind.DIGITAL
    return (
        first.n_segments == other.n_segments
        and (not is_digital or first.mcs == other.mcs)
        and _alike(first, other)
    )


def _same_but_for_scheme(first: TransportHeader, other: TransportHeader) -> bool:
    """Whether a message of bytes is begun anew in another scheme, as :mod:`m4sc.transport.arq` does."""
    return first.payload_kind is PayloadKind.DIGITAL and first.mcs != other.mcs and _alike(first, other)


def _alike(first: TransportHeader, other: TransportHeader) -> bool:
    return (
        first.task_id == other.task_id
        and first.modality == other.modality
        and first.payload_kind == other.payload_kind
        and first.model_fingerprint == other.model_fingerprint
        and (first.payload_kind is PayloadKind.DIGITAL or first.payload_bytes == other.payload_bytes)
    )


def _joined_symbols(partial: _Partial) -> Received:
    """Symbols of a message in order: essential ones combined over the segments, lost ones erased."""
    extent = partial.extent
    assert extent is not None  # a message without a frame is none
    symbols = np.zeros(extent.total, np.complex64)
    noise_var = np.full(extent.total, ERASED, np.float32)
    lead = extent.essential
    weight = np.zeros(lead)
    total = np.zeros(lead, np.complex128)
    for segment, (latents, own) in partial.symbols.items():
        y = latents[:, 0] + 1j * latents[:, 1]
        trust = 1.0 / np.maximum(own[:lead].astype(np.float64), 1e-12)
        total += trust * y[:lead]
        weight += trust
        place = extent.place(segment)
        symbols[place], noise_var[place] = y[lead:], own[lead:]
    if lead and partial.symbols:
        symbols[:lead], noise_var[:lead] = total / weight, 1.0 / weight
    return Received(symbols, noise_var)
