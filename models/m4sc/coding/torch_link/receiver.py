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
from m4sc.phy.equalizer.estimator import PHASE_WINDOW, ChannelSmoother
from m4sc.phy.waveform import WaveformConfig

_HOST = torch.device("cpu")


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
    h: Tensor,
    noise_var: Tensor,
    waveform: WaveformConfig,
    header: _Header,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """Common phase of each OFDM symbol against the first, as pilots and the decoded header show it in noise,
    and its variance over that of a bin's noise, rad^2, both float (n, rows).

    As ``m4sc.phy.equalizer.kernels.smooth_phase`` has it: the moving sum that foretells each symbol best.
    """
    pilot = _carriers(waveform, h.device)[1]
    z, weight = torch.zeros_like(h[..., 0]), torch.zeros_like(h[..., 0].real)
    for bins, rows in ((header.bins, slice(0, header.rows)), (pilot, slice(header.rows, None))):
        first = h[:, :1, bins]
        z[:, rows] = (h[:, rows][..., bins] * first.conj()).sum(-1)
        weight[:, rows] = first.abs().square().sum(-1)
    z = z + _noise(z.shape, noise_var[:, None] * weight, generator)
    count, half = z.shape[1], PHASE_WINDOW // 2
    sums, weights = (torch.nn.functional.pad(x.cumsum(1), (1, 0)) for x in (z, weight))
    places = torch.arange(count, device=h.device)
    foretold, totals, spans = list[Tensor](), list[Tensor](), list[Tensor]()
    while not totals or half < 2 * count:
        low, high = (places - half).clamp_min(0), (places + half + 1).clamp_max(count)
        totals.append(sums[:, high] - sums[:, low])
        spans.append(weights[:, high] - weights[:, low])
        others = totals[-1] - z
        alike = (z * others.conj()).real / others.abs().clamp_min(1e-30)
        foretold.append(alike[:, header.rows :].sum(1))
        half = 2 * half + 1
    best, every = torch.stack(foretold).argmax(0), torch.arange(len(z), device=h.device)
    total, span = torch.stack(totals)[best, every], torch.stack(spans)[best, every]
    return torch.angle(total), 0.5 / span.clamp_min(1e-30)


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
    header, (data, _) = header_training(waveform, grid.device), _carriers(waveform, grid.device)
    n, rows = grid.shape[0], grid.shape[1]
    h = _timed(h).expand(-1, header.rows + rows, -1)
    received = h[:, header.rows :, data] * grid + _noise(grid.shape, noise_var[:, None, None], generator)
    if estimation is None:
        known = h[:, header.rows :, data]
        gain = known.abs().square().clamp_min(1e-8)
        return received * known.conj() / gain, noise_var[:, None, None] / gain
    # --- common phase --------------------------------------------------------------------------------
    count = header.rows + rows
    phase = unsure = noise_var.new_zeros(n, count)
    if estimation.phase and waveform.pilot_carriers:
        phase, unsure = _tracked_phase(h, noise_var, waveform, header, generator)
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
    reported = reported + (measured[:, None] * unsure[:, header.rows :])[..., None]
    return received * turn[:, header.rows :] * known.conj() / gain, reported.expand(n, rows, -1)
