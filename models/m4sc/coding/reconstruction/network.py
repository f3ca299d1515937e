"""Pictures to unit-power symbols and back: a linear transform at the core, a network at each end.

The transmitter adds a learned picture to the tile, so that the linear code of the sum is a better, non-linear
code of the tile. The receiver makes the linear MMSE estimate of that code's picture and adds what its network
sees in it. Both networks start at zero: training begins at the optimum of linear coding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from m4sc.coding.reconstruction.config import ReconstructionConfig
from m4sc.coding.reconstruction.scale import ScaleCode
from m4sc.coding.reconstruction.tiles import join
from m4sc.coding.reconstruction.transform import karhunen_loeve, linear_powers
from m4sc.training.warm_start import take_fitting

PIXEL_UNIT = 64.0  # grey levels; about the standard deviation of a picture
_CONDITIONS = 2


def _start_at_zero(layer: nn.Conv2d) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class _Block(nn.Module):
    """Residual block of two 3 x 3 convolutions; the condition scales and shifts what is between them."""

    def __init__(self, width: int, condition_width: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, width, 3, padding=1)
        _start_at_zero(self.last)
        self.scale = nn.Conv2d(condition_width, width, 1) if condition_width else None
        self.shift = nn.Conv2d(condition_width, width, 1) if condition_width else None

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        h = self.first(x)
        if self.scale is not None and self.shift is not None:
            h = h + h * self.scale(condition) + self.shift(condition)
        return x + self.last(nn.functional.gelu(h))


class _Refiner(nn.Module):
    """Convolutions on patches: float (n, c, h, w) to a correction, float (n, 3, h, w), that is 0 at first."""

    def __init__(self, channels: int, patch: int, width: int, blocks: int, condition_width: int = 0) -> None:
        super().__init__()
        self.patch = patch
        self.enter = nn.Conv2d(channels * patch**2, width, 3, padding=1)
        self.blocks = nn.ModuleList(_Block(width, condition_width) for _ in range(blocks))
        self.leave = nn.Conv2d(width, 3 * patch**2, 3, padding=1)
        _start_at_zero(self.leave)
        self.condition = (
            nn.Sequential(nn.Conv2d(_CONDITIONS, condition_width, 1), nn.GELU()) if condition_width else None
        )

    def forward(self, pictures: Tensor, condition: Tensor | None = None) -> Tensor:
        patches = nn.functional.pixel_unshuffle(pictures, self.patch)
        x = self.enter(patches.contiguous(memory_format=torch.channels_last))
        if self.condition is not None and condition is not None:
            condition = self.condition(condition.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = block(x, condition)
        return nn.functional.pixel_shuffle(self.leave(x).float(), self.patch)


class ReconstructionNetwork(nn.Module):
    """Both ends. Pictures are float (n, 3, h, w), 0 to 255; symbols float (.., symbols, 2), I and Q."""

    basis: Tensor
    patch_power: Tensor
    mean: Tensor

    def __init__(self, config: ReconstructionConfig) -> None:
        super().__init__()
        self.config = config
        count = config.coefficients
        self.register_buffer("basis", torch.zeros(count, config.pixels))  # rows are orthonormal
        # mean square of each basis vector in each patch
        self.register_buffer("patch_power", torch.zeros(count, (config.tile // config.patch) ** 2))
        self.register_buffer("mean", torch.zeros(config.pixels))
        self.scale = ScaleCode(config)
        self.log_gain = nn.Parameter(torch.zeros(count))  # of each coefficient
        self.log_var = nn.Parameter(torch.zeros(count))  # of each coefficient before its gain
        self.encoder = _Refiner(3, config.patch, config.encoder_width, config.encoder_blocks)
        self.decoder = _Refiner(
            4, config.patch, config.decoder_width, config.decoder_blocks, config.condition_width
        )

    @torch.no_grad()
    def start_linear(self, pictures: np.ndarray) -> np.ndarray:
        """Take the transform and the allocation of power from pictures, uint8 (n, tile, tile, 3).

        Returns the variances of all coefficients, float64 (pixels,), in grey levels squared.
        """
        config, count = self.config, self.config.coefficients
        mean, variances, basis = karhunen_loeve(pictures)
        side = config.tile
        as_planes = basis[:, :count].T.reshape(count, side, side, 3).transpose(0, 3, 1, 2)
        self.basis.copy_(torch.from_numpy(as_planes.reshape(count, -1)).float())
        power = self.basis.square().reshape(count, 3, side, side).mean(1, keepdim=True)
        self.patch_power.copy_(nn.functional.avg_pool2d(power, config.patch).flatten(1))
        self.mean.copy_(
            torch.from_numpy(mean.reshape(side, side, 3).transpose(2, 0, 1).reshape(-1) / PIXEL_UNIT)
        )
        units = np.maximum(variances[:count], 1e-3) / PIXEL_UNIT**2
        noise_var = 0.5 * 10 ** (-config.design_snr_db / 10)
        powers = linear_powers(units, count / 2, noise_var)
        self.log_gain.copy_(torch.from_numpy(0.5 * np.log(np.maximum(powers, 1e-3) / units)).float())
        self.log_var.copy_(torch.from_numpy(np.log(units)).float())
        sample = torch.from_numpy(pictures[:2000].transpose(0, 3, 1, 2).astype(np.float32))
        self.scale.count((self.coefficients(sample) * self.log_gain.exp()).square().sum(1))
        return variances

    def start_from(self, folder: Path) -> int:
        """Take over the convolutions of other weights that have a name and shape of these; their number.

        Raises:
            ValueError: none fits.
        """
        own = {key: value for key, value in self.state_dict().items() if "coder." in key}
        return take_fitting(self, own, folder)

    def coefficients(self, tiles: Tensor) -> Tensor:
        """Tiles, float (n, 3, tile, tile), to the coefficients of their non-linear code, float (n, count)."""
        x = tiles / PIXEL_UNIT - self.mean.reshape(3, self.config.tile, self.config.tile)
        x = x + self.encoder(x)
        return x.flatten(1).float() @ self.basis.T

    def send(self, tiles: Tensor) -> Tensor:
        """Tiles, float (n, 3, tile, tile), to symbols, float (n, symbols, 2), unit mean power each tile."""
        return self.send_with_slope(tiles)[0]

    def send_with_slope(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`send`, and what :meth:`estimate` needs of each tile's scale in training, float (n, 1)."""
        values = self.coefficients(tiles) * self.log_gain.exp()
        return self.scale.send(values).unflatten(1, (-1, 2)), self.scale.slope(values)

    def estimate(self, symbols: Tensor, noise_var: Tensor, slope: Tensor | None = None) -> Tensor:
        """Linear MMSE estimate of tiles, and how good it is.

        Args:
            symbols: float (n, symbols, 2), unbiased; noise_var: float (n, symbols), complex.
            slope: in training, of :meth:`send_with_slope`.

        Returns:
            float (n, 4 + 2, tile, tile): the code's picture, the logarithm of each patch's error,
            two planes of conditions: the noise's level in the picture and the tile's scale, both in decades.
        """
        y = symbols.flatten(1)
        # the networks know no better channel, and none that is much worse: a lost symbol counts as the worst
        least, most = 10 ** (-self.config.best_snr_db / 10), 10 ** (-self.config.worst_snr_db / 10)
        noise = 0.5 * noise_var.clamp(least, most).repeat_interleave(2, dim=1)  # of each real
        word = 2 * self.config.scale_symbols
        scale = self.scale.receive(y[:, :word], noise[:, :word])
        scale = scale if slope is None else scale * slope
        y, noise = y[:, word:], noise[:, word:]
        gain, var = self.log_gain.exp() * scale, self.log_var.exp()
        share = gain * var / (gain.square() * var + noise)
        picture = (share * y) @ self.basis + self.mean
        side, patches = self.config.tile, self.config.tile // self.config.patch
        error = ((var * (1 - share * gain)) @ self.patch_power).reshape(-1, 1, patches, patches)
        error = nn.functional.interpolate(0.5 * (error + 1e-4).log(), scale_factor=float(self.config.patch))
        level = (0.5 * (noise.log10().mean(1, keepdim=True)) - scale.log10())[:, :, None, None]
        planes = [
            picture.reshape(-1, 3, side, side),
            error,
            level.expand(-1, 1, side, side),
            scale.log10()[:, :, None, None].expand(-1, 1, side, side),
        ]
        return torch.cat(planes, dim=1)

    def refine(self, planes: Tensor) -> Tensor:
        """Planes of :meth:`estimate`, of a tile or of joined ones, to pictures, 0 to 255 but not clipped."""
        patch = self.config.patch
        height, width = planes.shape[-2:]
        lacking = (0, -width % patch, 0, -height % patch)
        if any(lacking):
            planes = nn.functional.pad(planes, lacking, mode="replicate")
        condition = nn.functional.avg_pool2d(planes[:, 4:], patch)
        picture = planes[:, :3] + self.decoder(planes[:, :4], condition)
        return picture[:, :, :height, :width] * PIXEL_UNIT

    def receive(
        self, symbols: Tensor, noise_var: Tensor, size: Sequence[int], slope: Tensor | None = None
    ) -> Tensor:
        """Symbols, float (n, t, symbols, 2), of pictures of one size (height, width) to the pictures.

        noise_var: float (n, t, symbols). Returns float (n, 3, h, w), 0 to 255 but not clipped; a side that is
        shorter than a tile's comes filled up to it.
        """
        return self.refine(self.joined(symbols, noise_var, size, slope))

    def joined(
        self, symbols: Tensor, noise_var: Tensor, size: Sequence[int], slope: Tensor | None = None
    ) -> Tensor:
        """As :meth:`receive`, but the planes of :meth:`estimate`, float (n, 6, h, w), not yet refined."""
        count = symbols.shape[1]
        planes = self.estimate(symbols.flatten(0, 1), noise_var.flatten(0, 1), slope)
        return join(planes.unflatten(0, (-1, count)), *size)
