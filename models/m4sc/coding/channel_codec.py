"""KAN channel encoder and decoder: tokens in the LLM's embedding space to complex symbols and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from m4sc.coding.kan import RbfKanLayer

_NOTHING_HEARD = 1e4  # noise variance of a symbol that was not sent


class ChannelEncoder(nn.Module):
    """Token to symbols; the symbols of a message, or if `per_token` of each token, have unit mean power.

    The code is nested: the first symbols of each token are a code of a lower rate.
    """

    def __init__(self, dim: int, hidden: int, symbols: int, grid: int, per_token: bool = False) -> None:
        super().__init__()
        self.per_token = per_token
        self.first = RbfKanLayer(dim, hidden, grid)
        self.last = RbfKanLayer(hidden, 2 * symbols, grid)

    def forward(self, tokens: Tensor, mask: Tensor, rate: int | None = None) -> Tensor:
        """tokens: float (n, t, dim); mask: bool (n, t), False where padded; rate: symbols a token, or all.

        Returns float (n, t, rate, 2), I and Q, E[I^2 + Q^2] = 1 over each message's own tokens; 0
        where padded.
        """
        x = self.last(self.first(tokens)) * mask[..., None]
        x = x.unflatten(-1, (-1, 2))[:, :, :rate]  # (n, t, rate, 2)
        if self.per_token:
            power = x.square().sum((2, 3), keepdim=True) / x.shape[2]
            return x / (power + 1e-12).sqrt()  # padding is 0, where a root has no slope
        count = mask.sum(1) * x.shape[2]
        power = x.square().sum((1, 2, 3)) / count
        return x / power.sqrt().clamp_min(1e-6)[:, None, None, None]


class ChannelDecoder(nn.Module):
    """Symbols and their noise variance to tokens of a given RMS."""

    def __init__(self, dim: int, hidden: int, symbols: int, grid: int, rms: float) -> None:
        super().__init__()
        self.symbols = symbols
        self.first = RbfKanLayer(3 * symbols, hidden, grid)
        self.last = RbfKanLayer(hidden, dim, grid)
        self.out = nn.RMSNorm(dim)
        self.gain = nn.Parameter(torch.tensor(rms))

    def forward(self, symbols: Tensor, noise_var: Tensor) -> Tensor:
        """symbols: float (n, t, rate, 2), unbiased; noise_var: float (n, t, rate), complex.

        Returns float (n, t, dim). Symbols that a lower rate left out count as not heard. The others are
        first shrunk as the linear MMSE estimate of a unit-power symbol, so that a faded one cannot drown its
        token.
        """
        left_out = self.symbols - symbols.shape[2]
        if left_out:
            symbols = nn.functional.pad(symbols, (0, 0, 0, left_out))
            noise_var = nn.functional.pad(noise_var, (0, left_out), value=_NOTHING_HEARD)
        shrunk = symbols / (1.0 + noise_var)[..., None]
        snr = torch.log10(noise_var.clamp(1e-4, 1e4))  # decades; -log10 of the linear SNR
        x = torch.cat([shrunk.flatten(-2), 0.5 * snr], dim=-1)
        return self.out(self.last(self.first(x))) * self.gain
