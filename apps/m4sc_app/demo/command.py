"""`m4sc demo`: run every message through both systems, score, print, report."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from m4sc_app.demo.link import CHANNELS, DEFAULT_CHANNELS, SYSTEMS, DemoRow, Radio, open_radio
from m4sc_app.demo.messages import DemoMessage, message_set, select
from m4sc_app.demo.scoring import score
from m4sc_app.errors import UserError

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
    if not all(math.isfinite(value) for value in snrs):
        raise UserError("--snr-db must be a finite number of dB")
    channels_ = _choice("--channel", channels, CHANNELS) if channels else DEFAULT_CHANNELS
    systems_ = _choice("--system", systems, SYSTEMS)
    messages = select(message_set(cache_dir()), only)
    rows = run_grid(
        radio or open_radio(model),
        messages,
        systems_,
        channels_,
        snrs,
        zero_latents=zero_latents,
        seed=seed,
        out=out,
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
    radio: Radio,
    messages: Sequence[DemoMessage],
    systems: Sequence[str],
    channels: Sequence[str],
    snrs_db: Sequence[float],
    *,
    zero_latents: bool,
    seed: int,
    out: Path,
) -> list[DemoRow]:
    """One flowgraph run per system, channel and SNR; what was decoded is written below ``out``."""
    from rich.console import Console
    from rich.progress import Progress

    rows: list[DemoRow] = []
    grid = [(s, c, v) for s in systems for c in channels for v in snrs_db]
    (out / "received").mkdir(parents=True, exist_ok=True)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("radio", total=len(grid))
        for system, channel, snr in grid:
            progress.update(bar, description=f"{system}, {channel}, {snr:g} dB")
            zero = zero_latents and system == "semantic"
            deliveries = radio(
                messages, system=system, channel=channel, snr_db=snr, zero_latents=zero, seed=seed
            )
            for message, delivery in zip(messages, deliveries, strict=True):
                metric, value = score(message.task, delivery.answer, message.references)
                file = None
                if delivery.received is not None:
                    stem = f"{message.name}-{system}-{channel}-{snr:g}dB"
                    path = out / "received" / (stem + _SUFFIX[message.modality])
                    path.write_bytes(delivery.received)
                    file = str(path)
                rows.append(DemoRow(message, system, channel, snr, metric, value, delivery, file, zero))
            progress.advance(bar)
    return rows


def _choice(option: str, given: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    for name in given or ():
        if name not in known:
            raise UserError(f"{option} '{name}' is unknown; use {' or '.join(known)}")
    return tuple(dict.fromkeys(given)) if given else known


def _print_table(rows: Sequence[DemoRow], page: Path) -> None:
    from rich.console import Console
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
    wide = None if sys.stdout.isatty() else 160  # a pipe has no width of its own
    Console(file=sys.stdout, width=wide).print(table)
    print(f"report: {page}")
