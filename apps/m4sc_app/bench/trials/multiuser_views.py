"""How much of related pictures is public, by how far apart they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from m4sc.data import daquar, flickr8k
from m4sc.data.example import Example
from m4sc.evaluate.metrics.bootstrap import crossed_interval
from m4sc.evaluate.metrics.image import difference
from m4sc.evaluate.multiuser import Prepared, Session, air_times, divide
from m4sc.evaluate.multiuser_sets import cropped, scene_views, view_session

from m4sc_app.bench.trials.multiuser_trial import EQUAL_DB, Figure, Trial, over_alone, shares

_STEPS = (1, 2, 3, 5, 7)
_SIDES = (0.95, 0.85, 0.7, 0.5)
_BINS = 5
_DRAWS = 1000


@dataclass(frozen=True)
class Pair:
    """Two pictures of one kind: where they are from, what is drawn together for an interval, and the two."""

    source: str
    group: str
    two: tuple[Example, Example]


def views(trial: Trial) -> list[Figure]:
    """Public share and air time against how many views of a scene are between two."""
    scenes = scene_views(trial.data)
    figures = []
    for step in _STEPS:
        made = [
            _payloads(trial, view_session([seen[a], seen[a + step]], (10.0, 10.0)))
            for seen in scenes.values()
            for a in range(len(seen) - step)
        ]
        figures.append(shares(trial, f"two views, {step} apart", made))
    long = [seen for seen in scenes.values() if len(seen) >= 8]
    firsts = [seen[0] for seen in scenes.values()]
    fours = {
        "four views, 1 apart": [seen[a : a + 4] for seen in long for a in range(5)],
        "four views, 2 apart": [seen[a::2][:4] for seen in long for a in range(2)],
        "views of four scenes": [
            [firsts[(k + 3 * j) % len(firsts)] for j in range(4)] for k in range(len(firsts))
        ],
    }
    for name, groups in fours.items():
        made = [_payloads(trial, view_session(group, EQUAL_DB)) for group in groups]
        times = [air_times(one, trial.waveform) for one in made]
        figures += [
            shares(trial, name, made),
            Figure(f"air time, {name}, over unicast", over_alone(times), "share", f"n = {len(made)}, 10 dB"),
        ]
    return figures


def _payloads(trial: Trial, session: Session) -> Prepared:
    """Each user's own payload, divided; encoded once a picture."""
    assert trial.payloads is not None
    alone = [trial.payloads.encode(one.message, one.task) for one in session.requests()]
    return divide(session, alone, alone, trial.waveform, trial.config)


def differences(trial: Trial) -> list[Figure]:
    """Public share of two users at 10 dB against the measured difference of their pictures."""
    figures, every = [], []
    for source, pairs in _pairs(trial).items():
        rows, groups = [], []
        for k, pair in enumerate(pairs):
            a, b = (example.load() for example in pair.two)
            one = _payloads(trial, Session(pair.two, (10.0, 10.0)))
            rows.append((difference(np.asarray(a), np.asarray(b)), one.group.public_share))
            groups.append(pair.group)
            if k % 100 == 0:
                trial.progress(f"differences, {source}: {k + 1} of {len(pairs)}")
        measured = np.array(rows)
        every.append((measured, np.array(groups)))
        figures += _binned(source, measured, np.array(groups))
        if len(set(groups)) > 1:
            figures.append(_falling(source, measured, groups))
    figures.append(
        _falling(
            "all of them",
            np.concatenate([rows for rows, _ in every]),
            np.concatenate([groups for _, groups in every]).tolist(),
        )
    )
    return figures


