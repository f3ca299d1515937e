"""Pictures of any size to latents and back, with trained weights."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from m4sc.coding.reconstruction.concealment import conceal
from m4sc.coding.reconstruction.config import ReconstructionConfig
from m4sc.coding.reconstruction.network import ReconstructionNetwork
from m4sc.coding.reconstruction.size_field import SIZE_SYMBOLS, read_size, size_symbols
from m4sc.coding.reconstruction.tiles import cut, tile_count, tile_pixels
from m4sc.tensor_file import load_network

_PART = 16  # tiles at a time, for memory's sake
_MOST = 0.5  # share of a tile's symbols without which it is filled from its neighbours


class PictureCodec:
    """Picture encoder and decoder around one set of weights.

    A picture of exactly one tile is sent as the tile's symbols and nothing else. Any other is preceded by its
    size (:mod:`m4sc.coding.reconstruction.size_field`), so the number of symbols tells the two apart.
    """

    def __init__(self, network: ReconstructionNetwork, fingerprint: int = 0) -> None:
        self.network = network.eval()
        self.config: ReconstructionConfig = network.config
        self.fingerprint = fingerprint

    def fitted(self, picture: np.ndarray) -> np.ndarray:
        """The picture as it is sent, uint8 (h, w, 3): reduced to ``max_side`` if it is larger."""
        longest = max(picture.shape[:2])
        if longest <= self.config.max_side:
            return picture
        height, width = (max(1, round(n * self.config.max_side / longest)) for n in picture.shape[:2])
        return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))

    def symbols_of(self, picture: np.ndarray) -> int:
        """Complex symbols that :meth:`encode` makes of a picture, uint8 (H, W, 3)."""
        height, width = picture.shape[:2]
        longest = max(height, width, self.config.max_side)
        height, width = (max(1, round(n * self.config.max_side / longest)) for n in (height, width))
        own = tile_count(height, width, self.config.tile) * self.config.symbols
        return own if self._is_one_tile(height, width) else own + SIZE_SYMBOLS

    @torch.inference_mode()
    def encode(self, picture: np.ndarray) -> np.ndarray:
        """Picture, uint8 (H, W, 3), to latents, float32 (k, 2), unit mean power.

        Raises:
            ValueError: not such an array.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
            raise ValueError(f"a picture is uint8 (H, W, 3); got {picture.dtype} {picture.shape}")
        picture = self.fitted(picture)
        planes = torch.from_numpy(picture.astype(np.float32).transpose(2, 0, 1).copy())[None]
        tiles = cut(planes, self.config.tile)[0]
        sent = torch.cat([self.network.send(part) for part in tiles.split(_PART)])
        latents = sent.reshape(-1, 2).numpy()
        if not self._is_one_tile(*picture.shape[:2]):
            named = size_symbols(*picture.shape[:2])
            latents = np.concatenate([np.stack([named.real, named.imag], axis=1), latents])
        return latents.astype(np.float32)

    def holds(self, count: int) -> bool:
        """Whether `count` complex symbols can be a picture."""
        tiles, rest = divmod(count - SIZE_SYMBOLS, self.config.symbols)
        return count == self.config.symbols or (tiles >= 1 and rest == 0)

    def decode(self, symbols: np.ndarray, noise_var: np.ndarray) -> np.ndarray:
        """Received symbols to a picture, uint8 (h, w, 3).

        Args:
            symbols: complex64 (k,), unbiased.
            noise_var: float32 (k,), complex; infinite where nothing arrived.

        Raises:
            ValueError: no picture has so many symbols, or its size cannot be read.
        """
        return self.decode_many([(symbols, noise_var)])[0]

    @torch.inference_mode()
    def decode_many(self, received: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """As :meth:`decode`, of each pair; pictures of one size are decoded together."""
        sizes = [self._size(*pair) for pair in received]
        pictures: dict[int, np.ndarray] = {}
        for size in dict.fromkeys(sizes):
            chosen = [i for i, other in enumerate(sizes) if other == size]
            count = tile_count(*size, self.config.tile) * self.config.symbols
            y = torch.stack([_pairs(received[i][0][-count:]) for i in chosen])
            n = torch.from_numpy(np.stack([received[i][1][-count:] for i in chosen]).astype(np.float32))
            shape = (len(chosen), -1, self.config.symbols)
            step = max(1, _PART * self.config.symbols // count)
            parts = zip(y.reshape(*shape, 2).split(step), n.reshape(shape).split(step), strict=True)
            whole = torch.cat([self._receive(*part, size) for part in parts])
            for i, picture in zip(chosen, whole, strict=True):
                pictures[i] = _as_bytes(picture)[: size[0], : size[1]]
        return [pictures[i] for i in range(len(received))]

    def _receive(self, y: Tensor, noise_var: Tensor, size: tuple[int, int]) -> Tensor:
        """Pictures of one size, float (n, 3, h, w); lost tiles are filled before the networks refine them."""
        planes = self.network.joined(y, noise_var, size)
        for own, noise in zip(planes, noise_var, strict=True):
            lost = noise.isinf().float().mean(dim=1) > _MOST  # (tiles,)
            if lost.any() and not lost.all():
                pixels = tile_pixels(lost.numpy(), *size, self.config.tile)
                own.copy_(torch.from_numpy(conceal(own.numpy(), pixels)))
        return self.network.refine(planes)

    def _size(self, symbols: np.ndarray, noise_var: np.ndarray) -> tuple[int, int]:
        """Height and width of what was received; raises ValueError as :meth:`decode`."""
        if len(symbols) != len(noise_var) or not self.holds(len(symbols)):
            raise ValueError(
                f"{len(symbols)} symbols with {len(noise_var)} noise variances are no picture of tiles of "
                f"{self.config.symbols} symbols; transmitter and receiver use different models"
            )
        if not np.isfinite(symbols).all() or np.isnan(noise_var).any():
            raise ValueError("received symbols or noise variances are not finite")
        if len(symbols) == self.config.symbols:
            return self.config.tile, self.config.tile
        size = read_size(symbols[:SIZE_SYMBOLS], noise_var[:SIZE_SYMBOLS])
        count = len(symbols) - SIZE_SYMBOLS
        if tile_count(*size, self.config.tile) * self.config.symbols != count:
            raise ValueError(f"{count} symbols are not what a picture of {size[0]} x {size[1]} has")
        return size

    def _is_one_tile(self, height: int, width: int) -> bool:
        return height == width == self.config.tile

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` (float16) and ``config.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {key: value.detach().half().contiguous() for key, value in self.network.state_dict().items()}
        save_file(state, str(folder / "model.safetensors"))
        (folder / "config.json").write_text(self.config.to_json() + "\n", encoding="utf-8")


def load_codec(folder: Path) -> PictureCodec:
    """Read what :meth:`PictureCodec.save` wrote; the fingerprint covers configuration and weights.

    Raises:
        FileNotFoundError: no such files.
        ValueError: the weights do not fit their configuration.
    """
    text = (folder / "config.json").read_text(encoding="utf-8")
    config = ReconstructionConfig.from_json(text)
    network = load_network(lambda: ReconstructionNetwork(config), folder)
    fingerprint = zlib.crc32((folder / "model.safetensors").read_bytes(), zlib.crc32(text.encode()))
    return PictureCodec(network, fingerprint)


def _pairs(symbols: np.ndarray) -> Tensor:
    """complex (k,) to float (k, 2)."""
    return torch.from_numpy(np.stack([symbols.real, symbols.imag], axis=-1).astype(np.float32))


def _as_bytes(picture: Tensor) -> np.ndarray:
    """float (3, h, w) to uint8 (h, w, 3)."""
    return np.asarray(picture.round().clamp(0, 255).byte().permute(1, 2, 0).numpy())
