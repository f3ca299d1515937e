"""What transmitter and receiver of pictures must agree on, weights aside."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from m4sc.json_fields import from_json

_MOST_BLOCKS = 64


@dataclass(frozen=True)
class ReconstructionConfig:
    """Shape of the picture codec.

    Attributes:
        tile: side of a tile in pixels; each tile is transformed, scaled and sent by itself.
        symbols: complex symbols a tile: 512 for 32 x 32 x 3 pixels is a bandwidth ratio (CBR) of 1/6.
        scale_symbols: of a tile's symbols those that carry the code word of its scale; a power of two.
        lowest_scale_db, scale_step_db: of the scales (power) that a tile may be sent with; four for each of
            `scale_symbols`.
        scale_power: least power of a scale's code word, in symbols of unit power.
        patch: pixels a side that make one position of the convolutional networks.
        encoder_width, encoder_blocks: channels and residual blocks of the transmitter's network.
        decoder_width, decoder_blocks: the same of the receiver's.
        condition_width: hidden channels that turn the noise into scales and shifts of each block.
        design_snr_db: SNR that the first allocation of power is optimal for.
        best_snr_db: highest Es/N0 of training; a better channel is received as one of this.
        worst_snr_db: a symbol that is worse, or did not arrive, is received as one of this Es/N0.
        max_side: pixels; a larger picture is reduced to this longer side before it is sent.
    """

    tile: int = 32
    symbols: int = 512
    scale_symbols: int = 8
    lowest_scale_db: float = -6.0
    scale_step_db: float = 0.4
    scale_power: float = 9.0
    patch: int = 2
    encoder_width: int = 64
    encoder_blocks: int = 2
    decoder_width: int = 96
    decoder_blocks: int = 6
    condition_width: int = 32
    design_snr_db: float = 6.0
    best_snr_db: float = 22.0
    worst_snr_db: float = -10.0
    max_side: int = 256

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 1:
                raise ValueError(f"{field.name} is {value}; it must be at least 1")
        if max(self.encoder_blocks, self.decoder_blocks) > _MOST_BLOCKS:
            raise ValueError(f"encoder_blocks and decoder_blocks are at most {_MOST_BLOCKS}")
        if self.tile % self.patch:
            raise ValueError(f"tile {self.tile} is no multiple of patch {self.patch}")
        if self.scale_symbols & (self.scale_symbols - 1):
            raise ValueError(f"scale_symbols is {self.scale_symbols}; it must be a power of two")
        if not 0 < self.scale_power < self.symbols:
            raise ValueError(f"scale_power is {self.scale_power}; a tile has the power {self.symbols}")
        if not 0 < self.coefficients <= self.pixels:
            raise ValueError(
                f"{self.symbols} symbols, {self.scale_symbols} of them for the scale, carry "
                f"{self.coefficients} coefficients; "
                f"a tile has 1 to {self.pixels}"
            )
        if self.max_side < self.tile:
            raise ValueError(f"max_side {self.max_side} is below the side of a tile, {self.tile}")

    @property
    def pixels(self) -> int:
        """Reals of a tile."""
        return 3 * self.tile**2

    @property
    def coefficients(self) -> int:
        """Coefficients of the transform that are sent of a tile."""
        return 2 * (self.symbols - self.scale_symbols)

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ReconstructionConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        return from_json(cls, text, "the picture codec's configuration")
