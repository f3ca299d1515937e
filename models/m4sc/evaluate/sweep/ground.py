"""What the systems of a sweep are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m4sc.data.example import Example
from m4sc.evaluate.ways import SymbolWay, Way


@dataclass(frozen=True)
class Place:
    """Where things lie: the data sets, and what is made of them."""

    data: Path
    cache: Path


@dataclass(frozen=True)
class Ground:
    """What a system is made from.

    Attributes:
        model: our system; rivals' messages are read by it too.
        training: examples of the task's training split, drawn, for what is learned or chosen.
        validation: how many of them decide a choice.
        place: of the whole split, for systems that remember it; None where there is none.
        seed: of the draw.
        way: across the channel.
        choosing: the way by which schemes are chosen.
    """

    model: Any
    training: Sequence[Example]
    validation: int
    place: Place | None = None
    seed: int = 0
    way: Way = field(default_factory=SymbolWay)
    choosing: Way = field(default_factory=SymbolWay)
