"""What an adapter of the speech backbone was made for; saved as JSON beside its weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from m4sc.json_fields import from_json


@dataclass(frozen=True)
class HearingConfig:
    """What an adapter is.

    Attributes:
        speech: backbone (see :func:`m4sc.pretrained.resolve`).
        rank, alpha: of the adapter (LoRA).
        margin: by how much the adapted model's mean log probability of a token must be above the backbone's
            own for its words to be taken; minus infinity takes them always.
    """

    speech: str = "whisper-tiny.en"
    rank: int = 32
    alpha: int = 64
    margin: float = 0.4

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> HearingConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        return from_json(cls, text, "the adapter's configuration")
