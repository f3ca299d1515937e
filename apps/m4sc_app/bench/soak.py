"""`m4sc bench soak`: a paced link in real time, its losses, memory and queues over time."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer

_TICK_S = 0.05
_BEHIND_S = 1.0  # behind the clock, that nobody would notice yet


def soak(
    minutes: Annotated[float, typer.Option(help="How long.")] = 60.0,
    snr_db: Annotated[float, typer.Option(help="Es/N0 per data subcarrier, dB.")] = 15.0,
    messages_per_s: Annotated[float, typer.Option(help="Messages a second.")] = 10.0,
    symbols: Annotated[int, typer.Option(help="Complex data symbols of a message.")] = 1000,
    every_s: Annotated[float, typer.Option(help="From one line of progress to the next, s.")] = 10.0,
    progress: Annotated[Path, typer.Option(help="File that gets a JSON line each time.")] = Path(
        "runs/soak.jsonl"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Run transmitter, simulated channel and receiver at the waveform's rate; may be ended by Ctrl-C.

    Example:  m4sc bench soak --minutes 60 --json
    """
    from m4sc_app.errors import UserError
    from m4sc_app.link_run import interruptible, need_gnuradio
    from m4sc_app.report.versions import versions

    if not (minutes > 0 and messages_per_s > 0 and symbols > 0 and every_s > 0):
        raise UserError("--minutes, --messages-per-s, --symbols and --every-s must be above 0")
    need_gnuradio()
    progress.parent.mkdir(parents=True, exist_ok=True)
    with interruptible() as stopped, progress.open("w", encoding="utf-8") as file:
        rows = _run(minutes * 60, snr_db, messages_per_s, symbols, every_s, file, stopped)
    figures = _figures(rows)
    if as_json:
        config = {"minutes": minutes, "snr_db": snr_db, "messages_per_s": messages_per_s, "symbols": symbols}
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": figures}, indent=1))
        return
    for figure in figures:
        typer.echo(f"{figure['name']}: {figure['value']} {figure['unit']} ({figure['detail']})")


class _Pauses:
    """How long a thread that wants nothing but to look at the clock was kept from it: what a program cannot
    help, be it that others had the processors or that the machine stood still."""

    def __init__(self) -> None:
        self._longest, self._running = 0.0, True
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        last = time.monotonic()
        while self._running:
            time.sleep(_TICK_S)
            now = time.monotonic()
            self._longest, last = max(self._longest, now - last - _TICK_S), now

    def take(self) -> float:
        """The longest since the last call, s."""
        longest, self._longest = self._longest, 0.0
        return longest

    def stop(self) -> None:
        """End the thread."""
        self._running = False


def _run(
    seconds: float, snr_db: float, rate: float, symbols: int, every_s: float, file: Any, stopped: Any
) -> list[dict[str, float]]:
    import numpy as np
    import psutil
    from gnuradio import blocks, gr, m4sc
    from gnuradio.m4sc.pdu import make_pdu
    from m4sc_flowgraphs.frame_counter import FrameCounter

    tb = gr.top_block("soak", catch_exceptions=True)
    tb.handle_sigint = False
    sender, receiver, counter = m4sc.frame_transmitter(idle="zeros"), m4sc.frame_receiver(), FrameCounter()
    samp_rate = sender.waveform.samp_rate
    throttle = blocks.throttle(gr.sizeof_gr_complex, samp_rate)
    channel = m4sc.channel(snr_db, sender.waveform, cfo_hz=500.0)
    tb.connect(sender, throttle, channel, receiver)
    tb.msg_connect(receiver, "symbols", counter, "frames")
    rng, process = np.random.default_rng(1), psutil.Process()
    rows: list[dict[str, float]] = []
    pauses = _Pauses()
    tb.start()
    begun = time.monotonic()
    sent, next_row = 0, every_s
    try:
        while (now := time.monotonic() - begun) < seconds and not stopped():
            while sent < now * rate:
                payload = np.exp(0.5j * np.pi * (rng.integers(4, size=symbols) + 0.5)).astype(np.complex64)
                sender.put(make_pdu({"sequence": sent & 0xFFFF}, payload), every_s)
                sent += 1
            if now >= next_row:
                rows.append(_row(now, sent, sender, receiver, counter, process, samp_rate, pauses.take()))
                print(json.dumps(rows[-1]), file=file, flush=True)
                next_row += every_s
            time.sleep(0.02)
        end = time.monotonic() + 5.0
        while counter.frames < sent and time.monotonic() < end:
            time.sleep(0.05)
        rows.append(
            _row(time.monotonic() - begun, sent, sender, receiver, counter, process, samp_rate, pauses.take())
        )
        print(json.dumps(rows[-1]), file=file, flush=True)
    finally:
        pauses.stop()
        tb.stop()
        ender = threading.Thread(target=tb.wait, daemon=True)
        ender.start()
        ender.join(20)
    return rows


