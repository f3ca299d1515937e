"""What the demo asks of a radio, and the rows it prints."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from m4sc.transport.answering import NOT_SURE

from m4sc_app.demo.messages import DemoMessage
from m4sc_app.errors import MissingPartError

CHANNELS = ("awgn", "fading", "multipath", "tdl-a", "tdl-c")
DEFAULT_CHANNELS = ("awgn", "fading")
SYSTEMS = ("semantic", "classical")
EQUAL = 0.05
"""Scores no further apart count as equal."""
LEAST_CONFIDENCE = 0.5
"""An answer that is more probably wrong than right is \"not sure\"."""


@dataclass(frozen=True)
class Delivery:
    """What came of one message.

    Attributes:
        complex_symbols: k, data symbols of all its frames.
        air_time_s: with preamble, header, pilots and cyclic prefix.
        frames_sent: frames put on the air.
        frames_lost: of those, not received.
        answer: text, None when nothing arrived.
        received: what the classical system decoded (PNG, WAV or UTF-8 bytes), None without.
        symbols: complex64 (k,) equalised, for the constellation.
        h_hat: complex64 (carriers,) channel estimate.
        confidence: 0 to 1, how probably the answer is right, None where nothing is said of it.
        verified: whether a check over the message passed, None without one.
    """

    complex_symbols: int
    air_time_s: float
    frames_sent: int
    frames_lost: int
    answer: str | None
    received: bytes | None = None
    symbols: np.ndarray | None = None
    h_hat: np.ndarray | None = None
    confidence: float | None = None
    verified: bool | None = None


class Radio(Protocol):
    """One run through the flowgraph: every message, one system, one channel, one SNR."""

    def __call__(
        self,
        messages: Sequence[DemoMessage],
        *,
        system: str,
        channel: str,
        snr_db: float,
        zero_latents: bool,
        seed: int,
    ) -> Sequence[Delivery]:
        """Deliveries in the order of ``messages``."""
        ...


@dataclass(frozen=True)
class DemoRow:
    """One line of ``m4sc demo --json`` and the delivery behind it."""

    message: DemoMessage
    system: str
    channel: str
    snr_db: float
    metric: str
    score: float
    delivery: Delivery
    file: str | None = None
    zero_latents: bool = False

    @property
    def withheld(self) -> bool:
        """Whether the receiver held its answer for more probably wrong than right, and says so instead."""
        return self.delivery.answer == NOT_SURE and self.delivery.confidence is not None

    @property
    def outcome(self) -> str:
        """``right``, ``in part``, ``wrong``, ``withheld``, or ``lost`` where nothing was answered."""
        if self.withheld:
            return "withheld"
        if not self.delivery.answer:
            return "lost"
        return "right" if self.score >= 1 - EQUAL else "wrong" if self.score <= 0 else "in part"

    def to_json(self) -> dict[str, Any]:
        """The row as plain values."""
        return {
            "message": self.message.name,
            "system": self.system,
            "channel": self.channel,
            "task": self.message.task,
            "modality": self.message.modality,
            "snr_db": self.snr_db,
            "complex_symbols": self.delivery.complex_symbols,
            "air_time_s": self.delivery.air_time_s,
            "metric": self.metric,
            "score": self.score,
            "outcome": self.outcome,
            "answer": self.delivery.answer,
            "confidence": getattr(self.delivery, "confidence", None),
            "verified": getattr(self.delivery, "verified", None),
            "file": self.file,
            "frames_sent": self.delivery.frames_sent,
            "frames_lost": self.delivery.frames_lost,
            "zero_latents": self.zero_latents,
        }


def open_radio(model: str) -> Radio:
    """The GNU Radio loopback with the named model.

    ``m4sc_flowgraphs.loopback.open_radio(model)`` returns the callable described by :class:`Radio`.

    Raises:
        MissingPartError: GNU Radio or the flowgraph is not installed.
    """
    try:
        importlib.import_module("gnuradio.gr")
    except ImportError as exc:
        raise MissingPartError(
            "this Python has no GNU Radio; run script/bootstrap (Debian: apt-get install gnuradio)"
        ) from exc
    try:
        loopback = importlib.import_module("m4sc_flowgraphs.loopback")
        opener: Callable[[str, float], Radio] = loopback.open_radio
    except (ModuleNotFoundError, AttributeError) as exc:
        raise MissingPartError(
            "the loopback flowgraph is not part of this version of m4sc, so the demo cannot run yet"
        ) from exc
    return opener(model, LEAST_CONFIDENCE)
