"""Source codecs of the classical system: WebP pictures, Opus speech, Brotli text.

What :mod:`m4sc.codecs.fitted_picture` sends is read too.

Each is set for few bytes at a quality from which the model still reads the message: the classical system's
best case, since its air time follows its bytes.
"""

from __future__ import annotations

import io
import struct

import brotli
import numpy as np

from m4sc.codecs.fitted_picture import is_fitted, picture_of
from m4sc.media.limits import Limits
from m4sc.media.texts import expand_text
from m4sc.message import SAMPLE_RATE_HZ, Message, MessageError, join_files, split_files

PICTURE_SIDE = 256
"""Pixels of the longer side at most: what the image encoder reads."""
WEBP_QUALITY = 30
SMALL_SIDE = 64
SMALL_WEBP_QUALITY = 95
"""Of pictures of at most `SMALL_SIDE` pixels, which have no detail to lose: at the lower quality the model
names clearly fewer of them."""
OPUS_BITS_PER_S = 12_000
RECEIVED = Limits(
    file_bytes=1 << 20, pixels=PICTURE_SIDE**2, coarse_pixels=PICTURE_SIDE**2, picture_formats=("WEBP",)
)
"""What comes from the air is no larger than :func:`source_encode` makes anything."""
_LENGTH = struct.Struct("<IH")  # samples, packets
_PACKET = struct.Struct("<H")
_PACKET_S = 0.06
_PRE_SKIP = 312 * SAMPLE_RATE_HZ // 48_000  # libopus: samples before the sound's first; 312 at 48 kHz


def source_encode(message: Message) -> bytes:
    """Bytes of a message in its modality's codec."""
    if message.modality == "image":
        return _encode_picture(np.asarray(message.data))
    if message.modality == "speech":
        return encode_sound(np.asarray(message.data, np.float32))
    if message.modality == "image+speech":
        picture, sound = message.data
        return join_files(_encode_picture(np.asarray(picture)), encode_sound(np.asarray(sound, np.float32)))
    return bytes(brotli.compress(str(message.data).encode("utf-8"), mode=brotli.MODE_TEXT, quality=11))


def source_decode(payload: bytes, modality: str) -> Message:
    """Inverse of :func:`source_encode`, as far as a lossy codec has one.

    Raises:
        MessageError: the bytes are not of this codec, or more than it sends.
    """
    RECEIVED.check_bytes(payload, "message")
    if modality == "image" and is_fitted(payload):
        return Message("image", picture_of(payload))
    if modality == "image":
        return Message.from_bytes(payload, "image", RECEIVED)
    if modality == "speech":
        return Message("speech", _decode_sound(payload))
    if modality == "image+speech":
        picture, sound = split_files(payload)
        return Message(modality, (Message.from_bytes(picture, "image", RECEIVED).data, _decode_sound(sound)))
    return Message("text", expand_text(payload, RECEIVED))


def _encode_picture(pixels: np.ndarray) -> bytes:
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    quality = SMALL_WEBP_QUALITY if max(picture.size) <= SMALL_SIDE else WEBP_QUALITY
    picture.save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


def encode_sound(samples: np.ndarray, bits_per_s: int = OPUS_BITS_PER_S) -> bytes:
    """Opus packets without a container: a count of samples and packets, then each with its length.

    samples: float32 (n,), 16 kHz, -1 to 1.
    """
    import av

    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE_HZ, "mono", "s16"
    encoder.bit_rate = bits_per_s
    encoder.options = {"application": "voip", "frame_duration": f"{_PACKET_S * 1e3:.0f}"}
    encoder.open()
    size = encoder.frame_size
    pcm = (np.clip(np.pad(samples, (0, _PRE_SKIP)), -1, 1) * 32767).astype(np.int16)
    pcm = np.pad(pcm, (0, -pcm.size % size))
    packets = []
    for start in range(0, pcm.size, size):
        frame = av.AudioFrame.from_ndarray(pcm[None, start : start + size], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, start
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    coded = [bytes(packet) for packet in packets if packet.size]
    body = b"".join(_PACKET.pack(len(packet)) + packet for packet in coded)
    return _LENGTH.pack(samples.size, len(coded)) + body


def _decode_sound(payload: bytes) -> np.ndarray:
    import av
    from scipy.signal import resample_poly

    decoder = av.CodecContext.create("libopus", "r")
    decoder.layout, decoder.sample_rate = "mono", 48_000
    try:
        n_samples, n_packets = _LENGTH.unpack_from(payload)
        if max(n_samples / SAMPLE_RATE_HZ, n_packets * _PACKET_S - 1.0) > RECEIVED.sound_s:
            raise MessageError("the sound is longer than any that is sent; its bytes are broken")
        place, pieces, room = _LENGTH.size, [], int(48_000 * (RECEIVED.sound_s + 1.0))
        for _ in range(n_packets):
            (length,) = _PACKET.unpack_from(payload, place)
            place += _PACKET.size
            if place + length > len(payload):
                raise ValueError("a packet is cut off")
            frames = decoder.decode(av.Packet(payload[place : place + length]))
            pieces += [frame.to_ndarray().astype(np.float32).mean(axis=0) / 32768 for frame in frames]
            place += length
            room -= sum(frame.samples for frame in frames)
            if room < 0:  # a packet of others may hold 120 ms
                raise ValueError("more sound than announced")
        sound = resample_poly(np.concatenate(pieces), 1, 3).astype(np.float32)
    except MessageError:
        raise
    except (struct.error, ValueError, av.error.FFmpegError) as exc:
        raise MessageError("the sound cannot be decoded; its bytes are broken") from exc
    return sound[_PRE_SKIP : _PRE_SKIP + n_samples]
