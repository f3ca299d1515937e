"""Air time where both systems did equally well: what the comparison is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from m4sc_app.demo.link import EQUAL


@dataclass(frozen=True)
class EqualScore:
    """Deliveries of one message over one channel at one SNR, by both systems, side by side.

    Attributes:
        equal: pairs of which both systems scored the same within 0.05, and more than 0.
        air_s: mean air time of each system over these, s; empty where there are none.
        better: of each system, pairs where it scored higher.
        neither: pairs in which both scored 0.
    """

    equal: int
    air_s: dict[str, float]
    better: dict[str, int]
    neither: int

    @property
    def pairs(self) -> int:
        """All of them."""
        return self.equal + sum(self.better.values()) + self.neither


def equal_score(rows: Sequence[Any], systems: tuple[str, str] = ("semantic", "classical")) -> EqualScore:
    """Compare rows of a run (:class:`m4sc_app.demo.link.DemoRow`), but for what only one system delivered."""
    found: dict[tuple[str, str, float], dict[str, Any]] = defaultdict(dict)
    for row in rows:
        found[row.message.name, row.channel, row.snr_db].setdefault(row.system, row)
    better, neither = dict.fromkeys(systems, 0), 0
    same: list[list[Any]] = []
    for one in found.values():
        if not all(system in one for system in systems):
            continue
        pair = [one[system] for system in systems]
        scores = [row.score for row in pair]
        if max(scores) <= 0:
            neither += 1
        elif abs(scores[0] - scores[1]) <= EQUAL:
            same.append(pair)
        else:
            better[systems[0] if scores[0] > scores[1] else systems[1]] += 1
    air = {
        system: sum(pair[i].delivery.air_time_s for pair in same) / len(same)
        for i, system in enumerate(systems)
        if same
    }
    return EqualScore(len(same), air, better, neither)
