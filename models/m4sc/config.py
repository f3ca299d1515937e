"""The model's configuration; saved as JSON beside the weights, and part of the fingerprint of a pair."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class ModelConfig:
    """Everything that a transmitter and its receiver must agree on, weights aside.

    Attributes:
        llm, vision, speech: backbone names or folders (see :func:`m4sc.pretrained.resolve`).
        image_size: pixels; pictures are squeezed to a square of this side.
        image_grid: tokens a side of a picture.
        speech_tokens_per_s, speech_max_tokens: tokens of a sound.
        projector_grid: radial basis functions an input of the modality projectors.
        codec_grid, codec_hidden: the same and the width of the channel codec.
        image_symbols, speech_symbols, text_symbols: complex symbols a token.
        text_chunk: tokens of one chunk of text; a longer text is sent in chunks that end with a word.
        tasks: names of the tasks that the weights were trained for.
        lora_rank, lora_alpha: of the receiver's adapter on q, v and o.
    """

    llm: str = "smollm2-135m-instruct"
    vision: str = "efficientnet-lite2"
    speech: str = "whisper-tiny.en"
    hidden_dim: int = 576
    image_size: int = 256
    image_grid: int = 4
    image_dim: int = 1280
    speech_dim: int = 384
    speech_tokens_per_s: int = 5
    speech_max_tokens: int = 32
    projector_grid: int = 4
    codec_grid: int = 5
    codec_hidden: int = 192
    image_symbols: int = 8
    speech_symbols: int = 8
    text_symbols: int = 6
    text_chunk: int = 24
    tasks: tuple[str, ...] = ("classify", "caption", "mosaic", "digits", "transcribe", "text")
    lora_rank: int = 16
    lora_alpha: int = 32

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 1:
                raise ValueError(f"{field.name} is {value}; it must be at least 1")

    def symbols_per_token(self, modality: str) -> int:
        """Complex symbols that carry one token of a modality."""
        return int(
            {"image": self.image_symbols, "speech": self.speech_symbols, "text": self.text_symbols}[modality]
        )

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """Inverse of :meth:`to_json`; raises ValueError on unknown keys."""
        values = json.loads(text)
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown keys in the model configuration: {', '.join(sorted(unknown))}")
        if "tasks" in values:
            values["tasks"] = tuple(values["tasks"])
        return cls(**values)
