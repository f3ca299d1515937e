"""At which SNR frames are found and their headers read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from m4sc.evaluate.metrics.bootstrap import share_interval
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
_SURE = 2.58  # standard deviations of a share: 99 %
_LEAST = 0.25  # frames lost, where none was: for its logarithm


def headers_read(
    snr_db: float, waveform: WaveformConfig, seed: int, protection: Protection, n_symbols: int = _PAYLOAD
) -> Iterator[bool]:
    """Whether one frame after another, in AWGN, with random timing and carrier offset, gives its header."""
    rng, number = np.random.default_rng(seed), 0
    noise = noise_voltage(snr_db, waveform)
    while True:
        header = FrameHeader(PayloadKind.ANALOG, n_symbols, number % 65536)
        burst = modulate_frame(header, np.ones(n_symbols), waveform, protection)
        gap = np.zeros(_GAP + int(rng.integers(100)))
        samples = np.concatenate([gap, burst, np.zeros(_GAP)])
        offset = rng.uniform(-_MAX_OFFSET_CARRIERS, _MAX_OFFSET_CARRIERS) / waveform.fft_len
        samples = add_noise(shift_carrier(samples, offset, rng.uniform(0, 6)), noise, rng)
        receiver = BurstReceiver(waveform)
        found = receiver.push(samples) + receiver.flush()
        yield any(f.header.message_id == number % 65536 for f in found)
        number += 1


def header_loss(
    snr_db: float,
    frames: int,
    waveform: WaveformConfig,
    seed: int,
    protection: Protection = NORMAL,
    n_symbols: int = _PAYLOAD,
    progress: Callable[[int], None] = lambda n: None,
) -> float:
    """Share of `frames` of :func:`headers_read` that give no header; 0 to 1.

    n_symbols: of the payload; progress: called with the number of frames done since the last call.
    """
    read = 0
    for found in islice(headers_read(snr_db, waveform, seed, protection, n_symbols), frames):
        read += found
        progress(1)
    return 1.0 - read / frames


@dataclass(frozen=True)
class HeaderSnr:
    """snr_db: where the wanted share of headers is lost; low_db, high_db: its 95 % interval, from the counts
    of the two points beside it; frames: sent in all."""

    snr_db: float
    low_db: float
    high_db: float
    frames: int


class _Point:
    """Frames of one SNR, sent as they are asked for."""

    def __init__(self, snr_db: float, outcomes: Iterator[bool], progress: Callable[[int], None]) -> None:
        self.snr_db, self.lost, self.sent = snr_db, 0, 0
        self._outcomes, self._progress = outcomes, progress

    def send(self, most: int, loss: float | None = None) -> bool:
        """Send up to `most` in all, and no more once it is sure on which side of `loss` theirs lies; True if
        it lies above."""
        while self.sent < most:
            self.lost += not next(self._outcomes)
            self.sent += 1
            self._progress(1)
            if loss is not None:
                low, high = share_interval(self.lost, self.sent, _SURE)
                if not low <= loss <= high:
                    break
        return loss is not None and self.lost > loss * self.sent

    @property
    def shares(self) -> tuple[float, float, float]:
        """Lost: as counted, and the ends of the interval; none is 0."""
        low, high = share_interval(self.lost, self.sent)
        least = _LEAST / self.sent
        return max(self.lost / self.sent, least), max(low, 0.1 * least), high


def header_snr_db(
    waveform: WaveformConfig,
    frames: int,
    seed: int,
    grid_db: Sequence[float],
    loss: float = 0.01,
    progress: Callable[[int], None] = lambda n: None,
    protection: Protection = NORMAL,
) -> HeaderSnr:
    """SNR at which the share `loss` of the headers is lost, dB, between points of `grid_db`, falling.

    Bisection finds the two points between which it lies: one is left as soon as its loss is surely above or
    below. At these two, `frames` are sent; between them the logarithm of the loss is taken for linear. NaN if
    the grid's highest SNR loses more than `loss`, its lowest point if none does.
    """
    points = [_Point(snr, headers_read(snr, waveform, seed, protection), progress) for snr in grid_db]
    better, worse = -1, len(points)
    while worse - better > 1:
        middle = (better + worse) // 2
        if points[middle].send(frames, loss):
            worse = middle
        else:
            better = middle
    found = HeaderSnr(float("nan"), float("nan"), float("nan"), 0)
    if worse == len(points):
        found = HeaderSnr(grid_db[-1], float("nan"), grid_db[-1], 0)
    elif better >= 0:
        # A point that was left early may turn out to lie on the other side after all.
        while better > 0 and _send_all(points[better], frames, loss):
            better, worse = better - 1, better
        while worse < len(points) - 1 and not _send_all(points[worse], frames, loss):
            better, worse = worse, worse + 1
        found = HeaderSnr(*_between(points[better], points[worse], loss), 0)
    sent = sum(point.sent for point in points)
    return HeaderSnr(found.snr_db, found.low_db, found.high_db, sent)


def _send_all(point: _Point, frames: int, loss: float) -> bool:
    """Whether more than `loss` of all `frames` are lost."""
    point.send(frames)
    return point.lost > loss * point.sent


def _between(better: _Point, worse: _Point, loss: float) -> tuple[float, float, float]:
    """SNR of `loss` on the line through the logarithms, with those of the intervals' ends."""
    found = []
    for good, bad in zip(better.shares, worse.shares, strict=True):
        steps = (np.log(loss) - np.log(good)) / max(np.log(bad) - np.log(good), 1e-6)
        found.append(float(better.snr_db + steps * (worse.snr_db - better.snr_db)))
    return found[0], min(found), max(found)
