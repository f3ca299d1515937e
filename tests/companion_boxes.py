"""Blocks' boxes as companion draws them: ``companion_boxes.py FILE.grc ...`` prints JSON; needs a display.

Run it with GNU Radio's own interpreter. For every flowgraph and block: left, top, right, bottom in pixels at
companion's own scale, ports included. With PICTURE in the environment the last one's drawing is saved there.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def drawn(platform: Any, grc: Path) -> dict[str, list[float]]:
    """Box of each block by its name."""
    graph = platform.make_flow_graph(str(grc))
    graph.rewrite()
    graph.validate()
    graph.update_elements_to_draw()
    graph.create_labels()
    graph.create_shapes()
    if os.environ.get("PICTURE"):
        from gnuradio.grc.gui.Utils import make_screenshot

        make_screenshot(graph, os.environ["PICTURE"])
    return {block.name: box(block) for block in graph.blocks}


def box(block: Any) -> list[float]:
    left, top = block.coordinate
    into = max([port.width for port in block.active_sinks], default=0)
    out_of = max([port.width for port in block.active_sources], default=0)
    return [left - into, top, left + block.width + out_of, top + block.height]


def main() -> None:
    import gi

    gi.require_version("Gtk", "3.0")
    gi.require_version("PangoCairo", "1.0")
    from gnuradio import gr
    from gnuradio.grc.gui.Platform import Platform  # isort: skip  (Application imports itself otherwise)
    from gnuradio.grc.gui.Application import Application

    platform = Platform(
        install_prefix=gr.prefix(), version=gr.version(), prefs=gr.prefs(),
        version_parts=(gr.major_version(), gr.api_version(), gr.minor_version()),
    )  # fmt: skip
    platform.build_library()
    application = Application([], platform)  # its window, unseen: the drawing asks its menus
    application.register()
    application.activate()
    print(json.dumps({Path(name).stem: drawn(platform, Path(name)) for name in sys.argv[1:]}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