def _pairs(trial: Trial) -> dict[str, list[Pair]]:
    """Two views of a scene; two pictures of DAQUAR near one another; two crops; two photographs."""
    found: dict[str, list[Pair]] = {"views of a scene": [], "pictures of rooms": []}
    for scene, seen in scene_views(trial.data).items():
        for two in combinations(seen, 2):
            first, second = view_session(two, (10.0, 10.0)).examples
            found["views of a scene"].append(Pair("views of a scene", scene, (first, second)))
    rooms = _numbered(daquar.vqa_examples(trial.data, "test"))
    for number, example in rooms.items():
        for step in _STEPS:
            if number + step in rooms:
                block = f"room {number // 20}"  # pictures of one house follow one another
                found["pictures of rooms"].append(
                    Pair("pictures of rooms", block, (example, rooms[number + step]))
                )
    photographs = [
        replace(e, task="vqa", instruction="What is in the picture?")
        for e in flickr8k.caption_examples(trial.data, "dev")
    ]
    photographs = photographs[: trial.n + 1]
    crops = found["crops of a photograph"] = []
    for example in photographs[: trial.n]:
        for side in _SIDES:
            first, second = (
                replace(crop, media_id=f"{crop.media_id}-{side:g}") for crop in cropped([example] * 2, side)
            )
            crops.append(Pair("crops of a photograph", example.media_id, (first, second)))
    found["other photographs"] = [
        Pair("other photographs", first.media_id, (first, second)) for first, second in pairwise(photographs)
    ]
    most = 4 * trial.n
    return {source: _spread(pairs, most) for source, pairs in found.items() if pairs}


def _numbered(examples: Sequence[Example]) -> dict[int, Example]:
    """One example of each picture, by the number that its name ends in."""
    found: dict[int, Example] = {}
    for example in examples:
        number = re.search(r"(\d+)$", example.media_id)
        if number:
            found.setdefault(int(number[1]), example)
    return dict(sorted(found.items()))


def _spread(pairs: list[Pair], most: int) -> list[Pair]:
    """At most so many, from beginning to end."""
    if len(pairs) <= most:
        return pairs
    return [pairs[k] for k in np.linspace(0, len(pairs) - 1, most).astype(int)]


def _binned(source: str, rows: np.ndarray, groups: np.ndarray) -> list[Figure]:
    """Mean share in bins of as many pairs each; rows: difference and share."""
    order = np.argsort(rows[:, 0], kind="stable")
    figures = []
    for chosen in np.array_split(order, min(_BINS, len(order))):
        x, share = rows[chosen].mean(axis=0)
        low, high = crossed_interval(
            rows[None, chosen, 1:], lambda means: np.asarray(means[:, 0]), groups[chosen].tolist()
        )
        detail = f"95 % {low:.3f} to {high:.3f}; n = {len(chosen)} of {len(set(groups[chosen]))} groups"
        figures.append(
            Figure(
                f"public share, {source}, {x:.2f} apart", float(share), "share", detail,
                low, high, "public_share", source, float(x),
            )
        )  # fmt: skip
    return figures


def _falling(source: str, rows: np.ndarray, groups: Sequence[str]) -> Figure:
    """Rank correlation of share and difference; groups are drawn with replacement for its interval."""
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    cells = [np.flatnonzero(member == k) for k in range(len(names))]
    rng, drawn = np.random.default_rng(0), []
    for _ in range(_DRAWS):
        chosen = np.concatenate([cells[k] for k in rng.integers(len(names), size=len(names))])
        drawn.append(_rank_correlation(rows[chosen]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    detail = f"Spearman, -1 to 1; 95 % {low:+.2f} to {high:+.2f}; n = {len(rows)} of {len(names)} groups"
    return Figure(
        f"public share with difference, {source}", _rank_correlation(rows), "rank correlation", detail,
        float(low), float(high),
    )  # fmt: skip


def _rank_correlation(rows: np.ndarray) -> float:
    """Spearman's; 0 where one of the two does not vary."""
    from scipy.stats import rankdata

    a, b = (rankdata(column) for column in rows.T)
    spread: Any = a.std() * b.std()
    return 0.0 if spread == 0 else float(np.mean((a - a.mean()) * (b - b.mean())) / spread)
