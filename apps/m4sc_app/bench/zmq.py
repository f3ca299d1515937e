"""`m4sc bench zmq`: from a picture question at one process to its answer at another, over ZeroMQ."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer


def zmq(
    messages: Annotated[
        int, typer.Option(help="Questions asked; the first one warms up and is not counted.")
    ] = 21,
    interval_s: Annotated[
        float, typer.Option(help="From one to the next, s: above the time of an answer.")
    ] = 2.0,
    query: Annotated[str, typer.Option(help="The receiver's question.")] = "What is at the top left?",
    task: Annotated[str, typer.Option(help="Task of the picture.")] = "mosaic",
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
    paced: Annotated[bool, typer.Option("--paced", help="Transmitter in real time with idle zeros.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Measure send to answer, `m4sc tx` and `m4sc rx` in two processes, models warm.

    Example:  m4sc bench zmq --json
    """
    from m4sc_app.errors import UserError
    from m4sc_app.report.versions import versions

    if messages < 2 or not interval_s > 0:
        raise UserError("--messages must be 2 or more and --interval-s above 0")
    seconds, lost = _measure(messages, interval_s, query, task, model, paced)
    if not seconds:
        raise UserError("no question was answered; m4sc doctor names what is missing")
    detail = f"{len(seconds)} answers, {min(seconds):.2f} to {max(seconds):.2f} s, {lost} lost"
    figures = [{"name": "zmq_answer_s", "value": statistics.median(seconds), "unit": "s", "detail": detail}]
    if as_json:
        config = {
            "messages": messages,
            "interval_s": interval_s,
            "query": query,
            "task": task,
            "paced": paced,
        }
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": figures}, indent=1))
        return
    typer.echo(f"median {figures[0]['value']:.2f} s from send to answer ({detail})")


def _measure(
    messages: int, interval_s: float, query: str, task: str, model: str, paced: bool
) -> tuple[list[float], int]:
    """Seconds of each answer but the first, and questions without one."""
    from PIL import Image
    from skimage import data

    from m4sc_app.bench.free_ports import free_ports
    from m4sc_app.demo.messages import mosaic

    address = f"zmq://127.0.0.1:{free_ports(1)[0]}"
    limit = str(120 + messages * (interval_s + 5))
    command = [sys.executable, "-m", "m4sc_app.cli"]
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "mosaic.png"
        pictures = [data.chelsea(), data.coffee(), data.rocket(), data.astronaut()]
        Image.fromarray(mosaic(pictures)).save(picture)
        rx = [*command, "rx", address, "--query", query, "--count", str(messages), "--seconds", limit]
        tx = [*command, "tx", address, str(picture), "--task", task, "--repeat", str(messages)]
        tx += ["--interval-s", str(interval_s), "--instruction", query, *(["--paced"] if paced else [])]
        tail = ["--model", model, "--json"]
        with subprocess.Popen([*rx, *tail], stdout=subprocess.PIPE, text=True) as receiver:
            assert receiver.stdout is not None
            receiver.stdout.readline()  # ready: its model is warm
            with subprocess.Popen([*tx, *tail], stdout=subprocess.PIPE, text=True) as sender:
                sent = _events(sender.communicate(timeout=float(limit))[0], "queued")
            got = _events(receiver.communicate(timeout=float(limit))[0], "answer")
    first = min(sent, key=lambda number: sent[number], default=None)
    seconds = [got[n] - sent[n] for n in sent if n in got and n != first]
    return seconds, messages - len(got)


def _events(output: str, kind: str) -> dict[int, float]:
    """Time of each event of a kind, by sequence number."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {int(row["sequence"]): float(row["time_s"]) for row in rows if row["event"] == kind}
