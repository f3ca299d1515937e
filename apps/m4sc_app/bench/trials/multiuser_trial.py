"""What serving several users at once saves: what all its trials share, and air time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from m4sc.evaluate.multiuser import (
    KeptPayloads,
    Prepared,
    air_times,
    classical_air_time,
    divide,
    prepare,
)
from m4sc.evaluate.multiuser_sets import CROP, sessions
from m4sc.phy.waveform import WaveformConfig
from m4sc.sharing.group import SharingConfig
from m4sc.sharing.receiving import Beside

EQUAL_DB = (10.0,) * 4
MIXED_DB = (0.0, 5.0, 10.0, 20.0)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes:
        name, value, unit, detail: for a table.
        low, high: its 95 % interval; None where it has none.
        plot: of :data:`m4sc_app.bench.trials.multiuser_plots.PLOTS`, where it is a point of one.
        series, x: which line of the plot, and where on its axis.
    """

    name: str
    value: float
    unit: str
    detail: str
    low: float | None = None
    high: float | None = None
    plot: str = ""
    series: str = ""
    x: float | None = None


@dataclass(frozen=True)
class Trial:
    """What all trials share.

    Attributes:
        model: the semantic system.
        data: folder of the data sets.
        n: sessions of a set at most.
        seeds: of the noise.
        config: of the sharing.
        progress: called with a word on each step.
        beside: what receivers learn from other tasks' public symbols by; None for nothing.
        payloads: of the messages that were encoded so far.
    """

    model: Any
    data: Path
    n: int
    seeds: Sequence[int]
    config: SharingConfig
    progress: Progress = lambda _: None
    beside: Beside | None = None
    payloads: KeptPayloads | None = None

    def __post_init__(self) -> None:
        if self.payloads is None:
            object.__setattr__(self, "payloads", KeptPayloads(self.model))

    @property
    def waveform(self) -> WaveformConfig:
        """The default one."""
        return WaveformConfig()

    def divided(self, one: Prepared, config: SharingConfig | None = None) -> Prepared:
        """The same payloads divided in another way."""
        return divide(one.session, one.shared, one.alone, self.waveform, config or self.config)

    def prepared(
        self, name: str, snrs_db: Sequence[float], split: str = "test", side: float = CROP
    ) -> list[Prepared]:
        """Sessions of a set, encoded both ways."""
        made = sessions(name, self.data, self.n, snrs_db, split=split, side=side)
        found = []
        for k, session in enumerate(made):
            found.append(prepare(self.payloads, session, self.waveform, self.config))
            if k % 20 == 0:
                self.progress(f"{name}: encoded {k + 1} of {len(made)}")
        return found


def air_figures(trial: Trial, name: str, prepared: Sequence[Prepared]) -> list[Figure]:
    """Air time of users at mixed and at equal SNRs; symbols; public share; a classical file for all."""
    figures = []
    for label, snrs in (("0, 5, 10 and 20 dB", MIXED_DB), ("all at 10 dB", EQUAL_DB)):
        chosen = []
        for k, one in enumerate(prepared):  # a user's SNR turns from session to session
            turned = replace(one.session, snr_db=tuple(np.roll(snrs, k).tolist()))
            chosen.append(trial.divided(replace(one, session=turned)))
        times = [air_times(one, trial.waveform) for one in chosen]
        group = np.mean([t.group for t in times])
        detail = f"{len(chosen)} sessions; {1e3 * group:.2f} ms for all"
        figures += [
            Figure(f"air time, {name}, {label}, over unicast", over_alone(times), "share", detail),
            Figure(
                f"air time, {name}, {label}, over unicast without names",
                over_alone(times, "compact"),
                "share",
                "frames that name no user, the shortest there are",
            ),
        ]
        files = np.mean([classical_air_time(one.session, trial.waveform) for one in chosen[:50]])
        figures.append(
            Figure(
                f"air time, {name}, {label}, over classical multicast",
                float(group / files),
                "share",
                f"one WebP file of each picture at the weakest user's scheme: {1e3 * files:.2f} ms",
            )
        )
        share = float(np.mean([one.group.public_share for one in chosen]))
        symbols = float(np.mean([t.symbols / t.unicast_symbols for t in times]))
        what = "payload symbols alone, no directory"
        figures += [
            Figure(f"symbols, {name}, {label}, over unicast", symbols, "share", what),
            Figure(f"public share, {name}, {label}", share, "share", "of all users' symbols"),
        ]
    return figures


def over_alone(times: Sequence[Any], name: str = "unicast") -> float:
    """Air time of groups over that of their users alone."""
    return float(np.sum([t.group for t in times]) / np.sum([sum(getattr(t, name)) for t in times]))


def shares(trial: Trial, name: str, made: Sequence[Prepared]) -> Figure:
    """Public share of groups, and their symbols."""
    times = [air_times(one, trial.waveform) for one in made]
    symbols = np.mean([t.symbols / t.unicast_symbols for t in times])
    share = float(np.mean([one.group.public_share for one in made]))
    return Figure(
        f"public share, {name}", share, "share", f"n = {len(made)}; symbols {symbols:.3f} of unicast"
    )
