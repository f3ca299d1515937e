"""How long a command takes from its start to its end, files in the system's cache."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_CAT = Path(__file__).parents[4] / "python_blocks" / "samples" / "cat.jpg"
TIMED = {"--help": 0.5, "doctor": 4.0, "send": 6.0}
"""Commands and the seconds that they are to take at most on two idle cores."""


def command_time(name: str, runs: int) -> tuple[float, float]:
    """Median seconds of a command's runs after one that is not counted, and the machine's load then."""
    with tempfile.TemporaryDirectory(prefix="m4sc-times-") as folder:
        more = [str(_CAT), "--task", "classify", "--out", f"{folder}/burst"] if name == "send" else []
        line, seconds = [sys.executable, "-m", "m4sc_app.cli", name, *more], list[float]()
        for _ in range(runs + 1):
            started = time.perf_counter()
            subprocess.run(line, capture_output=True, check=False)
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:]), os.getloadavg()[0]
