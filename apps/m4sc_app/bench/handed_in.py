"""`m4sc bench handed-in`: hostile inputs, texts, interruptions, and how long a command takes.

One function a figure: it yields rows of the table, and :data:`FIGURES` names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from m4sc_app.bench.meter import Meter


@dataclass(frozen=True)
class Work:
    """How much is done: inputs of a decoder, texts, runs of a command ended by each signal, runs timed."""

    inputs: int
    texts: int
    stops: int
    runs: int


FULL = Work(100_000, 10_000, 7, 5)  # 7 by each of three signals: 21 moments of each command
QUICK = Work(1_000, 500, 1, 1)


def handed_in(
    quick: Annotated[bool, typer.Option("--quick", help="A hundredth of the work.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Figures by name. All if not given.")] = None,
    decoder: Annotated[
        list[str] | None, typer.Option(help="Of the mutations, these decoders. All if not given.")
    ] = None,
    command: Annotated[list[str] | None, typer.Option(help="Of the stops, these. All if not given.")] = None,
    inputs: Annotated[int | None, typer.Option(min=1, help="Mutated inputs of each decoder.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of mutations, texts and moments.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Feed each decoder with mutated inputs, send texts without a channel, interrupt and time commands.

    Examples:

        m4sc bench handed-in --quick

        m4sc bench handed-in --only mutations --decoder "a picture file" --json
    """
    from rich.console import Console

    from m4sc_app.bench.trials.decoders import DECODERS
    from m4sc_app.bench.trials.stop_trial import COMMANDS
    from m4sc_app.report.versions import versions

    for given, known in ((only, FIGURES), (decoder, DECODERS), (command, COMMANDS)):
        unknown = sorted(set(given or ()) - set(known))
        if unknown:
            raise typer.BadParameter(f"no {', '.join(unknown)}; there are {', '.join(known)}")
    work = QUICK if quick else FULL
    trial = Trial(work, seed, tuple(decoder or DECODERS), inputs or work.inputs, tuple(command or COMMANDS))
    rows: list[dict[str, Any]] = []
    with Meter(Console(stderr=True)) as meter:
        for name in only or list(FIGURES):
            with meter.group(name):
                for row in FIGURES[name](trial):
                    rows.append(row)
                    if not as_json:
                        typer.echo(f"{row['name']}: {row['value']} {row['unit']} ({row['detail']})")
    if as_json:
        config = {**vars(work), "seed": seed, "inputs": trial.inputs}
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": rows}, indent=1))


@dataclass(frozen=True)
class Trial:
    """What is wanted.

    Attributes:
        work: how much; seed: of all that is random.
        decoders: by name; inputs: of each.
        commands: that are stopped, by name.
    """

    work: Work
    seed: int
    decoders: tuple[str, ...]
    inputs: int
    commands: tuple[str, ...]


def _mutations(trial: Trial) -> Iterator[dict[str, Any]]:
    """Of each decoder the faults (0 or 1: the first one ends it), and the worst that an input cost."""
    from m4sc_app.bench.trials.mutation_trial import mutation_trial

    for decoder in trial.decoders:
        found = mutation_trial(decoder, trial.inputs, trial.seed)
        if found["fault"]:
            detail = f"{found['fault']}; input {found['input'][:400]}"
            yield {"name": f"faults of {decoder}", "value": 1, "unit": "fault", "detail": detail}
            continue
        largest = found["largest_bytes"]
        single = "no C compiler, not measured" if largest is None else f"{largest / 1e6:.1f} MB at once"
        peak = found["peak_bytes"]
        total = "" if peak is None else f", the process larger by {peak / 1e6:.1f} MB"
        costly = "".join(f"; {key}: {raw[:200]}" for key, raw in found["costly"].items())
        detail = (
            f"{found['inputs']} inputs, {found['read']} read; at most {single}{total}, "
            f"{found['slowest_s']:.3f} s{costly}"
        )
        yield {"name": f"faults of {decoder}", "value": 0, "unit": "faults", "detail": detail}


def _texts(trial: Trial) -> Iterator[dict[str, Any]]:
    """Random Unicode texts, names of special tokens among them, to tokens and back."""
    from m4sc_app.bench.trials.text_trial import text_trial

    wrong, example = text_trial(trial.work.texts, trial.seed)
    detail = f"of {trial.work.texts} without a channel{f'; first {example!r}' if wrong else ''}"
    yield {"name": "texts changed", "value": wrong, "unit": "texts", "detail": detail}


def _stops(trial: Trial) -> Iterator[dict[str, Any]]:
    """Commands ended by Ctrl-C, SIGTERM and SIGKILL at random moments."""
    from m4sc_app.bench.trials.stop_trial import stop_trial

    for name in trial.commands:
        found = stop_trial(name, trial.work.stops, trial.seed)
        codes = ", ".join(f"{count} x {code}" for code, count in sorted(found.codes.items()))
        detail = f"{found.runs} runs, exit codes {codes}{found.first and f'; first: {found.first}'}"
        yield {
            "name": f"stops of {name} told wrongly",
            "value": found.wrong,
            "unit": "runs",
            "detail": detail,
        }


def _times(trial: Trial) -> Iterator[dict[str, Any]]:
    """Median seconds of a command, files in the cache of the system."""
    from m4sc_app.bench.trials.command_times import TIMED, command_time

    for name, most_s in TIMED.items():
        seconds, load = command_time(name, trial.work.runs)
        detail = f"median of {trial.work.runs} after one not counted, at most {most_s} asked; load {load:.1f}"
        yield {"name": f"m4sc {name}", "value": round(seconds, 2), "unit": "s", "detail": detail}


FIGURES: dict[str, Callable[[Trial], Iterator[dict[str, Any]]]] = {
    "mutations": _mutations,
    "texts": _texts,
    "stops": _stops,
    "times": _times,
}
