"""When a receiver asks what is wrong, and what it says of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from m4sc.phy.diagnosis import clipped_share, is_louder, standing_carrier, symbol_lag, timing_step
from m4sc.phy.sync.strangers import burst_lengths
from m4sc.phy.waveform import WaveformConfig

CAUSES = (
    "inverted",
    "rate_off",
    "slow_clock",
    "clipping",
    "dc",
    "carrier",
    "collisions",
    "gaps",
    "weak",
    "no_signal",
)
_LOOK, _EVERY = 1 << 14, 1 << 17  # samples looked at, and of these the period
_KEPT = 1 << 17  # samples kept until a first frame has come
_TRIES = (2, 6, 20)  # bursts without any frame after which they are looked at
_BLOCK, _SHORTEST_BURST = 64, 5  # samples; blocks
_FAR_LAG = 0.25  # from the own FFT length: beyond, it is another one
_LEAST_RATE = 0.004  # offset that the lag shows for sure
_SLOW_PPM, _SLOW_FRAMES = 60.0, 2  # of a clock that is told
_WEAK_MATCH, _WEAK_BURSTS = 0.45, 3
_STRONGER = {"carrier", "clipping", "dc", "inverted", "rate_off", "strangers", "collisions"}  # causes
_AGAIN_S = 60.0  # a cause that stays is told again


class Finding(NamedTuple):
    """cause: one of `CAUSES`; sample: of the stream; reason: one sentence; figure and unit: how much."""

    cause: str
    sample: int
    reason: str
    figure: float
    unit: str


class _Found(Protocol):
    sfo_ppm: float
    start_sample: int


class DiagnosisWatch:
    """Looks at samples now and then, and at what was not read; says a cause once, and a minute later again.

    Args:
        waveform: of the receiver.
        read: frames in samples, complex64 (n,), for a try with another spectrum.
    """

    def __init__(self, waveform: WaveformConfig, read: Callable[[np.ndarray], Sequence[Any]]) -> None:
        self._waveform, self._read = waveform, read
        self._count = 0  # samples so far
        self._told: dict[str, int] = {}
        self._findings: list[Finding] = []
        self._window: list[np.ndarray] = []  # samples of the look under way
        self._held = 0
        self._kept: deque[np.ndarray] = deque()  # until a first frame
        self._kept_size, self._read_any, self._tried = 0, False, 0
        self._first: complex | None = None  # while all samples are the same
        self._alike = True
        self._slow: list[float] = []
        self._weak: list[float] = []  # matches of preambles without a header
        self._last_weak = 0
        self._spoiled = -(1 << 30)  # where the last frame began that samples or another one spoiled
        self._looked = False  # at bursts that were not read

    def take(self) -> list[Finding]:
        """What was found since the last call."""
        taken, self._findings = self._findings, []
        return taken

    # --- samples ----------------------------------------------------------------------------------------

    def push(self, samples: np.ndarray, bursts: int) -> None:
        """Take samples, complex64 (n,); bursts: heard so far, read or not."""
        if not len(samples):
            return
        self._look_for_life(samples)
        place = self._count % _EVERY
        self._count += len(samples)
        start = 0
        while start < len(samples):
            room = min(len(samples) - start, _EVERY - place)
            wanted = min(room, _LOOK - place)
            if wanted > 0:
                self._window.append(samples[start : start + wanted].copy())
                self._held += wanted
                if self._held == _LOOK:
                    self._look()
            start, place = start + room, (place + room) % _EVERY
        if not self._read_any:
            self._keep(samples)
            if bursts > self._tried and any(self._tried < tries <= bursts for tries in _TRIES):
                self._tried = bursts
                self._look_at_unread()
        self._settle()

    def flush(self, bursts: int) -> None:
        """The end of the stream."""
        if self._held >= 4096:
            self._look()
        if self._alike and self._count > 4096:
            self._say_nothing_comes()
        if not self._read_any and bursts > self._tried:
            self._look_at_unread()
        self._tried = bursts
        self._settle()

    def _look_for_life(self, samples: np.ndarray) -> None:
        """Whether samples are anything but the same value."""
        if not self._alike:
            return
        if self._first is None:
            self._first = complex(samples[0])
        self._alike = bool(np.all(samples == np.complex64(self._first)))
        if self._alike and self._count > self._waveform.samp_rate:
            self._say_nothing_comes()

    def _say_nothing_comes(self) -> None:
        value = abs(self._first or 0.0)
        reason = "all samples are the same: no radio is connected, or it is muted"
        self._say("no_signal", 0, reason, value, "amplitude")

    def _look(self) -> None:
        """At the window that is full."""
        samples, self._window, self._held = np.concatenate(self._window), [], 0
        place = self._count
        if self._alike:
            return
        share = clipped_share(samples)
        if share:
            reason = f"{100 * share:.2g} % of the values are at the converter's end: turn the gain down"
            self._say("clipping", place, reason, 100 * share, "%")
        carrier = standing_carrier(samples)
        if carrier is None:
            return
        hz, level = carrier.frequency * self._waveform.samp_rate, carrier.level_db
        if abs(carrier.frequency) < 1.5 / 1024:
            reason = f"a DC offset has {level:.0f} dB of the power: tune a little aside, or remove it"
            self._say("dc", place, reason, level, "dB")
            return
        reason = f"a carrier stands at {hz / 1e3:+.1f} kHz with {level:.0f} dB of the power"
        self._say("carrier", place, reason, level, "dB")

    # --- before the first frame -------------------------------------------------------------------------

    def _keep(self, samples: np.ndarray) -> None:
        self._kept.append(samples[-_KEPT:].copy())
        self._kept_size += len(self._kept[-1])
        while self._kept_size - len(self._kept[0]) >= _KEPT:
            self._kept_size -= len(self._kept.popleft())

    def _look_at_unread(self) -> None:
        """Bursts came and none was read: an inverted spectrum, another rate, another waveform?"""
        self._looked = True
        samples = np.concatenate([*self._kept, np.zeros(0, np.complex64)])[-_KEPT:]
        if len(samples) < 2 * self._waveform.symbol_len:
            return
        frames = self._read(np.conj(samples))
        if frames:
            reason = (
                f"the spectrum is inverted: with I and Q swapped {len(frames)} frames are read; "
                "use the option that swaps them"
            )
            self._say("inverted", self._count - len(samples), reason, len(frames), "frames")
            return
        own = self._waveform.fft_len
        lag = symbol_lag(bursts_of(samples), 4 * own)
        if lag and _LEAST_RATE < abs(lag / own - 1.0) < _FAR_LAG:
            off = 100.0 * (lag / own - 1.0)
            reason = (
                f"the sender's OFDM symbols take {lag:.1f} samples, not {own}: the sample rates differ by "
                f"{off:+.1f} %"
            )
            self._say("rate_off", self._count - len(samples), reason, off, "%")

    # --- frames and what is none ------------------------------------------------------------------------

    def frames(self, found: Sequence[_Found]) -> None:
        """Take received frames."""
        if not found:
            return
        self._read_any = True
        self._kept.clear()
        self._kept_size = 0
        for frame in found:
            is_spoiled = abs(frame.start_sample - self._spoiled) <= self._waveform.cp_len
            if abs(frame.sfo_ppm) > _SLOW_PPM and not is_spoiled:
                self._slow.append(frame.sfo_ppm)
                if len(self._slow) >= _SLOW_FRAMES:
                    middle = float(np.median(self._slow[-9:]))
                    reason = f"the sampling clocks are {middle:+.0f} ppm apart; long frames lose by it"
                    self._say("slow_clock", frame.start_sample, reason, middle, "ppm")
                    self._slow = self._slow[-9:]

    def unread(self, match: float, sample: int) -> None:
        """A preamble that looked like one of ours, of this match, had no valid header."""
        if match < _WEAK_MATCH:
            self._weak = [*self._weak[-8:], match]
            self._last_weak = sample

    def _settle(self) -> None:
        """Headers of weak preambles were not read, and nothing else explains it."""
        if len(self._weak) < _WEAK_BURSTS:
            return
        if not self._read_any and not self._looked:
            self._look_at_unread()
        weak, self._weak = self._weak, []
        if self._told.keys() & _STRONGER:
            return
        middle = float(np.median(weak))
        snr_db = float(10 * np.log10(middle / (1.0 - middle) * self._waveform.fft_len / self._used))
        reason = f"preambles come in at about {snr_db:.0f} dB, too weak for their headers"
        self._say("weak", self._last_weak, reason, snr_db, "dB")

    def is_told(self, cause: str) -> None:
        """Somebody else said it: it explains what else is seen."""
        self._told.setdefault(cause, self._count)

    @property
    def _used(self) -> int:
        return len(self._waveform.occupied_carriers) + len(self._waveform.pilot_carriers)

    def spoiled(self, samples: np.ndarray, sample: int, other: int | None) -> str:
        """Why a frame is spoiled on its way: a cause, or "".

        samples: complex64 (n,), from its first sample on; sample: of the stream; other: place of another
        preamble inside it, if there is one.
        """
        step = timing_step(samples if other is None else samples[:other], self._waveform)
        if step is not None:
            reason = (
                f"samples are missing: behind sample {sample + step.place} symbols come {step.samples} "
                f"samples early, or as many and a multiple of {self._waveform.symbol_len}"
            )
            self._spoiled = sample
            self._say("gaps", sample + step.place, reason, step.samples, "samples")
            return "gaps"
        if other is not None and is_louder(samples, other, self._waveform):
            reason = f"two bursts collide: one begins {other} samples inside another"
            self._spoiled = sample
            self._say("collisions", sample + other, reason, other, "samples")
            return "collisions"
        return ""

    def _say(self, cause: str, sample: int, reason: str, figure: float, unit: str) -> None:
        last = self._told.get(cause)
        if last is not None and self._count - last < _AGAIN_S * self._waveform.samp_rate:
            return
        self._told[cause] = self._count
        self._findings.append(Finding(cause, max(sample, 0), reason, float(figure), unit))


def bursts_of(samples: np.ndarray) -> list[np.ndarray]:
    """What rises 6 dB above the quietest samples, for a while; complex64 (n,) each."""
    lengths, floor = burst_lengths(samples, np.inf, 0)  # the floor is known at the end alone
    lengths, _ = burst_lengths(samples, floor, 0)
    inside = np.concatenate([[False], lengths > 0, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2)
    return [samples[begin * _BLOCK : end * _BLOCK] for begin, end in edges if end - begin >= _SHORTEST_BURST]
