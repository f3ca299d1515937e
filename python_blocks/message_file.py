"""A delivered message as a file's bytes."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np

MIMES = {
    "image": "image/png",
    "speech": "audio/wav",
    "text": "text/plain",
    "image+speech": "application/octet-stream",
}


def message_bytes(message: Any) -> bytes:
    """A message as a file: PNG, WAV (16 bit, 16 kHz) or UTF-8; both first ones as `join_files` does."""
    if message.modality == "text":
        return str(message.data).encode("utf-8")
    if message.modality == "image+speech":
        from m4sc.message import Message, join_files

        picture, sound = message.data
        return join_files(message_bytes(Message("image", picture)), message_bytes(Message("speech", sound)))
    buffer = io.BytesIO()
    if message.modality == "image":
        from PIL import Image

        Image.fromarray(np.asarray(message.data, dtype=np.uint8)).save(buffer, "PNG")
    else:
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((np.clip(message.data, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
