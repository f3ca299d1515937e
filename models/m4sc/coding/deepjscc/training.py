"""Training of DeepJSCC, end to end through random noise."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from m4sc.coding.deepjscc.network import DeepJsccNetwork
from m4sc.coding.reconstruction.training import PictureBatches, ReconstructionStage, reconstruction_loss
from m4sc.coding.torch_link.link import transmit

_MOST_SNR_DB = 18.0
FIXED_SNR_DB = 10.0
"""Es/N0 that the convolutional one is trained at, as its authors train one network an SNR."""


def through_channel(
    network: DeepJsccNetwork,
    pictures: Tensor,
    snr_db: Tensor,
    rate: int,
    channel: str = "awgn",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Pictures, float (n, 3, h, w) with sides of multiples of four, sent and received.

    snr_db: float (n,), Es/N0, known at both ends; rate: of the configuration's.
    """
    latents = network.send(pictures, snr_db, rate)
    symbols = latents.flatten(1).reshape(len(pictures), 1, -1, 2)
    received, noise_var = transmit(symbols, snr_db, channel, generator)
    noise = noise_var[..., None].expand_as(received)
    return network.receive(received.reshape(latents.shape), noise.reshape(latents.shape))


class StepLoss:
    """The loss of a step, which depends on the seed and the step's number alone.

    The convolutional network knows the highest rate and `FIXED_SNR_DB` only.

    Args:
        network, batches, stage: what is trained, on what, and how.
        full_share: of the steps, with the highest rate, so that it does not suffer from the others.
    """

    def __init__(
        self,
        network: DeepJsccNetwork,
        batches: PictureBatches,
        stage: ReconstructionStage,
        full_share: float = 0.5,
    ) -> None:
        self.network, self.batches, self.stage, self.full_share = network, batches, stage, full_share

    def __call__(self, step: int) -> Tensor:
        """Minus the mean PSNR in dB, scalar."""
        config, stage = self.network.config, self.stage
        rng = np.random.default_rng([stage.seed, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        pictures = self.batches.draw(rng)
        height, width = (n - n % 4 for n in pictures.shape[-2:])
        pictures = pictures[:, :, :height, :width].contiguous(memory_format=torch.channels_last)
        rate, channel = config.channels, "awgn"
        draws: np.ndarray = np.full((2, len(pictures)), FIXED_SNR_DB)
        if config.kind == "attention":
            if rng.random() > self.full_share:
                rate = int(rng.choice(config.rates))
            channel = "rayleigh" if rng.random() < stage.rayleigh else "awgn"
            draws = rng.uniform(stage.lowest_snr_db, _MOST_SNR_DB, size=draws.shape)
        snr_db = torch.from_numpy(draws.mean(0)).float()
        precision: Any = torch.autocast("cpu", torch.bfloat16) if stage.bf16 else contextlib.nullcontext()
        with precision:
            shown = through_channel(self.network, pictures, snr_db, rate, channel, generator)
        return reconstruction_loss(shown, pictures)
