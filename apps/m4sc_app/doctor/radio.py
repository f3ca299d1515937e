"""The GNU Radio side: interpreter, GNU Radio, the installed module, the companion's blocks, drivers."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

from m4sc_app.doctor.check import (
    FAILED,
    OK,
    ROOT,
    SYSTEM_PYTHON,
    WARNING,
    Check,
    ask_interpreter,
    from_checkout,
)
from m4sc_app.doctor.import_failures import import_cure

_MODULE = "module gnuradio.m4sc"


def _needed() -> str:
    """Status of what only the radio needs: who installed the model package alone can do without."""
    return FAILED if from_checkout() else WARNING


def check_interpreter() -> Check:
    """Is this Python, or its virtual environment, made from the one that GNU Radio is built for?"""
    detail = f"Python {platform.python_version()} at {sys.executable}"
    if importlib.util.find_spec("gnuradio") is None and Path(sys.base_prefix) != Path("/usr"):
        return Check(
            "interpreter",
            WARNING,
            f"{detail}, not made from one that has GNU Radio",
            f"Delete .venv and run script/bootstrap; Debian's GNU Radio belongs to {SYSTEM_PYTHON}. With "
            "another one (conda) run `script/bootstrap --no-system --python PATH`.",
        )
    return Check("interpreter", OK, detail)


def check_path_python() -> Check:
    """Is the python3 of PATH, which generated flowgraphs call, one that sees GNU Radio?"""
    name, found = "python3 on PATH", shutil.which("python3")
    if found is None:
        return Check(name, WARNING, "none", f"Call flowgraphs with {SYSTEM_PYTHON}.")
    sees, answer = ask_interpreter(
        Path(found), "import importlib.util as u; print(u.find_spec('gnuradio') is not None)"
    )
    if sees and answer == "True":
        return Check(name, OK, f"{found} sees GNU Radio")
    return Check(
        name,
        WARNING,
        f"{found} is another Python and has no GNU Radio",
        f"Run flowgraphs with `{SYSTEM_PYTHON} FLOWGRAPH.py` or `.venv/bin/python FLOWGRAPH.py`, or put "
        "/usr/bin first on PATH.",
    )


def check_gnuradio() -> Check:
    """Does this interpreter import GNU Radio 3.10?"""
    cure = "Install it with `apt-get install gnuradio` and run script/bootstrap, which makes .venv see it."
    if importlib.util.find_spec("gnuradio") is None:
        return Check("GNU Radio", _needed(), "no module named gnuradio in this interpreter", cure)
    try:
        importlib.import_module("numpy")  # imported by GNU Radio's C++, it would swallow a Ctrl-C
        version = str(importlib.import_module("gnuradio.gr").version())
    except Exception as error:  # a NumPy or ABI mismatch raises almost anything
        detail = f"import gnuradio.gr fails: {error}"
        return Check("GNU Radio", FAILED, detail, import_cure(str(error), cure))
    if not version.lstrip("v").startswith("3.10"):
        return Check(
            "GNU Radio",
            FAILED,
            f"version {version}",
            "Use GNU Radio 3.10; the blocks are made for it (docs/install.md says what 3.11 would need).",
        )
    return Check("GNU Radio", OK, f"version {version}")


def check_module() -> Check:
    """Can this interpreter import gnuradio.m4sc, from where, and of which checkout is it?"""
    python = Path(sys.executable)
    code = "import importlib.util as u; s = u.find_spec('gnuradio.m4sc'); print(s.origin if s else '')"
    found, origin = ask_interpreter(python, code)
    if not found or not origin:
        return _not_found(python, origin)
    imported, answer = ask_interpreter(python, "import gnuradio.m4sc as m; print(m.__file__)", 60.0)
    if not imported:
        return Check(
            _MODULE,
            _needed(),
            f"installed at {origin}, but importing it fails: {answer}",
            import_cure(answer, "Run script/bootstrap, which reinstalls it from this checkout."),
        )
    owner = owner_of(Path(origin).parent)
    if from_checkout() and owner not in (None, ROOT):
        cure = "Run script/bootstrap, which gives this checkout a module of its own."
        return Check(_MODULE, WARNING, f"{Path(origin).parent} is the module of {owner}", cure)
    return Check(_MODULE, OK, f"installed at {Path(origin).parent}")


def owner_of(package: Path) -> Path | None:
    """The checkout that an installed module came from, by the record that CMake wrote; None without one."""
    try:
        record = (package / "_environment.py").read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(r'^SOURCE = "(.*)"$', record, re.MULTILINE)
    return Path(match[1]) if match else None


def check_module_of_all_users() -> Check:
    """Whose module does GNU Radio's own interpreter, and so the companion of the menu, find?"""
    name = "module of all users"
    code = "import importlib.util as u; s = u.find_spec('gnuradio.m4sc'); print(s.origin if s else '')"
    found, origin = ask_interpreter(SYSTEM_PYTHON, code, isolated=True)
    start = "start the companion as `.venv/bin/gnuradio-companion`"
    if not found or not origin:
        return Check(name, OK, f"none; {start}")
    owner = owner_of(Path(origin).parent)
    if from_checkout() and owner not in (None, ROOT):
        cure = f"Nothing need be done: {start}. `script/bootstrap --all-users` puts this checkout's there."
        return Check(name, WARNING, f"{Path(origin).parent} is of {owner}, not of this checkout", cure)
    return Check(name, OK, f"installed at {Path(origin).parent}")


