"""Interference, erasures and phase noise in the torch link: what is told is what is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from m4sc.coding.torch_link.impairments import KINDS, Impairments, impair
from m4sc.coding.torch_link.link import transmit
from m4sc.coding.torch_link.payload import NOTHING_HEARD
from m4sc.phy.modulation.interleaver import permutation
from m4sc.phy.waveform import WaveformConfig
from m4sc.space.channel_codec import SpaceCodec, SpaceCodecConfig, SpaceCodecStage, train_space_codec
from torch import Tensor


def through(kind: str, n: int = 400, count: int = 480, seed: int = 1, **options: float) -> tuple[Tensor, ...]:
    """Unit symbols, what came of them, and what is told, each with n messages of `count` symbols."""
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * torch.pi * torch.rand(n, 1, count, generator=generator)
    sent = torch.stack([angle.cos(), angle.sin()], -1)
    received, noise_var = transmit(sent, torch.full((n,), 15.0), "awgn", generator)
    what = Impairments(**{"share": 1.0, "kinds": (kind,), "told_error_db": 0.0, **options})  # type: ignore[arg-type]
    received, told = impair(received, noise_var, what, generator)
    return sent[:, 0], received[:, 0], told[:, 0], noise_var[:, 0]


@pytest.mark.parametrize("kind", ["carrier", "pulse", "phase"])
def test_errors_are_as_large_as_told_whole_and_by_decile(kind: str) -> None:
    sent, received, told, _ = through(kind)
    error = (received - sent).square().sum(-1).flatten()
    told = told.flatten()
    places = torch.argsort(told).tensor_split(10)
    for some in [torch.arange(len(told)), *places]:
        ratio_db = 10 * torch.log10(error[some].mean() / told[some].mean())
        assert abs(float(ratio_db)) < 1.0, (kind, float(ratio_db))


def test_a_carrier_hits_few_subcarriers_and_a_pulse_whole_ofdm_symbols() -> None:
    carriers = WaveformConfig().n_data_carriers
    order = np.asarray(permutation(480, carriers))
    _, _, told, before = through("carrier", n=50)
    hit = (told > 4 * before).numpy()
    assert 0.01 < hit.mean() < 0.25
    columns = [np.unique(order[row] % carriers).size for row in hit if row.any()]
    assert max(columns) < carriers // 2
    _, _, told, before = through("pulse", n=50)
    for row in (told > 4 * before).numpy():
        rows, counts = np.unique(order[row] // carriers, return_counts=True)
        assert all(counts == carriers), rows


def test_what_is_erased_is_zero_and_told_to_be_nothing() -> None:
    sent, received, told, before = through("erasure")
    lost = told >= NOTHING_HEARD
    share = lost.float().mean(1)
    assert 0.02 < float(share.mean()) < 0.25 and float(share.max()) <= 0.41
    assert (received[lost] == 0).all() and torch.equal(told[~lost], before[~lost])
    assert not torch.equal(sent, received)


def test_so_many_messages_are_impaired_and_the_others_untouched() -> None:
    generator = torch.Generator().manual_seed(2)
    clean, noise_var = torch.zeros(2000, 1, 48, 2), torch.full((2000, 1, 48), 0.1)
    received, told = impair(clean, noise_var, Impairments(0.25, ("carrier",)), generator)
    touched = (told != noise_var).flatten(1).any(1)
    assert 0.2 < float(touched.float().mean()) < 0.3
    assert torch.equal(received[~touched], clean[~touched])
    none = impair(clean, noise_var, Impairments(0.0), generator)
    assert none[0] is clean and none[1] is noise_var


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 8, 49])
def test_messages_of_any_length_pass_and_gradients_too(kind: str, count: int) -> None:
    received = torch.randn(5, 1, count, 2, requires_grad=True)
    what = Impairments(1.0, (kind,))
    y, told = impair(received, torch.full((5, 1, count), 0.1), what, torch.Generator().manual_seed(3))
    assert y.shape == received.shape and told.shape == received.shape[:-1]
    assert torch.isfinite(y).all() and (told > 0).all()
    y.sum().backward()
    assert received.grad is not None and torch.isfinite(received.grad).all()


def test_what_is_no_impairment_is_refused() -> None:
    with pytest.raises(ValueError, match="'rain' is unknown; use carrier"):
        Impairments(kinds=("rain",))
    with pytest.raises(ValueError, match="give 0 to 1"):
        Impairments(1.5)


def test_a_codec_learns_through_them() -> None:
    """Trained through impaired messages a codec becomes another than without, and no worse."""
    generator = torch.Generator().manual_seed(4)
    points = torch.nn.functional.normalize(torch.randn(600, 32, generator=generator), dim=1)
    stage = SpaceCodecStage(minutes=1.0, steps=40, batch=128, impaired=0.0)
    found = []
    for share in (0.0, 0.5):
        torch.manual_seed(0)
        codec = SpaceCodec(SpaceCodecConfig(32, 16, 4))
        codec.fit(points)
        train_space_codec(codec, points, points[:, None], replace(stage, impaired=share))
        with torch.inference_mode():
            sent = codec.send(points)
            heard, noise_var = transmit(sent[:, :, None], torch.full((600,), 10.0), "awgn", generator)
            got = codec.receive(heard[:, :, 0], noise_var[:, :, 0])
            found.append(float((got * points).sum(1).mean()))
    assert found[0] != found[1] and found[1] > found[0] - 0.02
