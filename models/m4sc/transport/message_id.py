"""Numbers for messages that a transmitter started anew does not repeat."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

_TICKS_PER_S = 1024
_COUNT = 1 << 16


def message_ids(time_s: float | None = None) -> Iterator[int]:
    """Running 16-bit numbers that begin at a place given by the clock.

    The first number moves on by 1024 a second and comes round after 64 s. A transmitter that is started
    again therefore begins at another number than that of the message it broke off, unless it had sent more
    than 1024 messages a second ever since it began, or the restart takes 64 s: longer than receivers wait.

    Args:
        time_s: Unix time, s; None for now.
    """
    first = int((time.time() if time_s is None else time_s) * _TICKS_PER_S)
    return (number % _COUNT for number in itertools.count(first))
