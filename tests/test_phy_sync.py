"""Batch FFTs and the bank of correlations that finds bursts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.fft_kernels import roots_of_unity, transform
from m4sc.phy.gr_digital.demodulator import packet_receiver
from m4sc.phy.gr_digital.packet import PacketFormat
from m4sc.phy.modulation.mcs import MCS_TABLE
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.sync.detector import BurstSearch, Search
from m4sc.phy.sync.preamble_bank import preamble, preamble_bank
from m4sc.phy.warm_up import main as warm_up_all
from m4sc.phy.warm_up import warm_up_bytes, warm_up_frames, warm_up_packets
from m4sc.phy.waveform import WaveformConfig
from wide_waveform import TWICE

WAVEFORM = WaveformConfig()


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, count)).T @ np.array([1, 1j])


@settings(max_examples=60, deadline=None)
@given(length=st.integers(1, 150), batch=st.integers(1, 20), seed=st.integers(0, 1000))
def test_batch_fft_is_that_of_numpy(length: int, batch: int, seed: int) -> None:
    values = noise(length * batch, seed).reshape(length, batch)
    parts = [np.ascontiguousarray(part, np.float32).ravel() for part in (values.real, values.imag)]
    re, im = transform(*parts, *map(np.empty_like, parts), batch, roots_of_unity(length))
    found = (re + 1j * im).reshape(length, batch)
    assert np.allclose(found, np.fft.fft(values, axis=0), atol=2e-6 * length + 1e-5)


@pytest.mark.parametrize("waveform", [WAVEFORM, TWICE])
@pytest.mark.parametrize("size", [512, 2048])
def test_a_preamble_at_any_offset_keeps_its_place_and_loses_about_1_db_at_most(
    waveform: WaveformConfig, size: int
) -> None:
    known, bank = preamble(waveform), preamble_bank(waveform, size)
    for offset in np.linspace(-2.8, 2.8, 57):
        block = np.zeros(size, np.complex64)
        block[50 : 50 + len(known)] = known * np.exp(
            1j * (2 * np.pi * offset / waveform.fft_len * np.arange(len(known)) + offset)
        )
        match, found = bank.match(block)
        assert int(np.argmax(match)) == 50 and 0.785 < match[50] < 1.0 + 1e-5
        move, cfo = bank.refine(found, 50, len(match), float(match[50]), 4)
        assert move == 0 and cfo * waveform.fft_len == pytest.approx(offset, abs=0.15)


def test_warming_up_receives_a_frame_and_a_packet() -> None:
    how = PacketFormat(2)
    assert warm_up_frames(BurstReceiver(WAVEFORM)) == warm_up_frames(BurstReceiver(TWICE)) == 1
    assert warm_up_packets(packet_receiver(WAVEFORM, how), how) == 1
    assert warm_up_bytes() == len(MCS_TABLE)
    warm_up_all()  # what the set-up calls


def test_match_is_the_share_of_the_energy_and_does_not_depend_on_level() -> None:
    bank, block = preamble_bank(WAVEFORM, 512), noise(512, 1)
    match = bank.match(block.astype(np.complex64))[0]
    known = preamble(WAVEFORM) / np.linalg.norm(preamble(WAVEFORM))
    grid, age = (
        (3 * np.arange(16) - 22.5) / 512,
        np.arange(len(known)) - np.abs(known) ** 2 @ np.arange(len(known)),
    )
    bases = known * np.exp(2j * np.pi * np.outer(grid, age))
    halves = bases[1:] + bases[:-1]
    bases = np.concatenate([bases, halves / np.linalg.norm(halves, axis=1)[:, None]])
    parts = np.lib.stride_tricks.sliding_window_view(block, len(known))
    shares = np.abs(parts @ bases.conj().T) ** 2 / np.sum(np.abs(parts) ** 2, axis=1)[:, None]
    assert np.allclose(match, shares.max(axis=1), rtol=1e-4)
    assert np.allclose(bank.match((1e4 * block).astype(np.complex64))[0], match, rtol=1e-4)


def test_noise_passes_at_the_rate_that_the_threshold_stands_for() -> None:
    search, passed, samples = Search(0), 0, noise(400_000, 2).astype(np.complex64)
    while True:
        burst, search = BurstSearch(WAVEFORM).find(samples, search)
        if burst is None:
            break
        passed, search = passed + 1, Search(burst.start + WAVEFORM.symbol_len)
    assert 1 <= passed <= 30


def test_with_an_echo_before_the_strongest_path_the_window_moves_towards_it() -> None:
    samples = np.zeros(2000, np.complex64)
    samples[300:460] += 0.5 * preamble(WAVEFORM)
    samples[310:470] += preamble(WAVEFORM)
    burst, _ = BurstSearch(WAVEFORM).find(samples, Search(0))
    assert burst is not None and 300 <= burst.start <= 304
