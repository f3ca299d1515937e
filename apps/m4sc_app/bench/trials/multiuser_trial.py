"""What serving several users at once saves, and what it costs each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from m4sc.evaluate.metrics.bootstrap import bootstrap_interval
from m4sc.evaluate.multiuser import (
    Ends,
    Prepared,
    Session,
    air_times,
    answer_all,
    answers_air_time,
    classical_air_time,
    divide,
    prepare,
    scores_of,
)
from m4sc.evaluate.multiuser_sets import CROP, scene_views, sessions, view_session
from m4sc.phy.waveform import WaveformConfig
from m4sc.sharing.directory import OFDMA
from m4sc.sharing.group import SharingConfig
from m4sc.sharing.layout import carriers_of, equal_share_rows
from m4sc.sharing.privacy import UserKey

from m4sc_app.bench.trials.hidden_trial import WORDS, attack, photographs, ways

EQUAL_DB = (10.0,) * 4
MIXED_DB = (0.0, 5.0, 10.0, 20.0)
SIZES = (2, 4, 8, 16)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    name: str
    value: float
    unit: str
    detail: str


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
    """

    model: Any
    data: Path
    n: int
    seeds: Sequence[int]
    config: SharingConfig
    progress: Progress = lambda _: None

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
            found.append(prepare(self.model, session, self.waveform, self.config))
            if k % 20 == 0:
                self.progress(f"{name}: encoded {k + 1} of {len(made)}")
        return found


def scored_set(
    trial: Trial, name: str, label: str = "", side: float = CROP, snrs_db: Sequence[float] = MIXED_DB
) -> list[Figure]:
    """Air time and scores of a set of sessions, users at 0, 5, 10 and 20 dB in one frame.

    label: of the figures; the set's name if empty.
    """
    prepared = trial.prepared(name, snrs_db, side=side)
    name = label or name
    figures = _air(trial, name, prepared)
    everyone = [example for one in prepared for example in one.session.examples]
    judged = [bool(example.answers[0]) for example in everyone]  # of others nobody knows the right answer
    examples = [example for example, judge in zip(everyone, judged, strict=True) if judge]
    snrs = np.array([snr for one in prepared for snr in one.session.snr_db])[judged]
    ends, together, apart, lost = Ends(trial.waveform), [], [], np.zeros(2, int)
    said: list[str] = []
    for seed in trial.seeds:
        rng = np.random.default_rng([seed, 19])
        heard = [None if d is None else d.received for one in prepared for d in ends.together(one, rng)]
        alone = [r for one in prepared for r in ends.apart(one, rng)]
        if not said:
            said = [str(answer or "") for answer in answer_all(trial.model, heard, everyone)]
        shared, alone = ([r for r, judge in zip(rs, judged, strict=True) if judge] for rs in (heard, alone))
        lost += [sum(r is None for r in shared), sum(r is None for r in alone)]
        trial.progress(f"{name}, seed {seed}: received")
        answers = answer_all(trial.model, shared, examples)
        together.append(scores_of(answers, examples))
        apart.append(scores_of(answer_all(trial.model, alone, examples), examples))
        trial.progress(f"{name}, seed {seed}: answered")
    figures.append(_answers(trial, name, prepared, said))
    both = np.mean(together, axis=0), np.mean(apart, axis=0)
    seeds = len(trial.seeds)
    detail = f"{len(prepared)} sessions, {seeds} seeds; messages lost: {lost[0]} together, {lost[1]} alone"
    tasks = np.array([example.task for example in examples])
    for task in sorted(set(tasks)):
        figures += _difference(f"{name}, {task}", both, tasks == task, detail)
    figures += _difference(f"{name}, all users", both, np.full(len(snrs), True), detail)
    for snr in sorted(set(snrs_db)):
        figures += _difference(f"{name}, {snr:g} dB", both, snrs == snr, detail)
    return figures


