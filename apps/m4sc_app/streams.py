"""Standard streams as a person may have them: closed, full, of another encoding."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TextIO

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def open_streams() -> None:
    """Make all three streams usable: a closed one swallows, and what an encoding lacks is shown as `?`."""
    for name in ("stdin", "stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
        elif name != "stdin":
            with contextlib.suppress(AttributeError, ValueError, OSError):
                stream.reconfigure(errors="replace")  # type: ignore[attr-defined]


def flush_streams() -> None:
    """Write what is waiting, so that a full or closed output is noticed here and not at the very end.

    Raises:
        OSError: the output cannot be written.
    """
    with contextlib.suppress(ValueError):  # closed by someone else
        sys.stdout.flush()


def output_fault(exc: OSError) -> str | None:
    """What to tell a person when standard output cannot be written; empty when its reader has enough.

    None where the error is another.
    """
    if isinstance(exc, BrokenPipeError) or exc.errno == errno.EPIPE:
        return ""
    if exc.errno in _FULL and exc.filename is None:
        return f"the output cannot be written: {os.strerror(exc.errno or 0)}"
    return None


def abandon_output() -> None:
    """Send what is still waiting to nowhere: Python flushes once more when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
