"""A flowgraph that is run without a window: how it ends."""

from __future__ import annotations

import signal
import weakref
from typing import Any

import pytest
from m4sc_flowgraphs.headless import run_twin


class Graph:
    """Stands in for a top block; the tests keep those that were started until they end."""

    def stop(self) -> None:
        """As a top block's."""


def test_a_flowgraph_that_has_ended_is_let_go_so_that_its_sockets_send_what_is_queued() -> None:
    gone: list[Any] = []

    def main(make: Any) -> None:
        graph = make()
        gone.append(weakref.ref(graph))
        signal.signal(signal.SIGTERM, lambda *_: graph.stop())  # as generated code does

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        run_twin(main, Graph)
    assert ended.value.code == 0 and gone[0]() is None
    assert signal.getsignal(signal.SIGTERM) == before
