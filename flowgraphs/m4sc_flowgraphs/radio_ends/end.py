"""What every radio end offers to a flowgraph, whatever is behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Notify = Callable[[str, str], None]
"""Called with an event's name (``peer``, ``overflow``, ``underflow``, ...) and one sentence."""


@dataclass(frozen=True)
class TransmitEnd:
    """Where samples go.

    Attributes:
        block: GNU Radio block with one complex64 input.
        waveform: ``WaveformConfig`` with the sample rate that the end really has.
        length_tag: name of the length tag that the end reads, empty for none.
        gap_samples: silence the transmitter is to put after a burst; 0 where the end makes its own.
        real_time: the end takes samples at its own pace.
        counters: running counts of the end, such as ``underflows``.
        drained: whether everything handed over has left, asked after the last sample went in.
    """

    block: Any
    waveform: Any
    length_tag: str
    gap_samples: int
    real_time: bool
    counters: Counter[str]
    drained: Callable[[], bool]


@dataclass(frozen=True)
class ReceiveEnd:
    """Where samples come from.

    Attributes:
        block: GNU Radio block with one complex64 output.
        waveform: ``WaveformConfig`` with the sample rate that the end really has.
        ends: the stream has an end (a recording).
        counters: running counts of the end, such as ``overflows``.
        set_gain_db: sets the receive gain, dB; None where there is none.
        real_time: the samples of a device, which do not wait.
    """

    block: Any
    waveform: Any
    ends: bool
    counters: Counter[str]
    set_gain_db: Callable[[float], None] | None = None
    real_time: bool = False


def ignore(event: str, text: str) -> None:
    """A :data:`Notify` that does nothing."""
