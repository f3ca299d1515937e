"""Commands ended by Ctrl-C, SIGTERM or SIGKILL at a random moment: an end of their own, whole files."""

from __future__ import annotations

import json
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

from m4sc.recordings import RecordingError, open_recording

from m4sc_app.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_USER

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
ALLOWED = {
    signal.SIGINT: (EXIT_OK, EXIT_USER, EXIT_INTERRUPTED, -signal.SIGINT),
    signal.SIGTERM: (EXIT_OK, EXIT_USER, EXIT_INTERRUPTED, -signal.SIGINT, -signal.SIGTERM),
    signal.SIGKILL: (EXIT_OK, EXIT_USER, -signal.SIGKILL),
}
"""Done before; refused, since nothing was sent or received; interrupted; ended after all is done; killed.

Python that was interrupted inside `exec` of a text (data classes are made so) ends itself by SIGINT, however
the interruption was handled: a shell shows that as 130 too.
"""
_WAIT_S = 90.0  # for the end; a loaded machine finishes the message under way first
_START_S = 2.0  # that Python takes to begin, at most
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
        beside: a command that runs beside it, as the other end of its link; it is ended after it.
    """

    argv: tuple[str, ...]
    within_s: float
    lines: str = ""
    needs: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


_CAT = str(Path(__file__).parents[4] / "python_blocks" / "samples" / "cat.jpg")
_TEXTS = "".join(f"message number {n} of many\n" for n in range(_BACKLOG))
_RECORD = ("send", "-", "--task", "text", "--out", "{}/many")
COMMANDS = {
    "tasks": Command(("tasks",), 1.0),
    "doctor": Command(("doctor",), 6.0),
    "send": Command(("send", _CAT, "--out", "{}/cat"), 12.0),
    "send many": Command(_RECORD, 20.0, _TEXTS),
    "receive": Command(("receive", "{}/many.sigmf-meta"), 20.0, needs=_RECORD),
    "rx": Command(("rx", "zmq://127.0.0.1:5561"), 20.0),
    "rx of many": Command(
        ("rx", "zmq://127.0.0.1:5563", "--record", "{}/heard"),
        30.0,
        beside=("tx", "zmq://127.0.0.1:5563", "-", "--task", "text"),
    ),
    "tx": Command(("tx", "zmq://127.0.0.1:5562", "-", "--task", "text"), 20.0, _TEXTS),
    "broker": Command(
        ("broker", "zmq://127.0.0.1:5564", "zmq://127.0.0.1:5565", "zmq://127.0.0.1:5566"), 20.0
    ),
    "tx sim": Command(("tx", "sim:", "-", "--task", "text"), 30.0, _TEXTS),
    "run": Command(("run", "text", "--repeat", "60", "--interval-s", "0.5"), 30.0),
    "demo": Command(("demo", "--out", "{}/demo"), 40.0),
    "multiuser": Command(
        ("multiuser", _CAT, "--user", "caption@10", "--user", "classify@0", "--out", "{}/shared"), 20.0
    ),
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
    """Start a command again and again and end each run, by each signal in turn.

    Args:
        name: of :data:`COMMANDS`.
        count: runs with each of :data:`SIGNALS`.
        seed: of the moments.
    """
    command, rng, found = COMMANDS[name], random.Random(seed), Stops()
    with tempfile.TemporaryDirectory(prefix="m4sc-stops-") as folder:
        if command.needs:
            before = _line(command.needs, folder)
            subprocess.run(before, input=_TEXTS, text=True, capture_output=True, check=True)
        for number in range(len(SIGNALS) * count):
            by = SIGNALS[number % len(SIGNALS)]
            code, said = _run(command, folder, by, rng.uniform(0.0, command.within_s))
            half = half_file(Path(folder), killed=by is signal.SIGKILL)
            fault = next((sign for sign in _SIGNS if sign in said), "")
            fault = fault or (f"half a file: {half}" if half else "")
            fault = fault or ("" if code in ALLOWED[by] else f"exit code {code}")
            found.runs += 1
            found.codes[code] += 1
            if fault:
                found.wrong += 1
                found.first = found.first or f"{by.name}: {fault}: {' '.join(said[-300:].split())}"
    return found


def half_file(folder: Path, killed: bool) -> str:
    """Name of a file that is not whole, or empty; temporary ones of who was killed are removed here."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix in _HALF:
            if not killed:
                return path.name
            path.unlink()
        elif not _whole(path):
            return path.name
    return ""


def _whole(path: Path) -> bool:
    """Whether a file of a command's output can be read to its end."""
    if path.suffix == ".sigmf-meta":
        try:
            return not open_recording(path).notes  # one would be that its hash is another
        except RecordingError:
            return False
    elif path.suffix == ".json":
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return False
    elif path.suffix == ".html":
        return path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    return True


def _line(argv: tuple[str, ...], folder: str) -> list[str]:
    return [sys.executable, "-m", "m4sc_app", *(part.format(folder) for part in argv)]


def _run(command: Command, folder: str, by: signal.Signals, after_s: float) -> tuple[int, str]:
    """Exit code and all that was said; a run that does not end is killed, and has that code."""
    other = _start(command.beside, folder, _TEXTS) if command.beside else None
    try:
        process = _start(command.argv, folder, command.lines)
        _begun(process)
        time.sleep(after_s)
        process.send_signal(by)
        try:
            said, _ = process.communicate(timeout=_WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            said += f"\ndid not end within {_WAIT_S:.0f} s"
        return process.returncode, said
    finally:
        if other is not None:
            other.kill()
            other.communicate()


def _begun(process: subprocess.Popen[str]) -> None:
    """Wait until Python has come to our first line, which says what SIGTERM does: before, all is Python's."""
    status, caught = Path(f"/proc/{process.pid}/status"), 1 << (signal.SIGTERM - 1)
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        if int(fields["SigCgt"], 16) & caught:
            return
        time.sleep(0.002)


def _hears_ctrl_c() -> None:
    """What a shell starts in the background ignores it, and so would all that is started from there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _start(argv: tuple[str, ...], folder: str, lines: str) -> subprocess.Popen[str]:
    """A command that has been given its standard input."""
    process = subprocess.Popen(
        _line(argv, folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=_hears_ctrl_c,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(lines)
        process.stdin.close()
    except BrokenPipeError:
        pass
    process.stdin = None
    return process
