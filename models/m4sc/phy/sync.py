"""Burst detection, carrier offset and timing from the two sync words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import oaconvolve

from m4sc.phy.frame import add_prefix
from m4sc.phy.waveform import WaveformConfig

METRIC_THRESHOLD = 0.12
MATCH_THRESHOLD = 0.12
_INTEGER_OFFSETS = (-4, -2, 0, 2, 4)


@dataclass(frozen=True)
class Burst:
    """start: sample where the preamble's first prefix begins; cfo: cycles a sample."""

    start: int
    cfo: float


def preamble(waveform: WaveformConfig) -> np.ndarray:
    """Both sync words with prefixes, complex128 (2 * symbol_len,)."""
    return add_prefix(np.stack([waveform.sync_bins(1), waveform.sync_bins(2)]), waveform)


def schmidl_cox(samples: np.ndarray, waveform: WaveformConfig) -> tuple[np.ndarray, np.ndarray]:
    """Metric and correlation of Schmidl and Cox (IEEE Trans. Commun. 45, 1997), over symbol and prefix.

    Args:
        samples: complex (n,), n > symbol_len.

    Returns:
        metric |P|^2 / (R1 R2), float (n - symbol_len + 1,), 0 to 1; P, complex of the same shape.
    """
    lag, width = waveform.fft_len // 2, waveform.symbol_len - waveform.fft_len // 2
    product = np.conj(samples[:-lag]) * samples[lag:]
    energy = np.abs(samples) ** 2
    p = _moving_sum(product, width)
    r = _moving_sum(energy, width)
    floor = 1e-20 + 1e-9 * float(energy.mean())
    both = r[: len(p)] * r[lag : lag + len(p)]
    return np.abs(p) ** 2 / (both + floor**2), p


def _moving_sum(x: np.ndarray, width: int) -> np.ndarray:
    total = np.concatenate([np.zeros(1, x.dtype), np.cumsum(x, dtype=np.result_type(x, np.float64))])
    return total[width:] - total[:-width]


def find_burst(samples: np.ndarray, begin: int, waveform: WaveformConfig) -> tuple[Burst | None, int]:
    """First burst that starts at or after `begin`.

    Returns:
        The burst, or None; and the sample up to which nothing more need be looked at: a caller with more
        samples goes on there.
    """
    span, reach = 2 * waveform.symbol_len, waveform.symbol_len
    last = len(samples) - span - reach  # a candidate later than this has not enough samples behind it yet
    if last <= begin:
        return None, begin
    metric, p = schmidl_cox(samples[begin:], waveform)
    known = preamble(waveform)
    place, limit = 0, last - begin
    while place < limit:
        above = np.flatnonzero(metric[place:limit] > METRIC_THRESHOLD)
        if not len(above):
            break
        first = place + int(above[0])
        peak = first + int(np.argmax(metric[first : first + reach]))
        burst = _confirm(samples, begin + peak, p[peak], known, waveform)
        if burst is not None:
            return burst, burst.start
        place = peak + waveform.cp_len
    return None, last


def _confirm(
    samples: np.ndarray, peak: int, p: complex, known: np.ndarray, waveform: WaveformConfig
) -> Burst | None:
    """Match both sync words around a peak of the metric over timing and whole carriers of offset."""
    margin = waveform.symbol_len // 2
    start = max(peak - margin, 0)
    segment = samples[start : peak + len(known) + margin]
    n = np.arange(len(segment))
    lag = waveform.fft_len // 2
    # gr-digital's word 1 lies on odd carriers, so that its second half is the first one negated.
    own = np.vdot(known[:lag], known[lag : 2 * lag])
    fraction = np.angle(p * np.conj(own)) / (np.pi * waveform.fft_len)  # cycles a sample
    power = _moving_sum(np.abs(segment) ** 2, len(known))
    known_power = float(np.sum(np.abs(known) ** 2))
    best = (0.0, 0, 0.0)
    for whole in _INTEGER_OFFSETS:
        cfo = fraction + whole / waveform.fft_len
        turned = segment * np.exp(-2j * np.pi * cfo * n)
        match = np.abs(oaconvolve(turned, np.conj(known[::-1]), mode="valid")) ** 2 / (
            power * known_power + 1e-30
        )
        at = int(np.argmax(match))
        if match[at] > best[0]:
            best = (float(match[at]), at, cfo)
    if best[0] < MATCH_THRESHOLD:
        return None
    return Burst(start + best[1], best[2])
