"""From a .grc to its headless twin: displays out, sliders to variables, companion's own generator."""

from __future__ import annotations

import tempfile
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

_ENDING = "if __name__ == '__main__':\n    main()\n"
_CONNECTS = ("self.msg_connect(", "self.connect(")
_TWIN_ENDING = """if __name__ == '__main__':
    from m4sc_flowgraphs.headless import run_twin

    run_twin(main)
"""
_ONLY_SHOWN = ("m4sc_answer_view", "variable_function_probe", "variable_qtgui_label")
_NOTE = "# Generated from {name}.grc by `python -m recipes`; change that one instead.\n"


def headless(graph: dict[str, Any]) -> dict[str, Any]:
    """The same flowgraph without Qt.

    Displays go, with what only feeds them; a slider becomes a variable of its start value. All else, and
    every parameter, stays.
    """
    blocks, connections = list(graph["blocks"]), list(graph["connections"])
    for block in blocks:
        if block["id"] == "variable_qtgui_range":
            block["id"] = "variable"
            block["parameters"] = {"value": block["parameters"]["value"]}
    gone = {b["name"] for b in blocks if b["id"].startswith("qtgui_") or b["id"] in _ONLY_SHOWN}
    while True:
        fed = {a for a, _, b, _ in connections if b in gone}
        kept = {a for a, _, b, _ in connections if b not in gone}
        more = fed - kept - gone
        if not more:
            break
        gone |= more
    options = graph["options"]["parameters"]
    options |= {"generate_options": "no_gui", "id": options["id"].removesuffix("_grc")}
    return {
        **graph,
        "blocks": [block for block in blocks if block["name"] not in gone],
        "connections": [c for c in connections if c[0] not in gone and c[2] not in gone],
    }


@cache
def _platform() -> Any:
    """Companion's compiler with its library of blocks, as `grcc` sets it up."""
    from gnuradio import gr
    from gnuradio.grc.core.platform import Platform

    platform = Platform(
        name="recipes",
        prefs=gr.prefs(),
        version=gr.version(),
        version_parts=(gr.major_version(), gr.api_version(), gr.minor_version()),
    )
    platform.build_library()
    return platform


def compile_grc(grc: Path, folder: Path) -> Path:
    """Compile a .grc file as `grcc -o folder` does.

    Returns:
        The script.

    Raises:
        ValueError: the flowgraph is not valid; the message names each block and what is wrong with it.
    """
    graph = _platform().make_flow_graph(str(grc))
    graph.rewrite()
    graph.validate()
    if not graph.is_valid():
        faults = [f"{element}: {text}" for element, text in graph.iter_error_messages()]
        raise ValueError(f"{grc.name} does not compile: {'; '.join(faults)}")
    _platform().Generator(graph, str(folder)).write()
    return folder / f"{graph.get_option('id')}.py"


def twin_of(grc: Path) -> str:
    """Source text of the twin of a .grc file; raises ValueError where it does not compile."""
    graph = headless(yaml.safe_load(grc.read_text(encoding="utf-8")))
    name = graph["options"]["parameters"]["id"]
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / grc.name
        stripped.write_text(yaml.safe_dump(graph, sort_keys=False), encoding="utf-8")
        source = compile_grc(stripped, Path(folder)).read_text(encoding="utf-8")
    if not source.endswith(_ENDING):
        raise ValueError(f"{grc.name}: companion's script ends otherwise than expected")
    lines = [line.rstrip() for line in source.removesuffix(_ENDING).splitlines()]
    shebang, rest = lines[0], "\n".join(_in_order(lines[1:]))
    return f"{shebang}\n{_NOTE.format(name=name)}{rest}\n{_TWIN_ENDING}"


def _in_order(lines: list[str]) -> list[str]:
    """The lines with connections sorted: companion's order differs from run to run."""
    whole: list[str] = []
    for is_connection, group in groupby(lines, lambda line: line.lstrip().startswith(_CONNECTS)):
        found = list(group)
        whole += sorted(found) if is_connection else found
    return whole
