"""`m4sc bench photographs`: ordinary photographs, what is seen on them and what is answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from m4sc_app.tables import show

if TYPE_CHECKING:
    from m4sc.data.example import Example
    from m4sc.evaluate.systems import Said

_KEEP_PRECISION = 0.9
_SUBJECT_TASKS = ("caption", "classify")


@dataclass(frozen=True)
class Share:
    """A figure of the photographs.

    Attributes:
        name: of what.
        right: share of 1, over noise seeds too.
        n: photographs or questions.
        calibration_error: expected, of the confidences; None where there are none.
        kept: share of the answers that may be kept, surest first, so that nine of ten are right; or None.
    """

    name: str
    right: float
    n: int
    calibration_error: float | None
    kept: float | None


def photographs(
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data sets; without it the packages' photographs alone.")
    ] = None,
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
    snr: Annotated[float, typer.Option("--snr", help="Es/N0 per data symbol in dB, AWGN.")] = 10.0,
    seeds: Annotated[str, typer.Option(help="Of the noise, with commas.")] = "0",
    tasks: Annotated[
        str, typer.Option(help="Of vqa, caption, classify, with commas.")
    ] = "vqa,caption,classify",
    answers: Annotated[bool, typer.Option("--answers", help="Also print every answer.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Questions answered right on ordinary photographs, and how often the subject is named.

    The photographs come with scikit-image, scikit-learn and Matplotlib, or lie in the folder of data sets
    (Kodak's, COCO-mini's val). Nothing was trained or chosen on them.

    Example: m4sc bench photographs --data DATA
    """
    from m4sc import load
    from m4sc.data.ordinary import ordinary_photographs
    from m4sc.evaluate.systems import Semantic

    missing: list[str] = []
    found = ordinary_photographs(data, missing.append)
    if missing:
        typer.echo(f"{len(missing)} photographs are not at hand, such as {missing[0]}", err=True)
    chosen = [task.strip() for task in tasks.split(",")]
    if unknown := set(chosen) - {"vqa", *_SUBJECT_TASKS}:
        raise typer.BadParameter(f"--tasks takes vqa, caption, classify; got {', '.join(sorted(unknown))}")
    if not found:
        raise typer.BadParameter("no photograph of the list is at hand; give the data sets with --data")
    system = Semantic(load(model))
    shares: list[Share] = []
    rows: list[dict[str, Any]] = []
    for task in chosen:
        examples = _examples(task, found)
        said = [_said(system, examples, snr, int(seed)) for seed in seeds.split(",")]
        right = np.array([[_right(task, a, e) for a, e in zip(one, examples, strict=True)] for one in said])
        kinds = np.array([e.kind for e in examples])
        for kind in [None, *dict.fromkeys(kinds.tolist())]:
            if kind is None and task != "vqa":
                continue
            mask = np.ones(len(examples), bool) if kind is None else kinds == kind
            name = f"{task}: {'questions' if kind is None else kind}"
            shares.append(_share(name, said, right, mask))
        rows += [
            {
                "task": task,
                "photograph": e.media_id,
                "asked": e.instruction,
                "answer": str(a or ""),
                "right": bool(r),
            }
            for e, a, r in zip(examples, said[0], right[0], strict=True)
        ]
    if as_json:
        config = {"model": model, "fingerprint": system.model.fingerprint, "snr_db": snr, "seeds": seeds}
        typer.echo(
            json.dumps({"config": config, "figures": [asdict(s) for s in shares], "answers": rows}, indent=1)
        )
        return
    if answers:
        for row in rows:
            mark = "+" if row["right"] else "-"
            typer.echo(f"{mark} {row['photograph']}  {row['asked']}  {row['answer']}")
    _print(shares, snr)


def _examples(task: str, found: Sequence[Any]) -> list[Example]:
    from m4sc.data.ordinary import question_examples, subject_examples
    from m4sc.tasks import get_task

    if task == "vqa":
        return question_examples(list(found))
    return subject_examples(list(found), task, get_task(task).instructions[0])


def _said(system: Any, examples: list[Example], snr_db: float, seed: int) -> list[Said]:
    rngs = [np.random.default_rng([seed, n]) for n in range(len(examples))]
    return [delivery.said for delivery in system.send_all(examples, "awgn", snr_db, rngs)]


def _right(task: str, said: Said, example: Example) -> bool:
    from m4sc.data.ordinary import names_subject
    from m4sc.evaluate.metrics.answers import exact_match

    if not isinstance(said, str):
        return False
    return (
        names_subject(said, example.answers)
        if task in _SUBJECT_TASKS
        else exact_match(said, example.answers) > 0
    )


def _share(name: str, said: list[list[Said]], right: np.ndarray, mask: np.ndarray) -> Share:
    from m4sc.space.confidence import calibration_error

    told = [getattr(a, "confidence", None) for one in said for a, m in zip(one, mask, strict=True) if m]
    hits = right[:, mask].ravel()
    if any(sure is None for sure in told):
        return Share(name, float(hits.mean()), int(mask.sum()), None, None)
    sure = np.array(told, dtype=float)
    order = np.argsort(-sure, kind="stable")
    precision = np.cumsum(hits[order]) / np.arange(1, len(order) + 1)
    kept = np.flatnonzero(precision >= _KEEP_PRECISION)
    share = float((kept[-1] + 1) / len(order)) if len(kept) else 0.0
    return Share(name, float(hits.mean()), int(mask.sum()), calibration_error(sure, hits), share)


def _print(shares: Sequence[Share], snr_db: float) -> None:
    table = Table(
        "figure",
        "right",
        "n",
        "calibration error",
        "kept at 90 %",
        title=f"Ordinary photographs, {snr_db:g} dB",
    )
    for one in shares:
        error = "" if one.calibration_error is None else f"{one.calibration_error:.3f}"
        kept = "" if one.kept is None else f"{one.kept:.2f}"
        table.add_row(one.name, f"{one.right:.3f}", str(one.n), error, kept)
    show(table)
