"""`m4sc report`: the figures and tables of a sweep."""

from __future__ import annotations

import csv
import html
from pathlib import Path
from typing import Annotated, Any

import typer

from m4sc_app.errors import UserError

LEAST_EXAMPLES = 200
_COLUMNS = (
    "task", "kind", "metric", "channel", "snr_db", "system", "chosen", "score", "ci_low", "ci_high",
    "no_channel_score", "blind_score", "shuffled_score", "air_time_ms", "symbols", "frames", "frames_lost",
    "lost", "n", "messages", "seeds", "weights_hash", "config_hash", "commit", "snr_definition",
)  # fmt: skip
_SHOWN = (
    "system", "score", "ci_low", "ci_high", "air_time_ms", "blind_score", "no_channel_score", "schemes",
    "frames_lost", "frames", "n", "chosen",
)  # fmt: skip
Row = dict[str, Any]


def report_command(
    folder: Annotated[Path, typer.Argument(help="Folder of a sweep.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the report; else FOLDER/report.")] = None,
    least: Annotated[int, typer.Option(min=1, help="Rows of fewer examples are left out.")] = LEAST_EXAMPLES,
    paper: Annotated[
        bool, typer.Option("--paper", help="Also figures by modality and by task, our system against SNR.")
    ] = False,
) -> None:
    """Draw score against air time and against SNR (SVG, PDF, CSV) and write a page of tables."""
    from m4sc.evaluate.measures import measures_of
    from m4sc.evaluate.sweep.store import has_rows, read_rows

    if not has_rows(folder):
        raise UserError(
            f"{folder} holds no rows; m4sc sweep CONFIG.yaml --data DATA --out {folder} writes them"
        )
    rows = [row for row in read_rows(folder) if row["n"] >= least]
    if not rows:
        raise UserError(f"{folder} has no row of {least} examples or more; --least shows smaller ones")
    target = out or folder / "report"
    target.mkdir(parents=True, exist_ok=True)
    _write_csv(rows, target / "rows.csv")
    parts = []
    for task in dict.fromkeys(row["task"] for row in rows):
        own = measures_of(task)[0].name
        chosen = [row for row in rows if (row["task"], row["kind"], row["metric"]) == (task, "all", own)]
        if chosen:
            _draw(chosen, task, own, target)
            parts.append(_section(chosen, task, own))
    if paper:
        parts.append(_paper(rows, target))
    text = _PAGE.format(body="".join(parts), least=least)
    (target / "index.html").write_text(text, encoding="utf-8")
    typer.echo(f"{len(rows)} rows, {len(parts)} tasks: {target / 'index.html'}")


