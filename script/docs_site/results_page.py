"""The results page, from the rows that `m4sc eval` wrote and from the card of the shipped weights."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from score_chart import score_chart

Row = dict[str, Any]
_LINK = re.compile(r"\[(?P<words>[^\]]+)\]\((?P<to>\.\.?/[^)]+)\)")
_KEYS = ("system", "task", "kind", "channel", "snr_db", "metric", "score")
_INTRO = """# Results

Made from `models/weights/default/results.jsonl`, as `m4sc eval` wrote it, and from the cards of all shipped
weights. SNR is Es/N0 per data subcarrier; a lost message scores zero in every average; intervals are 95 %, by
bootstrap over the `n` messages. `k` is the mean number of complex data symbols of one. Two controls stand
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


def results_page(folder: Path, others: Sequence[Path] = ()) -> str:
    """Markdown of the page: charts and tables by task of a folder of weights, its card, cards of others."""
    rows = read_rows(folder / "results.jsonl")
    parts = [_INTRO]
    if not rows:
        parts.append("No evaluation has been written beside these weights yet.\n")
    for task in dict.fromkeys(row["task"] for row in rows):
        parts.append(_task(task, [row for row in rows if row["task"] == task]))
    cards = dict.fromkeys(weights / "README.md" for weights in (folder, *others))
    for card in (card for card in cards if card.is_file()):
        parts.append(f"## The weights `{card.parent.name}`\n")
        parts.append(_section(card))
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


def _table(rows: Sequence[Row], with_kind: bool = False) -> list[str]:
    """The system has a column where there are several: a page has room for ten."""
    named = [*(["system"] if len({row["system"] for row in rows}) > 1 else []), *(["kind"] * with_kind)]
    head = [*named, "channel", "SNR, dB", "k", "score", "95 % interval"]
    head += ["no channel", "blind", "shuffled", "n", "lost"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [*(row[key] for key in named), row["channel"], f"{row['snr_db']:g}"]
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


def _section(card: Path) -> str:
    """A card as a section: no title, other headings one level down, links from where the page lies."""
    fenced, lines = False, []
    for line in card.read_text(encoding="utf-8").splitlines():
        fenced ^= line.startswith("```")
        if fenced or not line.startswith("# "):
            lines.append(f"#{line}" if line.startswith("#") and not fenced else line)
    return _LINK.sub(_from_docs, "\n".join(lines)) + "\n"


def _from_docs(link: re.Match[str]) -> str:
    """A link into docs/ stays one; of any other the words stay."""
    inside = link["to"].partition("docs/")[2]
    return f"[{link['words']}]({inside})" if inside else link["words"]
