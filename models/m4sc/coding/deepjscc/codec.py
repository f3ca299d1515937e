"""Pictures of any size to DeepJSCC's symbols and back, with trained weights."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from m4sc.coding.deepjscc.config import STRIDE, DeepJsccConfig
from m4sc.coding.deepjscc.network import DeepJsccNetwork
from m4sc.coding.reconstruction.size_field import SIZE_SYMBOLS, read_size, size_symbols
from m4sc.tensor_file import load_network, packed, save_network

BARE_SIDE = 32
"""Pixels of a square picture that is sent without a field for its size."""
MOST_SIDE = 1024
"""Pixels a side of the largest picture that is sent; one is not made smaller without being asked."""
_LEAST_SIDE = 8  # a smaller picture is filled up to it
DESIGN_SNR_DB = 10.0
"""Es/N0 that the transmitter believes in where it is told none."""


class DeepJsccPictures:
    """Picture encoder and decoder around one set of weights.

    A picture of 32 x 32 is sent as its latents. Any other is preceded by its size
    (:mod:`m4sc.coding.reconstruction.size_field`); a symbol is added where that makes the number of symbols
    even, since it is even for the former.
    """

    def __init__(self, network: DeepJsccNetwork, fingerprint: int = 0) -> None:
        self.network, self.config, self.fingerprint = network.eval(), network.config, fingerprint

    def rate_for(self, height: int, width: int, symbols: int | None) -> int:
        """The highest rate of the weights that takes no more than `symbols` complex symbols for a picture.

        Raises:
            ValueError: even the lowest takes more.
        """
        fitting = [
            rate
            for rate in self.config.rates
            if symbols is None or self.symbols_of(height, width, rate) <= symbols
        ]
        if not fitting:
            least = self.symbols_of(height, width, self.config.rates[0])
            raise ValueError(
                f"a picture of {height} x {width} takes at least {least} symbols; {symbols} are allowed"
            )
        return fitting[-1]

    def symbols_of(self, height: int, width: int, rate: int) -> int:
        """Complex symbols that a picture takes at a rate, its size included."""
        own = _positions(height, width) * rate // 2
        return own if is_bare(height, width) else (SIZE_SYMBOLS + own) | 1

    @torch.inference_mode()
    def encode(
        self, picture: np.ndarray, symbols: int | None = None, snr_db: float | None = None
    ) -> np.ndarray:
        """Picture, uint8 (H, W, 3), to latents, float32 (k, 2), unit mean power.

        Args:
            picture: each side 1 to `MOST_SIDE` pixels.
            symbols: complex symbols at most; None: the highest rate.
            snr_db: Es/N0 that is expected; None: `DESIGN_SNR_DB`.

        Raises:
            ValueError: the picture is none, is too large, or does not fit `symbols`.
        """
        if picture.ndim != 3 or picture.shape[-1] != 3 or picture.dtype != np.uint8 or not picture.size:
            raise ValueError(f"a picture is uint8 (H, W, 3); got {picture.dtype} {picture.shape}")
        height, width = picture.shape[:2]
        if max(height, width) > MOST_SIDE:
            raise ValueError(f"a picture of {height} x {width} is too large; sides are 1 to {MOST_SIDE}")
        rate = self.rate_for(height, width, symbols)
        pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
        told = torch.tensor([DESIGN_SNR_DB if snr_db is None else snr_db])
        sent = self.network.send(_filled(pixels), told, rate)[0]
        latents: np.ndarray = sent.permute(1, 2, 0).reshape(-1, 2).numpy()  # position by position
        if not is_bare(height, width):
            size = size_symbols(height, width)
            filler = np.ones((self.symbols_of(height, width, rate) - SIZE_SYMBOLS - len(latents), 2)) / 2**0.5
            latents = np.concatenate([np.stack([size.real, size.imag], axis=1), latents, filler])
        return latents.astype(np.float32)

    @torch.inference_mode()
    def decode(self, symbols: np.ndarray, noise_var: np.ndarray) -> np.ndarray:
        """Received symbols to a picture, uint8 (h, w, 3).

        Args:
            symbols: complex64 (k,), unbiased.
            noise_var: float32 (k,), complex; infinite where nothing arrived.

        Raises:
            ValueError: no picture has so many symbols, or its size cannot be read.
        """
        height, width, rate, y, noise = self._sized(symbols, noise_var)
        noise = np.where(np.isfinite(y) & np.isfinite(noise), noise, np.inf)
        y = np.where(np.isinf(noise), 0, y)
        rows, columns = (_filled_side(n) // STRIDE for n in (height, width))

        def as_latents(pairs: np.ndarray) -> Tensor:
            grid = pairs.astype(np.float32).reshape(rows, columns, rate)
            return torch.from_numpy(grid).permute(2, 0, 1)[None]

        latents = as_latents(np.stack([y.real, y.imag], axis=1))
        shown = self.network.receive(latents, as_latents(np.stack([noise, noise], axis=1)))[0]
        whole = shown.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        return np.ascontiguousarray(whole[:height, :width])

    def _sized(
        self, symbols: np.ndarray, noise_var: np.ndarray
    ) -> tuple[int, int, int, np.ndarray, np.ndarray]:
        """Height, width, rate, and the latents' symbols and noise; raises ValueError as :meth:`decode`."""
        count = len(symbols)
        if count != len(noise_var):
            raise ValueError(f"{count} symbols came with {len(noise_var)} noise variances")
        height = width = BARE_SIDE
        if count % 2:
            if count <= SIZE_SYMBOLS:
                raise ValueError(f"{count} symbols are no picture; its size alone takes {SIZE_SYMBOLS}")
            height, width = read_size(symbols[:SIZE_SYMBOLS], noise_var[:SIZE_SYMBOLS])
            symbols, noise_var = symbols[SIZE_SYMBOLS:], noise_var[SIZE_SYMBOLS:]
        for rate in self.config.rates:
            if max(height, width) <= MOST_SIDE and self.symbols_of(height, width, rate) == count:
                own = _positions(height, width) * rate // 2
                return height, width, rate, symbols[:own], noise_var[:own]
        raise ValueError(
            f"{count} symbols are no picture of {height} x {width} at any of the rates; transmitter and "
            "receiver use different models"
        )

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` (float16) and ``config.json``."""
        state = {key: value.detach().contiguous() for key, value in self.network.state_dict().items()}
        save_network(packed(state), self.config.to_json(), folder)


def load_deepjscc(folder: Path) -> DeepJsccPictures:
    """Read what :meth:`DeepJsccPictures.save` wrote; the fingerprint covers configuration and weights.

    Raises:
        FileNotFoundError: no such files.
        ValueError: the weights do not fit their configuration.
    """
    text = (folder / "config.json").read_text(encoding="utf-8")
    config = DeepJsccConfig.from_json(text)
    network = load_network(lambda: DeepJsccNetwork(config), folder)
    fingerprint = zlib.crc32((folder / "model.safetensors").read_bytes(), zlib.crc32(text.encode()))
    return DeepJsccPictures(network, fingerprint)


def is_bare(height: int, width: int) -> bool:
    """Whether a picture of such sides is sent without a field for its size."""
    return height == width == BARE_SIDE


def _filled_side(length: int) -> int:
    return max(_LEAST_SIDE, length + -length % STRIDE)


def _positions(height: int, width: int) -> int:
    return (_filled_side(height) // STRIDE) * (_filled_side(width) // STRIDE)


def _filled(pictures: Tensor) -> Tensor:
    """float (n, 3, h, w), filled up below and to the right by its last row and column."""
    height, width = pictures.shape[-2:]
    lacking = (0, _filled_side(width) - width, 0, _filled_side(height) - height)
    return nn.functional.pad(pictures, lacking, mode="replicate")
