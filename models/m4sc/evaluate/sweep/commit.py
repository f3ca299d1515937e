"""Which code runs."""

from __future__ import annotations

import importlib.metadata
import subprocess
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def commit_of_code() -> str:
    """The commit that runs, with "+" where files were changed; the version where there is no repository."""
    here = Path(__file__).resolve().parent
    try:
        told = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        try:
            return importlib.metadata.version("m4sc")
        except importlib.metadata.PackageNotFoundError:
            return "unknown"
    return told.stdout.strip()
