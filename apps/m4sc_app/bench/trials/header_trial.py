"""At which SNR frames are found and their headers read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from m4sc.phy.channel.impairments import add_noise, shift_carrier
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.header.protection import NORMAL, Protection
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig

_GAP = 400
_PAYLOAD = 96
_MAX_OFFSET_CARRIERS = 1.5


def header_loss(
    snr_db: float,
    frames: int,
    waveform: WaveformConfig,
    seed: int,
    protection: Protection = NORMAL,
    n_symbols: int = _PAYLOAD,
    progress: Callable[[int], None] = lambda n: None,
) -> float:
    """Share of `frames` in AWGN, with random timing and carrier offset, that give no header; 0 to 1.

    n_symbols: of the payload; progress: called with the number of frames done since the last call.
    """
    rng, read = np.random.default_rng(seed), 0
    noise = noise_voltage(snr_db, waveform)
    for number in range(frames):
        header = FrameHeader(PayloadKind.ANALOG, n_symbols, number % 65536)
        burst = modulate_frame(header, np.ones(n_symbols), waveform, protection)
        gap = np.zeros(_GAP + int(rng.integers(100)))
        samples = np.concatenate([gap, burst, np.zeros(_GAP)])
        offset = rng.uniform(-_MAX_OFFSET_CARRIERS, _MAX_OFFSET_CARRIERS) / waveform.fft_len
        samples = add_noise(shift_carrier(samples, offset, rng.uniform(0, 6)), noise, rng)
        receiver = BurstReceiver(waveform)
        found = receiver.push(samples) + receiver.flush()
        read += any(f.header.message_id == number % 65536 for f in found)
        progress(1)
    return 1.0 - read / frames


def header_snr_db(
    waveform: WaveformConfig,
    frames: int,
    seed: int,
    grid_db: Sequence[float],
    loss: float = 0.01,
    progress: Callable[[int], None] = lambda n: None,
    protection: Protection = NORMAL,
) -> float:
    """SNR at which the share `loss` of the headers is lost, dB, between points of `grid_db`, falling.

    Between two points the logarithm of the loss is taken for linear; NaN if the grid's highest SNR loses
    more than `loss`, its lowest point if none does.
    """
    better: tuple[float, float] | None = None
    for snr_db in grid_db:
        found = max(header_loss(snr_db, frames, waveform, seed, protection), 0.25 / frames)
        progress(frames)
        if found > loss:
            if better is None:
                return float("nan")
            x = (np.log(loss) - np.log(better[1])) / (np.log(found) - np.log(better[1]))
            return float(better[0] + x * (snr_db - better[0]))
        better = (snr_db, found)
    return float(grid_db[-1])
