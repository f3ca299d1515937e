"""The command reference, from the same declarations that `--help` prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

_INTRO = """# Commands

Made from what `m4sc COMMAND --help` prints. Exit codes: 0 done, 1 a defect of the program, 2 bad input, told
in one sentence; `m4sc --debug COMMAND` adds the traceback. `--json` prints to stdout; progress to stderr.
"""
_MARKUP = re.compile(r"\[/?(?:bold|italic|dim)\]")


def commands() -> Iterator[tuple[str, Any]]:
    """(path such as "bench phy", command with all its parameters) of every command, groups left out."""
    from m4sc_app.cli import whole_command

    for name in whole_command().commands:
        command = whole_command(name)
        if hasattr(command, "commands"):
            yield from ((f"{name} {inner}", child) for inner, child in command.commands.items())
        else:
            yield name, command


def command_page() -> str:
    """Markdown of the page."""
    from m4sc_app.cli import whole_command

    parts, group, root = [_INTRO], "", whole_command()
    for path, command in commands():
        first = path.split()[0]
        if first != group:
            group = first
            parts.append(f"## m4sc {first}\n\n{root.commands[first].help or ''}\n")
        if path != first:
            parts.append(f"### m4sc {path}\n")
        parts.append(_command(command, (root.commands[first].help or "") if path == first else ""))
    return "\n".join(parts)


def _command(command: Any, said: str) -> str:
    text = _MARKUP.sub("", command.help or "").strip()
    examples = _MARKUP.sub("", getattr(command, "epilog", None) or "")
    lines = [] if text == said else [text, ""]
    if examples:
        lines += [f"{' '.join(examples.split())}", ""]
    rows = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    if rows:
        lines += ["| option | value | default | meaning |", "|---|---|---|---|"]
        lines += [_row(parameter) for parameter in rows]
    return _fenced_examples("\n".join([*lines, ""]))


def _fenced_examples(text: str) -> str:
    """Examples of a help text as code."""
    return re.sub(r"(Examples?:)\s+(m4sc [^\n]*)", r"\1 `\2`", text)


def _row(parameter: Any) -> str:
    if parameter.opts[0].startswith("-"):
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    else:
        names = f"`{parameter.opts[0].upper()}`"
    default = "required" if parameter.required else _default(parameter.default)
    cells = (names, _value(parameter), default, _MARKUP.sub("", parameter.help or ""))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _default(value: Any) -> str:
    if value in (None, False, ""):
        return ""
    return f"`{value}`"


def _value(parameter: Any) -> str:
    """Kind of value in words."""
    if getattr(parameter, "is_flag", False):
        return "flag"
    annotation = parameter.type_descriptor.annotation
    many = parameter.multiple or parameter.nargs == -1
    inner = next((a for a in get_args(annotation) if a is not type(None)), annotation)
    inner = next((a for a in get_args(inner) if a is not type(None)), inner)
    names = {int: "integer", float: "number", str: "text", Path: "path"}
    return names.get(inner, getattr(inner, "__name__", str(inner))) + (", several" if many else "")
