"""The programs that a test starts import the module that the test itself imports, whichever are installed."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def module_environment() -> dict[str, str]:
    """Variables for GNU Radio's own interpreter and companion, as `.venv/bin/gnuradio-companion` has them."""
    import gnuradio.m4sc

    folder = Path(gnuradio.m4sc.__file__).parents[2]
    return {"PYTHONPATH": str(folder), "GR_CONF_GRC_GLOBAL_BLOCKS_PATH": block_folders()}


def block_folders() -> str:
    """The companion's folders of block files, this checkout's last: the last one read wins."""
    from gnuradio import gr

    own = str(ROOT / "gr-m4sc" / "grc")
    known = gr.prefs().get_string("grc", "global_blocks_path", "").split(os.pathsep)
    return os.pathsep.join([*(folder for folder in known if folder and folder != own), own])
