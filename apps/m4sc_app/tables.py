"""Tables on the terminal, and whole where the output goes to a file or a pipe."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.table import Table

_WIDE = 160


def show(table: Table) -> None:
    """Print to stdout; a pipe has no width of its own, and columns cut to 80 characters are no use there."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    Console(file=sys.stdout, width=None if known else _WIDE).print(table)
