"""`m4sc report`: the figures and tables of a sweep."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from m4sc_app.errors import UserError
from m4sc_app.sweep_figures import Row, draw_lines, draw_task, draw_users, points_of, write_csv

LEAST_EXAMPLES = 200
_SHOWN = (
    "system", "score", "ci_low", "ci_high", "air_time_ms", "blind_score", "no_channel_score", "schemes",
    "frames_lost", "frames", "n", "chosen",
)  # fmt: skip
_USERS_PLOT = "beside_others"  # of `m4sc bench multiuser`


def report_command(
    folder: Annotated[Path, typer.Argument(help="Folder of a sweep.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the report; else FOLDER/report.")] = None,
    least: Annotated[int, typer.Option(min=1, help="Rows of fewer examples are left out.")] = LEAST_EXAMPLES,
    paper: Annotated[
        bool, typer.Option("--paper", help="Also figures by modality and by task, our system against SNR.")
    ] = False,
    users: Annotated[
        Path | None,
        typer.Option(
            help="With --paper: what 'm4sc bench multiuser --results FILE' wrote, for several users."
        ),
    ] = None,
) -> None:
    """Draw scores against air time, SNR and symbols, cliffs, and samples; write a page of them and of tables.

    Each figure is SVG and PDF, with the CSV of what is drawn.

    Examples: m4sc report runs/sweep

    m4sc report results --paper --users users.jsonl
    """
    from m4sc.evaluate.measures import measures_of
    from m4sc.evaluate.sweep.store import has_rows, read_rows

    if not has_rows(folder):
        raise UserError(
            f"{folder} holds no rows; m4sc sweep CONFIG.yaml --data DATA --out {folder} writes them"
        )
    if users is not None and not paper:
        raise UserError("--users goes with --paper")
    rows = [row for row in read_rows(folder) if row["n"] >= least]
    if not rows:
        raise UserError(f"{folder} has no row of {least} examples or more; --least shows smaller ones")
    target = out or folder / "report"
    target.mkdir(parents=True, exist_ok=True)
    write_csv(rows, target / "rows.csv")
    parts = []
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    for task in tasks:
        own = measures_of(task)[0].name
        kinds = [row for row in rows if (row["task"], row["metric"]) == (task, own)]
        chosen = [row for row in kinds if row["kind"] == "all"]
        if chosen:
            parts.append(_section(chosen, task, own, draw_task(chosen, target, task, own)))
            parts.append(_kinds([row for row in kinds if row["kind"] != "all"]))
    if paper:
        parts.append(_paper(rows, target, users))
    text = _PAGE.format(body="".join(parts), least=least)
    (target / "index.html").write_text(text, encoding="utf-8")
    typer.echo(f"{len(rows)} rows, {len(tasks)} tasks: {target / 'index.html'}")


def _paper(rows: list[Row], target: Path, users: Path | None) -> str:
    """The semantic system's own score against SNR, a panel a channel: by modality, by task, of users."""
    from m4sc.evaluate.measures import measures_of

    own = {task: measures_of(task)[0].name for task in {row["task"] for row in rows}}
    ours = [
        row for row in rows
        if row["codec"] == "semantic" and row["kind"] == "all" and row["metric"] == own[row["task"]]
    ]  # fmt: skip
    if not ours:
        raise UserError("the sweep has no row of the semantic system, whose figures --paper draws")
    largest: dict[str, str] = {}  # of a task, the system that sends the most
    for row in sorted(ours, key=lambda row: float(row["symbols"])):
        largest[row["task"]] = row["system"]
    ours = [row for row in ours if row["system"] == largest[row["task"]]]
    first = {row["modality"]: row["task"] for row in reversed(ours)}  # a task stands for each modality
    groups = {
        "paper-multi-modal": [row for row in ours if row["task"] == first[row["modality"]]],
        "paper-multi-task": ours,
    }
    for name, chosen in groups.items():
        draw_lines(
            chosen, target / name, "score", lambda row: f"{row['modality']}: {row['task']}, {row['metric']}"
        )
    shown = {"paper-multi-modal": "By modality", "paper-multi-task": "By task"}
    if users is not None:
        draw_users(_user_points(users), target / "paper-multi-user")
        shown["paper-multi-user"] = "Several users"
    return "".join(
        f'<h2>{what}</h2><img src="{name}.svg" alt="{what}">{_links(name)}' for name, what in shown.items()
    )


