"""What transmitter and receiver of DeepSC must agree on, weights and pieces of words aside."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from m4sc.json_fields import from_json

_MOST_PIECES, _MOST_WIDTH, _MOST_LAYERS, _MOST_RUN = 1 << 16, 1024, 12, 512


@dataclass(frozen=True)
class DeepScConfig:
    """Shape of the networks.

    Attributes:
        pieces: of words, in the vocabulary.
        symbols: complex symbols a piece.
        run: pieces that are read together; a longer text is several runs.
        width, heads, layers, hidden: of the transformers at each end.
        least_snr_db, most_snr_db: Es/N0; a worse or better channel is taken as one of these.
    """

    pieces: int = 3000
    symbols: int = 6
    run: int = 32
    width: int = 128
    heads: int = 8
    layers: int = 2
    hidden: int = 256
    least_snr_db: float = -10.0
    most_snr_db: float = 20.0

    def __post_init__(self) -> None:
        if not 257 <= self.pieces <= _MOST_PIECES:
            raise ValueError(f"pieces must be 257 (every byte is one) to {_MOST_PIECES}; got {self.pieces}")
        if not 1 <= self.symbols <= 64 or not 1 <= self.run <= _MOST_RUN:
            raise ValueError(f"symbols must be 1 to 64 and run 1 to {_MOST_RUN}")
        if not 8 <= min(self.width, self.hidden) <= max(self.width, self.hidden) <= _MOST_WIDTH:
            raise ValueError(f"width and hidden must be 8 to {_MOST_WIDTH}")
        if self.heads < 1 or self.width % self.heads or self.width % 2:
            raise ValueError(f"width {self.width} must be even and a multiple of heads, {self.heads}")
        if not 1 <= self.layers <= _MOST_LAYERS:
            raise ValueError(f"layers must be 1 to {_MOST_LAYERS}; got {self.layers}")
        if not self.least_snr_db < self.most_snr_db:
            raise ValueError("least_snr_db must be below most_snr_db")

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> DeepScConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        return from_json(cls, text, "DeepSC's configuration")
