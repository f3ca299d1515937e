"""What concerns a whole message, beside what the frame header says of a frame.

A message of one frame for user 0 or for all has it in the tag of its frame header, 21 bits:

    bits  field
       8  task id
       1  for every user
      12  fingerprint of the model: 1 + fingerprint mod 4095; 0 of a codec without one

Of a frame of several users (:mod:`m4sc.sharing`) the task's bits hold the bytes of its directory, which names
each user's task.

Any other is announced by twelve bytes, which the physical layer sends between header and payload, coded as
the header is:

    bits  field
      16  user id
       8  task id
       3  modality
       1  for every user
       4  reserved, 0
      32  fingerprint of the model
      32  extent of the message, or 0
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from functools import lru_cache

import numpy as np

from m4sc.phy.header.fields import MESSAGE_BYTES, FrameHeader, HeaderError, PayloadKind
from m4sc.tasks import TASKS

_WIDTHS = (16, 8, 3, 1, 4, 32, 32)
_SHORT_BITS = 12
_SHORT_PRINTS = (1 << _SHORT_BITS) - 1


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


@lru_cache(maxsize=256)
def modality_of_task(task_id: int) -> Modality:
    """What a task's messages are; TEXT where no task has that number."""
    for task in TASKS.values():
        if task.task_id == task_id:
            return Modality.of(task.modality)
    return Modality.TEXT


@dataclass(frozen=True)
class MessageHeader:
    """Fields of a message.

    Attributes:
        user_id: 16 bits: for whom it is, unless ``public``.
        task_id: number of the task, 8 bits.
        modality: enumeration above.
        public: for every user.
        model_fingerprint: 32 bits of configuration and weights; 0 for the classical system, whose digital
            payload is a source codec's bytes and not quantised latents.
        extent: 32 bits that the transport fills for messages of symbols.
    """

    user_id: int = 0
    task_id: int = 0
    modality: Modality = Modality.TEXT
    public: bool = True
    model_fingerprint: int = 0
    extent: int = 0


def pack_message_header(header: MessageHeader) -> bytes:
    """`MESSAGE_BYTES` bytes; raises ValueError where a field does not fit its width."""
    values = (
        header.user_id,
        header.task_id,
        int(header.modality),
        int(header.public),
        0,
        header.model_fingerprint,
        header.extent,
    )
    number = 0
    for value, width in zip(values, _WIDTHS, strict=True):
        if not 0 <= value < 1 << width:
            raise ValueError(f"a message field does not fit its width: {value} in {width} bits; {header}")
        number = number << width | value
    return number.to_bytes(MESSAGE_BYTES, "big")


def unpack_message_header(data: bytes) -> MessageHeader:
    """Inverse of :func:`pack_message_header`; raises HeaderError on another length or an unknown modality."""
    if len(data) != MESSAGE_BYTES:
        raise HeaderError(f"message fields have {MESSAGE_BYTES} bytes; got {len(data)}")
    number, values = int.from_bytes(data, "big"), list[int]()
    for width in reversed(_WIDTHS):
        values.insert(0, number & (1 << width) - 1)
        number >>= width
    user, task, modality, public, _, print_, extent = values
    if modality not in list(Modality):
        raise HeaderError(f"unknown modality {modality} in the message fields")
    return MessageHeader(user, task, Modality(modality), bool(public), print_, extent)


def short_fingerprint(fingerprint: int) -> int:
    """A model's fingerprint, 32 bits, in the 12 bits of a tag: 1 to 4095, 0 for none."""
    return 1 + fingerprint % _SHORT_PRINTS if fingerprint else 0


def pack_tag(task_id: int, public: bool, fingerprint: int) -> int:
    """Fields of a message in the tag of its only frame; raises ValueError for a task that is no byte."""
    if not 0 <= task_id <= 0xFF:
        raise ValueError(f"task number {task_id} does not fit a byte")
    return (task_id << 1 | int(public)) << _SHORT_BITS | short_fingerprint(fingerprint)