def _user_points(path: Path) -> list[Row]:
    """Points of several users against SNR, of the lines that a benchmark wrote, up to one that was cut off.

    Raises:
        UserError: there are none.
    """
    if not path.is_file():
        raise UserError(
            f"there is no file {path}; m4sc bench multiuser --data DATA --results {path} writes it"
        )
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            break
        if isinstance(row, dict) and row.get("plot") == _USERS_PLOT and row.get("series"):
            found.append(row)
    if not found:
        raise UserError(f"{path} has no point of '{_USERS_PLOT}'; m4sc bench multiuser --sets tasks has them")
    return found


def _links(name: str) -> str:
    files = " · ".join(f'<a href="{name}.{kind}">{kind.upper()}</a>' for kind in ("svg", "pdf", "csv"))
    return f"<p>{files}</p>"


def _section(rows: list[Row], task: str, metric: str, figures: dict[str, str]) -> str:
    parts = [f"<h2>{html.escape(task)}</h2><p>Score: {html.escape(metric)}.</p>"]
    for name, what in figures.items():
        parts.append(
            f'<h3>{html.escape(what)}</h3><img src="{name}.svg" alt="{html.escape(what)}">{_links(name)}'
        )
    parts.append(_samples(rows))
    for channel, snr_db in points_of(rows):
        here = [row for row in rows if (row["channel"], row["snr_db"]) == (channel, snr_db)]
        parts.append(f"<h3>{html.escape(channel)}, {snr_db:g} dB</h3>")
        parts.append(_table(sorted(here, key=lambda row: float(-row["score"])), _SHOWN))
    hashes = sorted({f"weights {row['weights_hash']}, commit {row['commit']}" for row in rows})
    return "".join(parts) + f"<p>{html.escape('; '.join(hashes))}</p>"


def _kinds(rows: list[Row]) -> str:
    """The kinds of examples, each that has enough of them."""
    if not rows:
        return ""
    columns = ("kind", "channel", "snr_db", "system", "score", "ci_low", "ci_high", "n", "messages")
    ordered = sorted(rows, key=lambda row: (row["kind"], row["channel"], row["snr_db"], -row["score"]))
    return f"<h3>By kind</h3>{_table(ordered, columns)}"


def _table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    head = "".join(f"<th>{name}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(row.get(name))}</td>' for name in columns)}</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _samples(rows: Sequence[Row]) -> str:
    """The same messages by every system at each point, side by side."""
    parts = []
    for channel, snr_db in points_of(rows):
        here = [r for r in rows if (r["channel"], r["snr_db"]) == (channel, snr_db) and r.get("samples")]
        if not here:
            continue
        parts.append(f"<h3>Samples, {html.escape(channel)}, {snr_db:g} dB</h3><table class=samples><tr>")
        parts += [f"<th>{name}</th>" for name in ("message", "asked", "wanted")]
        parts += [f"<th>{html.escape(str(row['system']))}</th>" for row in here] + ["</tr>"]
        for number, sample in enumerate(here[0]["samples"]):
            cells = [_picture(sample["message"]), html.escape(sample["asked"]), html.escape(sample["wanted"])]
            for row in here:
                own = row["samples"][number] if number < len(row["samples"]) else None
                same = own is not None and own["id"] == sample["id"]
                cells.append(_picture(own["received"]) + html.escape(own["said"]) if same and own else "")
            parts.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        parts.append("</table>")
    return "".join(parts)


def _picture(data: bytes | None) -> str:
    if not data:
        return ""
    return f'<img src="data:image/png;base64,{base64.b64encode(data).decode()}" alt=""><br>'


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):  # schemes of an envelope, with the interval of the loss that chose them
        told = (
            f"{one['mcs']} ({one['loss_low']:.3f} to {one['loss_high']:.3f}, {one['bytes']} bytes)"
            for one in value
        )
        return html.escape("; ".join(told))
    return f"{value:.3f}" if isinstance(value, float) else html.escape(str(value))


_PAGE = """<!doctype html><meta charset="utf-8"><title>Sweep</title>
<style>body{{font:15px sans-serif;margin:2em;max-width:90em}}td,th{{padding:.2em .8em;text-align:right}}
img{{max-width:100%}}.samples td,.samples th{{text-align:left;vertical-align:top;max-width:16em}}</style>
<h1>Sweep</h1>
<p>Es/N0 per data subcarrier. Air time counts preambles, headers, pilots and cyclic prefixes of all frames;
a lost message scores zero. Intervals draw messages, with all that is asked about one. Rows of fewer than
{least} examples are left out. What takes no air time is a dotted level.</p>
{body}
"""
