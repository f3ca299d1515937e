"""`m4sc train all`: every stage of every part in one order, within one budget, into one folder of weights."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from m4sc_app.errors import UserError
from m4sc_app.tables import show
from m4sc_app.train_options import Bf16Option, CpuOption, DataOption, LlmOption, SeedOption, VisionOption

_LEAST_MINUTES = 0.05
_COMMAND = (sys.executable, "-m", "m4sc_app", "train")
_DOCUMENTS = (".md", ".jsonl")  # beside shipped weights; not what a training writes


@dataclass(frozen=True)
class Part:
    """One command of ``m4sc train`` among all.

    Attributes:
        command: its name.
        share: of the budget; 0 of what ends by itself.
        takes: options of `train_all` that it has, too.
        run: folder of its caches and checkpoints under the run's; None of one that writes into the weights
            that it reads.
        weights: name of the weights that it makes, None of a stage that another one goes on from.
        of_model: whether it reads the weights that the parts before have made.
    """

    command: str
    share: float = 0.0
    takes: tuple[str, ...] = ("seed",)
    run: str | None = "model"
    weights: str | None = None
    of_model: bool = False


# The abstract's three stages first, since the parts behind them are worth something without them, too, and
# what is fitted to the finished model last.
PARTS = (
    Part("features", takes=("bf16", "cpu", "vision")),
    Part("align", 0.05, ("seed", "cpu", "llm", "vision")),
    Part("instruct", 0.22, ("seed", "bf16", "cpu")),
    Part("channel", 0.2, ("seed", "bf16", "cpu"), weights="default"),
    Part("space", 0.3, ("seed", "bf16"), "space", "space"),
    Part("questions", 0.08, run="questions", weights="questions"),
    Part("sound", run="sound", weights="sound"),
    Part("reading", 0.03, run="reading", weights="reading"),
    Part("gaze", 0.03, ("seed", "bf16"), "gaze", "gaze"),
    Part("reconstruct", 0.07, ("seed", "bf16"), "reconstruct", "reconstruct"),
    Part("listen", 0.05, ("seed", "bf16", "cpu"), "listen", "listen"),
    Part("text-prior", takes=("seed", "llm"), run="text-prior", weights="text-prior"),
    Part("trust", run=None, of_model=True),
    Part("aside", run="aside", weights="aside", of_model=True),
)
NAMES = tuple(part.command for part in PARTS)


@dataclass(frozen=True)
class Step:
    """A part with its time and the arguments of its command."""

    part: Part
    minutes: float | None
    arguments: tuple[str, ...]


def train_all(
    data: DataOption,
    out: Annotated[
        Path, typer.Option("--out", help="Folder of this run; the weights come into OUT/weights.")
    ] = Path("runs/all"),
    minutes: Annotated[
        float, typer.Option("--budget-minutes", min=1.0, help="Time for all stages that learn by the clock.")
    ] = 120.0,
    only: Annotated[str, typer.Option("--only", help="These parts alone, with commas.")] = "",
    skip: Annotated[str, typer.Option("--skip", help="All parts but these, with commas.")] = "",
    seed: SeedOption = 0,
    bf16: Bf16Option = None,
    cpu: CpuOption = False,
    llm: LlmOption = None,
    vision: VisionOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the parts and stop.")] = False,
) -> None:
    """Train everything: the three stages, then space, questions, sounds, texts, pictures, hearing, trust.

    Each part is a process of its own with its share of the minutes; finding features, sounds and texts once
    does not count among them. What is finished is not done again, and a part that was interrupted goes on:
    give the same command again. Then: m4sc eval --weights OUT/weights/default

    Examples:

        m4sc train all --data DATA --out runs/all --budget-minutes 240

        m4sc train all --data DATA --out runs/all --only space,questions --budget-minutes 60

        m4sc train all --data DATA --dry-run
    """
    options = {"seed": seed, "bf16": bf16, "cpu": cpu, "llm": llm, "vision": vision}
    steps = plan(chosen(only, skip), data, out, minutes, options)
    if dry_run:
        _tell(steps)
        return
    for number, step in enumerate(steps, start=1):
        name = step.part.command
        if _finished(out, step):
            typer.echo(f"{number} of {len(steps)}: {name} is done", err=True)
            continue
        time = "ends by itself" if step.minutes is None else f"{step.minutes:.3g} minutes"
        typer.echo(f"{number} of {len(steps)}: {name}, {time}", err=True)
        _forget_behind(out, step.part)
        ended = subprocess.run([*_COMMAND, *step.arguments], check=False).returncode
        if ended:
            typer.echo(f"{name} ended with code {ended}; the same command goes on from there", err=True)
            raise typer.Exit(ended if ended > 0 else 1)
        if step.part.run is not None and step.part.weights is not None:
            collect(out / step.part.run, step.part.weights, out / "weights")
        _mark(out, step)
    typer.echo(f"weights in {out / 'weights'}", err=True)


def chosen(only: str, skip: str) -> list[Part]:
    """The parts that are named, or all but those; raises UserError for a name that is none."""
    wanted, unwanted = (tuple(filter(None, names.replace(" ", "").split(","))) for names in (only, skip))
    for name in (*wanted, *unwanted):
        if name not in NAMES:
            raise UserError(f"'{name}' is no part of the training; use some of {', '.join(NAMES)}")
    found = [
        part for part in PARTS if part.command not in unwanted and (not wanted or part.command in wanted)
    ]
    if not found:
        raise UserError("--only and --skip leave no part to train")
    return found


def plan(
    parts: Sequence[Part], data: Path, out: Path, minutes: float, options: Mapping[str, object]
) -> list[Step]:
    """What to run in turn: the minutes are shared among the parts that learn by the clock.

    options: values of `seed`, `bf16`, `cpu`, `llm` and `vision`; None and False are left out, but of `bf16`.
    """
    whole = sum(part.share for part in parts) or 1.0
    steps = []
    for part in parts:
        arguments = [part.command, "--data", str(data)]
        if part.run is not None:
            arguments += ["--out", str(out / part.run)]
        own = max(minutes * part.share / whole, _LEAST_MINUTES) if part.share else None
        if own is not None:
            arguments += ["--budget-minutes", f"{own:.4g}"]
        for name in part.takes:
            arguments += _option(name, options.get(name))
        if part.of_model:
            arguments += ["--model", str(out / "weights" / "default")]
        steps.append(Step(part, own, tuple(arguments)))
    return steps


def _option(name: str, value: object) -> list[str]:
    if value is None or (value is False and name != "bf16"):
        return []
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", str(value)]


def collect(run: Path, name: str, weights: Path) -> None:
    """Copy the weights that a part has made, as those that come with the project are laid out.

    Of `default` these are the last stage's, made small; caches and checkpoints stay where they are.

    Raises:
        UserError: a file is missing.
    """
    from m4sc.shipped import weights_folder
    from m4sc.training.compact import compact

    made, into = (run / "channel" if name == "default" else run), weights / name
    into.mkdir(parents=True, exist_ok=True)
    fitted = ("trust.json",)  # comes later
    for shipped in weights_folder(name).iterdir():
        if shipped.suffix in _DOCUMENTS or shipped.name in fitted:
            continue
        if not (made / shipped.name).is_file():
            raise UserError(f"{made} has no {shipped.name}; the part that makes '{name}' wrote none")
        shutil.copyfile(made / shipped.name, into / shipped.name)
    if name == "default":
        compact(into)


def _tell(steps: list[Step]) -> None:
    from rich.table import Table

    table = Table("part", "minutes", "command", title="Training")
    for step in steps:
        time = "-" if step.minutes is None else f"{step.minutes:.3g}"
        table.add_row(step.part.command, time, shlex.join(("m4sc", "train", *step.arguments)))
    show(table)


def _record(out: Path, part: Part) -> Path:
    return out / "done" / f"{part.command}"


def _finished(out: Path, step: Step) -> bool:
    """Whether this very command has ended well, and its weights are there."""
    record, name = _record(out, step.part), step.part.weights
    if not record.is_file() or (name is not None and not (out / "weights" / name).is_dir()):
        return False
    return record.read_text(encoding="utf-8") == shlex.join(step.arguments)


def _forget_behind(out: Path, part: Part) -> None:
    """What goes on from a part, or is fitted to the model, has to be done again once that part is."""
    for later in PARTS[PARTS.index(part) + 1 :]:
        if later.of_model or later.run == part.run:
            _record(out, later).unlink(missing_ok=True)


def _mark(out: Path, step: Step) -> None:
    record = _record(out, step.part)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(shlex.join(step.arguments), encoding="utf-8")
