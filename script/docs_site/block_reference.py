"""The block reference: the block files of the companion beside the classes' docstrings."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_ENTRY = re.compile(r"^    (?P<name>\S[^:]*(?:\([^)]*\))?): (?P<text>.*)$")
_INTRO = """# Blocks

Made from `gr-m4sc/grc/*.block.yml` and from the docstrings of `python_blocks/`: what the companion shows in
a block's documentation tab. In Python every block is a class of `gnuradio.m4sc` with the same parameters; in
a flowgraph file its id is `m4sc_` and the class's name.
"""


def block_page(grc_folder: Path, python_folder: Path) -> str:
    """Markdown of the page, blocks in the order of the companion's tree."""
    parts = [_INTRO]
    for category, ids in _tree(grc_folder):
        parts.append(f"## {category}\n")
        for block_id in ids:
            block = yaml.safe_load((grc_folder / f"{block_id}.block.yml").read_text(encoding="utf-8"))
            parts.append(_block(block, python_folder))
    return "\n".join(parts)


def _tree(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Categories and the ids of their blocks."""
    tree = yaml.safe_load((folder / "m4sc.tree.yml").read_text(encoding="utf-8"))
    for entry in tree["[M4SC]"]:
        yield from entry.items()


def documented(text: str, title: str) -> dict[str, str]:
    """Entries ``    Name: text`` under ``title:`` of a block file's documentation, lines joined."""
    found: dict[str, str] = {}
    name, inside = "", False
    for line in text.splitlines():
        if line and not line.startswith(" "):
            inside = line.strip() == f"{title}:"
        elif inside and (match := _ENTRY.match(line)):
            name = match["name"]
            found[name] = match["text"].strip()
        elif inside and line.strip() and name:
            found[name] += " " + line.strip()
    return found


def docstring(python_folder: Path, name: str) -> str:
    """Docstring of class ``name``, dedented; the module is read, not imported."""
    tree = ast.parse((python_folder / f"{name}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return inspect.cleandoc(ast.get_docstring(node) or "")
    raise ValueError(f"{name}.py has no class {name}")


def _block(block: dict[str, Any], python_folder: Path) -> str:
    name, text = block["id"].removeprefix("m4sc_"), block.get("documentation", "")
    summary = text.split("\nParameters:")[0].split("\nPorts:")[0].strip()
    lines = [f"### {block['label']}\n", f"`gnuradio.m4sc.{name}`\n", f"{summary}\n"]
    if block.get("parameters"):
        lines += ["| parameter | in Python | type | default | meaning |", "|---|---|---|---|---|"]
        meanings = documented(text, "Parameters")
        lines += [_parameter(row, meanings) for row in block["parameters"]]
    ports = documented(text, "Ports")
    if ports:
        lines += ["", "| port | meaning |", "|---|---|"]
        lines += [f"| {_cell(port)} | {_cell(meaning)} |" for port, meaning in ports.items()]
    lines += ["", '??? note "In Python"', ""]
    lines += [f"    {line}" if line else "" for line in _code(docstring(python_folder, name))]
    return "\n".join([*lines, ""])


def _parameter(row: dict[str, Any], meanings: dict[str, str]) -> str:
    label = row.get("label", row["id"])
    kind = " or ".join(f"`{option}`" for option in row["options"]) if "options" in row else row["dtype"]
    default = f"`{row['default']}`" if str(row.get("default", "")) else "empty"
    return (
        f"| {_cell(label)} | `{row['id']}` | {_cell(kind)} | {default} | {_cell(meanings.get(label, ''))} |"
    )


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def _code(text: str) -> list[str]:
    """A docstring as it stands: its indentation is its meaning."""
    return ["```text", *text.splitlines(), "```"]
