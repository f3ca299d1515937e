"""Sweeps, found in made-up spectra and told from noise."""

from __future__ import annotations

import numpy as np
import pytest
from m4sc.phy.equalizer.swept_carrier import Sweep, find_sweep

FFT_LEN, SYMBOL_LEN, SKIP, ROWS = 64, 80, 12, 23
WINDOW = FFT_LEN / SYMBOL_LEN


def spectra(samples: np.ndarray) -> np.ndarray:
    """Energies of OFDM symbols' windows, carriers by frequency, float (rows, carriers)."""
    parts = samples.reshape(-1, SYMBOL_LEN)[:, SKIP : SKIP + FFT_LEN]
    return np.abs(np.fft.fftshift(np.fft.fft(parts, axis=1, norm="ortho"), axes=1)) ** 2


def sweep_samples(slope: float, place: float, power: float) -> np.ndarray:
    number = place + slope / SYMBOL_LEN * np.arange(ROWS * SYMBOL_LEN)
    return np.sqrt(power) * np.exp(2j * np.pi * np.cumsum(number / FFT_LEN))


def noise(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((ROWS * SYMBOL_LEN, 2)) @ [1, 1j] / np.sqrt(2)


def levels(sweep: Sweep) -> np.ndarray:
    return sweep.levels(np.indices((ROWS, FFT_LEN), sparse=True), FFT_LEN, WINDOW)


def test_sweeps_are_found_with_their_levels() -> None:
    rng, right, one = np.random.default_rng(2), 0, np.ones((ROWS, FFT_LEN))
    for _ in range(40):
        slope, place = rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 3.5), rng.uniform(0, 64)
        wave = sweep_samples(slope, place, 10 ** rng.uniform(0.8, 3.5))
        energy, truth = spectra(wave + noise(rng)), spectra(wave)
        found = find_sweep(energy, one, one > 0, WINDOW)
        assert found is not None
        told, loud = levels(found), truth > 3.0
        cells_db = np.median(np.abs(10 * np.log10(told[loud] / truth[loud])))
        whole_db = abs(10 * np.log10(told.sum() / truth.sum()))
        right += abs(found.slope - slope) < 0.05 and max(cells_db, whole_db) < 0.7
        again = find_sweep(energy, one, one > 0, WINDOW, found)
        assert again is not None and abs(again.slope - found.slope) < 0.05
    assert right >= 38


def test_noise_alone_is_no_sweep() -> None:
    rng, one = np.random.default_rng(4), np.ones((ROWS, FFT_LEN))
    assert not any(find_sweep(spectra(noise(rng)), one, one > 0, WINDOW) for _ in range(50))


def test_cells_that_are_not_looked_at_say_nothing() -> None:
    rng, one = np.random.default_rng(5), np.ones((ROWS, FFT_LEN))
    energy, ours = spectra(noise(rng)), np.ones((ROWS, FFT_LEN), bool)
    ours[:, :20] = False
    energy[:, :20] += 1e6
    assert find_sweep(energy, one, ours, WINDOW) is None


@pytest.mark.parametrize("shape", [(1, 64), (4, 8), (200, 64)])
def test_frames_of_any_size(shape: tuple[int, int]) -> None:
    energy = np.random.default_rng(6).exponential(size=shape)
    energy[:, 2] = 1e9  # a carrier: a line like another
    find_sweep(energy, np.ones(shape), np.ones(shape, bool), 0.8)
    find_sweep(np.zeros(shape), np.zeros(shape), np.ones(shape, bool), 0.8)


def test_a_long_frame_costs_neither_time_nor_memory() -> None:
    shape = 1400, 64
    assert find_sweep(np.ones(shape), np.ones(shape), np.ones(shape, bool), 0.8) is None
