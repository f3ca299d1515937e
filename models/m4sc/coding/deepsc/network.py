"""DeepSC's two ends, after Xie, Qin, Li and Juang (IEEE Trans. Signal Processing 69, 2021).

Semantic encoder (transformer) and channel encoder (dense), channel decoder (dense) and semantic decoder
(transformer). Unlike theirs the decoder says all pieces of words at once, each from the symbols at its place
and those around it, not one after the other.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from m4sc.coding.deepsc.config import DeepScConfig


class DeepScNetwork(nn.Module):
    """Both ends."""

    def __init__(self, config: DeepScConfig) -> None:
        super().__init__()
        self.config = config
        width, reals = config.width, 2 * config.symbols
        self.embedding = nn.Embedding(config.pieces, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.semantic_encoder = _transformer(config)
        self.channel_encoder = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, reals)
        )
        self.enter = nn.Linear(reals + 1, width)  # and how noisy they are
        self.channel_decoder = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        self.normal = nn.LayerNorm(width)
        self.semantic_decoder = _transformer(config)
        self.leave = nn.LayerNorm(width)

    def send(self, pieces: Tensor, there: Tensor) -> Tensor:
        """Pieces to symbols, float (n, t, s, 2), unit mean power over each run; zero where nothing is.

        Args:
            pieces: long (n, t), t at most ``run``.
            there: bool (n, t), False behind the end of a run.
        """
        width = self.config.width
        x = self.embedding(pieces) * math.sqrt(width) + _places(pieces.shape[1], width, pieces.device)
        x = self.semantic_encoder(x, src_key_padding_mask=~there)
        own = self.channel_encoder(x).float() * there[..., None]
        power = (
            2 * own.square().sum((1, 2)) / (there.sum(1) * own.shape[2]).clamp_min(1)
        )  # of a complex symbol
        sent = own * (power + 1e-12).rsqrt()[:, None, None]
        return sent.unflatten(2, (self.config.symbols, 2))

    def receive(self, symbols: Tensor, noise_var: Tensor, there: Tensor) -> Tensor:
        """Received symbols to scores of pieces, float (n, t, pieces).

        Args:
            symbols: float (n, t, s, 2), unbiased.
            noise_var: float (n, t, s), complex.
            there: bool (n, t).
        """
        config = self.config
        least, most = 10 ** (-config.most_snr_db / 10), 10 ** (-config.least_snr_db / 10)
        noise = noise_var.clamp(least, most)
        believed = (symbols / (1 + noise)[..., None]).flatten(2)
        told = noise.log10().mean(-1, keepdim=True)
        x = self.enter(torch.cat([believed, told], dim=-1))
        x = self.normal(x + self.channel_decoder(x))
        x = x + _places(x.shape[1], config.width, x.device)
        x = self.leave(self.semantic_decoder(x, src_key_padding_mask=~there))
        scores: Tensor = x @ self.embedding.weight.T
        return scores


def _transformer(config: DeepScConfig) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        config.width, config.heads, config.hidden, dropout=0.0, batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)


def _places(count: int, width: int, device: torch.device) -> Tensor:
    """Sines and cosines that tell places apart, float (count, width)."""
    place = torch.arange(count, device=device)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10_000.0) / width))
    return torch.stack([(place * rate).sin(), (place * rate).cos()], dim=2).flatten(1)
