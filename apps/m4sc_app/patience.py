"""A line, or a spinner, whenever a person would wait without a word."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

AFTER_S = 2.0


@contextmanager
def patience(what: str, after_s: float = AFTER_S) -> Iterator[None]:
    """While the body runs longer than ``after_s``, s, standard error says what is going on.

    A terminal gets a spinner that goes away again, anything else one line.
    """
    console = Console(stderr=True)
    status = console.status(f"{what} ...") if console.is_terminal else None
    lock, over = threading.Lock(), False

    def tell() -> None:
        with lock:
            if over:
                return
            if status is None:
                print(f"m4sc: {what} ...", file=sys.stderr, flush=True)
            else:
                status.start()

    timer = threading.Timer(after_s, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            over = True
            if status is not None:
                status.stop()
