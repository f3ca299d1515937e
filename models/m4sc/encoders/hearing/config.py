"""What an adapter of the speech backbone was made for; saved as JSON beside its weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields


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
        """Inverse of :meth:`to_json`; raises ValueError on unknown keys."""
        values = json.loads(text)
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown keys in the adapter's configuration: {', '.join(sorted(unknown))}")
        return cls(**values)
