"""Where weights lie: shipped ones by name, others by folder."""

from __future__ import annotations

import contextlib
from pathlib import Path

_NAMES = (
    "aside, deepjscc, deepjscc-2019, deepsc, default, detector, gaze, listen, questions, reading, "
    "reconstruct, sound, space, text-prior"
)
SHIPPED = tuple(_NAMES.split(", "))
"""Names of all weights that come with the project, each a folder of ``models/weights``."""


def weights_folder(name_or_path: str) -> Path:
    """Folder of shipped weights by name, or the folder given.

    Raises:
        ValueError: no such weights.
    """
    package = Path(__file__).resolve().parent
    for folder in (
        Path(name_or_path),
        package / "weights" / name_or_path,
        package.parent / "weights" / name_or_path,
    ):
        if (folder / "config.json").is_file() and (folder / "model.safetensors").is_file():
            return folder
    raise ValueError(
        f"no weights '{name_or_path}': give a shipped name (default) or a folder with model.safetensors"
    )


def is_shipped(folder: Path) -> bool:
    """Whether weights lie where those lie that come with the project."""
    package = Path(__file__).resolve().parent
    return folder.resolve().parent in (package / "weights", package.parent / "weights")


def companion(folder: Path, name: str) -> Path | None:
    """Weights of another part inside or beside a folder of weights, else the shipped ones, if any."""
    for candidate in (str(folder / name), str(folder.parent / name), name):
        with contextlib.suppress(ValueError):
            return weights_folder(candidate)
    return None