def _row(
    now: float,
    sent: int,
    sender: Any,
    receiver: Any,
    counter: Any,
    process: Any,
    samp_rate: float,
    pause_s: float,
) -> dict[str, float]:
    """Progress: frames, memory, and how far the air time received lags behind the clock."""
    return {
        "elapsed_s": round(now, 2),
        "posted": sent,
        "sent": sender.counters["sent"],
        "received": counter.frames,
        "out_of_order": counter.out_of_order,
        "rss_mib": round(process.memory_info().rss / 2**20, 2),
        "queued_frames": sent - sender.counters["sent"],
        "lag_s": round(now - receiver.nitems_read(0) / samp_rate, 3),
        "pause_s": round(pause_s, 3),
        "header_errors": receiver.counters.get("header_errors", 0),
    }


def _figures(rows: list[dict[str, float]]) -> list[dict[str, Any]]:
    """Losses at the end; memory and lag at the end against those after a quarter of the time; the most that
    it was behind the clock, and the longest pause that it could not help."""
    last, early = rows[-1], rows[len(rows) // 4]
    span = f"from {early['elapsed_s']:.0f} to {last['elapsed_s']:.0f} s"
    lost, worst = last["sent"] - last["received"], max(rows, key=lambda row: row["lag_s"])
    behind = sum(row["lag_s"] > _BEHIND_S for row in rows)
    paused = max(rows, key=lambda row: row["pause_s"])
    return [
        {"name": "soak_air_s", "value": round(last["elapsed_s"] - last["lag_s"], 2), "unit": "s",
         "detail": "air received"},
        {"name": "soak_frames_sent", "value": last["sent"], "unit": "frames",
         "detail": f"in {last['elapsed_s']} s"},
        {"name": "soak_frames_lost", "value": lost, "unit": "frames", "detail": "sent and not received"},
        {"name": "soak_rss_growth_mib", "value": round(last["rss_mib"] - early["rss_mib"], 2), "unit": "MiB",
         "detail": f"{early['rss_mib']} to {last['rss_mib']} MiB, {span}"},
        {"name": "soak_queue_growth_frames", "value": last["queued_frames"] - early["queued_frames"],
         "unit": "frames", "detail": span},
        {"name": "soak_lag_growth_s", "value": round(last["lag_s"] - early["lag_s"], 3), "unit": "s",
         "detail": f"{early['lag_s']} to {last['lag_s']} s behind the clock, {span}"},
        {"name": "soak_lag_worst_s", "value": worst["lag_s"], "unit": "s",
         "detail": f"at {worst['elapsed_s']:.0f} s; {behind} of {len(rows)} looks > {_BEHIND_S:g} s behind"},
        {"name": "soak_pause_s", "value": paused["pause_s"], "unit": "s",
         "detail": f"at {paused['elapsed_s']:.0f} s: the longest that a thread of no work was kept waiting"},
    ]  # fmt: skip
