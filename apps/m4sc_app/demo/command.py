"""`m4sc demo`: run every message through both systems, score, print, report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from m4sc.phy.channel.config import MOST_SNR_DB

from m4sc_app.demo.link import CHANNELS, DEFAULT_CHANNELS, SYSTEMS, Delivery, DemoRow, Radio, open_radio
from m4sc_app.demo.messages import DemoMessage, message_set, select
from m4sc_app.demo.points import Point, run_points
from m4sc_app.demo.scoring import score
from m4sc_app.demo.second_process import helps, second_radio
from m4sc_app.errors import UserError
from m4sc_app.tables import show

DEFAULT_SNRS_DB = (10.0, 0.0, -10.0)
_SUFFIX = {"image": ".png", "speech": ".wav", "text": ".txt"}


def cache_dir() -> Path:
    """Folder of synthesised sounds: ``M4SC_HOME``/demo, by default under the XDG cache."""
    home = os.environ.get("M4SC_HOME")
    if home:
        return Path(home) / "demo"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "m4sc" / "demo"


def results_file(model: str) -> Path | None:
    """Test-set results beside the weights of ``model`` (a name or a folder), None when there are none."""
    import m4sc

    package = Path(m4sc.__file__).parent
    for folder in (Path(model), package / "weights" / model, package.parent / "weights" / model):
        if (folder / "results.jsonl").is_file():
            return folder / "results.jsonl"
    return None


def run_demo(
    *,
    snr_db: list[float] | None,
    channels: list[str] | None,
    systems: list[str] | None,
    only: list[str] | None,
    out: Path,
    model: str,
    zero_latents: bool,
    seed: int,
    as_json: bool,
    radio: Radio | None = None,
) -> None:
    """Run the demo; see ``m4sc demo --help``. ``radio`` replaces the GNU Radio loopback in tests."""
    from m4sc_app.report.render import write_report

    snrs = tuple(snr_db or DEFAULT_SNRS_DB)
    if not all(abs(value) <= MOST_SNR_DB for value in snrs):
        raise UserError(f"--snr-db must be a number of dB, {-MOST_SNR_DB:g} to {MOST_SNR_DB:g}")
    channels_ = _choice("--channel", channels, CHANNELS) if channels else DEFAULT_CHANNELS
    systems_ = _choice("--system", systems, SYSTEMS)
    points = [
        Point(system, channel, snr, zero_latents and system == "semantic", seed)
        for system in systems_
        for channel in channels_
        for snr in snrs
    ]
    alone = radio is not None or not helps(len(points))
    with nullcontext() if alone else second_radio(model) as second:
        messages = select(message_set(cache_dir()), only)
        rows = run_grid(
            (lambda: radio) if radio else (lambda: open_radio(model)), messages, points, out, second
        )
    config = {
        "model": model,
        "snr_db": list(snrs),
        "channels": list(channels_),
        "systems": list(systems_),
        "seed": seed,
        "zero_latents": zero_latents,
    }
    page = write_report(out / "report.html", rows, config, results_file(model))
    if as_json:
        print(json.dumps({"config": config, "report": str(page), "rows": [row.to_json() for row in rows]}))
    else:
        _print_table(rows, page)


def run_grid(
    radio: Callable[[], Radio],
    messages: Sequence[DemoMessage],
    points: Sequence[Point],
    out: Path,
    second: Radio | None = None,
) -> list[DemoRow]:
    """One flowgraph run a point (:func:`run_points`); what was decoded is written below ``out``."""
    from rich.console import Console
    from rich.progress import Progress

    (out / "received").mkdir(parents=True, exist_ok=True)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("loading the model", total=len(points))

        def told(running: Sequence[Point], done: int) -> None:
            what = "; ".join(str(point) for point in running) or "radio"
            progress.update(bar, description=what, completed=done)

        deliveries = run_points(points, messages, radio, second, told)
    return [
        _row(message, point, delivery, out)
        for point, came in zip(points, deliveries, strict=True)
        for message, delivery in zip(messages, came, strict=True)
    ]


def _row(message: DemoMessage, point: Point, delivery: Delivery, out: Path) -> DemoRow:
    """One message over one point, scored; what the classical system decoded becomes a file."""
    metric, value = score(message.task, delivery.answer, message.references)
    file = None
    if delivery.received is not None:
        stem = f"{message.name}-{point.system}-{point.channel}-{point.snr_db:g}dB"
        path = out / "received" / (stem + _SUFFIX[message.modality])
        path.write_bytes(delivery.received)
        file = str(path)
    given = (message, point.system, point.channel, point.snr_db, metric, value, delivery)
    return DemoRow(*given, file, point.zero_latents)


def _choice(option: str, given: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    for name in given or ():
        if name not in known:
            raise UserError(f"{option} '{name}' is unknown; use {' or '.join(known)}")
    return tuple(dict.fromkeys(given)) if given else known


def _print_table(rows: Sequence[DemoRow], page: Path) -> None:
    from rich.table import Table

    table = Table(title="SNR is Es/N0 per data subcarrier; a lost frame scores zero")
    for column in ("message", "system", "channel", "SNR dB", "k", "air ms", "lost", "score"):
        table.add_column(column, no_wrap=True)
    table.add_column("answer", no_wrap=True, overflow="ellipsis", max_width=60)
    for row in rows:
        d = row.delivery
        table.add_row(
            f"{row.message.name} ({row.message.task})",
            row.system + (" (zeros)" if row.zero_latents else ""),
            row.channel,
            f"{row.snr_db:g}",
            str(d.complex_symbols),
            f"{d.air_time_s * 1e3:.1f}",
            f"{d.frames_lost}/{d.frames_sent}",
            row.outcome if row.outcome in ("withheld", "lost") else f"{row.score:.2f}",
            " ".join((d.answer or "-").split()),
        )
    show(table)
    print(f"report: {page}")
