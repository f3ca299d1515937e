"""Blocks one behind the other, as one block."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gnuradio import gr


class Chain(gr.hier_block2):
    """Blocks in a row, complex64 between them.

    Args:
        blocks: in signal order.
        takes_samples: the first has an input and the last none; otherwise the other way round.
    """

    def __init__(self, blocks: list[Any], takes_samples: bool) -> None:
        one, none = gr.io_signature(1, 1, gr.sizeof_gr_complex), gr.io_signature(0, 0, 0)
        ports = (one, none) if takes_samples else (none, one)
        gr.hier_block2.__init__(self, "m4sc_radio_end", *ports)
        self._kept = list(blocks)  # an unreferenced Python block can vanish under the scheduler
        self.connect(*([self, *blocks] if takes_samples else [*blocks, self]))

    @property
    def last(self) -> Any:
        """The block at the end: a transmitter's sink."""
        return self._kept[-1]

    def keep(self, block: Any) -> None:
        """Hold a reference to a block that is connected by messages only."""
        self._kept.append(block)


def after(seconds: float) -> Callable[[], bool]:
    """A question that is answered yes from ``seconds`` after it was first asked: a device tells no better."""
    asked: list[float] = []

    def passed() -> bool:
        if not asked:
            asked.append(time.monotonic())
        return time.monotonic() - asked[0] > seconds

    return passed
