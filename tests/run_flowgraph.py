"""Run a flowgraph with the stand-in model: ``run_flowgraph.py FLOWGRAPH [--option value ...]``.

FLOWGRAPH is a .grc, whose headless twin is run, or a script that companion's compiler made.

A Qt one is closed when its flowgraph has ended; with PICTURE in the environment its window is saved there.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path
from typing import Any

from gnuradio import m4sc  # noqa: F401  isort: skip  finds the project's environment, so it is the first

from fake_system import FakeSystem  # isort: skip
from m4sc_flowgraphs.headless import load, release, signal_handlers
from m4sc_flowgraphs.twin import twin_of


def stand_in(cls: Any, keep: list[Any]) -> Any:
    """The top block's class with the model exchanged; the block made is kept."""

    def make(**options: Any) -> Any:
        if os.environ.get("MODEL") != "real":
            options["model"] = FakeSystem()
        keep.append(cls(**options))
        return keep[0]

    return make


def close_at_the_end(keep: list[Any]) -> None:
    """Quit Qt's loop once the flowgraph has ended, with a picture of the window before."""
    from PyQt5 import Qt

    def watch() -> None:
        keep[0].wait()
        ended.set()

    def look() -> None:
        if keep and not watcher:
            watcher.append(threading.Thread(target=watch, daemon=True))
            watcher[0].start()
        if ended.is_set():
            timer.stop()
            Qt.QTimer.singleShot(700, finish)

    def finish() -> None:
        if os.environ.get("PICTURE"):
            keep[0].grab().save(os.environ["PICTURE"])
        Qt.QApplication.quit()

    ended, watcher = threading.Event(), list[threading.Thread]()
    timer = Qt.QTimer()
    timer.timeout.connect(look)
    plain = Qt.QApplication.exec_

    def exec_(*args: Any) -> int:
        timer.start(100)
        if os.environ.get("SIZE"):
            keep[0].resize(*map(int, os.environ["SIZE"].split("x")))
        return int(plain())

    Qt.QApplication.exec_ = exec_


def let_go(window: Any) -> None:
    """Destroy the sockets of a window whose flowgraph has ended, as :func:`release` does, and no display.

    GNU Radio's sinks close their widgets when they are destroyed, which Qt may have deleted before.
    """
    window.disconnect_all()
    kinds = {name: type(block).__module__ for name, block in vars(window).items()}
    for name in [name for name, kind in kinds.items() if kind.startswith("gnuradio.zeromq")]:
        delattr(window, name)
    gc.collect()


def main() -> None:
    script = Path(sys.argv.pop(1))
    if script.suffix == ".grc":
        script = twin_of(script)
    main_of, cls = load(script)
    keep: list[Any] = []
    handlers = signal_handlers()
    if script.stem.endswith("_grc"):
        close_at_the_end(keep)
    main_of(stand_in(cls, keep))
    print("ended", flush=True)
    if script.stem.endswith("_grc"):
        let_go(keep[0])
    else:
        release(keep, handlers)
    os._exit(0)


if __name__ == "__main__":
    main()
