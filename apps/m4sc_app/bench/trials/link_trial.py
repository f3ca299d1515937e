"""Frames through noise: how many are lost, and what passes for a frame that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from m4sc.phy.channel.impairments import add_noise, shift_carrier
from m4sc.phy.frame import add_prefix, modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.header.protection import NORMAL, Protection
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig

_BATCH = 250  # frames whose samples are in memory at a time
_MAX_SYMBOLS = 400
_MAX_GAP = 2000
_CHUNKS = (1_000, 1_000_000)


@dataclass(frozen=True)
class LinkTrial:
    """sent, lost, duplicated and misplaced (out of order, or with another payload) frames."""

    sent: int
    lost: int
    duplicated: int
    misplaced: int


def run_link(
    snr_db: float,
    frames: int,
    waveform: WaveformConfig,
    seed: int,
    progress: Callable[[int], None] = lambda n: None,
    protection: Protection = NORMAL,
) -> LinkTrial:
    """Frames of random length at random places, half of them back to back, in chunks of 1 k to 1 M samples.

    progress: called with the number of frames of each batch.
    """
    rng = np.random.default_rng(seed)
    receiver, seen, done = BurstReceiver(waveform), list[tuple[int, int]](), 0
    sizes: list[int] = []
    while done < frames:
        count = min(_BATCH, frames - done)
        sizes += [int(n) for n in rng.integers(1, _MAX_SYMBOLS + 1, count)]
        samples = _stream(range(done, done + count), sizes[done:], waveform, rng, protection)
        samples = shift_carrier(samples, rng.uniform(-1.5, 1.5) / waveform.fft_len, rng.uniform(0, 6))
        samples = add_noise(samples, noise_voltage(snr_db, waveform), rng)
        for chunk in _chunks(samples, rng):
            seen += [
                (f.header.message_id + 65536 * f.header.source_id, len(f.symbols))
                for f in receiver.push(chunk)
            ]
        done += count
        progress(count)
    seen += [(f.header.message_id + 65536 * f.header.source_id, len(f.symbols)) for f in receiver.flush()]
    numbers = [number for number, _ in seen]
    misplaced = int(np.sum(np.diff(numbers) < 0)) + sum(sizes[n] != size for n, size in seen)
    return LinkTrial(frames, frames - len(set(numbers)), len(numbers) - len(set(numbers)), misplaced)


def _stream(
    numbers: range,
    sizes: list[int],
    waveform: WaveformConfig,
    rng: np.random.Generator,
    protection: Protection,
) -> np.ndarray:
    parts = []
    for number, size in zip(numbers, sizes, strict=True):
        payload = rng.standard_normal((2, size)) / np.sqrt(2.0)
        header = FrameHeader(PayloadKind.ANALOG, size, number % 65536, number // 65536)
        gap = int(rng.integers(1, _MAX_GAP)) * int(rng.integers(2))
        parts += [np.zeros(gap), modulate_frame(header, payload[0] + 1j * payload[1], waveform, protection)]
    return np.concatenate(parts)


def _chunks(samples: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    place = 0
    while place < len(samples):
        size = int(np.exp(rng.uniform(*np.log(_CHUNKS))))
        yield samples[place : place + size]
        place += size


def noise_samples(count: int, rng: np.random.Generator) -> np.ndarray:
    """White noise of unit power, complex64 (count,)."""
    return (rng.standard_normal((count, 2), np.float32) / np.float32(np.sqrt(2))).view(np.complex64).ravel()


def carrier_samples(count: int, rng: np.random.Generator) -> np.ndarray:
    """An unmodulated carrier at a random frequency, 20 dB over noise, complex64 (count,)."""
    carrier = np.exp(2j * np.pi * (rng.uniform(-0.5, 0.5) * np.arange(count)))
    return (carrier + 0.1 * noise_samples(count, rng)).astype(np.complex64)


def foreign_samples(count: int, rng: np.random.Generator) -> np.ndarray:
    """Someone else's OFDM, QPSK on all carriers, with another FFT length or, at times, the same."""
    fft_len = int(rng.choice([32, 48, 64, 128]))
    other = WaveformConfig(
        fft_len=fft_len,
        cp_len=fft_len // 4,
        occupied_carriers=tuple(range(1, fft_len // 3)),
        pilot_carriers=(-1,),
        pilot_symbols=((1.0,),),
        sync_word1=(0.0,) * fft_len,
        sync_word2=(0.0,) * fft_len,
    )
    symbols = count // other.symbol_len + 1
    bins = np.exp(0.5j * np.pi * (rng.integers(4, size=(symbols, fft_len)) + 0.5))
    samples = add_prefix(bins, other)[:count]
    return (samples + 0.1 * noise_samples(count, rng)).astype(np.complex64)


SOURCES = {"noise": noise_samples, "carrier": carrier_samples, "foreign": foreign_samples}


def false_headers(
    source: str,
    samples: int,
    waveform: WaveformConfig,
    seed: int,
    progress: Callable[[int], None] = lambda n: None,
) -> tuple[int, int]:
    """Frames that a receiver makes of `samples` without any, and the headers that it tried.

    source: one of `SOURCES`.
    """
    rng, receiver, found = np.random.default_rng(seed), BurstReceiver(waveform), 0
    block = 500_000
    for start in range(0, samples, block):
        count = min(block, samples - start)
        found += len(receiver.push(SOURCES[source](count, rng)))
        progress(count)
    found += len(receiver.flush())
    tried = sum(receiver.counters[kind] for kind in ("header_errors", "false_alarms", "too_long"))
    return found, found + tried


def noise_voltage_error_db(waveform: WaveformConfig, snr_db: float, seed: int = 0) -> float:
    """Measured Es/N0 on the data carriers, at an FFT, less the one that `noise_voltage` was asked for."""
    rng = np.random.default_rng(seed)
    rows = max(1, 400_000 // waveform.fft_len)
    bins = np.zeros((rows, waveform.fft_len), complex)
    bins[:, waveform.data_bins] = np.exp(
        0.5j * np.pi * rng.integers(4, size=(rows, waveform.n_data_carriers))
    )
    clean = add_prefix(bins, waveform)
    noisy = add_noise(clean, noise_voltage(snr_db, waveform), rng)
    spectra = [
        np.fft.fft(x.reshape(rows, -1)[:, waveform.cp_len :], axis=1)[:, waveform.data_bins]
        for x in (clean, noisy - clean)
    ]
    signal, noise = (float(np.mean(np.abs(s) ** 2)) for s in spectra)
    return 10 * float(np.log10(signal / noise)) - snr_db
