"""Commands ended by Ctrl-C or SIGTERM at a random moment: they end by themselves, with whole files."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from m4sc_app.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_USER

ALLOWED = (EXIT_OK, EXIT_USER, EXIT_INTERRUPTED, -signal.SIGTERM)
"""Done before; refused, since nothing was sent or received; interrupted; ended before Python ran."""
_WAIT_S = 90.0  # for the end; a loaded machine finishes the message under way first
_BACKLOG = 60  # messages of the recording that is read
_SIGNS = ("Traceback", "terminate called", "Fatal Python error", "core dumped", "a defect in m4sc")
_HALF = (".tmp", ".part", ".partial")


@dataclass(frozen=True)
class Command:
    """A command line, without `m4sc`.

    Attributes:
        argv: ``{}`` stands for a folder of its own.
        within_s: the signal comes within so many seconds of its start.
        lines: given on standard input.
        needs: a command run once before, whose files it reads.
    """

    argv: tuple[str, ...]
    within_s: float
    lines: str = ""
    needs: tuple[str, ...] = ()


_TEXTS = "".join(f"message number {n} of many\n" for n in range(_BACKLOG))
_RECORD = ("send", "-", "--task", "text", "--out", "{}/many")
COMMANDS = {
    "tasks": Command(("tasks",), 1.0),
    "doctor": Command(("doctor",), 6.0),
    "send": Command(_RECORD, 20.0, _TEXTS),
    "receive": Command(("receive", "{}/many.sigmf-meta"), 20.0, needs=_RECORD),
    "rx": Command(("rx", "zmq://127.0.0.1:5561"), 20.0),
    "tx": Command(("tx", "zmq://127.0.0.1:5562", "-", "--task", "text"), 20.0, _TEXTS),
    "tx sim": Command(("tx", "sim:", "-", "--task", "text"), 30.0, _TEXTS),
    "run": Command(("run", "text", "--seconds", "30"), 30.0),
    "demo": Command(("demo", "--out", "{}/demo"), 40.0),
    "dashboard": Command(("dashboard", "--port", "8771"), 30.0),
}


@dataclass
class Stops:
    """What came of a command's interruptions.

    Attributes:
        runs: how many.
        wrong: of them those with a traceback, an abort, half a file or another exit code.
        codes: how often each exit code came.
        first: the first that was wrong, in a line.
    """

    runs: int = 0
    wrong: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    first: str = ""


def stop_trial(name: str, count: int, seed: int) -> Stops:
    """Start a command again and again and end each run, by Ctrl-C and SIGTERM in turn.

    Args:
        name: of :data:`COMMANDS`.
        count: runs with each of both signals.
        seed: of the moments.
    """
    command, rng, found = COMMANDS[name], random.Random(seed), Stops()
    with tempfile.TemporaryDirectory(prefix="m4sc-stops-") as folder:
        if command.needs:
            before = _line(command.needs, folder)
            subprocess.run(before, input=_TEXTS, text=True, capture_output=True, check=True)
        for number in range(2 * count):
            by = signal.SIGTERM if number % 2 else signal.SIGINT
            code, said = _run(command, folder, by, rng.uniform(0.05, command.within_s))
            halves = [path.name for path in Path(folder).rglob("*") if path.suffix in _HALF]
            fault = next((sign for sign in _SIGNS if sign in said), "")
            fault = fault or (f"half a file: {halves[0]}" if halves else "")
            fault = fault or ("" if code in ALLOWED else f"exit code {code}")
            found.runs += 1
            found.codes[code] += 1
            if fault:
                found.wrong += 1
                found.first = found.first or f"{by.name}: {fault}: {' '.join(said[-300:].split())}"
    return found


def _line(argv: tuple[str, ...], folder: str) -> list[str]:
    return [sys.executable, "-m", "m4sc_app.cli", *(part.format(folder) for part in argv)]


def _run(command: Command, folder: str, by: signal.Signals, after_s: float) -> tuple[int, str]:
    """Exit code and all that was said; a run that does not end is killed, and has that code."""
    process = subprocess.Popen(
        _line(command.argv, folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdin is not None
    try:
        process.stdin.write(command.lines)
        process.stdin.close()
    except BrokenPipeError:
        pass
    process.stdin = None
    time.sleep(after_s)
    process.send_signal(by)
    try:
        said, _ = process.communicate(timeout=_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    return process.returncode, said
