"""The frame header: what a receiver must know before it touches the payload."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

VERSION = 2
# version, kind/modality, symbols, sequence, source, user, task, mcs, fingerprint, flags, segment,
# segments, bytes
_FORMAT = struct.Struct(">BBIHHHBBIBHHI")
_CRC = struct.Struct(">I")
HEADER_BYTES = _FORMAT.size + _CRC.size


class HeaderError(ValueError):
    """Bytes that are no valid header."""


class PayloadKind(IntEnum):
    """How the payload's symbols carry their content."""

    ANALOG = 0
    QAM = 1
    DIGITAL = 2


class Modality(IntEnum):
    """What the message is."""

    IMAGE = 0
    SPEECH = 1
    TEXT = 2
    IMAGE_SPEECH = 3

    @property
    def label(self) -> str:
        """As `m4sc.message` names it: "image", "image+speech"."""
        return self.name.lower().replace("_", "+")

    @classmethod
    def of(cls, label: str) -> Modality:
        """Inverse of :attr:`label`; raises ValueError on an unknown one."""
        found = {modality.label: modality for modality in cls}
        if label not in found:
            raise ValueError(f"modality is '{label}'; use {', '.join(found)}")
        return found[label]


@dataclass(frozen=True)
class FrameHeader:
    """Header fields.

    Attributes:
        payload_kind, modality: enumerations above.
        n_symbols: complex data symbols of the payload.
        sequence, source_id, user_id: 16 bits each.
        task_id: number of the task, 8 bits.
        mcs: index of the modulation and coding (digital) or log2 of the grid's size (qam), 8 bits.
        model_fingerprint: 32 bits of configuration and weights; 0 for the classical system, whose digital
            payload is a source codec's bytes and not quantised latents.
        public: for every user, or for ``user_id`` alone.
        segment, n_segments: place of this frame in its message.
        payload_bytes: bytes of the transport block (digital), else 0.
        interleaved: the payload's symbols are permuted (``m4sc.phy.modulation.interleaver``).
        precoded: each OFDM symbol's data are DFT-spread (``m4sc.phy.modulation.precoder``).
    """

    payload_kind: PayloadKind
    n_symbols: int
    sequence: int = 0
    source_id: int = 0
    user_id: int = 0
    task_id: int = 0
    modality: Modality = Modality.TEXT
    mcs: int = 0
    model_fingerprint: int = 0
    public: bool = True
    segment: int = 0
    n_segments: int = 1
    payload_bytes: int = 0
    version: int = VERSION
    interleaved: bool = False
    precoded: bool = False

    def pack(self) -> bytes:
        """`HEADER_BYTES` bytes, CRC-32 last.

        Raises:
            ValueError: a field does not fit its width.
        """
        kinds = int(self.payload_kind) << 4 | int(self.modality)
        try:
            body = _FORMAT.pack(
                self.version,
                kinds,
                self.n_symbols,
                self.sequence,
                self.source_id,
                self.user_id,
                self.task_id,
                self.mcs,
                self.model_fingerprint,
                int(self.public) | int(self.interleaved) << 1 | int(self.precoded) << 2,
                self.segment,
                self.n_segments,
                self.payload_bytes,
            )
        except struct.error as exc:
            raise ValueError(f"a header field does not fit its width: {exc}") from exc
        return body + _CRC.pack(zlib.crc32(body))

    @classmethod
    def unpack(cls, data: bytes) -> FrameHeader:
        """Inverse of :meth:`pack`.

        Raises:
            HeaderError: wrong length, CRC, version or enumeration.
        """
        if len(data) != HEADER_BYTES:
            raise HeaderError(f"a header has {HEADER_BYTES} bytes; got {len(data)}")
        body = data[: _FORMAT.size]
        if _CRC.unpack(data[_FORMAT.size :])[0] != zlib.crc32(body):
            raise HeaderError("the header's CRC is wrong")
        version, kinds, n, sequence, source, user, task, mcs, print_, flags, segment, segments, size = (
            _FORMAT.unpack(body)
        )
        if version != VERSION:
            raise HeaderError(f"header version {version} is not {VERSION}")
        try:
            kind, modality = PayloadKind(kinds >> 4), Modality(kinds & 15)
        except ValueError as exc:
            raise HeaderError(f"unknown payload kind or modality in the header: {exc}") from exc
        return cls(
            kind,
            n,
            sequence,
            source,
            user,
            task,
            modality,
            mcs,
            print_,
            bool(flags & 1),
            segment,
            segments,
            size,
            version,
            bool(flags & 2),
            bool(flags & 4),
        )
