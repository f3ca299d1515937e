"""The arrows between packages: apps -> flowgraphs -> python_blocks -> models, and no way back."""

from __future__ import annotations

import ast
import sys
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


_OF_NO_SIDE = "m4sc.json_fields"  # the next test holds it to the standard library


def test_the_numpy_physical_layer_uses_nothing_of_the_model_side() -> None:
    wrong = {}
    for path in sorted((ROOT / "models/m4sc/phy").rglob("*.py")):
        names = imported_names(path.read_text(encoding="utf-8"))
        inner = {n for n in names if n.startswith("m4sc.") and not n.startswith(("m4sc.phy", _OF_NO_SIDE))}
        if inner:
            wrong[path.name] = sorted(inner)
    assert not wrong


def test_what_both_sides_use_is_of_the_standard_library_alone() -> None:
    source = (ROOT / "models" / f"{_OF_NO_SIDE.replace('.', '/')}.py").read_text(encoding="utf-8")
    assert {name.split(".")[0] for name in imported_names(source)} <= set(sys.stdlib_module_names)


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


READS_FILES = ("Image.open", "soundfile.read", "soundfile.SoundFile", "av.open", "container.open", "sf.read")


def readers(source: str) -> list[str]:
    """Calls that open a picture or a sound; one that is given the mode to write is none."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        call = ".".join(ast.unparse(node.func).split(".")[-2:])
        modes = [*node.args[1:2], *(given.value for given in node.keywords if given.arg == "mode")]
        writes = any(isinstance(mode, ast.Constant) and mode.value == "w" for mode in modes)
        if call in READS_FILES and not writes:
            found.append(call)
    return found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import av\nav.open(raw)", ["av.open"]),
        ("import av\nwith av.container.open(raw, 'r') as f: pass", ["container.open"]),
        ("import av\nav.open(raw, 'w', format='mp4')", []),
        ("import av\nav.open(raw, mode='w')", []),
        ("from PIL import Image\nImage.open(\n  raw)", ["Image.open"]),
        ("path.open('w')", []),
    ],
)
def test_a_reader_of_files_is_known_by_its_call(source: str, found: list[str]) -> None:
    assert readers(source) == found


def test_pictures_and_sounds_are_read_in_one_place() -> None:
    """Bounds and every kind of file are kept there, so nobody else opens one."""
    media = ROOT / "models/m4sc/media"
    wav_of_samples = ROOT / "models/m4sc/recordings/reading.py"  # IQ, not a sound
    found = [
        f"{path.relative_to(ROOT)}: {call}"
        for folder in ("models", "python_blocks", "flowgraphs", "apps")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not path.is_relative_to(media) and path != wav_of_samples
        for call in readers(path.read_text(encoding="utf-8"))
    ]
    assert not found
