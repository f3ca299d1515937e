"""The scale of a tile, told to the receiver by a code word beside the coefficients.

A tile is scaled to the transmitter's power. An analog pilot would tell the scale too inexactly: an error of
9 %, that of a pilot with 1 % of the power at 10 dB, costs as much as a third of all the noise. So the scale
is one of a grid, and its index a biorthogonal code word (rows of a Hadamard matrix and their negatives).
What the grid leaves of the power goes into the code word.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import hadamard
from torch import Tensor, nn

from m4sc.coding.reconstruction.config import ReconstructionConfig


class ScaleCode(nn.Module):
    """Grid of scales, their code words and how often each occurs."""

    words: Tensor
    scales: Tensor
    log_share: Tensor

    def __init__(self, config: ReconstructionConfig) -> None:
        super().__init__()
        self.total, self.least = float(config.symbols), config.scale_power
        rows = hadamard(2 * config.scale_symbols).astype(np.float32)
        words = np.concatenate([rows, -rows]) / np.sqrt(rows.shape[1])  # of unit power
        grid_db = config.lowest_scale_db + config.scale_step_db * np.arange(len(words))
        self.register_buffer("words", torch.from_numpy(words).float(), persistent=False)
        self.register_buffer("scales", torch.from_numpy(10 ** (grid_db / 20)).float(), persistent=False)
        self.register_buffer("log_share", torch.zeros(len(words)))

    def choose(self, power: Tensor) -> Tensor:
        """Index, int64 (n,), of the largest scale that leaves the code word its power; power: float (n,)."""
        room = (self.total - self.least) / power.detach()
        return (torch.searchsorted(self.scales.square(), room) - 1).clamp_min(0)

    def slope(self, values: Tensor) -> Tensor:
        """Ones, float (n, 1), with the gradient of the scale that unit power asks for, which a grid has not.

        Without it training would take a higher gain for free. It belongs to the scale at both ends.
        """
        scale = (self.total / values.square().sum(1, keepdim=True).clamp_min(1e-6)).sqrt()
        return scale / scale.detach()

    def send(self, values: Tensor) -> Tensor:
        """Values, float (n, count), scaled, behind their scale's code word, (n, words + count).

        Each row has the power `symbols`. Values too strong for the lowest scale are reduced further.
        """
        index = self.choose(values.square().sum(1))
        scaled = values * self.scales[index][:, None] * self.slope(values)
        power = scaled.square().sum(1, keepdim=True)
        left = (self.total - power).clamp_min(self.least)
        whole = torch.cat([self.words[index] * left.sqrt(), scaled], dim=1)
        return whole * (self.total / (power + left)).sqrt()

    @torch.no_grad()
    def receive(self, received: Tensor, noise_var: Tensor) -> Tensor:
        """Mean of the scale given a noisy code word, float (n, 1), without a gradient.

        received, noise_var: float (n, word), and the real noise of each.
        """
        match = (received / noise_var) @ self.words.T * self.least**0.5
        return (match + self.log_share).softmax(dim=1) @ self.scales[:, None]

    @torch.no_grad()
    def count(self, power: Tensor) -> None:
        """Learn how often each scale occurs from the power of values, float (n,)."""
        index = self.choose(power)
        counts = torch.bincount(index, minlength=len(self.scales)) + 1.0
        self.log_share.copy_((counts / counts.sum()).log())
