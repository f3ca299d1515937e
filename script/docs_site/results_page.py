"""The results page, from the rows that `m4sc eval` wrote and from the card of the shipped weights."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from score_chart import score_chart

Row = dict[str, Any]
_KEYS = ("system", "task", "kind", "channel", "snr_db", "metric", "score")
_INTRO = """# Results

Made from `models/weights/default/results.jsonl`, as `m4sc eval` wrote it, and from the card of these weights.
SNR is Es/N0 per data subcarrier; a lost message scores zero in every average; intervals are 95 %, by
bootstrap over the messages. `k` is the mean number of complex data symbols of a message. Two controls stand
beside each score: *blind* is the model answering from latents of zeros, *shuffled* from another message's.
*No channel* is the same model reading the message itself.
"""


def read_rows(path: Path) -> list[Row]:
    """Rows of a JSON-lines file that hold a score; none when the file is not there.

    Raises:
        ValueError: a line that is no JSON object.
    """
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path.name}, line {number}: no JSON ({error.msg})") from error
        if isinstance(row, dict) and all(key in row for key in _KEYS):
            rows.append(row)
    return rows


def results_page(folder: Path) -> str:
    """Markdown of the page: charts and tables by task, then the card."""
    rows = read_rows(folder / "results.jsonl")
    parts = [_INTRO]
    if not rows:
        parts.append("No evaluation has been written beside these weights yet.\n")
    for task in dict.fromkeys(row["task"] for row in rows):
        parts.append(_task(task, [row for row in rows if row["task"] == task]))
    card = folder / "README.md"
    if card.is_file():
        parts.append("## The card of these weights\n")
        parts.append(_shifted(card.read_text(encoding="utf-8")))
    return "\n".join(parts)


def _task(task: str, rows: list[Row]) -> str:
    whole = [row for row in rows if row["kind"] == "all"] or rows
    lines = [f"## {task}\n"]
    for metric in dict.fromkeys(str(row["metric"]) for row in whole):
        own = [row for row in whole if str(row["metric"]) == metric]
        lines += [f"Metric: {metric}.\n", score_chart(own, f"chart-{task}-{metric}"), "", *_table(own), ""]
    kinds = [row for row in rows if row not in whole]
    if kinds:
        lines += ["", '??? note "By kind of question"', ""]
        lines += [f"    {line}" for line in _table(kinds, with_kind=True)]
    return "\n".join([*lines, ""])


def _table(rows: Iterable[Row], with_kind: bool = False) -> list[str]:
    head = ["system", *(["kind"] if with_kind else []), "channel", "SNR, dB", "k", "score", "95 % interval"]
    head += ["no channel", "blind", "shuffled", "messages", "lost"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [row["system"], *([row["kind"]] if with_kind else []), row["channel"], f"{row['snr_db']:g}"]
        cells += [_number(row, "symbols", ".0f"), _number(row, "score"), _interval(row)]
        cells += [_number(row, key) for key in ("no_channel_score", "blind_score", "shuffled_score")]
        cells += [_number(row, "n", "d"), _number(row, "lost", "d")]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return lines


def _number(row: Row, key: str, how: str = ".2f") -> str:
    value = row.get(key)
    return format(value, how) if isinstance(value, int | float) else ""


def _interval(row: Row) -> str:
    low, high = _number(row, "ci_low"), _number(row, "ci_high")
    return f"{low} to {high}" if low and high else ""


def _shifted(card: str) -> str:
    """A card as a section: its headings two levels down."""
    fenced, lines = False, []
    for line in card.splitlines():
        fenced ^= line.startswith("```")
        lines.append(f"##{line}" if line.startswith("#") and not fenced else line)
    return "\n".join(lines) + "\n"
