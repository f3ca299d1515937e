"""Scores of several users in one frame beside each served alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from m4sc.evaluate.metrics.bootstrap import crossed_interval
from m4sc.evaluate.multiuser import (
    Ends,
    Prepared,
    answer_all,
    answers_air_time,
    scores_of,
)
from m4sc.evaluate.multiuser_sets import CROP

from m4sc_app.bench.trials.multiuser_trial import (
    EQUAL_DB,
    MIXED_DB,
    Figure,
    Trial,
    air_figures,
    shares,
)

_TOLERANCES = (-1.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6)


def scored_set(
    trial: Trial, name: str, label: str = "", side: float = CROP, snrs_db: Sequence[float] = MIXED_DB
) -> list[Figure]:
    """Air time and scores of a set of sessions, users at 0, 5, 10 and 20 dB in one frame.

    label: of the figures; the set's name if empty.
    """
    prepared = trial.prepared(name, snrs_db, side=side)
    name = label or name
    figures = air_figures(trial, name, prepared)
    everyone = [example for one in prepared for example in one.session.examples]
    judged = [bool(example.answers[0]) for example in everyone]  # of others nobody knows the right answer
    examples = _where(judged, everyone)
    messages = [one.session.examples[0].media_id for one in prepared for _ in one.session.examples]
    groups = _where(judged, messages)
    snrs = np.array([snr for one in prepared for snr in one.session.snr_db])[judged]
    ends, scores, lost = Ends(trial.waveform, beside=trial.beside), [], np.zeros(2, int)
    said: list[str] = []
    for seed in trial.seeds:
        rng = np.random.default_rng([seed, 19])
        heard = [None if d is None else d.received for one in prepared for d in ends.together(one, rng)]
        alone = [r for one in prepared for r in ends.apart(one, rng)]
        trial.progress(f"{name}, seed {seed}: received")
        lost += [sum(r is None for r in heard), sum(r is None for r in alone)]
        both = []
        for way in (heard, alone):
            answers = answer_all(trial.model, way, everyone)
            said = said or [str(answer or "") for answer in answers]
            both.append(scores_of(_where(judged, answers), examples))
        scores.append(np.stack(both, axis=1))
        trial.progress(f"{name}, seed {seed}: answered")
    figures.append(_answers(trial, name, prepared, said))
    values = np.array(scores)  # (seeds, users, together and alone)
    seeds = len(trial.seeds)
    detail = f"{len(prepared)} sessions, {seeds} seeds; messages lost: {lost[0]} together, {lost[1]} alone"
    tasks = np.array([example.task for example in examples])
    for task in sorted(set(tasks)):
        figures += _of(tasks == task, f"{name}, {task}", values, groups, detail)
    figures += compared(f"{name}, all users", values, groups, detail)
    for snr in sorted(set(snrs_db)):
        found = _of(snrs == snr, f"{name}, {snr:g} dB", values, groups, detail)
        ends_at = [replace(one, plot="beside_others", series=name, x=snr) for one in found[1:]]
        figures += [*found[:1], *ends_at]
    return figures


def _where(judged: Sequence[bool], values: Sequence[Any]) -> list[Any]:
    return [value for value, judge in zip(values, judged, strict=True) if judge]


def _of(
    chosen: np.ndarray, name: str, values: np.ndarray, groups: Sequence[str], detail: str
) -> list[Figure]:
    """`compared` of those users."""
    return compared(name, values[:, chosen], [groups[k] for k in np.flatnonzero(chosen)], detail)


def compared(name: str, values: np.ndarray, groups: Sequence[str], detail: str) -> list[Figure]:
    """Difference and ratio of scores together and alone; none where there are no scores.

    Their intervals draw messages and seeds with replacement: what users ask about one message is right or
    wrong together.

    Args:
        values: float (seeds, n, 2), of each user together and alone.
        groups: the message of each user, (n,).
    """
    if not values.shape[1]:
        return []
    together, alone = values.mean(axis=(0, 1))

    def difference(means: np.ndarray) -> np.ndarray:
        points: np.ndarray = 100 * (means[:, 0] - means[:, 1])
        return points

    def ratio(means: np.ndarray) -> np.ndarray:
        found: np.ndarray = means[:, 0] / np.maximum(means[:, 1], 1e-9)
        return found

    low, high = crossed_interval(values, difference, groups)
    points = 100 * float(together - alone)
    what = (
        f"{100 * together:.2f} against {100 * alone:.2f}; 95 % {low:+.2f} to {high:+.2f}; "
        f"n = {len(groups)} of {len(set(groups))} messages; {detail}"
    )
    figures = [Figure(f"score together less alone, {name}", points, "points", what, low, high)]
    if alone > 0:
        low, high = crossed_interval(values, ratio, groups)
        what = f"95 % {low:.3f} to {high:.3f}; n = {len(groups)} of {len(set(groups))} messages"
        value = float(together / alone)
        figures.append(Figure(f"score together over alone, {name}", value, "ratio", what, low, high))
    return figures


def _answers(trial: Trial, name: str, prepared: Sequence[Prepared], said: Sequence[str]) -> Figure:
    users = len(prepared[0].session.examples)
    group = np.sum([one.group.frame.air_time_s(trial.waveform) for one in prepared])
    texts = sum(
        answers_air_time(one.session, said[users * k : users * (k + 1)], trial.waveform)
        for k, one in enumerate(prepared)
    )
    return Figure(
        f"air time, {name}, over answers found at the transmitter",
        float(group / texts),
        "share",
        "each user's answer as text in a frame of its own; the questions' way up is not counted",
    )


def aside(trial: Trial) -> list[Figure]:
    """Captions of users who learn from the questions' public symbols, and of the same frames without that."""
    figures = []
    for snr_db in (0.0, 5.0, 10.0):
        prepared = trial.prepared("tasks", (snr_db,) * 4)
        examples = [one.session.examples[0] for one in prepared]  # who wants a caption
        scores, learned = [], 0
        for seed in trial.seeds:
            both = []
            for beside in (trial.beside, None):  # through the same noise
                ends, rng = Ends(trial.waveform, beside=beside), np.random.default_rng([seed, 23])
                taken = [ends.together(one, rng)[0] for one in prepared]
                learned += sum(one is not None and one.aside for one in taken)
                heard = [None if one is None else one.received for one in taken]
                both.append(scores_of(answer_all(trial.model, heard, examples), examples))
            scores.append(np.stack(both, axis=1))
            trial.progress(f"aside at {snr_db:g} dB, seed {seed}: answered")
        share = learned / (len(examples) * len(trial.seeds))
        detail = f"together: with the questions' symbols, which {100 * share:.0f} % used; alone: without"
        groups = [example.media_id for example in examples]
        found = compared(f"captions beside questions, {snr_db:g} dB", np.array(scores), groups, detail)
        trial.progress("; ".join(f"{one.name}: {one.value:.3f}; {one.detail}" for one in found))
        figures += found
    return figures