def _not_found(python: Path, said: str) -> Check:
    """The module is not on the path; perhaps it lies below a prefix that Python does not look in."""
    detail = f"{python} does not find it" + (f" ({said})" if said else "")
    for folder in installed_below(search_prefixes()):
        cure = f'Put it on the path: `export PYTHONPATH="{folder}"`, or install into /usr/local as root.'
        return Check(_MODULE, _needed(), f"{detail}; it lies in {folder}", cure)
    cure = (
        "Run script/bootstrap, or `cmake -S . -B build && cmake --install build` as root; with an install "
        "prefix of your own put its site-packages on PYTHONPATH."
    )
    return Check(_MODULE, _needed(), detail, cure)


def search_prefixes() -> list[Path]:
    """Prefixes where a module may lie: the usual ones, and those that GRC_BLOCKS_PATH speaks of."""
    named = [Path(part) for part in os.environ.get("GRC_BLOCKS_PATH", "").split(":") if part]
    prefixes = [folder.parents[3] for folder in named if len(folder.parents) > 3]
    prefixes += [
        Path(sys.prefix) / "gr",
        Path("/usr/local"),
        Path("/opt/gnuradio"),
        Path.home() / ".local",
        Path.home() / "m4sc",
    ]
    if "CONDA_PREFIX" in os.environ:
        prefixes.append(Path(os.environ["CONDA_PREFIX"]))
    return prefixes


def installed_below(prefixes: list[Path]) -> list[Path]:
    """Folders for PYTHONPATH, below the prefixes, that hold gnuradio/m4sc."""
    found = []
    for prefix in prefixes:
        for package in sorted(prefix.glob("lib*/python3*/*-packages/gnuradio/m4sc")):
            found.append(package.parent.parent)
    return found


def check_module_version(installed: Path | None = None) -> Check:
    """Is the installed module the one of this checkout? An old one lacks blocks and parameters.

    Args:
        installed: folder of the installed package; found if not given.
    """
    name, cure = "module version", "Run script/bootstrap, which installs the module of this checkout."
    if installed is None:
        code = "import importlib.util as u; print(u.find_spec('gnuradio.m4sc').origin)"
        found, origin = ask_interpreter(Path(sys.executable), code)
        if not found:
            return Check(name, WARNING, "no installed module to compare", cure)
        installed = Path(origin).parent
    wrong = [
        f.name for f in sorted((ROOT / "python_blocks").glob("*.py")) if not _same(f, installed / f.name)
    ]
    if wrong:
        shown = ", ".join(wrong[:3]) + (" and more" if len(wrong) > 3 else "")
        return Check(name, FAILED, f"{installed} is another version than this checkout: {shown}", cure)
    return Check(name, OK, f"{metadata.version('m4sc')}, as this checkout")


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def grc_block_folders() -> list[Path]:
    """Return the folders in which gnuradio-companion looks for block files, by environment and by default."""
    named = [Path(part) for part in os.environ.get("GRC_BLOCKS_PATH", "").split(":") if part]
    folders = [
        own_block_folder(),
        *named,
        Path("/usr/local/share/gnuradio/grc/blocks"),
        Path("/usr/share/gnuradio/grc/blocks"),
        Path.home() / ".grc_gnuradio",
    ]
    return [folder for folder in folders if folder.is_dir()]


def own_block_folder() -> Path:
    """Where script/bootstrap puts the checkout's block files; `.venv/bin/gnuradio-companion` looks there."""
    return Path(sys.prefix) / "gr" / "share" / "gnuradio" / "grc" / "blocks"


def check_grc_blocks() -> Check:
    """Are the .block.yml files where gnuradio-companion looks, once each and of this version?"""
    name = "GRC blocks"
    folders = [folder for folder in grc_block_folders() if any(folder.glob("m4sc_*.block.yml"))]
    if not folders:
        return Check(
            name,
            _needed(),
            "no m4sc_*.block.yml found",
            "Run script/bootstrap; with an install prefix of your own set GRC_BLOCKS_PATH to its "
            "share/gnuradio/grc/blocks.",
        )
    found = sorted(folders[0].glob("m4sc_*.block.yml"))
    others = [folder for folder in folders if folder != own_block_folder()]
    if len(others) > 1:
        both = " and ".join(str(folder) for folder in others)
        cure = "Remove the older install with `cmake --build build --target uninstall` in its build folder."
        return Check(name, WARNING, f"in two folders, {both}", cure)
    old = [
        f.name for f in sorted((ROOT / "gr-m4sc" / "grc").glob("*.yml")) if not _same(f, folders[0] / f.name)
    ]
    if old:
        return Check(
            name,
            FAILED,
            f"{len(old)} in {folders[0]} are of another version than this checkout: {old[0]}",
            "Run script/bootstrap, and restart the companion.",
        )
    return Check(name, OK, f"{len(found)} in {folders[0]}")


def check_radios() -> Check:
    """Are the drivers of real radios there? They are optional: simulation and files need none."""
    found = [name for name in ("uhd", "soapy") if importlib.util.find_spec("gnuradio") and _has(name)]
    if not found:
        return Check(
            "radio drivers",
            WARNING,
            "neither gnuradio.uhd nor gnuradio.soapy",
            "For hardware install GNU Radio's part for it: on Debian `apt-get install libgnuradio-uhd3.10*`.",
        )
    return Check("radio drivers", OK, ", ".join(f"gnuradio.{name}" for name in found))


def _has(name: str) -> bool:
    return importlib.util.find_spec(f"gnuradio.{name}") is not None
