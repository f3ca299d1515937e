"""A companion flowgraph without its windows: displays out, sliders to variables, companion's own compiler.

Nothing of it lies in the repository: the script is made in the cache when it is first run, and made again
when the .grc, the descriptions of our blocks or GNU Radio have changed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from m4sc.small_file import read_small_text

_ENDING = "if __name__ == '__main__':\n    main()\n"
_TWIN_ENDING = """if __name__ == '__main__':
    from m4sc_flowgraphs.headless import run_twin

    run_twin(main, {name})
"""
_ONLY_SHOWN = ("m4sc_answer_view", "variable_function_probe", "variable_qtgui_label")
_ROOT = Path(__file__).resolve().parent.parent.parent
_BLOCKS = _ROOT / "gr-m4sc" / "grc"


class FlowgraphError(ValueError):
    """A flowgraph cannot be found or compiled; the message is one sentence."""


def folders() -> list[Path]:
    """Where our flowgraphs lie: the checkout, or what ``cmake --install`` put below a prefix."""
    from gnuradio import gr

    prefixes = [Path("/usr/local"), Path(gr.prefix())]
    places = [
        _ROOT / "flowgraphs",
        *(prefix / "share" / "gnuradio" / "examples" / "m4sc" for prefix in prefixes),
    ]
    return [place for place in places if any(place.glob("*.grc"))]


def find_grc(name: str) -> Path:
    """The .grc of a path, or of the name of one of ours, with or without ``m4sc_`` and ``.grc``.

    Raises:
        FlowgraphError: there is none; the message lists ours.
    """
    if Path(name).is_file():
        return Path(name).resolve()
    ours = {path.stem: path for place in reversed(folders()) for path in place.glob("*.grc")}
    stem = Path(name).name.removesuffix(".grc").removesuffix(".py")
    for known in (stem, f"m4sc_{stem.replace('-', '_')}"):
        if known in ours:
            return ours[known]
    if not ours:
        raise FlowgraphError(f"there is no flowgraph '{name}'; give the path of a .grc")
    names = ", ".join(sorted(known.removeprefix("m4sc_") for known in ours))
    raise FlowgraphError(f"there is no flowgraph '{name}'; give the path of a .grc or one of {names}")


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
    """Companion's compiler, its library of blocks not yet read."""
    from gnuradio import gr
    from gnuradio.grc.core import Messages
    from gnuradio.grc.core.platform import Platform

    Messages.MESSENGERS_LIST.clear()  # companion's advice about throttles, on stdout
    parts = (gr.major_version(), gr.api_version(), gr.minor_version())
    return Platform(name="m4sc", prefs=gr.prefs(), version=gr.version(), version_parts=parts)


def _block_folders() -> list[str]:
    """Companion's folders of block descriptions, the checkout's own last: the last one read wins."""
    known = [place for place in _platform().config.block_paths if Path(place) != _BLOCKS]
    return [*known, str(_BLOCKS)] if _BLOCKS.is_dir() else known


@cache
def _library() -> Any:
    """The compiler with its blocks. Whose module lies in /usr/local beside this checkout's is no news."""
    log = logging.getLogger("gnuradio.grc.core.platform")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        _platform().build_library(_block_folders())
    finally:
        log.setLevel(before)
    return _platform()


def compile_grc(grc: Path, folder: Path) -> Path:
    """Compile a .grc file as ``grcc -o folder`` does.

    Returns:
        The script.

    Raises:
        FlowgraphError: the flowgraph is not valid; the message names each block and what is wrong with it.
    """
    try:
        graph = _library().make_flow_graph(str(grc))
    except Exception as exc:  # companion raises whatever a file that is no flowgraph brings up
        raise FlowgraphError(f"{grc.name} is not a flowgraph that companion opens") from exc
    graph.rewrite()
    graph.validate()
    if not graph.is_valid():
        faults = [" ".join(f"{element}: {text}".split()) for element, text in graph.iter_error_messages()]
        raise FlowgraphError(f"{grc.name} does not compile: {'; '.join(faults)}")
    _library().Generator(graph, str(folder)).write()
    return folder / f"{graph.get_option('id')}.py"


def build_twin(grc: Path, folder: Path) -> Path:
    """Compile the headless twin of a .grc into a folder; raises FlowgraphError where it does not compile."""
    try:
        graph = headless(yaml.safe_load(read_small_text(grc)))
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as exc:
        raise FlowgraphError(f"{grc.name} is not a flowgraph of GNU Radio 3.8 or later") from exc
    with tempfile.TemporaryDirectory() as scratch:
        stripped = Path(scratch) / grc.name
        stripped.write_text(yaml.safe_dump(graph, sort_keys=False), encoding="utf-8")
        made = compile_grc(stripped, Path(scratch))
        source = made.read_text(encoding="utf-8")
        if not source.endswith(_ENDING):
            raise FlowgraphError(
                f"{grc.name}: only Python flowgraphs are run; this one generates something else"
            )
        ending = _TWIN_ENDING.format(name=made.stem)
        made.write_text(source.removesuffix(_ENDING) + ending, encoding="utf-8")
        made.chmod(0o755)
        folder.mkdir(parents=True, exist_ok=True)
        target, part = folder / made.name, folder / f".{made.name}.{os.getpid()}.part"
        shutil.copy2(made, part)
        part.replace(target)
    return target


def twin_of(grc: Path) -> Path:
    """The script of a .grc's twin in the cache, made if it is not there yet.

    Raises:
        FlowgraphError: it does not compile, or the cache cannot be written.
    """
    from m4sc.pretrained.cache import cache_home

    digest = hashlib.sha256(str(_platform().config.version).encode())
    ours = [path for place in _block_folders() for path in sorted(Path(place).glob("m4sc_*.block.yml"))]
    for path in (grc, Path(__file__), *ours):
        digest.update(path.read_bytes())
    folder = cache_home() / "twins" / f"{grc.stem}-{digest.hexdigest()[:16]}"
    for script in folder.glob("*.py"):
        return script
    try:
        return build_twin(grc, folder)
    except OSError as exc:
        raise FlowgraphError(
            f"the cache {folder.parent} cannot be written ({exc.strerror or exc}); "
            "set M4SC_HOME to another folder"
        ) from exc
