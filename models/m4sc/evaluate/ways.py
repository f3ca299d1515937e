"""How the payloads of a point cross the channel: each way takes many at once and says what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from m4sc.codecs.base import Payload
from m4sc.evaluate.crossing import Crossing, cross
from m4sc.transport.config import TransportConfig

SYMBOLS, LINK, RADIO = THROUGH = ("symbols", "link", "radio")
"""Names: symbols alone (:class:`SymbolWay`), frames in torch (:class:`m4sc.evaluate.link_way.LinkWay`), the
flowgraph of GNU Radio (``m4sc_flowgraphs.radio_way``)."""


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
class SymbolWay:
    """Symbols alone, one by one: :func:`m4sc.evaluate.crossing.cross`."""

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
        return [
            cross(payload, channel, snr_db, rng, config)
            for payload, rng, config in zip(payloads, rngs, configs, strict=True)
        ]
