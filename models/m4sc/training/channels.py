"""Random channels that the stages train through."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from m4sc.coding.torch_link.config import EstimationConfig, LinkConfig
from m4sc.coding.torch_link.impairments import Impairments, impair
from m4sc.coding.torch_link.payload import carry
from m4sc.phy.modulation.payload import QAM_ORDERS, PayloadFormat

_LEAST_LEVELS, _MOST_LEVELS = 8, 64  # 3 to 6 bits a real


@dataclass(frozen=True)
class ChannelMix:
    """A distribution of channels; SNR is Es/N0, uniform in dB, new for each message, the kind for each batch.

    Attributes:
        shares: how often each channel of :func:`m4sc.coding.torch_link.link.transmit` is drawn.
        low_db, high_db: range of the SNR.
        estimation: errors of the real receiver; None for one that knows channel and noise.
        delay_spreads_s, dopplers_hz: of TDL channels, one of each drawn for a batch.
        qam_share, digital_share: of batches that are held to a random grid, or quantised and coded; the rest
            are sent as they are.
        impaired: share of messages sent as they are that meet interference, erasures or phase noise too.
    """

    shares: dict[str, float] = field(default_factory=lambda: {"awgn": 2.0, "rayleigh": 1.0})
    low_db: float = -5.0
    high_db: float = 25.0
    estimation: EstimationConfig | None = None
    delay_spreads_s: tuple[float, ...] = (LinkConfig.delay_spread_s,)
    dopplers_hz: tuple[float, ...] = (0.0,)
    qam_share: float = 0.1
    digital_share: float = 0.1
    impaired: float = 0.0

    def through(
        self, symbols: Tensor, rng: np.random.Generator, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Send symbols, float (n, t, s, 2), through one draw; received ones and their noise variances.

        rng: draws SNR and kind; generator: draws fading and noise.
        """
        n = len(symbols)
        snr_db = torch.from_numpy(rng.uniform(self.low_db, self.high_db, n).astype(np.float32))
        weights = np.array(list(self.shares.values()))
        channel = str(rng.choice(list(self.shares), p=weights / weights.sum()))
        config = LinkConfig(
            delay_spread_s=float(rng.choice(self.delay_spreads_s)),
            doppler_hz=float(rng.choice(self.dopplers_hz)),
        )
        snr_db = snr_db.to(symbols.device, non_blocking=True)
        form = self.payload(rng)
        received, noise_var = carry(symbols, snr_db, channel, form, generator, self.estimation, config)
        if form.kind == "digital":  # the check tells what interference does
            return received, noise_var
        return impair(received, noise_var, Impairments(self.impaired), generator)

    def payload(self, rng: np.random.Generator) -> PayloadFormat:
        """How a batch is sent; rng draws kind, grid (16 points or more) and levels."""
        chance = rng.random()
        if chance < self.qam_share:
            return PayloadFormat("qam", QAM_ORDERS[int(rng.integers(1, len(QAM_ORDERS)))])
        if chance < self.qam_share + self.digital_share:
            return PayloadFormat("digital", levels=int(rng.integers(_LEAST_LEVELS, _MOST_LEVELS + 1)))
        return PayloadFormat()


# Without fading and noise, adapters trained for a codec made for clean latents never recover: stages 1 and 2
# know both already, by channels that cost nothing.
LIGHT_CHANNELS = ChannelMix()

ALL_CHANNELS = ChannelMix(
    shares={"awgn": 3.0, "rayleigh": 2.0, "tdl-a": 2.0, "tdl-c": 2.0},
    estimation=EstimationConfig(),
    delay_spreads_s=(0.5e-6, 1.5e-6),
    dopplers_hz=(0.0, 10.0),
    impaired=0.2,
)