def unpack_tag(tag: int) -> tuple[int, bool, int]:
    """Task number, for every user, and short fingerprint."""
    return tag >> _SHORT_BITS + 1, bool(tag >> _SHORT_BITS & 1), tag & _SHORT_PRINTS


@dataclass(frozen=True)
class TransportHeader:
    """All that is said of a frame and of its message, in one.

    Attributes: as of :class:`m4sc.phy.header.fields.FrameHeader` and :class:`MessageHeader`; ``sequence``
    is the message's id. ``payload_bytes`` is that of a digital payload, of several users' that of their
    directory, of others the message's extent.
    ``short`` says that ``model_fingerprint`` is :func:`short_fingerprint`'s, as a tag holds it.
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
    interleaved: bool = False
    precoded: bool = False
    short: bool = False

    @property
    def fits_tag(self) -> bool:
        """Whether the frame header alone says all."""
        return self.n_segments == 1 and self.user_id == 0 and self.modality is modality_of_task(self.task_id)

    def is_of_model(self, fingerprint: int) -> bool:
        """Whether a model's 32-bit fingerprint is the one that was sent, as far as it was sent."""
        mine = short_fingerprint(fingerprint) if self.short else fingerprint
        return self.model_fingerprint == mine

    def model_name(self) -> str:
        """The sender's fingerprint for people; of a short one its number among 4095."""
        return f"number {self.model_fingerprint} of 4095" if self.short else f"{self.model_fingerprint:08x}"

    def split(self) -> tuple[FrameHeader, bytes]:
        """What the physical layer takes: the frame's header, and the message's fields in bytes."""
        digital, compact = self.payload_kind == PayloadKind.DIGITAL, self.fits_tag
        first = self.payload_bytes if self.payload_kind == PayloadKind.GROUP else self.task_id
        frame = FrameHeader(
            self.payload_kind,
            self.n_symbols,
            self.sequence,
            self.source_id,
            self.segment,
            self.n_segments,
            self.mcs,
            self.payload_bytes if digital else 0,
            self.interleaved,
            self.precoded,
            announced=not compact,
            tag=pack_tag(first, self.public, self.model_fingerprint) if compact else 0,
        )
        if compact:
            return frame, b""
        known = {
            field.name: getattr(self, field.name) for field in fields(MessageHeader) if field.name != "extent"
        }
        extent = 0 if digital else self.payload_bytes
        return frame, pack_message_header(MessageHeader(**known, extent=extent))

    @classmethod
    def join(cls, frame: FrameHeader, message: bytes) -> TransportHeader:
        """Inverse of :meth:`split`; raises HeaderError where the message's fields are missing or wrong."""
        of_group = 0
        if frame.announced and not message:
            raise HeaderError("the frame's header came through, the fields of its message did not")
        if frame.announced:
            about, short = unpack_message_header(message), False
        else:
            task_id, public, fingerprint = unpack_tag(frame.tag)
            if frame.payload_kind == PayloadKind.GROUP:
                of_group, task_id = task_id, 0
            about = MessageHeader(0, task_id, modality_of_task(task_id), public, fingerprint)
            short = True
        return cls(
            frame.payload_kind,
            frame.n_symbols,
            frame.message_id,
            frame.source_id,
            about.user_id,
            about.task_id,
            about.modality,
            frame.mcs,
            about.model_fingerprint,
            about.public,
            frame.segment,
            frame.n_segments,
            frame.payload_bytes if frame.payload_kind == PayloadKind.DIGITAL else about.extent or of_group,
            frame.interleaved,
            frame.precoded,
            short,
        )


@dataclass
class HeardFrame:
    """A received frame with all that is known of it.

    symbols: complex64 (n,); noise_var: float32 (n,), complex variance of each; snr_db, cfo_hz: estimates.
    """

    header: TransportHeader
    symbols: np.ndarray
    noise_var: np.ndarray
    snr_db: float = float("nan")
    cfo_hz: float = float("nan")
