"""Other transmitters in the band: a carrier, bursts, a sweep, each of a power against that of the burst."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from m4sc.phy.waveform import WaveformConfig

Spoil = Callable[[np.ndarray, WaveformConfig, np.random.Generator], np.ndarray]
"""What is done to the samples of a burst between zeros, complex (n,), before noise comes on top."""


def burst_power(samples: np.ndarray) -> float:
    """Mean power of the burst among zeros."""
    return float(np.mean(np.abs(samples[np.abs(samples) > 0]) ** 2))


def carrier(relative_db: float) -> Spoil:
    """A carrier inside the band, of so much power against the burst."""

    def spoil(samples: np.ndarray, waveform: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
        level = np.sqrt(burst_power(samples) * 10 ** (relative_db / 10))
        number = rng.choice(waveform.occupied_carriers) + rng.uniform(-0.5, 0.5)
        turn = 2 * np.pi * (number / waveform.fft_len * np.arange(len(samples)) + rng.random())
        return samples + level * np.exp(1j * turn)

    return spoil


def pulses(relative_db: float, share: float = 0.1) -> Spoil:
    """White noise over whole OFDM symbols' lengths, at random, of so much power against the burst."""

    def spoil(samples: np.ndarray, waveform: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(len(samples) // waveform.symbol_len + 1) < share
        mask = np.repeat(hit, waveform.symbol_len)[: len(samples)]
        level = np.sqrt(burst_power(samples) * 10 ** (relative_db / 10) / 2)
        return samples + mask * level * (rng.standard_normal((len(samples), 2)) @ np.array([1, 1j]))

    return spoil


def hit_symbols(relative_db: float, share: float = 0.1, spared: int = 0) -> Spoil:
    """White noise over the burst's own OFDM symbols, at random, of so much power against the burst.

    spared: symbols at its begin that are left alone.
    """

    def spoil(samples: np.ndarray, waveform: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
        burst = np.flatnonzero(samples)
        hit = rng.random((burst[-1] - burst[0]) // waveform.symbol_len + 1) < share
        hit[:spared] = False
        mask = np.repeat(hit, waveform.symbol_len)[: len(samples) - burst[0]]
        level = np.sqrt(burst_power(samples) * 10 ** (relative_db / 10) / 2)
        spoiled = samples.astype(complex)
        place = slice(burst[0], burst[0] + len(mask))
        spoiled[place] += mask * level * (rng.standard_normal((len(mask), 2)) @ np.array([1, 1j]))
        return spoiled

    return spoil


def chirps(relative_db: float, symbols: float = 60.0) -> Spoil:
    """A carrier that sweeps over all carriers in so many OFDM symbols, again and again."""

    def spoil(samples: np.ndarray, waveform: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
        period = symbols * waveform.symbol_len
        at = (np.arange(len(samples)) / period + rng.random()) % 1.0
        level = np.sqrt(burst_power(samples) * 10 ** (relative_db / 10))
        return samples + level * np.exp(2j * np.pi * np.cumsum(at - 0.5))

    return spoil
