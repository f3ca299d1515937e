"""How the payloads of a point cross the channel: each way takes many at once and says what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from m4sc.codecs.base import Payload
from m4sc.evaluate.as_samples import hear_samples
from m4sc.evaluate.channels import INTERFERED
from m4sc.evaluate.crossing import Crossing, cross, crossing_of, error_snr_db
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, to_frames

SYMBOLS, SAMPLES, LINK, RADIO = THROUGH = ("symbols", "samples", "link", "radio")
"""Names: symbols alone (:class:`SymbolWay`), samples (:class:`SampleWay`), frames in torch
(:class:`m4sc.evaluate.link_way.LinkWay`), the flowgraph of GNU Radio (``m4sc_flowgraphs.radio_way``)."""


class Way(Protocol):
    """One way across; hashable, equal ones cross equally."""

    def __hash__(self) -> int:
        """Of what makes it up."""

    @property
    def name(self) -> str:
        """One of `THROUGH`."""

    @property
    def framed(self) -> bool:
        """Whether symbols lie on the carriers of frames, and so are to be interleaved by the transport."""

    def cross_all(
        self,
        payloads: Sequence[Payload],
        channel: str,
        snr_db: float,
        rngs: Sequence[np.random.Generator],
        configs: Sequence[TransportConfig],
    ) -> list[Crossing]:
        """What came of each payload; `rngs` and `configs` are theirs.

        Raises:
            ValueError: a channel that this way does not know, or a payload that no frames can carry.
        """


@dataclass(frozen=True)
class SampleWay:
    """Frames as samples, one by one, through the receiver that a radio has, which must find them too.

    Every channel of :data:`m4sc.evaluate.channels.CHANNELS`, with a carrier offset, phase and delay of each
    frame's own.
    """

    name: str = SAMPLES
    framed: bool = True

    def cross_all(
        self,
        payloads: Sequence[Payload],
        channel: str,
        snr_db: float,
        rngs: Sequence[np.random.Generator],
        configs: Sequence[TransportConfig],
    ) -> list[Crossing]:
        """As :meth:`Way.cross_all`."""
        return [
            self._cross(payload, channel, snr_db, rng, config)
            for payload, rng, config in zip(payloads, rngs, configs, strict=True)
        ]

    def _cross(
        self, payload: Payload, channel: str, snr_db: float, rng: np.random.Generator, config: TransportConfig
    ) -> Crossing:
        heard, snrs_db = [], []
        frames = to_frames(payload, Address(), config)
        for frame in frames:
            found = hear_samples(frame, channel, snr_db, rng, config.waveform)
            if found is not None:
                heard.append(found)
                snrs_db.append(error_snr_db(frame.symbols, found.symbols))
        return crossing_of(frames, heard, config.waveform, snrs_db)


@dataclass(frozen=True)
class SymbolWay:
    """Symbols alone, one by one: :func:`m4sc.evaluate.crossing.cross`.

    Beside another transmitter there are no symbols alone: there it is :class:`SampleWay`.
    """

    name: str = SYMBOLS
    framed: bool = False

    def cross_all(
        self,
        payloads: Sequence[Payload],
        channel: str,
        snr_db: float,
        rngs: Sequence[np.random.Generator],
        configs: Sequence[TransportConfig],
    ) -> list[Crossing]:
        """As :meth:`Way.cross_all`."""
        if channel in INTERFERED:
            # what hits some carriers or OFDM symbols shall not hit what matters most
            spread = [replace(config, interleave=True) for config in configs]
            return SampleWay().cross_all(payloads, channel, snr_db, rngs, spread)
        return [
            cross(payload, channel, snr_db, rng, config)
            for payload, rng, config in zip(payloads, rngs, configs, strict=True)
        ]
