"""`m4sc tasks`: what can be asked, of what, and how well the weights do it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from m4sc.shipped import companion, weights_folder
from m4sc.tasks import TASKS, Task

_RESULTS = "results.jsonl"
_WEAK = 0.5  # of 1: more often wrong than right, or half of a perfect score
_CHANNEL, _SNR_DB = "awgn", 10.0
_PARTS = {"picture": "reconstruct", "sound": "sound"}  # systems that need no task of the language model's
_CARDS = {  # whose figures stand in the card of other weights than those of the language model
    "caption": "space",
    "vqa": "questions",
    "sound": "sound",
    "reconstruct": "reconstruct",
    "text-question": "reading",
}
_TAKES = {
    "image": "a picture",
    "speech": "a sound",
    "text": "a text",
    "image+speech": "a picture and a spoken question, PICTURE+SOUND",
}


@dataclass(frozen=True)
class Measured:
    """A row of an evaluation: score of 1, lower end of its 95 % interval, score of a receiver of zeros."""

    metric: str
    score: float
    ci_low: float
    blind: float
    n: int

    @property
    def weak(self) -> bool:
        """Whether the score is low, or hardly above that of a receiver that gets nothing from the channel."""
        return self.score < _WEAK or self.ci_low <= self.blind


def measured_scores(folder: Path) -> dict[str, Measured]:
    """Scores of the tasks at 10 dB, white noise, from the evaluation that lies beside the weights, if any."""
    path, found = folder / _RESULTS, dict[str, Measured]()
    if not path.is_file():
        return found
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        task = TASKS.get(row["task"])
        here = (row["channel"], row["snr_db"], row["system"], row["wording"], row.get("kind", "all"))
        if task is None or row["metric"] != task.scorer:
            continue
        if here == (_CHANNEL, _SNR_DB, "semantic", "seen", "all"):
            score, low, blind = (float(row[key]) for key in ("score", "ci_low", "blind_score"))
            found[task.name] = Measured(task.scorer, score, low, blind, int(row["n"]))
    return found


def described(task: Task, trained: bool, measured: Measured | None) -> dict[str, Any]:
    """A task as plain values."""
    row: dict[str, Any] = {
        "task": task.name,
        "takes": task.modality,
        "needs_question": task.needs_question,
        "instruction": task.instructions[0],
        "trained": trained,
    }
    if measured is not None:
        row |= {"metric": measured.metric, "score": measured.score, "n": measured.n, "weak": measured.weak}
    return row


def tasks_command(
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
    json_: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """List the tasks: what each takes, what the weights reach, which are weak.

    Example:  m4sc tasks --json
    """
    folder = weights_folder(model)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    trained = config.get("tasks") if isinstance(config, dict) else None
    scores = measured_scores(folder)
    rows = [
        described(task, _trained(task, folder, trained), scores.get(task.name)) for task in TASKS.values()
    ]
    if json_:
        print(json.dumps(rows))
        return
    print(f"Scores of '{model}' at {_SNR_DB:g} dB, white noise, of 1 (m4sc eval; {_RESULTS} has all):\n")
    for row in rows:
        print(f"{row['task']:16} {_score(row)}")
        question = '; needs your question, --instruction "..."' if row["needs_question"] else ""
        print(f"{'':16} takes {_TAKES[row['takes']]}{question}")
        print(f'{"":16} e.g. "{row["instruction"]}"')


def _trained(task: Task, folder: Path, tasks: list[str] | None) -> bool:
    """Whether the weights, or those of another part beside them, carry a task."""
    part = _PARTS.get(task.system)
    return tasks is None or task.name in tasks or (part is not None and companion(folder, part) is not None)


def _score(row: dict[str, Any]) -> str:
    if not row["trained"]:
        return "not in these weights"
    if "score" not in row:
        card = _CARDS.get(row["task"])
        return "not measured here" if card is None else f"figures: card of the weights '{card}'"
    metric = {"wer": "1 - word error rate"}.get(row["metric"], row["metric"])
    return f"{row['score']:.2f} {metric}, {row['n']} messages{', WEAK' if row['weak'] else ''}"
