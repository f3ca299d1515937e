"""The arrows between packages: apps -> flowgraphs -> python_blocks -> models, and no way back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# folder -> top-level or dotted names that no file below it may import, not even lazily
FORBIDDEN = {
    "models/m4sc/phy": ("torch", "transformers", "gnuradio", "pmt", "m4sc_flowgraphs", "m4sc_app", "tests"),
    "models/m4sc": ("gnuradio", "pmt", "m4sc_flowgraphs", "m4sc_app", "tests"),
    "python_blocks": ("m4sc_flowgraphs", "m4sc_app", "tests"),
    "flowgraphs": ("m4sc_app", "tests"),
    "apps": ("tests",),
}


def imported_names(source: str, package: tuple[str, ...] = ()) -> set[str]:
    """Absolute dotted names of every import statement in `source`, a module of `package`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def breaches(names: set[str], forbidden: tuple[str, ...]) -> set[str]:
    return {name for name in names if any(name == bad or name.startswith(f"{bad}.") for bad in forbidden)}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_follow_the_arrows(folder: str) -> None:
    wrong = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT / folder).with_suffix("").parts
        found = breaches(
            imported_names(path.read_text(encoding="utf-8"), ("self", *parts[:-1])), FORBIDDEN[folder]
        )
        if found:
            wrong[str(path.relative_to(ROOT))] = sorted(found)
    assert not wrong


_OF_NO_SIDE = "m4sc.json_fields"  # reads dataclasses from JSON with the standard library alone


def test_the_numpy_physical_layer_uses_nothing_of_the_model_side() -> None:
    wrong = {}
    for path in sorted((ROOT / "models/m4sc/phy").rglob("*.py")):
        names = imported_names(path.read_text(encoding="utf-8"))
        inner = {n for n in names if n.startswith("m4sc.") and not n.startswith(("m4sc.phy", _OF_NO_SIDE))}
        if inner:
            wrong[path.name] = sorted(inner)
    assert not wrong


@pytest.mark.parametrize(
    ("source", "bad"),
    [
        ("import torch.nn as nn", "torch"),
        ("def f():\n    from gnuradio import gr", "gnuradio"),
        ("from tests import helper", "tests"),
    ],
)
def test_the_walk_sees_lazy_and_dotted_imports(source: str, bad: str) -> None:
    assert breaches(imported_names(source), (bad,))


def test_the_walk_is_not_fooled_by_a_common_prefix() -> None:
    assert not breaches(imported_names("import torchlike\nfrom .torch import x", ("m4sc", "phy")), ("torch",))


READS_FILES = ("Image.open(", "soundfile.read(", "soundfile.SoundFile(", "av.open(", "sf.read(")


def test_pictures_and_sounds_are_read_in_one_place() -> None:
    """Bounds and every kind of file are kept there, so nobody else opens one."""
    media = ROOT / "models/m4sc/media"
    wav_of_samples = ROOT / "models/m4sc/recordings/reading.py"  # IQ, not a sound
    found = [
        f"{path.relative_to(ROOT)}: {call}"
        for folder in ("models", "python_blocks", "flowgraphs", "apps")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not path.is_relative_to(media) and path != wav_of_samples
        for call in READS_FILES
        if call in path.read_text(encoding="utf-8")
    ]
    assert not found
