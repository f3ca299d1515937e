"""The trials of `m4sc bench multiuser` by name."""

from __future__ import annotations

from collections.abc import Callable

from m4sc.sharing.privacy import UserKey

from m4sc_app.bench.trials.hidden_trial import WORDS, attack, photographs, ways
from m4sc_app.bench.trials.multiuser_growth import layouts, sizes
from m4sc_app.bench.trials.multiuser_scores import aside, choose, cutouts, scored_set
from m4sc_app.bench.trials.multiuser_trial import MIXED_DB, Figure, Trial, air_figures
from m4sc_app.bench.trials.multiuser_views import differences, views


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


SETS: dict[str, Callable[[Trial], list[Figure]]] = {
    "questions": lambda trial: scored_set(trial, "questions"),
    "tasks": lambda trial: scored_set(trial, "tasks"),
    "crops": lambda trial: scored_set(trial, "crops"),
    "cutouts": cutouts,
    "rooms": lambda trial: scored_set(trial, "rooms"),
    "unrelated": lambda trial: air_figures(trial, "unrelated", trial.prepared("unrelated", MIXED_DB)),
    "views": views,
    "differences": differences,
    "sizes": sizes,
    "layouts": layouts,
    "hidden": hidden,
    "aside": aside,
    "tolerances": choose,
}
