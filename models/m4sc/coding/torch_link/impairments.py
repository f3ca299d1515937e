"""What else the air does to a message, as a receiver that tells the noise of each symbol hands it on.

Other transmitters, lost stretches and unsteady oscillators, on top of what :func:`.link.transmit` gives, so
that learned codecs meet symbols of very different noise while they train.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from m4sc.coding.torch_link.noise import draw_normal, draw_uniform
from m4sc.coding.torch_link.payload import NOTHING_HEARD
from m4sc.phy.modulation.interleaver import permutation
from m4sc.phy.waveform import WaveformConfig

KINDS = ("carrier", "pulse", "erasure", "phase")


@dataclass(frozen=True)
class Impairments:
    """How often messages meet one of :data:`KINDS`, and how bad it is; each is drawn anew for each message.

    Attributes:
        share: of messages that meet one, 0 to 1.
        kinds: which there are, equally often.
        carrier_db: least and most power of a carrier within the band against the burst, dB.
        pulse_db: least and most power of noise in OFDM symbols that are hit, against the burst, dB.
        pulse_share: of OFDM symbols that are hit.
        erased_share: most of a message that is lost, in one stretch of OFDM symbols.
        phase_deg: most of the standard deviation of what is left of the phase of each OFDM symbol, degrees.
        told_error_db: standard deviation of the variance that is told about its own, dB.
        waveform: its carriers.
    """

    share: float = 0.2
    kinds: tuple[str, ...] = KINDS
    carrier_db: tuple[float, float] = (-10.0, 5.0)
    pulse_db: tuple[float, float] = (0.0, 15.0)
    pulse_share: float = 0.1
    erased_share: float = 0.3
    phase_deg: float = 15.0
    told_error_db: float = 1.0
    waveform: WaveformConfig = field(default_factory=WaveformConfig)

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0 or not self.kinds:
            raise ValueError(f"a share of {self.share} of messages with {len(self.kinds)} kinds; give 0 to 1")
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise ValueError(f"impairment '{unknown[0]}' is unknown; use {', '.join(KINDS)}")


def impair(
    received: Tensor, noise_var: Tensor, what: Impairments, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Equalised symbols after one more thing went wrong with some of the messages.

    Args:
        received: float (n, t, s, 2), unbiased; each message interleaved over a frame of its own.
        noise_var: float (n, t, s), complex noise variance of each symbol.
        what: how often and how bad.
        generator: source of randomness.

    Returns:
        As they came in, with more noise, and the variances that a receiver tells.
    """
    if what.share <= 0.0:
        return received, noise_var
    n, device = len(received), received.device
    y, told = received.flatten(1, 2), noise_var.flatten(1, 2)
    chance = draw_uniform((n,), generator, device)
    number = (chance / what.share * len(what.kinds)).long()  # of what.kinds; more where nothing happens
    column, row = _places(y.shape[1], what.waveform, device)
    extra, turn = torch.zeros_like(told), torch.zeros_like(told)
    lost = torch.zeros_like(told, dtype=torch.bool)
    for index, kind in enumerate(what.kinds):
        mine = (number == index)[:, None]
        if kind == "carrier":
            extra = extra + mine * _carrier(column, n, what, generator)
        elif kind == "pulse":
            extra = extra + mine * _pulse(row, n, what, generator)
        elif kind == "erasure":
            lost = lost | (mine & _stretch(row, n, what, generator))
        else:
            turn = turn + mine * _phase(row, n, what, generator)
    y = _turned(y, turn) + draw_normal(y.shape, generator, device) * (extra / 2).sqrt()[..., None]
    error = what.told_error_db * draw_normal(told.shape, generator, device)
    told = told + (extra + _spread(turn)) * 10.0 ** (error / 10.0)
    y = y.masked_fill(lost[..., None], 0.0)
    told = told.masked_fill(lost, NOTHING_HEARD).clamp_max(NOTHING_HEARD)
    return y.reshape(received.shape), told.reshape(noise_var.shape)


def _places(count: int, waveform: WaveformConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    """Data carrier and OFDM symbol of each symbol of a message, int64 (count,)."""
    order = torch.from_numpy(permutation(count, waveform.n_data_carriers).copy()).to(device)
    return order % waveform.n_data_carriers, order // waveform.n_data_carriers


def _rows(row: Tensor, what: Impairments) -> int:
    """OFDM symbols of a message, without a wait for the device."""
    return -(-len(row) // what.waveform.n_data_carriers)


def _between(limits: tuple[float, float], n: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Powers drawn evenly in dB, float (n, 1)."""
    low, high = limits
    return 10.0 ** ((low + (high - low) * draw_uniform((n, 1), generator, like.device)) / 10.0)


def _carrier(column: Tensor, n: int, what: Impairments, generator: torch.Generator | None) -> Tensor:
    """Noise variance that a carrier beside the subcarriers' middles leaves on each, float (n, k)."""
    w = what.waveform
    bins = torch.from_numpy((w.data_bins + w.fft_len // 2) % w.fft_len - w.fft_len // 2).to(column.device)
    middle = bins[(draw_uniform((n,), generator, column.device) * len(bins)).long()].float()
    middle = middle + draw_uniform((n,), generator, column.device) - 0.5
    away = bins[column].float() - middle[:, None]
    power = _between(what.carrier_db, n, away, generator) * len(w.occupied_carriers)
    return power * torch.sinc(away).square()


def _pulse(row: Tensor, n: int, what: Impairments, generator: torch.Generator | None) -> Tensor:
    """Noise variance in the OFDM symbols that are hit, float (n, k)."""
    rows = _rows(row, what)
    hit = draw_uniform((n, rows), generator, row.device) < what.pulse_share
    return hit[:, row] * _between(what.pulse_db, n, hit, generator)


def _stretch(row: Tensor, n: int, what: Impairments, generator: torch.Generator | None) -> Tensor:
    """Which symbols lie in the OFDM symbols that are lost, bool (n, k)."""
    rows = _rows(row, what)
    length = draw_uniform((n, 1), generator, row.device) * what.erased_share * rows
    begin = draw_uniform((n, 1), generator, row.device) * (rows - length)
    return (row >= begin.floor()) & (row < (begin + length).round().clamp_min(1.0))


def _phase(row: Tensor, n: int, what: Impairments, generator: torch.Generator | None) -> Tensor:
    """What is left of the phase of each OFDM symbol, rad, float (n, k)."""
    rows = _rows(row, what)
    most = torch.pi / 180.0 * what.phase_deg
    spread = most * draw_uniform((n, 1), generator, row.device)
    return (spread * draw_normal((n, rows), generator, row.device))[:, row]


def _turned(y: Tensor, turn: Tensor) -> Tensor:
    """Pairs turned by an angle of each, rad."""
    cos, sin = turn.cos(), turn.sin()
    return torch.stack([y[..., 0] * cos - y[..., 1] * sin, y[..., 0] * sin + y[..., 1] * cos], -1)


def _spread(turn: Tensor) -> Tensor:
    """Noise variance that phases left over amount to on symbols of unit power: their mean square."""
    return turn.square().mean(1, keepdim=True).expand_as(turn)