def _write_csv(rows: list[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _points(rows: list[Row]) -> list[tuple[str, float]]:
    return list(dict.fromkeys((row["channel"], row["snr_db"]) for row in rows))


def _draw(rows: list[Row], task: str, metric: str, target: Path) -> None:
    """Score against air time, a panel a point of the channel; then against the SNR of AWGN."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    systems, points = list(dict.fromkeys(row["system"] for row in rows)), _points(rows)
    colour = {name: f"C{i % 10}" for i, name in enumerate(systems)}
    size = (3.2 * len(points) + 1.4, 3.4)
    figure, axes = plt.subplots(1, len(points), sharey=True, squeeze=False, figsize=size)
    for axis, (channel, snr_db) in zip(axes[0], points, strict=True):
        for row in rows:
            if (row["channel"], row["snr_db"]) == (channel, snr_db):
                _error_bar(axis, row["air_time_ms"], row, colour)
        axis.set(title=f"{channel}, {snr_db:g} dB", xlabel="air time of a message, ms", xscale="symlog")
    axes[0][0].set_ylabel(f"{task}: {metric}")
    handles = [plt.Line2D([], [], color=colour[name], marker="o", ls="", label=name) for name in systems]
    figure.legend(handles=handles, loc="center right", frameon=False)
    figure.tight_layout(rect=(0, 0, 1 - 1.3 / size[0], 1))
    _save(figure, target / f"{task}-air-time")
    figure, axis = plt.subplots(figsize=(5.2, 3.4))
    for name in systems:
        own = sorted(
            (row for row in rows if row["system"] == name and row["channel"] == "awgn"),
            key=lambda row: float(row["snr_db"]),
        )
        for row in own:
            _error_bar(axis, row["snr_db"], row, colour)
        axis.plot([r["snr_db"] for r in own], [r["score"] for r in own], color=colour[name], label=name)
    axis.set(xlabel="Es/N0 per data subcarrier, dB (AWGN)", ylabel=f"{task}: {metric}")
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    _save(figure, target / f"{task}-snr")


def _paper(rows: list[Row], target: Path) -> str:
    """The semantic system's own score against SNR, a panel a channel: by modality, then by task."""
    from m4sc.evaluate.measures import measures_of

    own = {task: measures_of(task)[0].name for task in {row["task"] for row in rows}}
    ours = [
        row for row in rows
        if row["codec"] == "semantic" and row["kind"] == "all" and row["metric"] == own[row["task"]]
    ]  # fmt: skip
    if not ours:
        raise UserError("the sweep has no row of the semantic system, whose figures --paper draws")
    first = {row["modality"]: row["task"] for row in reversed(ours)}  # a task stands for each modality
    groups = {
        "multi-modal": [row for row in ours if row["task"] == first[row["modality"]]],
        "multi-task": ours,
    }
    for name, chosen in groups.items():
        _draw_tasks(chosen, target / f"paper-{name}")
        _write_csv(chosen, target / f"paper-{name}.csv")
    return "<h2>By modality, by task</h2>" + "".join(
        f'<img src="paper-{name}.svg" alt="{name}">' for name in groups
    )


def _draw_tasks(rows: list[Row], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    channels = list(dict.fromkeys(row["channel"] for row in rows))
    lines = list(dict.fromkeys((row["task"], row["system"], row["modality"], row["metric"]) for row in rows))
    colour = {"/".join(line[:2]): f"C{i % 10}" for i, line in enumerate(lines)}
    figure, axes = plt.subplots(
        1, len(channels), sharey=True, squeeze=False, figsize=(3.4 * len(channels) + 2.4, 3.4)
    )
    for axis, channel in zip(axes[0], channels, strict=True):
        for task, system, modality, metric in lines:
            own = [r for r in rows if (r["task"], r["system"], r["channel"]) == (task, system, channel)]
            own.sort(key=lambda row: float(row["snr_db"]))
            name = f"{task}/{system}"
            for row in own:
                _error_bar(axis, row["snr_db"], {**row, "system": name}, colour)
            label = f"{modality}: {task}, {metric} ({system})"
            axis.plot([r["snr_db"] for r in own], [r["score"] for r in own], color=colour[name], label=label)
        axis.set(title=channel, xlabel="Es/N0 per data subcarrier, dB")
    axes[0][0].set_ylabel("score")
    axes[0][-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)
    figure.tight_layout()
    _save(figure, path)


def _error_bar(axis: Any, x: float, row: Row, colour: dict[str, str]) -> None:
    reach = [[max(0.0, row["score"] - row["ci_low"])], [max(0.0, row["ci_high"] - row["score"])]]
    axis.errorbar(x, row["score"], reach, color=colour[row["system"]], marker="o", ms=4, capsize=2)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt

    for suffix in (".svg", ".pdf"):
        figure.savefig(path.with_suffix(suffix), metadata={"Date": None} if suffix == ".svg" else None)
    plt.close(figure)


def _section(rows: list[Row], task: str, metric: str) -> str:
    parts = [f"<h2>{html.escape(task)}</h2><p>Score: {html.escape(metric)}.</p>"]
    parts += [f'<img src="{task}-{what}.svg" alt="{task}: {what}">' for what in ("air-time", "snr")]
    for channel, snr_db in _points(rows):
        parts.append(f"<h3>{html.escape(channel)}, {snr_db:g} dB</h3><table><tr>")
        parts += [f"<th>{name}</th>" for name in _SHOWN] + ["</tr>"]
        here = [row for row in rows if (row["channel"], row["snr_db"]) == (channel, snr_db)]
        for row in sorted(here, key=lambda row: float(-row["score"])):
            cells = "".join(f"<td>{_cell(row.get(name))}</td>" for name in _SHOWN)
            parts.append(f"<tr>{cells}</tr>")
        parts.append("</table>")
    hashes = sorted({f"weights {row['weights_hash']}, commit {row['commit']}" for row in rows})
    return "".join(parts) + f"<p>{html.escape('; '.join(hashes))}</p>"


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
<style>body{{font:15px sans-serif;margin:2em;max-width:75em}}td,th{{padding:.2em .8em;text-align:right}}
img{{max-width:100%}}</style><h1>Sweep</h1>
<p>Es/N0 per data subcarrier. Air time counts preambles, headers, pilots and cyclic prefixes of all frames; a
lost message scores zero. Intervals draw messages. Rows of fewer than {least} examples are left out.</p>
{body}
"""
