"""Differentiable link for every payload kind."""

from __future__ import annotations

import torch
from torch import Tensor

from m4sc.coding.torch_link import fsq
from m4sc.coding.torch_link.config import EstimationConfig, LinkConfig
from m4sc.coding.torch_link.link import transmit
from m4sc.coding.torch_link.noise import draw_normal
from m4sc.coding.torch_link.qam import round_to_grid
from m4sc.phy.modulation.fsq import n_bytes
from m4sc.phy.modulation.mcs import MCS_TABLE
from m4sc.phy.modulation.payload import PayloadFormat, grid_noise

NOTHING_HEARD = 1e4  # noise variance of the symbols of a message that was lost
_SNR_ERROR_DB = 1.0  # standard deviation of what the transmitter knows of the SNR


def carry(
    symbols: Tensor,
    snr_db: Tensor,
    channel: str,
    form: PayloadFormat,
    generator: torch.Generator | None = None,
    estimation: EstimationConfig | None = None,
    config: LinkConfig | None = None,
) -> tuple[Tensor, Tensor]:
    """Symbols as they are received when they are sent as `form` says.

    "qam": held to the grid, whose noise is reported too. "digital": quantised; a message whose code the
    channel breaks is erased: zeros that say nothing. Its scheme is the one of `form`, or the fastest for an
    SNR known to 1 dB; the code breaks where the mean mutual information of the message's symbols is below
    that of AWGN at the scheme's required SNR.

    Args:
        symbols, snr_db, channel, generator, estimation, config: as of :func:`.link.transmit`.
        form: payload kind.

    Returns:
        received, float (n, t, s, 2), and noise_var, float (n, t, s), as of ``transmit``.
    """
    if form.kind == "digital":
        return _coded(symbols, snr_db, channel, form, generator, estimation, config)
    sent, own = symbols, 0.0
    if form.kind == "qam":
        sent, own = round_to_grid(symbols, form.qam_order), grid_noise(form.qam_order)
    received, noise_var = transmit(sent, snr_db, channel, generator, estimation, config)
    return received, noise_var + own


def _coded(
    symbols: Tensor,
    snr_db: Tensor,
    channel: str,
    form: PayloadFormat,
    generator: torch.Generator | None,
    estimation: EstimationConfig | None,
    config: LinkConfig | None,
) -> tuple[Tensor, Tensor]:
    values, noise_var = fsq.quantise(symbols, form.levels)
    with torch.no_grad():
        _, seen = transmit(symbols.detach(), snr_db, channel, generator, estimation, config)
    effective_db = effective_snr_db(seen.flatten(1))
    size = n_bytes(symbols.shape[1] * symbols.shape[2], form.levels)
    needs = torch.tensor([mcs.required_snr_db(size) for mcs in MCS_TABLE], device=symbols.device)  # rising
    if form.mcs >= 0:
        needed = needs[form.mcs].expand_as(snr_db)
    else:  # as m4sc.phy.modulation.mcs.select_mcs, without a wait for the device
        told = snr_db + _SNR_ERROR_DB * draw_normal(snr_db.shape, generator, snr_db.device)
        needed = needs[(torch.bucketize(told - form.margin_db, needs, right=True) - 1).clamp_min(0)]
    lost = (effective_db < needed)[:, None, None]
    return values.masked_fill(lost[..., None], 0.0), noise_var.masked_fill(lost, NOTHING_HEARD)


def effective_snr_db(noise_var: Tensor) -> Tensor:
    """SNR of AWGN with the mean mutual information of Gaussian symbols of these noise variances.

    log2(1 + SNR) = mean log2(1 + 1 / noise_var). noise_var: float (n, k). Returns float (n,), dB.
    """
    information = torch.log1p(1.0 / noise_var.clamp_min(1e-8)).mean(1)
    return 10.0 * torch.log10(torch.expm1(information).clamp_min(1e-10))
