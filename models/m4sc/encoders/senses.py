"""What a transmitter sees and hears with: the frozen encoders of one configuration."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np

from m4sc.config import ModelConfig
from m4sc.encoders.image import ImageEncoder
from m4sc.encoders.speech import SpeechEncoder
from m4sc.message import Message

_REMEMBERED = 16
"""Sounds whose words are remembered: a message that is sent again is not heard again."""


class Senses:
    """Encoders of pictures and sounds, each loaded when the first of its messages comes.

    Args:
        config: names the encoders.
        listen: folder of the adapter that hears words; None for the speech encoder's own.
    """

    def __init__(self, config: ModelConfig, listen: Path | None = None) -> None:
        self.config, self.listen = config, listen
        self._heard: dict[bytes, str] = {}

    @cached_property
    def image_encoder(self) -> ImageEncoder:
        """Of pictures."""
        c = self.config
        return ImageEncoder(c.vision, c.image_size, c.small_image_size, c.image_grid)

    @cached_property
    def speech_encoder(self) -> SpeechEncoder:
        """Of sounds and spoken words."""
        c = self.config
        return SpeechEncoder(c.speech, c.speech_tokens_per_s, c.speech_max_tokens, self.listen)

    def words(self, message: Message) -> str:
        """A text, or the words heard in a sound.

        Raises:
            ValueError: no word was heard.
        """
        if message.modality == "text":
            return str(message.data)
        text = self._words_in(np.ascontiguousarray(message.data))
        if not text.strip():
            raise ValueError("no word was heard in the sound, so there is nothing to transcribe")
        return text

    def _words_in(self, samples: np.ndarray) -> str:
        """What is heard in a sound, float32 (n,); the last few are remembered."""
        key = hashlib.sha256(samples.tobytes()).digest()
        if key not in self._heard:
            if len(self._heard) >= _REMEMBERED:
                self._heard.pop(next(iter(self._heard)))
            self._heard[key] = str(self.speech_encoder.transcribe(samples))
        return self._heard[key]
