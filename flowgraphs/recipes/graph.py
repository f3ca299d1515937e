"""A companion flowgraph as a Python object: blocks on a grid, connections, YAML."""

from __future__ import annotations

from typing import Any

import yaml

COLUMN_PX, ROW_PX = 264, 168
_LEFT_PX, _TOP_PX = 64, 8  # room for the input ports of the first column


class Graph:
    """One flowgraph.

    Args:
        name: file name without suffix; the .grc generates ``<name>_grc.py``, its twin is ``<name>.py``.
        title: title of the window.
        description: one sentence for the options block.
        hardware: whether it runs only with a radio.
    """

    def __init__(self, name: str, title: str, description: str, hardware: bool = False) -> None:
        self.name, self.title, self.description, self.hardware = name, title, description, hardware
        self._blocks: list[dict[str, Any]] = []
        self._connections: list[list[str]] = []

    def add(self, kind: str, name: str, at: tuple[float, float], /, **parameters: Any) -> str:
        """Place a block at (column, row) of the grid; parameters not given keep companion's defaults.

        Returns:
            Its name.
        """
        place = [int(at[0] * COLUMN_PX) + _LEFT_PX, int(at[1] * ROW_PX) + _TOP_PX]
        values = {key: str(value) for key, value in sorted(parameters.items())}
        self._blocks.append({"name": name, "id": kind, "parameters": values, "states": _states(place)})
        return name

    def parameter(self, name: str, value: Any, kind: str, at: tuple[float, float], label: str = "") -> None:
        """A command-line option of the twin, and a default to edit in companion; kind as companion's."""
        self.add("parameter", name, at, value=value, type=kind, label=label or name, short_id="")

    def slider(
        self, name: str, value: str, span: tuple[float, float, float], at: tuple[float, float], label: str,
        gui_hint: str,
    ) -> None:  # fmt: skip
        """A slider from, to, step; in the twin a variable of its start value."""
        start, stop, step = span
        self.add(
            "variable_qtgui_range", name, at, value=value, start=start, stop=stop, step=step, label=label,
            rangeType="float", widget="counter_slider", gui_hint=gui_hint, min_len=200,
        )  # fmt: skip

    def link(self, *ends: str) -> None:
        """Connect ``block.port`` to ``block.port``, pairs one after another; a stream port is a number."""
        for source, sink in zip(ends[::2], ends[1::2], strict=True):
            self._connections.append([*source.rsplit(".", 1), *sink.rsplit(".", 1)])

    def to_yaml(self) -> str:
        """The text of the .grc file."""
        options = {
            "author": "gr-m4sc",
            "catch_exceptions": "True",
            "copyright": "GPL-3.0-or-later",
            "description": self.description,
            "generate_options": "qt_gui",
            "id": f"{self.name}_grc",
            "output_language": "python",
            "run": "True",
            "run_options": "run",
            "title": self.title,
        }
        return yaml.safe_dump(
            {
                "options": {"parameters": options, "states": _states([8, _TOP_PX])},
                "blocks": self._blocks,
                "connections": self._connections,
                "metadata": {"file_format": 1},
            },
            sort_keys=False,
            width=110,
            allow_unicode=True,
        )


def _states(coordinate: list[int]) -> dict[str, Any]:
    return {
        "bus_sink": False,
        "bus_source": False,
        "bus_structure": None,
        "coordinate": coordinate,
        "rotation": 0,
        "state": "enabled",
    }
