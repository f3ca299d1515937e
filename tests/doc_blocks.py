"""Blocks of code on the pages of the documentation, and how each says that it is tested."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

MARKER = re.compile(r"<!-- test: (?P<how>run|slow|parse|skip)\b:? ?(?P<rest>.*?) ?-->")
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)$")
TESTED = ("sh", "bash", "python", "console")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        page, line: where it begins.
        language: ``sh`` or ``python``.
        code: its text.
        how: ``run``, ``slow``, ``parse`` or ``skip``; empty when no marker stands before it.
        rest: what the marker says behind that: a reason, ``exit CODES``, ``args WORDS``.
    """

    page: str
    line: int
    language: str
    code: str
    how: str
    rest: str

    @property
    def name(self) -> str:
        """For a test's id."""
        return f"{self.page}:{self.line}"

    def words_after(self, key: str) -> list[str]:
        """Words of the marker behind ``key``."""
        words = self.rest.split()
        return words[words.index(key) + 1 :] if key in words else []

    @property
    def commands(self) -> list[list[str]]:
        """Words of each command of a shell block, lines joined at a backslash, comments left out."""
        lines = self.code.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks_of(text: str, page: str) -> list[Block]:
    """Every fenced block of a tested language."""
    found: list[Block] = []
    marker: re.Match[str] | None = None
    opened: tuple[int, str, str] | None = None
    code: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if opened is not None:
            indent = opened[2]
            if line.strip() == "```":
                if opened[1] in TESTED:
                    how, rest = (marker["how"], marker["rest"]) if marker else ("", "")
                    language = "python" if opened[1] == "python" else "sh"
                    found.append(Block(page, opened[0], language, "\n".join(code) + "\n", how, rest))
                opened, marker, code = None, None, []
            else:
                code.append(line.removeprefix(indent))
        elif match := FENCE.match(line):
            opened = (number, match["language"], match["indent"])
        elif match := MARKER.search(line):
            marker = match
        elif line.strip():
            marker = None  # a marker holds for the block that follows it at once
    return found


def indented_commands(text: str) -> list[list[str]]:
    """Commands of a README: indented lines that begin with one of ours, options in comments left out."""
    starts = ("m4sc ", "script/", ".venv/bin/m4sc ", "gr-m4sc/")
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(starts)]


def pages(root: Path) -> dict[str, str]:
    """Text of every page that somebody wrote, by its path below ``root``."""
    paths = [*sorted((root / "docs").rglob("*.md")), root / "README.md", root / "CONTRIBUTING.md"]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}
