"""DeepJSCC's two ends.

Pictures are float (n, 3, h, w), 0 to 255, with sides that are multiples of four; latents float
(n, channels, h / 4, w / 4), of which the first `rate` channels are sent: two reals are a complex symbol.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from m4sc.coding.deepjscc.config import DeepJsccConfig

_HALF_RANGE = 127.5
_CONDITIONS = 2
_KERNEL = 5  # of the convolutional network


class _Attention(nn.Module):
    """Scales feature maps by what they hold on average and by the channel (ADJSCC's feature learning)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(width + _CONDITIONS, max(8, width // 4))
        self.leave = nn.Linear(max(8, width // 4), width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        seen = torch.cat([x.mean((2, 3)), condition.to(x.dtype)], dim=1)
        scale = 2 * torch.sigmoid(self.leave(nn.functional.gelu(self.enter(seen))))
        return x * scale[:, :, None, None]


class _Block(nn.Module):
    """Residual block of two 3 x 3 convolutions with attention; it passes its input on at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.attention = _Attention(width)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]  # it has one

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        return x + self.last(nn.functional.gelu(self.attention(self.first(x), condition)))


class _Blocks(nn.Module):
    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(width) for _ in range(count))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, condition)
        return x


class _AttentionEncoder(nn.Module):
    """float (n, 3, h, w), -1 to 1, to latents."""

    def __init__(self, config: DeepJsccConfig) -> None:
        super().__init__()
        fine, width = config.fine_width, config.width
        self.enter = nn.Conv2d(12, fine, 3, padding=1)
        self.fine = _Blocks(fine, 1)
        self.down = nn.Conv2d(fine, width, 3, stride=2, padding=1)
        self.coarse = _Blocks(width, config.encoder_blocks)
        self.leave = nn.Conv2d(width, config.channels, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        patches = nn.functional.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)
        x = self.down(self.fine(self.enter(patches), condition))
        return self.leave(self.coarse(x, condition))


class _AttentionDecoder(nn.Module):
    """Received latents and a plane of noise, float (n, channels + 1, h / 4, w / 4), to pictures, -1 to 1."""

    def __init__(self, config: DeepJsccConfig) -> None:
        super().__init__()
        fine, width = config.fine_width, config.width
        self.enter = nn.Conv2d(config.channels + 1, width, 3, padding=1)
        self.coarse = _Blocks(width, config.decoder_blocks)
        self.up = nn.Conv2d(width, 4 * fine, 1)
        self.fine = _Blocks(fine, config.fine_blocks)
        self.leave = nn.Conv2d(fine, 12, 3, padding=1)

    def forward(self, y: Tensor, condition: Tensor) -> Tensor:
        x = self.coarse(self.enter(y.contiguous(memory_format=torch.channels_last)), condition)
        x = nn.functional.pixel_shuffle(self.up(x), 2).contiguous(memory_format=torch.channels_last)
        return nn.functional.pixel_shuffle(self.leave(self.fine(x, condition)), 2)


class _ConvolutionalEncoder(nn.Module):
    """Five 5 x 5 convolutions, two of stride two, with PReLU; knows nothing of the channel."""

    def __init__(self, config: DeepJsccConfig) -> None:
        super().__init__()
        widths, strides = (3, 16, 32, 32, 32, config.channels), (2, 2, 1, 1, 1)
        layers: list[nn.Module] = []
        for a, b, stride in zip(widths[:-1], widths[1:], strides, strict=True):
            layers += [nn.Conv2d(a, b, _KERNEL, stride, _KERNEL // 2), nn.PReLU(b)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        latents: Tensor = self.layers(x.contiguous(memory_format=torch.channels_last))
        return latents


class _ConvolutionalDecoder(nn.Module):
    """The encoder mirrored, by transposed convolutions."""

    def __init__(self, config: DeepJsccConfig) -> None:
        super().__init__()
        widths, strides = (config.channels, 32, 32, 32, 16, 3), (1, 1, 1, 2, 2)
        layers: list[nn.Module] = []
        for a, b, stride in zip(widths[:-1], widths[1:], strides, strict=True):
            layers += [
                nn.ConvTranspose2d(a, b, _KERNEL, stride, _KERNEL // 2, output_padding=stride - 1),
                nn.PReLU(b),
            ]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, y: Tensor, condition: Tensor) -> Tensor:
        picture: Tensor = self.layers(y[:, :-1].contiguous(memory_format=torch.channels_last))
        return picture


class DeepJsccNetwork(nn.Module):
    """Both ends."""

    def __init__(self, config: DeepJsccConfig) -> None:
        super().__init__()
        self.config = config
        attends = config.kind == "attention"
        self.encoder: nn.Module = _AttentionEncoder(config) if attends else _ConvolutionalEncoder(config)
        self.decoder: nn.Module = _AttentionDecoder(config) if attends else _ConvolutionalDecoder(config)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def send(self, pictures: Tensor, snr_db: Tensor, rate: int) -> Tensor:
        """Pictures to latents that are sent, float (n, rate, h / 4, w / 4).

        A picture's complex symbols have unit mean power. snr_db: float (n,), what the transmitter expects.
        """
        latents = self.encoder(pictures / _HALF_RANGE - 1, self._condition(snr_db, rate))[:, :rate].float()
        power = 2 * latents.square().mean((1, 2, 3), keepdim=True)  # of a complex symbol
        return latents * (power + 1e-12).rsqrt()

    def receive(self, latents: Tensor, noise_var: Tensor) -> Tensor:
        """Received latents, float (n, rate, h, w), to pictures, float (n, 3, 4 h, 4 w), not clipped.

        noise_var: of the same shape, each complex symbol's noise, at both of its reals.
        """
        config, rate = self.config, latents.shape[1]
        least, most = 10 ** (-config.most_snr_db / 10), 10 ** (-config.least_snr_db / 10)
        noise = noise_var.clamp(least, most)
        snr_db = -10 * noise.log10()
        believed = latents / (1 + noise) if config.kind == "attention" else latents
        unsent = (0, 0, 0, 0, 0, config.channels - rate)
        y = torch.cat([nn.functional.pad(believed, unsent), snr_db.mean(1, keepdim=True) / 10], dim=1)
        pictures = self.decoder(y, self._condition(snr_db.mean((1, 2, 3)), rate)).float()
        return (pictures + 1) * _HALF_RANGE

    def _condition(self, snr_db: Tensor, rate: int) -> Tensor:
        """What attention is told, float (n, 2): SNR and rate, each of about unit size."""
        config = self.config
        told = snr_db.clamp(config.least_snr_db, config.most_snr_db) / 10
        return torch.stack([told, torch.full_like(told, rate / config.channels)], dim=1)
