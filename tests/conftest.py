"""Settings that every test file shares."""

import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A machine that does other work too is no fault of the code under test: examples have no deadline, and slow
# generation of them is none either. Each test still has pytest's own time limit.
settings.register_profile("m4sc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("m4sc")

# The companion's library reads this checkout's block files, whichever are installed.
if importlib.util.find_spec("gnuradio") is not None:
    from own_module import block_folders

    os.environ["GR_CONF_GRC_GLOBAL_BLOCKS_PATH"] = block_folders()

    @pytest.fixture(autouse=True)
    def _no_flowgraph_runs_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Stop what a failed test left running: GNU Radio would wait for it, holding the GIL, for ever."""
        from gnuradio import gr

        started: list[Any] = []
        start = gr.top_block.start

        def kept(tb: Any, *args: Any) -> None:
            started.append(tb)
            start(tb, *args)

        monkeypatch.setattr(gr.top_block, "start", kept)
        yield
        for tb in started:
            gr.top_block.stop(tb)
            gr.top_block.wait(tb)
