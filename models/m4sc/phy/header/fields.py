"""The frame header, version 3: what a receiver must know before it touches the payload, and no more.

72 bits, the highest first, followed on the air by a CRC of 24:

    bits  field
       3  version, 3
       2  payload kind: 0 analog, 1 qam, 2 digital, 3 parts of several users
       1  the payload's symbols are permuted over carriers and time
       1  each OFDM symbol's data are DFT-spread
       4  scheme: index of the modulation and coding (digital, and of the directory of several users), or log2
          of the grid's size (qam)
       1  a block of message fields follows the header
      15  size: bytes of the transport block (digital), or complex symbols of the payload
      16  message id
       8  source id
      21  with a block of message fields: 8 segment, 8 segments of the message less one, 5 reserved, 0;
          without: a tag of the transport's, and the frame is a whole message

What concerns a message (task, users, names) travels once a message: in the block of message fields, or, of a
short message of one frame, in the tag.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

VERSION = 3
HEADER_BYTES = 9
MESSAGE_BYTES = 12  # of a block of message fields
TAG_BITS = 21
_WIDTHS = (3, 2, 1, 1, 4, 1, 15, 16, 8, TAG_BITS)
_PLACES = tuple((sum(_WIDTHS[n + 1 :]), (1 << width) - 1) for n, width in enumerate(_WIDTHS))  # shift, mask
_SEGMENT_SHIFT, _COUNT_SHIFT = 13, 5
MAX_SIZE = (1 << 15) - 1
MAX_SEGMENTS = 256


class HeaderError(ValueError):
    """Bytes that are no valid header."""


class PayloadKind(IntEnum):
    """How the payload's symbols carry their content."""

    ANALOG = 0
    QAM = 1
    DIGITAL = 2
    GROUP = 3


_KINDS = tuple(PayloadKind)  # each value of the header's two bits


class FrameHeader(NamedTuple):
    """Header fields.

    Attributes:
        payload_kind: enumeration above.
        n_symbols: complex data symbols of the payload. Of a digital one its bytes are sent instead, from
            which a receiver works them out.
        message_id: 16 bits; that of all segments of a message.
        source_id: 8 bits.
        segment, n_segments: place of this frame in its message; 256 segments at most.
        mcs: index of the modulation and coding (digital; of several users that of their directory) or log2
            of the grid's size (qam), 4 bits.
        payload_bytes: bytes of the transport block (digital), else 0.
        interleaved: the payload's symbols are permuted over carriers and time
        (``m4sc.phy.modulation.interleaver``).
        precoded: each OFDM symbol's data are DFT-spread (``m4sc.phy.modulation.precoder``).
        announced: a block of message fields (:data:`MESSAGE_BYTES` bytes, coded as the header is) comes
            between header and payload.
        tag: 21 bits of the transport's, of a frame that is not ``announced`` and has one segment; else 0.
        version: of the format.
    """

    payload_kind: PayloadKind
    n_symbols: int
    message_id: int = 0
    source_id: int = 0
    segment: int = 0
    n_segments: int = 1
    mcs: int = 0
    payload_bytes: int = 0
    interleaved: bool = False
    precoded: bool = False
    announced: bool = False
    version: int = VERSION
    tag: int = 0

    def pack(self) -> bytes:
        """`HEADER_BYTES` bytes.

        Raises:
            ValueError: a field does not fit its width, or a digital payload's bytes do not take so many
            symbols.
        """
        digital = self.payload_kind == PayloadKind.DIGITAL
        if digital and self.n_symbols != _digital_symbols(self.payload_bytes, self.mcs):
            raise ValueError(
                f"{self.payload_bytes} bytes with scheme {self.mcs} do not take {self.n_symbols} symbols"
            )
        fields = (
            self.version,
            int(self.payload_kind),
            int(self.interleaved),
            int(self.precoded),
            self.mcs,
            int(self.announced),
            self.payload_bytes if digital else self.n_symbols,
            self.message_id,
            self.source_id,
            self._last_bits(),
        )
        number = 0
        for value, width in zip(fields, _WIDTHS, strict=True):
            if not 0 <= value < 1 << width:
                raise ValueError(f"a header field does not fit its width: {value} in {width} bits; {self}")
            number = number << width | value
        return number.to_bytes(HEADER_BYTES, "big")

    def _last_bits(self) -> int:
        """Place in the message, or the tag of a message of one frame; raises ValueError as :meth:`pack`."""
        if not 0 <= self.segment < self.n_segments <= MAX_SEGMENTS:
            raise ValueError(f"segment {self.segment} is none of {self.n_segments}; at most {MAX_SEGMENTS}")
        if self.announced:
            return self.segment << _SEGMENT_SHIFT | (self.n_segments - 1) << _COUNT_SHIFT
        if self.n_segments > 1:
            raise ValueError(f"a message of {self.n_segments} segments needs a block of message fields")
        return self.tag

    @classmethod
    def unpack(cls, data: bytes) -> FrameHeader:
        """Inverse of :meth:`pack`.

        Raises:
            HeaderError: wrong length, version or enumeration, or fields that contradict each other.
        """
        if len(data) != HEADER_BYTES:
            raise HeaderError(f"a header has {HEADER_BYTES} bytes; got {len(data)}")
        number = int.from_bytes(data, "big")
        fields = [number >> shift & mask for shift, mask in _PLACES]
        version, kind, interleaved, precoded, mcs, announced, size, message, source, rest = fields
        if version != VERSION:
            raise HeaderError(f"header version {version} is not {VERSION}")
        segment, last = (rest >> _SEGMENT_SHIFT, rest >> _COUNT_SHIFT & 0xFF) if announced else (0, 0)
        if segment > last:
            raise HeaderError(f"the header says segment {segment} of {last + 1}")
        digital, n_symbols = _KINDS[kind] is PayloadKind.DIGITAL, size
        if digital:
            try:
                n_symbols = _digital_symbols(size, mcs)
            except ValueError as exc:
                raise HeaderError(f"the header's payload does not exist: {exc}") from exc
        return cls(
            _KINDS[kind],
            n_symbols,
            message,
            source,
            segment,
            last + 1,
            mcs,
            size if digital else 0,
            bool(interleaved),
            bool(precoded),
            bool(announced),
            version,
            0 if announced else rest,
        )


def _digital_symbols(n_bytes: int, mcs: int) -> int:
    from m4sc.phy.modulation.digital import n_symbols  # 1 ms that analog payloads need not wait for

    return n_symbols(n_bytes, mcs)