def tolerances(trial: Trial, name: str, values: Sequence[float], side: float = CROP) -> list[Figure]:
    """Score, symbols and public share of a set of the training split at several tolerances, all at 10 dB."""
    made = trial.prepared(name, EQUAL_DB, "train", side)
    examples = [example for one in made for example in one.session.examples]
    ends, figures = Ends(trial.waveform, beside=trial.beside), []
    for value in values:
        divided = [trial.divided(one, replace(trial.config, tolerance=value)) for one in made]
        scores = []
        for seed in trial.seeds:
            rng = np.random.default_rng([seed, 19])
            received = [None if d is None else d.received for one in divided for d in ends.together(one, rng)]
            scores.append(scores_of(answer_all(trial.model, received, examples), examples).mean())
        score = 100 * float(np.mean(scores))
        share = shares(trial, "", divided)
        detail = f"n = {len(examples)}; public share {share.value:.3f}; {share.detail}"
        label = f"score, {name} ({side:g}) of the training split, tolerance {value:g}"
        figures.append(Figure(label, score, "points", detail))
        trial.progress(f"{label}: {score:.2f}; {detail}")
    return figures


def choose(trial: Trial) -> list[Figure]:
    """What the tolerance is chosen by: crops of photographs, narrow and wide, and pictures of rooms."""
    figures = []
    for name, side in (("cutouts", 0.9), ("cutouts", 0.7), ("rooms", CROP)):
        figures += tolerances(trial, name, _TOLERANCES, side)
    return figures


def cutouts(trial: Trial) -> list[Figure]:
    """Crops of a photograph, smaller and smaller: the more they differ, the less is public."""
    figures = []
    for side in (0.95, 0.85, 0.7, 0.5):
        figures += scored_set(trial, "cutouts", f"cutouts of {side:g}", side, EQUAL_DB)
    return figures
