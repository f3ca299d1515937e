"""A payload to frames: segments, a check over the message, modulation, interleaving."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from m4sc.codecs.base import Payload
from m4sc.phy.air_time import air_time_s
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import MAX_SEGMENTS, PayloadKind
from m4sc.phy.header.protection import NORMAL, Protection
from m4sc.phy.modulation.arrangement import arrange
from m4sc.phy.modulation.digital import encode_transport, most_bytes, n_symbols
from m4sc.phy.modulation.fsq import latents_to_bytes
from m4sc.phy.modulation.mapping import latents_to_symbols
from m4sc.phy.modulation.mcs import select_mcs
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.phy.waveform import WaveformConfig
from m4sc.transport.budget import analogue_protection, chosen_protection, digital_protection
from m4sc.transport.config import TransportConfig
from m4sc.transport.message_header import Modality, TransportHeader

CHECK_BYTES = 4
_TOTAL_BITS, _ESSENTIAL_BITS = 20, 12
MAX_SYMBOLS = (1 << _TOTAL_BITS) - 1
MAX_ESSENTIAL = (1 << _ESSENTIAL_BITS) - 1


@dataclass(frozen=True)
class Address:
    """Who sends to whom.

    Attributes:
        sequence: the message's number, 16 bits (:func:`m4sc.transport.message_id.message_ids`).
        source_id: the transmitter.
        user_id: the receiver, unless ``public``.
        public: for every receiver.
    """

    sequence: int = 0
    source_id: int = 0
    user_id: int = 0
    public: bool = True


@dataclass(frozen=True)
class OutgoingFrame:
    """One frame.

    Attributes:
        header: of the frame and its message.
        symbols: complex64 (n,), unit mean power, in the order in which they are sent.
        protection: of preamble and header.
    """

    header: TransportHeader
    symbols: np.ndarray
    protection: Protection = NORMAL

    def air_time_s(self, waveform: WaveformConfig) -> float:
        """Seconds on the air: preamble, header, message fields, pilots and cyclic prefixes counted."""
        return air_time_s(len(self.symbols), waveform, self.protection, not self.header.fits_tag)

    def modulate(self, waveform: WaveformConfig) -> np.ndarray:
        """Samples of the frame, complex64."""
        header, message = self.header.split()
        return modulate_frame(header, self.symbols, waveform, self.protection, message)


def to_frames(payload: Payload, address: Address, config: TransportConfig) -> list[OutgoingFrame]:
    """Cut a payload into frames.

    Symbols: segments of nearly equal length, each led by the payload's essential symbols. Bytes, and symbols
    that are sent as bytes: the message, then its CRC-32 where it has several segments (a single segment has
    the transport block's own CRC), cut into segments, each with a scheme that its length allows.

    Raises:
        ValueError: more segments than a header can number, or no such scheme.
    """
    if payload.latents is None or config.form.kind == "digital":
        data = payload.data
        if payload.latents is not None:
            data = latents_to_bytes(np.asarray(payload.latents, np.float32), config.form.levels)
        return _digital(data, payload, address, config)
    return _analogue(payload.latents, payload, address, config)


def frames_air_time_s(frames: Iterable[OutgoingFrame], waveform: WaveformConfig) -> float:
    """Seconds on the air of a message: preambles, headers, pilots and cyclic prefixes counted."""
    return sum(frame.air_time_s(waveform) for frame in frames)


@dataclass(frozen=True)
class Extent:
    """The whole of an analogue message, and where its segments belong.

    Attributes:
        total: complex symbols of the message.
        essential: leading symbols that stand in every segment.
        n_segments: frames.
        size: symbols of every segment but the last, which has the rest; the essential ones not counted.
    """

    total: int
    essential: int
    n_segments: int
    size: int

    def pack(self) -> int:
        """`total` and `essential` in 32 bits; 0 of a message of one frame, which says all itself.

        Raises:
            ValueError: more symbols than the field holds.
        """
        if self.total > MAX_SYMBOLS or self.essential > MAX_ESSENTIAL:
            raise ValueError(
                f"the message has {self.total} symbols, {self.essential} of them essential; at most "
                f"{MAX_SYMBOLS} and {MAX_ESSENTIAL} can be sent as one message"
            )
        return self.essential << _TOTAL_BITS | self.total if self.n_segments > 1 else 0

    @classmethod
    def of(cls, header: TransportHeader) -> Extent:
        """From any frame's header: its own length tells that of the others.

        Raises:
            ValueError: the header's numbers contradict each other.
        """
        count, own = header.n_segments, header.n_symbols
        if count == 1:
            return cls(own, 0, 1, own)
        total, essential = header.payload_bytes & MAX_SYMBOLS, header.payload_bytes >> _TOTAL_BITS
        own -= essential
        is_last = header.segment == count - 1
        size, odd = divmod(total - essential - own, count - 1) if is_last else (own, 0)
        rest = total - essential - size * (count - 1)
        if own < 1 or odd or not 1 <= rest <= size or (is_last and rest != own):
            raise ValueError(
                f"segment {header.segment} of {count} has {header.n_symbols} symbols, which does not fit a "
                f"message of {total}"
            )
        return cls(total, essential, count, size)

    def place(self, segment: int) -> slice:
        """Where a segment's own symbols, those after the essential ones, belong in the message."""
        start = self.essential + segment * self.size
        return slice(start, min(start + self.size, self.total))


def _extent(payload: Payload, total: int, most: int) -> Extent:
    """Segments of nearly equal length, of at most `most` symbols, with whole units."""
    room = most - payload.essential
    if room < 1:
        raise ValueError(
            f"{payload.essential} essential symbols leave no room in segments of {most}; "
            "give more segment_symbols"
        )
    rest = total - payload.essential
    unit = payload.unit if payload.unit <= room else 1
    units = -(-rest // unit)
    count = max(1, -(-units // (room // unit)))
    size = max(1, unit * -(-units // count))
    return Extent(total, payload.essential, max(1, -(-rest // size)), size)


def _analogue(
    latents: np.ndarray, payload: Payload, address: Address, config: TransportConfig
) -> list[OutgoingFrame]:
    form, lead = config.form, latents[: payload.essential]
    extent = _extent(payload, len(latents), config.most_symbols)
    parts = [np.concatenate([lead, latents[extent.place(i)]]) for i in range(extent.n_segments)]
    mcs = form.qam_order.bit_length() - 1 if form.kind == "qam" else 0
    head = replace(
        _header(payload, address, config, PayloadKind[form.kind.upper()], extent.n_segments),
        mcs=mcs,
        payload_bytes=extent.pack(),
    )
    protection = chosen_protection(config.protection, analogue_protection(form.snr_db))
    mapped = [latents_to_symbols(part, form.kind, form.qam_order) for part in parts]
    return [_frame(replace(head, segment=i), part, config, protection) for i, part in enumerate(mapped)]


def most_message_bytes(mcs: int, config: TransportConfig) -> int:
    """Bytes of the longest message that frames of a scheme can number."""
    size = min(config.segment_bytes, most_bytes(mcs, config.waveform.max_payload_symbols))
    return MAX_SEGMENTS * size - CHECK_BYTES


def digital_symbols(n_bytes: int, config: TransportConfig) -> int:
    """Complex symbols of all frames that carry a message of bytes, its check counted."""
    size, schemes = _digital_parts(n_bytes, config)
    return sum(n_symbols(one, mcs) for one, mcs in zip(size, schemes, strict=True))


def _digital_parts(n_bytes: int, config: TransportConfig) -> tuple[list[int], list[int]]:
    """Bytes of each segment of a message of `n_bytes`, its check counted, and their schemes."""
    form = config.form
    mcs = _scheme(form, min(n_bytes, config.segment_bytes))
    size = min(config.segment_bytes, most_bytes(mcs, config.waveform.max_payload_symbols))
    if n_bytes > size:
        n_bytes += CHECK_BYTES
    size = -(-n_bytes // -(-n_bytes // size))  # equal parts: a short last one needs a more robust scheme
    sizes = [min(size, n_bytes - i) for i in range(0, n_bytes, size)]
    schemes = []
    for one in sizes:
        mcs = min(mcs, _scheme(form, one))
        schemes.append(mcs)
    return sizes, schemes


def _digital(data: bytes, payload: Payload, address: Address, config: TransportConfig) -> list[OutgoingFrame]:
    if payload.mcs >= 0 > config.form.mcs:
        config = replace(config, form=replace(config.form, mcs=payload.mcs))
    sizes, schemes = _digital_parts(len(data), config)
    if len(sizes) > 1:
        data += zlib.crc32(data).to_bytes(CHECK_BYTES, "big")
    head = _header(payload, address, config, PayloadKind.DIGITAL, len(sizes))
    frames, start = [], 0
    for i, (size, mcs) in enumerate(zip(sizes, schemes, strict=True)):
        header = replace(head, mcs=mcs, segment=i, payload_bytes=size)
        protection = chosen_protection(config.protection, digital_protection(mcs, size))
        symbols = encode_transport(data[start : start + size], mcs)
        frames.append(_frame(header, symbols, config, protection))
        start += size
    return frames


def _scheme(form: PayloadFormat, n_bytes: int) -> int:
    return form.mcs if form.mcs >= 0 else select_mcs(form.snr_db, form.margin_db, n_bytes).index


def _header(
    payload: Payload, address: Address, config: TransportConfig, kind: PayloadKind, count: int
) -> TransportHeader:
    if count > MAX_SEGMENTS:
        raise ValueError(f"the message takes {count} frames; at most {MAX_SEGMENTS} can be numbered")
    return TransportHeader(
        payload_kind=kind,
        n_symbols=0,
        sequence=address.sequence & 0xFFFF,
        source_id=address.source_id,
        user_id=address.user_id,
        public=address.public,
        task_id=payload.task_id,
        modality=Modality.of(payload.modality),
        model_fingerprint=payload.fingerprint,
        n_segments=count,
        interleaved=config.interleave,
        precoded=config.precode or payload.spread,
    )


def _frame(
    header: TransportHeader, symbols: np.ndarray, config: TransportConfig, protection: Protection
) -> OutgoingFrame:
    arranged = arrange(symbols, config.waveform.n_data_carriers, header.interleaved, header.precoded)
    return OutgoingFrame(replace(header, n_symbols=len(arranged)), arranged, protection)
