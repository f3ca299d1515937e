"""Texts to DeepSC's symbols and back, with trained weights."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from m4sc.coding.deepsc.config import DeepScConfig
from m4sc.coding.deepsc.network import DeepScNetwork
from m4sc.coding.deepsc.pieces import FILE, Pieces
from m4sc.tensor_file import load_network, packed, save_network

MOST_PIECES = 4096
"""Of a text."""
_UNKNOWN_NOISE = 1e3  # of what did not arrive


class DeepScTexts:
    """Text encoder and decoder around one set of weights.

    The number of symbols tells how many pieces of words there are; nothing else is sent, and nothing checked.
    """

    def __init__(self, network: DeepScNetwork, pieces: Pieces, fingerprint: int = 0) -> None:
        if len(pieces) > network.config.pieces:
            raise ValueError(f"the weights know {network.config.pieces} pieces, not {len(pieces)}")
        self.network, self.config, self.fingerprint = network.eval(), network.config, fingerprint
        self.pieces = pieces

    @torch.inference_mode()
    def encode(self, text: str) -> np.ndarray:
        """Latents of a text, float32 (k, 2), unit mean power.

        Raises:
            ValueError: the text is empty, or has more than `MOST_PIECES` pieces.
        """
        numbers = self.pieces.numbers(text)
        if not 1 <= len(numbers) <= MOST_PIECES:
            raise ValueError(f"a text has 1 to {MOST_PIECES} pieces of words, not {len(numbers)}")
        there = _there(len(numbers), self.config.run)
        filled = torch.zeros(there.shape, dtype=torch.long)
        filled[there] = torch.tensor(numbers)
        sent: np.ndarray = self.network.send(filled, there)[there].reshape(-1, 2).numpy()
        return sent.astype(np.float32)

    @torch.inference_mode()
    def decode(self, symbols: np.ndarray, noise_var: np.ndarray) -> str:
        """Received symbols to a text.

        Args:
            symbols: complex64 (k,), unbiased.
            noise_var: float32 (k,), complex; infinite where nothing arrived.

        Raises:
            ValueError: no text has so many symbols.
        """
        each = self.config.symbols
        count = len(symbols) // each
        if len(symbols) != len(noise_var) or len(symbols) % each or not 1 <= count <= MOST_PIECES:
            raise ValueError(
                f"{len(symbols)} symbols with {len(noise_var)} noise variances are no text of {each} a piece"
            )
        known = np.isfinite(symbols) & np.isfinite(noise_var)
        y, noise = np.where(known, symbols, 0), np.where(known, noise_var, _UNKNOWN_NOISE)
        there = _there(count, self.config.run)
        pairs = torch.from_numpy(np.stack([y.real, y.imag], axis=1).astype(np.float32))
        shown = self.network.receive(
            _in_runs(pairs.reshape(count, each, 2), there),
            _in_runs(torch.from_numpy(noise.astype(np.float32)).reshape(count, each), there),
            there,
        )
        return self.pieces.text(shown[there][:, : len(self.pieces)].argmax(-1).tolist())

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors``, ``config.json`` and the vocabulary."""
        state = {key: value.detach().contiguous() for key, value in self.network.state_dict().items()}
        save_network(packed(state), self.config.to_json(), folder)
        self.pieces.save(folder)


def load_deepsc(folder: Path) -> DeepScTexts:
    """Read what :meth:`DeepScTexts.save` wrote; the fingerprint covers all of it.

    Raises:
        FileNotFoundError: no such files.
        ValueError: the weights do not fit their configuration.
    """
    text = (folder / "config.json").read_text(encoding="utf-8")
    config, pieces = DeepScConfig.from_json(text), Pieces.load(folder)
    network = load_network(lambda: DeepScNetwork(config), folder)
    fingerprint = zlib.crc32(text.encode())
    for name in ("model.safetensors", FILE):
        fingerprint = zlib.crc32((folder / name).read_bytes(), fingerprint)
    return DeepScTexts(network, pieces, fingerprint)


def _there(count: int, run: int) -> Tensor:
    """Which places of runs are taken, bool (runs, t): all but the last are whole."""
    runs = -(-count // run)
    return torch.arange(runs * min(run, count)).reshape(runs, -1) < count


def _in_runs(values: Tensor, there: Tensor) -> Tensor:
    """float (count, ...) at the places that are taken, zeros elsewhere: (runs, t, ...)."""
    found = values.new_zeros(*there.shape, *values.shape[1:])
    found[there] = values
    return found