def _air(trial: Trial, name: str, prepared: Sequence[Prepared]) -> list[Figure]:
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
            Figure(f"air time, {name}, {label}, over unicast", _ratio(times, "unicast"), "share", detail),
            Figure(
                f"air time, {name}, {label}, over unicast without names",
                _ratio(times, "compact"),
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


def _ratio(times: Sequence[Any], name: str) -> float:
    return float(np.sum([t.group for t in times]) / np.sum([sum(getattr(t, name)) for t in times]))


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


def _difference(
    name: str, both: tuple[np.ndarray, np.ndarray], chosen: np.ndarray, detail: str
) -> list[Figure]:
    together, alone = both[0][chosen], both[1][chosen]
    if not len(together):
        return []
    low, high = bootstrap_interval(100 * (together - alone))
    points = 100 * float(together.mean() - alone.mean())
    ratio = float(together.mean() / alone.mean()) if alone.mean() > 0 else float("nan")
    return [
        Figure(
            f"score together less alone, {name}",
            points,
            "points",
            f"{100 * together.mean():.2f} against {100 * alone.mean():.2f}; 95 % {low:+.2f} to {high:+.2f}; "
            f"n = {len(together)}; {detail}",
        ),
        Figure(f"score together over alone, {name}", ratio, "ratio", f"n = {len(together)}"),
    ]


def views(trial: Trial) -> list[Figure]:
    """Public share and air time against how far views of a scene are apart."""
    scenes = scene_views(trial.data)
    figures, encoded = [], dict[str, Any]()

    def payloads(session: Session) -> Prepared:
        """Encoded once a picture."""
        alone = []
        for request in session.requests():
            key = session.examples[request.user_id - 1].media_id
            if key not in encoded:
                encoded[key] = trial.model.encode(request.message, request.task)
            alone.append(encoded[key])
        return divide(session, alone, alone, trial.waveform, trial.config)

    for step in (1, 2, 3, 5, 7):
        made = [
            payloads(view_session([seen[a], seen[a + step]], (10.0, 10.0)))
            for seen in scenes.values()
            for a in range(len(seen) - step)
        ]
        figures.append(_shares(trial, f"two views, {step} apart", made))
    fours = [
        payloads(view_session(seen[a : a + 4], EQUAL_DB))
        for seen in scenes.values()
        for a in range(5)
        if len(seen) >= 8
    ]
    figures.append(_shares(trial, "four views, 1 apart", fours))
    figures.append(_air_of(trial, "four views, 1 apart", fours))
    spread = [
        payloads(view_session(seen[a::2][:4], EQUAL_DB))
        for seen in scenes.values()
        for a in range(2)
        if len(seen) >= 8
    ]
    figures += [_shares(trial, "four views, 2 apart", spread), _air_of(trial, "four views, 2 apart", spread)]
    firsts = [seen[0] for seen in scenes.values()]
    foreign = [
        payloads(view_session([firsts[(k + 3 * j) % len(firsts)] for j in range(4)], EQUAL_DB))
        for k in range(len(firsts))
    ]
    figures += [
        _shares(trial, "views of four scenes", foreign),
        _air_of(trial, "views of four scenes", foreign),
    ]
    return figures


def _shares(trial: Trial, name: str, made: Sequence[Prepared]) -> Figure:
    times = [air_times(one, trial.waveform) for one in made]
    symbols = np.mean([t.symbols / t.unicast_symbols for t in times])
    share = float(np.mean([one.group.public_share for one in made]))
    return Figure(
        f"public share, {name}", share, "share", f"n = {len(made)}; symbols {symbols:.3f} of unicast"
    )


def _air_of(trial: Trial, name: str, made: Sequence[Prepared]) -> Figure:
    times = [air_times(one, trial.waveform) for one in made]
    return Figure(
        f"air time, {name}, over unicast", _ratio(times, "unicast"), "share", f"n = {len(made)}, 10 dB"
    )


def sizes(trial: Trial) -> list[Figure]:
    """Air time and CPU of 2 to 16 users who ask about one mosaic, and of as many pictures of rooms."""
    figures = []
    for name in ("questions", "rooms"):
        for users in SIZES:
            made = replace(trial, n=min(trial.n, 8)).prepared(name, (10.0,) * users)
            if not made:
                continue
            made = [trial.divided(one) for one in made]  # measured warm
            times = [air_times(one, trial.waveform) for one in made]
            group = 1e3 * float(np.mean([t.group for t in times]))
            cpu = 1e3 * float(np.median([one.seconds for one in made])) / users
            figures += [
                Figure(f"air time, {name}, {users} users", group, "ms", f"n = {len(made)}, all at 10 dB"),
                Figure(
                    f"air time, {name}, {users} users, over unicast", _ratio(times, "unicast"), "share", ""
                ),
                Figure(f"CPU to share, {name}, {users} users", cpu, "ms a user", "dividing and composing"),
            ]
    return figures


def layouts(trial: Trial) -> list[Figure]:
    """OFDM symbols of users' own parts on carriers of their own: allocated, and in equal shares."""
    made = replace(trial, config=replace(trial.config, layout=OFDMA)).prepared("tasks", EQUAL_DB)
    carriers = trial.waveform.n_data_carriers
    chosen = [one.group.private_symbols for one in made if sum(one.group.private_symbols)]
    allocated = float(np.mean([carriers_of(sizes, carriers)[1] for sizes in chosen]))
    equal = float(np.mean([equal_share_rows(sizes, carriers) for sizes in chosen]))
    return [
        Figure("own parts, allocated carriers", allocated, "OFDM symbols", f"n = {len(chosen)}"),
        Figure("own parts, equal shares", equal, "OFDM symbols", f"n = {len(chosen)}"),
    ]


def tolerances(trial: Trial, name: str, values: Sequence[float], side: float = CROP) -> list[Figure]:
    """Score, symbols and public share of a set of the training split at several tolerances, all at 10 dB."""
    made = trial.prepared(name, EQUAL_DB, "train", side)
    examples = [example for one in made for example in one.session.examples]
    ends, figures = Ends(trial.waveform), []
    for value in values:
        divided = [trial.divided(one, replace(trial.config, tolerance=value)) for one in made]
        scores = []
        for seed in trial.seeds:
            rng = np.random.default_rng([seed, 19])
            received = [None if d is None else d.received for one in divided for d in ends.together(one, rng)]
            scores.append(scores_of(answer_all(trial.model, received, examples), examples).mean())
        score = 100 * float(np.mean(scores))
        share = _shares(trial, "", divided)
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


def hidden(trial: Trial) -> list[Figure]:
    """What an attacker without the key learns; every way by as many attackers as there are seeds."""
    key = UserKey(1, bytes(range(32)))
    train, test = (photographs(trial.model, trial.data, split, trial.progress) for split in ("train", "dev"))
    figures = []
    for name, hide in ways(key).items():
        tried = [attack(train, test, hide, seed)[0] for seed in trial.seeds]
        best = max(tried, key=lambda one: one.auc)
        detail = (
            f"95 % {best.low:.3f} to {best.high:.3f}; the best of {len(tried)} attackers; 0.5 is nothing; "
            f"{', '.join(WORDS)}; n = {len(test.symbols)}"
        )
        figures.append(Figure(f"attacker, {name}", best.auc, "area under the curve", detail))
        trial.progress(f"attacker, {name}: {best.auc:.3f}; {detail}")
    return figures


_TOLERANCES = (-1.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6)
SETS: dict[str, Callable[[Trial], list[Figure]]] = {
    "questions": lambda trial: scored_set(trial, "questions"),
    "tasks": lambda trial: scored_set(trial, "tasks"),
    "crops": lambda trial: scored_set(trial, "crops"),
    "cutouts": cutouts,
    "rooms": lambda trial: scored_set(trial, "rooms"),
    "unrelated": lambda trial: _air(trial, "unrelated", trial.prepared("unrelated", MIXED_DB)),
    "views": views,
    "sizes": sizes,
    "layouts": layouts,
    "hidden": hidden,
    "tolerances": choose,
}
