"""What the real receiver's equaliser leaves of a frame, carrier by carrier, without the waveform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from m4sc.coding.torch_link.config import EstimationConfig
from m4sc.coding.torch_link.noise import draw_normal
from m4sc.phy.air_time import header_ofdm_symbols
from m4sc.phy.equalizer.estimator import ChannelSmoother, phase_error_var
from m4sc.phy.waveform import WaveformConfig

_HOST = torch.device("cpu")
_PHASE_WINDOW = 11  # OFDM symbols, as in m4sc.phy.equalizer.estimator


@dataclass(frozen=True)
class _Header:
    """Header as a training sequence: smoother's factors, observations of each of its bins."""

    into: Tensor
    eigenvalues: Tensor
    out: Tensor
    bins: Tensor
    weight: Tensor
    observed: int
    taps: int
    rows: int


@lru_cache(maxsize=8)
def header_training(waveform: WaveformConfig, device: torch.device = _HOST) -> _Header:
    """The smoother that ``m4sc.phy.demodulator`` builds for the header."""
    rows = header_ofdm_symbols(waveform)
    weight = np.zeros(waveform.fft_len)
    weight[waveform.data_bins] = rows
    weight[waveform.pilot_bins] = np.sum(np.abs(waveform.pilots(rows)) ** 2, axis=0)
    smoother = ChannelSmoother(weight, waveform)
    into, eigenvalues, out = (torch.from_numpy(np.asarray(x)) for x in smoother.factors)
    bins = torch.from_numpy(smoother.bins)
    return _Header(
        into.to(device, torch.complex64),
        eigenvalues.float().to(device),
        out.to(device, torch.complex64),
        bins.to(device),
        torch.from_numpy(weight).float()[bins].to(device),
        int(np.sum(weight[smoother.bins])),
        smoother.taps,
        rows,
    )


@lru_cache(maxsize=8)
def _carriers(waveform: WaveformConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    """Bins of the data carriers and of the pilots."""
    return (
        torch.from_numpy(waveform.data_bins).to(device),
        torch.from_numpy(waveform.pilot_bins).to(device),
    )


def _noise(
    shape: torch.Size | tuple[int, ...], variance: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Complex Gaussian of the given variance, which broadcasts to `shape`."""
    noise = draw_normal((*shape, 2), generator, variance.device)
    return torch.view_as_complex(noise) * (variance / 2.0).sqrt()


def _tracked_phase(
    h: Tensor, noise_var: Tensor, waveform: WaveformConfig, generator: torch.Generator | None
) -> Tensor:
    """Common phase of each OFDM symbol against the first, float (n, rows), as pilots show it in noise."""
    pilot = _carriers(waveform, h.device)[1]
    first = h[:, :1, pilot]
    z = (h[..., pilot] * first.conj()).sum(-1)
    z = z + _noise(z.shape, noise_var[:, None] * first.abs().square().sum(-1), generator)
    window = min(_PHASE_WINDOW, z.shape[1])
    half = window // 2
    sums = torch.nn.functional.pad(z.cumsum(1), (1, 0))
    places = torch.arange(z.shape[1], device=h.device)
    low, high = (places + half - window + 1).clamp_min(0), (places + half + 1).clamp_max(z.shape[1])
    return torch.angle(sums[:, high] - sums[:, low])


def _timed(h: Tensor) -> Tensor:
    """Channel against a symbol timing on its strongest path, as detection finds it."""
    size = h.shape[-1]
    strongest = torch.fft.ifft(h[:, 0]).abs().argmax(-1)
    turns = 2 * torch.pi / size * (strongest[:, None] * torch.arange(size, device=h.device) % size)
    return h * torch.polar(torch.ones_like(turns), turns)[:, None]


def _smoothed(h_ls: Tensor, noise_var: Tensor, header: _Header) -> Tensor:
    """Estimate on every bin, complex (n, fft_len), from one on the header's bins, complex (n, bins)."""
    power = h_ls.abs().square().mean(-1)
    ridge = (noise_var / power).clamp_max(1.0)[:, None] * header.taps + 1e-6
    return ((h_ls @ header.into.T) / (header.eigenvalues + ridge)) @ header.out.T


def receive(
    grid: Tensor,
    h: Tensor,
    noise_var: Tensor,
    waveform: WaveformConfig,
    estimation: EstimationConfig | None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """y = h x + n, equalised: unbiased symbols and the noise variance that the receiver reports of each.

    Args:
        grid: complex64 (n, rows, data carriers), payload; differentiable.
        h: complex64 (n, header + payload rows or 1, fft_len), channel on every bin.
        noise_var: float (n,), complex noise variance of a bin.
        waveform: the waveform.
        estimation: what the receiver does not know; None for a genie that knows h.
        generator: source of randomness.

    Returns:
        complex64 and float32, both (n, rows, data carriers).
    """
    header, (data, pilots) = header_training(waveform, grid.device), _carriers(waveform, grid.device)
    n, rows = grid.shape[0], grid.shape[1]
    h = _timed(h).expand(-1, header.rows + rows, -1)
    received = h[:, header.rows :, data] * grid + _noise(grid.shape, noise_var[:, None, None], generator)
    if estimation is None:
        known = h[:, header.rows :, data]
        gain = known.abs().square().clamp_min(1e-8)
        return received * known.conj() / gain, noise_var[:, None, None] / gain
    # --- common phase --------------------------------------------------------------------------------
    count = header.rows + rows
    phase = noise_var.new_zeros(n, count)
    if estimation.phase:
        phase = _tracked_phase(h, noise_var, waveform, generator)
    turn = torch.polar(torch.ones_like(phase), -phase)[..., None]
    # --- channel: what stood still over the header ---------------------------------------------------
    h_hat = (h[:, : header.rows] * turn[:, : header.rows]).mean(1)
    misfit = None
    if estimation.channel:
        at = h_hat[:, header.bins]
        seen = at + _noise(at.shape, noise_var[:, None] / header.weight, generator)
        h_hat = _smoothed(seen, noise_var, header)
        misfit = ((seen - h_hat[:, header.bins]).abs().square() * header.weight).sum(-1)
    known = h_hat[:, None, data]
    power = h_hat[:, header.bins].abs().square().mean(-1)
    gain = torch.maximum(known.abs().square(), 1e-12 * power[:, None, None])
    # --- noise variance, as the header shows it: what the estimate does not fit counts as noise --------
    measured = noise_var
    if estimation.noise:
        free = header.observed - (len(header.bins) if misfit is not None else header.taps)
        measured = noise_var * (1.0 + draw_normal((n,), generator, grid.device) / free**0.5).clamp_min(0.0)
        if misfit is not None:
            measured = (measured * free + misfit) / (header.observed - header.taps)
    reported = measured[:, None, None] / gain
    if estimation.channel:
        reported = reported * (1.0 + header.taps / header.observed)
    if estimation.phase and waveform.pilot_carriers:
        pilot = h_hat[:, pilots].abs().square().mean(-1)
        reported = reported + (measured / pilot * phase_error_var(1.0, count, waveform))[:, None, None]
    return received * turn[:, header.rows :] * known.conj() / gain, reported.expand(n, rows, -1)
