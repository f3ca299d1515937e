"""Sounds as bytes: Opus at a rate of choice, Codec2 at its highest, or FLAC, which loses nothing."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from m4sc.codecs import source_coding
from m4sc.codecs.rivals.codec2 import decode_codec2, encode_codec2
from m4sc.media.limits import Limits
from m4sc.message import SAMPLE_RATE_HZ, Message

CODERS = ("opus", "codec2", "flac")


@dataclass(frozen=True)
class SoundCoder:
    """A source codec of sounds.

    Attributes:
        coder: one of `CODERS`.
        bits_per_s: of Opus, 6000 to 128000.
    """

    coder: str
    bits_per_s: int = 12_000

    def __post_init__(self) -> None:
        if self.coder not in CODERS:
            raise ValueError(f"coder of sounds '{self.coder}' is none of {', '.join(CODERS)}")
        if not 6_000 <= self.bits_per_s <= 128_000:
            raise ValueError(f"bits_per_s is {self.bits_per_s}; Opus takes 6000 to 128000")

    def source_encode(self, message: Message) -> bytes:
        """A sound's bytes.

        Raises:
            ValueError: the message is no sound.
        """
        if message.modality != "speech":
            raise ValueError(f"{self.coder} takes sounds, but the message is {message.modality}")
        samples = np.asarray(message.data, np.float32)
        if self.coder == "opus":
            return source_coding.encode_sound(samples, self.bits_per_s)
        if self.coder == "codec2":
            return encode_codec2(samples)
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
        return buffer.getvalue()

    def source_decode(self, payload: bytes, modality: str) -> Message:
        """The sound of its bytes.

        Raises:
            MessageError: bytes that are none of this coder's.
        """
        if self.coder == "opus":
            return source_coding.source_decode(payload, "speech")
        if self.coder == "codec2":
            return decode_codec2(payload)
        limits = Limits(file_bytes=1 << 20)
        return Message.from_bytes(payload, "speech", limits)
