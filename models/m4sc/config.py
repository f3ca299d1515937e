"""The model's configuration; saved as JSON beside the weights, and part of the fingerprint of a pair."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from m4sc.json_fields import from_json
from m4sc.tasks import Task

LATENTS = "latents"
LAYER_KINDS = ("rbf", "bspline", "mlp")


@dataclass(frozen=True)
class ModelConfig:
    """Everything that a transmitter and its receiver must agree on, weights aside.

    Attributes:
        llm, vision: backbone names or folders (see :func:`m4sc.pretrained.resolve`).
        speech: the same, or a name with an adapter (see :func:`m4sc.encoders.hearing.speech_folder`).
        image_size, small_image_size: pixels; pictures are squeezed to a square of this side; the second is
            for small ones (see :class:`m4sc.encoders.ImageEncoder`).
        image_grid: tokens a side of a picture.
        speech_tokens_per_s, speech_max_tokens: tokens of a sound.
        projector: layer of the modality projectors, one of `LAYER_KINDS` (`m4sc.coding.kan.make_layer`).
        projector_grid: basis functions an input of the modality projectors.
        codec_grid, codec_hidden: radial basis functions an input and the width of the channel codec.
        image_symbols, speech_symbols, text_symbols: complex symbols a token.
        text_chunk: tokens of one chunk of text; a longer text is sent in chunks that end with a word.
        tasks: names of the tasks that the weights were trained for.
        lora_rank, lora_alpha, lora_targets: of the receiver's adapter: rank, scale, layers that have one.
        image_rates: complex symbols a token that a picture may be sent with; nested, so that a lower rate
            sends the first symbols of each token.
        encode_tasks: tasks whose message the transmitter's LLM reads; of the others the projected tokens
            are sent (light path).
        latent_counts: semantic latents, S, that the transmitter's LLM may send, each for an equal part of the
            message.
        latent_symbols: complex symbols a semantic latent.
    """

    llm: str = "smollm2-135m-instruct"
    vision: str = "efficientnet-lite2"
    speech: str = "whisper-tiny.en+listen"
    hidden_dim: int = 576
    image_size: int = 320
    small_image_size: int = 256
    image_grid: int = 4
    image_dim: int = 1280
    speech_dim: int = 384
    speech_tokens_per_s: int = 5
    speech_max_tokens: int = 32
    projector: str = "rbf"
    projector_grid: int = 4
    codec_grid: int = 5
    codec_hidden: int = 192
    image_symbols: int = 8
    speech_symbols: int = 8
    text_symbols: int = 6
    text_chunk: int = 24
    tasks: tuple[str, ...] = (
        "classify",
        "caption",
        "mosaic",
        "vqa",
        "digits",
        "transcribe",
        "spoken-question",
        "text",
        "summarize",
        "text-question",
        "sound",
    )
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_targets: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    image_rates: tuple[int, ...] = (2, 4, 8)
    encode_tasks: tuple[str, ...] = ("summarize", "text-question", "sound")
    latent_counts: tuple[int, ...] = (4, 8, 16, 32)
    latent_symbols: int = 8

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 1:
                raise ValueError(f"{field.name} is {value}; it must be at least 1")
        if self.projector not in LAYER_KINDS:
            raise ValueError(f"projector '{self.projector}' is unknown; use one of {', '.join(LAYER_KINDS)}")
        if not all(1 <= rate <= self.image_symbols for rate in self.image_rates) or not self.image_rates:
            raise ValueError(
                f"image_rates {self.image_rates} must be from 1 to image_symbols, {self.image_symbols}"
            )
        if not self.latent_counts or min(self.latent_counts) < 1:
            raise ValueError(f"latent_counts {self.latent_counts} must be at least 1")

    @property
    def image_tokens(self) -> int:
        """Tokens of a picture."""
        return self.image_grid**2

    def codec_of(self, task: Task) -> str:
        """Which channel codec carries a task: a modality's, or `LATENTS` of the transmitter's LLM."""
        return LATENTS if task.name in self.encode_tasks else task.channel_codec

    def rates(self, codec: str) -> tuple[int, ...]:
        """Complex symbols a token that a channel codec may send."""
        return self.image_rates if codec == "image" else (self.symbols_per_token(codec),)

    def symbols_per_token(self, codec: str) -> int:
        """Most complex symbols that carry one token of a channel codec."""
        return {
            "image": self.image_symbols,
            "speech": self.speech_symbols,
            "text": self.text_symbols,
            LATENTS: self.latent_symbols,
        }[codec]

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        return from_json(cls, text, "the model's configuration")
