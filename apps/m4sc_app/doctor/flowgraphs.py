"""Flowgraphs in the current folder and in the checkout: are all their blocks known to the companion?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from m4sc_app.doctor.check import FAILED, OK, ROOT, WARNING, Check
from m4sc_app.doctor.radio import grc_block_folders

_ID = re.compile(r"^id:\s*['\"]?(\w+)", re.MULTILINE)
# made in GRC's own code, no file describes them
_BUILT_IN = {"options", "dummy_block", "virtual_sink", "virtual_source", "pad_sink", "pad_source"}
_BUILT_IN |= {"epy_block", "epy_module", "import", "parameter", "snippet", "variable", "note", "bus_source"}
_BUILT_IN |= {"bus_sink", "bus_structure_sink", "bus_structure_source", "variable_config", "variable_struct"}


def known_blocks(folders: Iterable[Path]) -> set[str]:
    """Ids of every block that a file below the folders describes."""
    found = set(_BUILT_IN)
    for folder in folders:
        for path in folder.rglob("*.block.yml"):
            if match := _ID.search(path.read_text(encoding="utf-8", errors="replace")):
                found.add(match[1])
    return found


def read_flowgraph(path: Path) -> dict[str, Any] | None:
    """A .grc file, or None when it is none that this GNU Radio reads."""
    import yaml

    try:
        found = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("blocks"), list) else None


def check_flowgraphs(folders: list[Path] | None = None, known: set[str] | None = None) -> Check:
    """Does a flowgraph use a hierarchical block that was not compiled, or one that is not installed?

    Args:
        folders: where .grc files are looked for; the current folder and the checkout's if not given.
        known: ids of blocks; those that the companion finds if not given.
    """
    name = "flowgraphs"
    folders = folders if folders is not None else [Path.cwd(), ROOT / "flowgraphs"]
    paths = sorted({path.resolve() for folder in folders for path in folder.glob("*.grc")})
    if not paths:
        return Check(name, OK, "none here")
    known = known if known is not None else known_blocks(grc_block_folders())
    hierarchical: dict[str, Path] = {}
    unknown: dict[str, Path] = {}
    unread: list[str] = []
    for path in paths:
        graph = read_flowgraph(path)
        if graph is None:
            unread.append(path.name)
            continue
        options = graph.get("options", {}).get("parameters", {})
        if str(options.get("generate_options", "")).startswith("hb"):
            hierarchical[str(options.get("id"))] = path
        for block in graph["blocks"]:
            if block.get("id") not in known and block.get("states", {}).get("state") != "disabled":
                unknown.setdefault(str(block.get("id")), path)
    for block, path in unknown.items():
        if block in hierarchical:
            return Check(
                name,
                FAILED,
                f"{path.name} uses the hierarchical block {block}, which is not compiled",
                f"Run `grcc {hierarchical[block]}`, then compile {path.name}, and restart the companion.",
            )
    if unknown:
        block, path = next(iter(unknown.items()))
        cure = (
            "Run script/bootstrap, and restart the companion."
            if block.startswith("m4sc_")
            else "Install the module that brings it, or compile the hierarchical flowgraph of that id (grcc)."
        )
        return Check(name, FAILED, f"{path.name} uses {block}, which the companion does not know", cure)
    if unread:
        cure = "Open and save it in the companion of GNU Radio 3.10."
        return Check(name, WARNING, f"{unread[0]} is no flowgraph of GNU Radio 3.8 or later", cure)
    return Check(name, OK, f"{len(paths)}, all their blocks known")
