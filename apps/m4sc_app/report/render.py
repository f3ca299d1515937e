"""One self-contained HTML page from the rows of a run."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from m4sc.phy.waveform import WaveformConfig
from m4sc.tasks import get_task

from m4sc_app.demo.link import DemoRow
from m4sc_app.demo.messages import DemoMessage
from m4sc_app.demo.scoring import DEFINITIONS
from m4sc_app.errors import UserError
from m4sc_app.report import plots
from m4sc_app.report.equal_score import equal_score
from m4sc_app.report.versions import versions

_TEMPLATE = Path(__file__).with_name("report.html.j2")


def write_report(
    path: Path, rows: Sequence[DemoRow], config: Mapping[str, Any], results: Path | None = None
) -> Path:
    """Write the page and return its path.

    Args:
        path: of the HTML file; its folder is made.
        rows: of one run, any order.
        config: of the run, shown as JSON.
        results: JSON lines of a test-set evaluation, drawn behind the run's points; None or absent: none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(rows, config, load_curves(results)), encoding="utf-8")
    return path


def render(rows: Sequence[DemoRow], config: Mapping[str, Any], curves: Sequence[dict[str, Any]] = ()) -> str:
    """The page as text; everything it shows is inside it.

    Raises:
        UserError: no rows.
    """
    from jinja2 import Environment, StrictUndefined

    if not rows:
        raise UserError("there is nothing to report: the run has no rows")
    messages: dict[str, DemoMessage] = {row.message.name: row.message for row in rows}
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    compared = equal_score(rows)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        cards=[_card(message, rows) for message in messages.values()],
        signals=_signals(rows),
        equal=compared,
        air_plot=plots.air_time_bars(compared.air_s) if compared.air_s else "",
        score_plot=plots.score_against_snr(rows, curves),
        has_curves=bool(curves),
        totals=_totals(rows),
        definitions=DEFINITIONS,
        versions=versions(),
        config=json.dumps(dict(config), indent=2),
        control=any(row.zero_latents for row in rows),
    )


def load_curves(path: Path | None) -> list[dict[str, Any]]:
    """Rows of a JSON-lines file that have a system and an SNR; none when the file is absent.

    Raises:
        UserError: a line is not JSON.
    """
    if path is None or not path.is_file():
        return []
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except json.JSONDecodeError as exc:
        raise UserError(f"{path.name} is not JSON lines: {exc}") from exc
    needed = {"system", "channel", "snr_db", "score", "ci_low", "ci_high"}
    return [row for row in rows if needed <= row.keys() and row["snr_db"] is not None]


def data_uri(payload: bytes, mime: str) -> str:
    """``data:`` URI with the payload in base64."""
    return f"data:{mime};base64,{base64.b64encode(payload).decode()}"


def _card(message: DemoMessage, rows: Sequence[DemoRow]) -> dict[str, Any]:
    own = [row for row in rows if row.message.name == message.name]
    best = max(row.snr_db for row in own)
    first: dict[str, DemoRow] = {}
    for row in sorted(own, key=lambda r: (r.snr_db != best, r.channel)):
        first.setdefault(row.system, row)
    return {
        "message": message,
        "instruction": message.instruction or get_task(message.task).instructions[0],
        "media": _media(message.modality, message.payload, message.mime),
        "shown": [
            {
                "row": row,
                "media": _media(message.modality, row.delivery.received, message.mime)
                if row.delivery.received is not None
                else None,
            }
            for row in first.values()
        ],
        "rows": sorted(own, key=lambda r: (r.channel, -r.snr_db, r.system)),
    }


def _media(modality: str, payload: bytes, mime: str) -> dict[str, str]:
    content = payload.decode("utf-8", "replace") if modality == "text" else data_uri(payload, mime)
    return {"kind": modality, "content": content}


def _totals(rows: Sequence[DemoRow]) -> list[dict[str, Any]]:
    totals = []
    for system in sorted({row.system for row in rows}, reverse=True):
        own = [row for row in rows if row.system == system]
        totals.append(
            {
                "system": system,
                "score": sum(row.score for row in own) / len(own),
                "symbols": sum(row.delivery.complex_symbols for row in own) / len(own),
                "air_ms": 1e3 * sum(row.delivery.air_time_s for row in own) / len(own),
                "sent": sum(row.delivery.frames_sent for row in own),
                "lost": sum(row.delivery.frames_lost for row in own),
                "withheld": sum(row.withheld for row in own),
                "wrong": sum(row.outcome == "wrong" for row in own),
                "n": len(own),
            }
        )
    return totals


def _signals(rows: Sequence[DemoRow]) -> list[dict[str, Any]]:
    """One constellation and one channel response for each system, channel and SNR."""
    seen: dict[tuple[str, str, float], DemoRow] = {}
    for row in rows:
        if row.delivery.symbols is not None:
            seen.setdefault((row.channel, row.system, row.snr_db), row)
    signals = []
    for number, ((channel, system, snr), row) in enumerate(seen.items()):
        assert row.delivery.symbols is not None
        h_hat = row.delivery.h_hat
        response = plots.channel_response(h_hat, _carriers_hz(), f"h{number}") if h_hat is not None else ""
        signals.append(
            {
                "title": f"{system}, {channel}, {snr:g} dB",
                "constellation": plots.constellation(row.delivery.symbols, system, f"c{number}"),
                "response": response,
            }
        )
    return signals


def _carriers_hz() -> np.ndarray:
    """Frequencies of the demo's data carriers, in the order of the channel estimate."""
    waveform = WaveformConfig()
    return np.array(waveform.occupied_carriers) * waveform.samp_rate / waveform.fft_len
