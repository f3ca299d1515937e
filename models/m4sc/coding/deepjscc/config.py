"""What transmitter and receiver of DeepJSCC must agree on, weights aside."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from m4sc.json_fields import from_json

KINDS = ("convolutional", "attention")
STRIDE = 4  # pixels a side of one position of the latents
_MOST_WIDTH, _MOST_BLOCKS = 512, 32


@dataclass(frozen=True)
class DeepJsccConfig:
    """Shape of the networks.

    Attributes:
        kind: "convolutional", five layers at each end, after Bourtsoulatze, Kurka and Gunduz (2019), or
            "attention", residual blocks that attend to SNR and rate, after Xu et al. (ADJSCC, 2021).
        channels: reals a position at the highest rate; 16 are a bandwidth ratio (CBR) of 1/6.
        rates: reals a position that may be sent, from the fewest up to `channels`; each even.
        width, fine_width: of "attention", feature maps at a quarter and at half of the resolution.
        encoder_blocks, decoder_blocks, fine_blocks: of "attention", residual blocks at a quarter of the
            resolution at each end, and of the receiver's at half of it; the transmitter has one there.
        least_snr_db, most_snr_db: Es/N0; a worse or better channel is taken as one of these.
    """

    kind: str = "attention"
    channels: int = 16
    rates: tuple[int, ...] = (2, 4, 6, 8, 12, 16)
    width: int = 64
    fine_width: int = 48
    encoder_blocks: int = 2
    decoder_blocks: int = 3
    fine_blocks: int = 2
    least_snr_db: float = -4.0
    most_snr_db: float = 20.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind '{self.kind}' is none of {', '.join(KINDS)}")
        if not self.rates or list(self.rates) != sorted(set(self.rates)) or self.rates[-1] != self.channels:
            raise ValueError(f"rates {self.rates} must rise to channels, {self.channels}, each once")
        if self.rates[0] < 2 or any(rate % 2 for rate in self.rates) or self.channels > 64:
            raise ValueError(f"rates {self.rates} must be even numbers from 2 to 64")
        if not 8 <= min(self.width, self.fine_width) <= max(self.width, self.fine_width) <= _MOST_WIDTH:
            raise ValueError(f"width and fine_width must be 8 to {_MOST_WIDTH}")
        blocks = (self.encoder_blocks, self.decoder_blocks, self.fine_blocks)
        if not 1 <= min(blocks) <= max(blocks) <= _MOST_BLOCKS:
            raise ValueError(f"numbers of blocks must be 1 to {_MOST_BLOCKS}; got {blocks}")
        if not self.least_snr_db < self.most_snr_db:
            raise ValueError("least_snr_db must be below most_snr_db")

    @classmethod
    def of_kind(cls, kind: str) -> DeepJsccConfig:
        """The usual shape of a kind; the convolutional one is trained at one rate, its highest.

        Raises:
            ValueError: no such kind.
        """
        usual = cls(kind)
        return replace(usual, rates=usual.rates[-1:]) if kind == "convolutional" else usual

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> DeepJsccConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        return from_json(cls, text, "DeepJSCC's configuration")
