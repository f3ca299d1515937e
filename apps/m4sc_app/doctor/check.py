"""What a check says, and how another interpreter is asked."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

OK, WARNING, FAILED = "ok", "warning", "failed"
SYSTEM_PYTHON = Path("/usr/bin/python3")
ROOT = Path(__file__).resolve().parents[3]
"""The checkout, when the command runs from one."""


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Args:
        name: what was looked at.
        status: "ok", "warning" (something optional is missing) or "failed".
        detail: what was found.
        cure: what to do about it; empty when all is well.
    """

    name: str
    status: str
    detail: str
    cure: str = ""


def ask_interpreter(
    python: Path, code: str, timeout_s: float = 30.0, *, isolated: bool = False
) -> tuple[bool, str]:
    """Run a line of Python in another interpreter, outside the checkout.

    Args:
        python: the interpreter.
        code: what it runs; what it prints is the answer.
        timeout_s: limit in seconds.
        isolated: without PYTHONPATH and without the user's own packages.

    Returns:
        (True, what was printed) or (False, last line of the error).
    """
    command = [str(python), *(["-I"] if isolated else []), "-c", code]
    try:
        done = subprocess.run(
            command, cwd="/", capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else ""


def from_checkout() -> bool:
    """Whether this runs from a checkout; `pip install .` alone has no GNU Radio module to look after."""
    return (ROOT / "script" / "bootstrap").is_file()
