"""Payload kinds: packing, FSQ, mapping to symbols and back, and the differentiable link."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.coding.torch_link import fsq as torch_fsq
from m4sc.coding.torch_link.link import transmit
from m4sc.coding.torch_link.payload import NOTHING_HEARD, carry, effective_snr_db
from m4sc.message import Message
from m4sc.mllm.network import Network
from m4sc.phy.modulation import fsq
from m4sc.phy.modulation.mapping import round_to_grid
from m4sc.phy.modulation.mcs import MCS_TABLE, select_mcs
from m4sc.phy.modulation.payload import PayloadFormat, grid_noise, map_latents, unmap_symbols
from m4sc.phy.modulation.radix import pack_digits, packed_bytes, unpack_digits
from m4sc.phy.receiver import ReceivedFrame
from m4sc.phy.waveform import WaveformConfig
from m4sc.system import SemanticSystem
from m4sc.training.channels import ChannelMix
from m4sc.transport.assembler import Assembler
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, to_frames
from tiny_model import tiny_config, write_tiny_llm


def gaussian(n: int, seed: int = 0) -> np.ndarray:
    """Latents of unit mean power, float32 (n, 2)."""
    return (np.random.default_rng(seed).standard_normal((n, 2)) / 2**0.5).astype(np.float32)


# --- packing ------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(data=st.data(), radices=st.lists(st.integers(1, 300), max_size=120))
def test_digits_survive_packing_with_less_than_a_bit_lost_a_word(
    data: st.DataObject, radices: list[int]
) -> None:
    digits = [data.draw(st.integers(0, r - 1)) for r in radices]
    packed = pack_digits(np.array(digits, int), np.array(radices, int))
    information = math.log2(math.prod(radices))
    words = -(-len(radices) // int(62 / math.log2(max(2, *radices, 2))))
    assert len(packed) == packed_bytes(np.array(radices, int))
    assert information - 1e-6 <= 8 * len(packed) < information + words + 8
    assert unpack_digits(packed, np.array(radices, int)).tolist() == digits


@given(bits=st.lists(st.integers(0, 1), min_size=1, max_size=200))
def test_powers_of_two_are_bit_packing(bits: list[int]) -> None:
    packed = pack_digits(np.array(bits), np.full(len(bits), 2))
    assert packed == np.packbits(np.array(bits, np.uint8), bitorder="little").tobytes()


def test_packing_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="0 to its radix less 1"):
        pack_digits(np.array([5]), np.array([5]))
    with pytest.raises(ValueError, match="shape"):
        pack_digits(np.array([1, 1]), np.array([5]))
    with pytest.raises(ValueError, match="take 2"):
        unpack_digits(b"\0", np.array([5, 5, 5, 5]))
    with pytest.raises(ValueError, match="above all"):
        unpack_digits(b"\xff", np.array([5, 5]))


# --- FSQ ----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(levels=st.integers(2, 256), k=st.integers(1, 90), seed=st.integers(0, 999))
def test_quantised_latents_survive_as_bytes(levels: int, k: int, seed: int) -> None:
    latents = gaussian(k, seed) * 3  # beyond the levels too
    data = fsq.latents_to_bytes(latents, levels)
    assert len(data) == fsq.n_bytes(k, levels) <= 3 + math.ceil(2 * k * math.log2(levels) * 1.02 / 8) + 1
    got, noise_var = fsq.bytes_to_latents(data)
    np.testing.assert_array_equal(fsq.quantise(got, levels), fsq.quantise(latents, levels))
    values = fsq.level_values(levels)
    assert (np.abs(got) <= values[-1] + 1e-6).all() and noise_var.shape == (k,)
    if levels > 2:
        inside = np.abs(latents) < values[-1]
        assert (np.abs(got - latents)[inside] <= np.diff(values).max()).all()


@pytest.mark.parametrize("levels", [2, 5, 8, 16, 31, 64])
def test_fsq_noise_is_the_error_of_gaussian_latents(levels: int) -> None:
    latents = gaussian(60_000)
    got, noise_var = fsq.bytes_to_latents(fsq.latents_to_bytes(latents, levels))
    error = np.sum((got - latents) ** 2, axis=1)
    assert np.mean(noise_var) == pytest.approx(np.mean(error), rel=0.03)
    outer = noise_var > np.median(noise_var)
    if levels > 2:  # each pair's own, not only the mean
        assert np.mean(noise_var[outer]) == pytest.approx(np.mean(error[outer]), rel=0.06)
        best = 2.72 / levels**2  # Panter and Dite's limit of fine scalar quantisation
        assert np.mean(error) == pytest.approx(best, rel=0.25 if levels > 8 else 0.5)


def test_bytes_that_no_latents_make_are_refused() -> None:
    for data, word in (
        (b"", "too few"),
        (b"\x0f\x00\x00", "no latents"),
        (b"\x00\x00\x01", "levels"),
        (b"\x0f\x00\x02\x00", "take 2"),
        (b"\x04\x00\x01\xff", "above all"),
    ):
        with pytest.raises(ValueError, match=word):
            fsq.bytes_to_latents(data)
    with pytest.raises(ValueError, match="2 to 256"):
        fsq.latents_to_bytes(gaussian(2), 257)
    with pytest.raises(ValueError, match="shape"):
        fsq.latents_to_bytes(gaussian(2).ravel(), 16)
    with pytest.raises(ValueError, match="finite"):
        fsq.latents_to_bytes(np.full((1, 2), np.nan, np.float32), 16)


@given(noise=st.binary(max_size=60))
def test_any_bytes_are_latents_or_a_named_error(noise: bytes) -> None:
    try:
        latents, noise_var = fsq.bytes_to_latents(noise)
    except ValueError:
        return
    assert np.isfinite(latents).all() and len(latents) == len(noise_var)


@pytest.mark.parametrize("levels", [2, 7, 16])
def test_torch_quantises_as_numpy_does_and_passes_the_gradient(levels: int) -> None:
    latents = gaussian(500, 3)
    wanted, noise_wanted = fsq.bytes_to_latents(fsq.latents_to_bytes(latents, levels))
    x = torch.from_numpy(latents).requires_grad_()
    values, noise_var = torch_fsq.quantise(x, levels)
    np.testing.assert_allclose(values.detach().numpy(), wanted, atol=1e-6)
    np.testing.assert_allclose(noise_var.detach().numpy(), noise_wanted, rtol=1e-5)
    weight = torch.randn_like(values)
    (values * weight).sum().backward()
    torch.testing.assert_close(x.grad, weight)


# --- symbols and back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [4, 16, 64, 256])
def test_grid_noise_is_the_error_of_gaussian_latents(order: int) -> None:
    pairs = gaussian(100_000)
    sent = pairs[:, 0] + 1j * pairs[:, 1]
    error = np.mean(np.abs(round_to_grid(sent, order) - sent) ** 2)
    assert grid_noise(order) == pytest.approx(error, rel=0.03)


@pytest.mark.parametrize(
    "form",
    [
        PayloadFormat(),
        PayloadFormat("qam", 4096),
        PayloadFormat("digital", levels=64, mcs=4),
        PayloadFormat("digital", levels=11, snr_db=12.0),
    ],
    ids=str,
)
def test_latents_survive_the_air_as_well_as_the_noise_variance_says(form: PayloadFormat) -> None:
    latents = gaussian(600, 5)
    mapped = map_latents(latents, form)
    power = np.mean(np.abs(mapped.symbols) ** 2)
    assert 0.75 < power < 1.12  # a grid of unit mean energy clips the Gaussian's tails
    rng = np.random.default_rng(1)
    noise_var = 10**-1.4
    noise = rng.standard_normal((2, len(mapped.symbols))) * (noise_var / 2) ** 0.5
    received = mapped.symbols + noise[0] + 1j * noise[1]
    found = unmap_symbols(
        received, np.full(len(received), noise_var), form.kind, mapped.mcs, mapped.payload_bytes
    )
    assert found is not None
    error = np.sum((found[0] - latents) ** 2, axis=1)
    assert found[0].shape == latents.shape and np.mean(error) == pytest.approx(np.mean(found[1]), rel=0.2)
    if form.kind == "digital":
        assert np.mean(error) < 0.03 < noise_var  # all of the channel's noise is gone


def test_a_broken_code_is_a_loss_not_latents() -> None:
    mapped = map_latents(gaussian(64), PayloadFormat("digital", mcs=7))
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, len(mapped.symbols)))
    received = mapped.symbols + noise[0] + 1j * noise[1]
    found = unmap_symbols(received, np.full(len(received), 2.0), "digital", mapped.mcs, mapped.payload_bytes)
    assert found is None


def test_the_scheme_follows_the_snr() -> None:
    sizes = [len(map_latents(gaussian(64), PayloadFormat("digital", snr_db=s)).symbols) for s in (0, 10, 20)]
    assert sizes[0] > 2 * sizes[1] > 3 * sizes[2]


def test_formats_that_cannot_be_sent_are_named() -> None:
    with pytest.raises(ValueError, match="analog, qam, digital"):
        PayloadFormat("fax")
    with pytest.raises(ValueError, match="4, 16"):
        PayloadFormat("qam", 8)
    with pytest.raises(ValueError, match="2 to 256"):
        PayloadFormat("digital", levels=1)
    with pytest.raises(ValueError, match="no scheme 40"):
        map_latents(gaussian(3), PayloadFormat("digital", mcs=40))


# --- the model's interface ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["digital", "qam"])
def test_a_message_of_the_model_crosses_in_other_kinds(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(0)
    system = SemanticSystem(Network(tiny_config(write_tiny_llm(tmp_path))), 7)
    plain = system.encode(Message("text", "harbour lights at dusk"), "text")
    form = PayloadFormat(kind, qam_order=4096, levels=40, mcs=5)
    assembler, heard = Assembler(WaveformConfig().n_data_carriers), []
    rng = np.random.default_rng(0)
    for frame in to_frames(plain, Address(), TransportConfig(form)):
        n = len(frame.symbols)
        noise = rng.standard_normal((2, n)) * (10**-1.5 / 2) ** 0.5
        given = ReceivedFrame(
            frame.header,
            frame.symbols + noise[0] + 1j * noise[1],
            np.full(n, 10**-1.5, np.float32),
            15,
            0,
            0,
            None,
            0,
        )
        heard += assembler.push(given, 0.0)
    received = heard[0].received
    error = np.abs(received.symbols - (plain.latents[:, 0] + 1j * plain.latents[:, 1]))
    assert np.mean(error**2) < 0.1
    assert isinstance(system.decode(received.symbols, received.noise_var, "text").text, str)


# --- differentiable link ------------------------------------------------------------------------------------


def batch(n: int = 6) -> torch.Tensor:
    return torch.from_numpy(gaussian(n * 64, 7)).reshape(n, 8, 8, 2)


@pytest.mark.parametrize("channel", ["awgn", "rayleigh", "tdl-c"])
@pytest.mark.parametrize("kind", ["analog", "qam", "digital"])
def test_every_kind_passes_a_gradient_and_states_its_noise(kind: str, channel: str) -> None:
    x = batch().requires_grad_()
    form = PayloadFormat(kind, qam_order=64, levels=16)
    y, noise_var = carry(x, torch.full((6,), 25.0), channel, form, torch.Generator().manual_seed(0))
    y.square().sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()
    heard = noise_var < NOTHING_HEARD
    assert noise_var.shape == y.shape[:-1] and (x.grad.abs().sum(-1) > 0)[heard].all()
    if channel == "awgn":
        error = (y - x).detach().square().sum(-1)
        assert error.mean() == pytest.approx(noise_var.mean().item(), rel=0.3)


def test_analog_is_the_plain_link() -> None:
    x, snr_db = batch(), torch.linspace(0, 20, 6)
    ours = carry(x, snr_db, "rayleigh", PayloadFormat(), torch.Generator().manual_seed(4))
    plain = transmit(x, snr_db, "rayleigh", torch.Generator().manual_seed(4))
    assert all(torch.equal(a, b) for a, b in zip(ours, plain, strict=True))


def test_a_message_whose_code_breaks_is_erased_and_no_other() -> None:
    x = batch().requires_grad_()
    snr_db = torch.tensor([30.0, 30.0, 30.0, 5.0, 5.0, 5.0])
    form = PayloadFormat("digital", levels=16, mcs=8)  # 14.1 dB for 256 bytes
    y, noise_var = carry(x, snr_db, "awgn", form, torch.Generator().manual_seed(0))
    assert (noise_var[:3] < 0.1).all() and y[:3].abs().sum() > 0
    assert (noise_var[3:] == NOTHING_HEARD).all() and not y[3:].any()
    y.sum().backward()
    assert x.grad is not None and not x.grad[3:].any()


def test_losses_where_the_scheme_is_chosen_are_few() -> None:
    x = batch(1).expand(400, -1, -1, -1)
    snr_db = torch.linspace(0, 25, 400)
    _, noise_var = carry(x, snr_db, "awgn", PayloadFormat("digital"), torch.Generator().manual_seed(0))
    lost = (noise_var[:, 0, 0] == NOTHING_HEARD).float().mean()
    assert 0.0 < lost < 0.15


def test_effective_snr_is_the_snr_of_awgn_and_less_in_fading() -> None:
    even = torch.full((1, 100), 0.1)
    assert effective_snr_db(even).item() == pytest.approx(10.0, abs=1e-3)
    uneven = torch.cat([torch.full((1, 50), 1e4), torch.full((1, 50), 0.05)], 1)
    assert 4.0 < effective_snr_db(uneven).item() < 8.0


@pytest.mark.parametrize("size", [3, 40, 400])
def test_the_choice_by_tables_is_that_of_select_mcs(size: int) -> None:
    needs = torch.tensor([m.required_snr_db(size) for m in MCS_TABLE])
    for snr_db in np.arange(-10.03, 35.0, 0.7):
        chosen = int((torch.bucketize(torch.tensor(snr_db), needs, right=True) - 1).clamp_min(0))
        assert chosen == select_mcs(float(snr_db), 0.0, size).index


def test_training_draws_every_kind_in_its_share() -> None:
    rng = np.random.default_rng(0)
    mix = ChannelMix(qam_share=0.3, digital_share=0.2)
    kinds = [mix.payload(rng).kind for _ in range(2000)]
    assert kinds.count("qam") / 2000 == pytest.approx(0.3, abs=0.04)
    assert kinds.count("digital") / 2000 == pytest.approx(0.2, abs=0.04)
    assert {ChannelMix(qam_share=0.0, digital_share=0.0).payload(rng).kind for _ in range(50)} == {"analog"}
