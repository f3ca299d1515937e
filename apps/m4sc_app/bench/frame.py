"""`m4sc bench frame`: what a frame costs on the air, what passes for one, messages of several frames.

One function a figure: it yields rows of the table, and :data:`FIGURES` names it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from m4sc_app.bench.meter import Meter
from m4sc_app.tables import show

_SYMBOLS = 128  # of a picture
_SNRS_DB = (3.0, -6.4, -9.4)
_MOST_LOST = 0.01


@dataclass(frozen=True)
class Work:
    """How much is done."""

    header_frames: int
    false_samples: int
    restarts: int
    flood_pdus: int


FULL = Work(4_000, 100_000_000, 200, 100_000)
QUICK = Work(400, 2_000_000, 40, 10_000)


def frame(
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the work, or less.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Figures by name. All if not given.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of timing, offsets and noise.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Measure frames: air time, header losses, false headers, messages of several frames, restarts, floods.

    Examples:

        m4sc bench frame --quick

        m4sc bench frame --only air_time_128_ms --json
    """
    from rich.console import Console
    from rich.table import Table

    from m4sc_app.report.versions import versions

    unknown = sorted(set(only or ()) - set(FIGURES))
    if unknown:
        raise typer.BadParameter(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    console = Console(stderr=True)
    meter, rows, started = Meter(console), list[dict[str, Any]](), time.perf_counter()
    work = QUICK if quick else FULL
    with meter:
        for name in only or FIGURES:
            with meter.group(name):
                rows += list(FIGURES[name](meter, work, seed))
    seconds = time.perf_counter() - started
    console.print(f"measured in {seconds:.0f} s", highlight=False)
    if as_json:
        config = {
            "quick": quick,
            "figures": list(only or FIGURES),
            "seed": seed,
            "seconds": round(seconds, 1),
        }
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": rows}, indent=1))
        return
    table = Table("figure", "value", "unit", "detail", title="Frames")
    for row in rows:
        table.add_row(row["name"], f"{row['value']:.3g}", row["unit"], row["detail"])
    show(table)


def air_time(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    """Milliseconds of a frame of 128 symbols, of the shortest protection that loses at most 1 % at an SNR.

    Begins at the protection that a sender would choose, and takes a stronger one where more are lost.
    """
    import numpy as np
    from m4sc.codecs.base import Payload
    from m4sc.phy.header.protection import PROTECTIONS, protection_for
    from m4sc.phy.waveform import WaveformConfig
    from m4sc.transport.config import TransportConfig
    from m4sc.transport.frames import Address, frames_air_time_s, to_frames

    from m4sc_app.bench.trials.header_trial import header_loss

    waveform = WaveformConfig()
    for snr_db in _SNRS_DB:
        for protection in PROTECTIONS[protection_for(snr_db).index :]:
            with meter.track(f"headers at {snr_db:g} dB, {protection.name}", work.header_frames) as advance:
                lost = header_loss(
                    snr_db, work.header_frames, waveform, seed, protection, _SYMBOLS, progress=advance
                )
            if lost <= _MOST_LOST:
                break
        message = Payload(1, "image", 1, np.ones((_SYMBOLS, 2), np.float32))
        sent = to_frames(message, Address(), TransportConfig(protection=protection.index))
        yield {
            "name": "air_time_128_ms",
            "value": 1e3 * frames_air_time_s(sent, waveform),
            "unit": "ms",
            "detail": f"at {snr_db:g} dB: protection {protection.name}, {100 * lost:.2f} % of "
            f"{work.header_frames} frames lost by detection or header, AWGN, CFO to 1.5 subcarriers",
            "snr_db": snr_db,
            "header_loss_pct": 100.0 * lost,
            "protection": protection.name,
        }


def false_headers(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    """Frames found in noise, in a carrier and in someone else's OFDM."""
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials import link_trial

    total, tried = 0, 0
    for source in link_trial.SOURCES:
        with meter.track(f"samples of {source}", work.false_samples) as advance:
            found, looked = link_trial.false_headers(
                source, work.false_samples, WaveformConfig(), seed, advance
            )
        total, tried = total + found, tried + looked
    each = f"{work.false_samples / 1e6:g} M samples of each of {', '.join(link_trial.SOURCES)}"
    yield {
        "name": "false_headers",
        "value": total,
        "unit": "headers",
        "detail": f"of {tried} tried, in {each}",
    }


def pictures(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    """The four sample pictures through the flowgraph at 10 dB, beside their symbols through noise alone."""
    from m4sc_app.bench.trials import transport_trial

    with meter.track("pictures over the radio", len(transport_trial.PICTURES)) as advance:
        found = transport_trial.pictures_over_radio(10.0, advance)
    losses = [picture.link_psnr_db - picture.radio_psnr_db for picture in found]
    each = ", ".join(
        f"{p.name} {p.radio_psnr_db:.2f} dB ({p.link_psnr_db:.2f} without a frame)" for p in found
    )
    yield {
        "name": "reconstruct_over_radio",
        "value": sum(picture.delivered for picture in found),
        "unit": "pictures",
        "detail": f"of {len(found)}; PSNR lower by {max(losses):.2f} dB at most: {each}",
        "psnr_loss_db": losses,
    }


def erased_segment(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    """A picture of eight frames of which one is lost, each in turn."""
    from m4sc_app.bench.trials import transport_trial

    rows = transport_trial.erased_segments(10.0)
    over = max(row.fall_db - row.explained_db for row in rows)
    each = ", ".join(f"{row.fall_db:.1f} ({row.explained_db:.1f})" for row in rows)
    yield {
        "name": "erased_segment_db",
        "value": over,
        "unit": "dB",
        "detail": f"most that the PSNR falls beyond what grey in lost tiles costs; falls (of grey): {each}",
    }


def restart_mixups(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    """A transmitter started anew in the middle of its messages."""
    from m4sc_app.bench.trials import transport_trial

    with meter.track("restarts", work.restarts) as advance:
        found = transport_trial.restarts(work.restarts, advance=advance)
    yield {
        "name": "restart_mixups",
        "value": found.joined,
        "unit": "messages",
        "detail": f"joined of two, in {work.restarts} restarts; {found.lost} of {found.broken} counted lost",
        "counted": found.lost,
    }


def flood(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    """Message blocks under a sender that never waits."""
    from m4sc_app.bench.flood import flood_rss_mb

    yield flood_rss_mb(work.flood_pdus)


def parses(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    """Readings of a frame's metadata in the shipped receiver."""
    from m4sc_app.bench.trials import transport_trial

    yield {
        "name": "parses_per_frame",
        "value": transport_trial.parses_per_frame(5),
        "unit": "",
        "detail": "times that metadata with noise variances are read from PMT, M4SC Receiver and Answer Sink",
    }


Figure = Callable[[Meter, Work, int], Iterator[dict[str, Any]]]
FIGURES: dict[str, Figure] = {
    "air_time_128_ms": air_time,
    "false_headers": false_headers,
    "reconstruct_over_radio": pictures,
    "erased_segment_db": erased_segment,
    "restart_mixups": restart_mixups,
    "flood_rss_mb": flood,
    "parses_per_frame": parses,
}
