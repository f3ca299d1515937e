"""The machine under it all: system, and the NumPy that GNU Radio is built for."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path

from m4sc_app.doctor.check import FAILED, OK, SYSTEM_PYTHON, WARNING, Check, ask_interpreter

TESTED = {("debian", "12"), ("debian", "13")}
"""Systems by ID and VERSION_ID of /etc/os-release that `script/test-systems` runs."""
PYTHONS = ((3, 11), (3, 14))
"""Oldest and newest Python that script/locks has."""


def check_system() -> Check:
    """Which system and Python is this, and do the tests run on it?"""
    name = "system"
    try:
        found = platform.freedesktop_os_release()
    except OSError:
        found = {}
    title = found.get("PRETTY_NAME", platform.system())
    detail = f"{title}, {platform.machine()}, Python {platform.python_version()}"
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        cure = "Use a GNU Radio whose Python is 3.11 to 3.14: Debian 12 or 13, Ubuntu 24.04, or conda."
        return Check(name, FAILED, detail, cure)
    if (found.get("ID"), found.get("VERSION_ID")) not in TESTED:
        cure = "Nothing need be done if the rest is well; the tests run on Debian 12 and 13 only."
        return Check(name, WARNING, f"{detail}; not one that the tests run on", cure)
    return Check(name, OK, detail)


def numpy_cure(version: str) -> str:
    """How the environment gets the NumPy of GNU Radio. version: what GNU Radio's own Python has."""
    major = version.split(".")[0]
    wanted = "'numpy<2'" if major == "1" else f"'numpy>={major}'"
    return (
        f"Run script/bootstrap, or in an environment of your own `{sys.executable} -m pip install {wanted}`."
    )


def check_numpy() -> Check:
    """Is NumPy of the major version that GNU Radio's compiled modules are built for?

    The interpreter that GNU Radio was installed for knows: its own NumPy is the one of the build.
    """
    name = "NumPy"
    try:
        version = metadata.version("numpy")
    except metadata.PackageNotFoundError:
        return Check(name, FAILED, "not installed", "Run script/bootstrap.")
    known, built = ask_interpreter(
        base_interpreter(), "import numpy; print(numpy.__version__)", isolated=True
    )
    if not known:
        return Check(name, OK, f"version {version}; {base_interpreter()} has none to compare with")
    if version.split(".")[0] != built.split(".")[0]:
        detail = f"version {version}; GNU Radio here is built for NumPy {built.split('.')[0]} ({built})"
        return Check(name, FAILED, detail, numpy_cure(built))
    return Check(name, OK, f"version {version}, as GNU Radio needs it ({built})")


def base_interpreter() -> Path:
    """The interpreter that this environment is made from; Debian's GNU Radio belongs to /usr/bin/python3."""
    base = Path(getattr(sys, "_base_executable", "") or sys.executable)
    return base if base.exists() else SYSTEM_PYTHON


def check_system_numpy() -> Check:
    """Does a `pip install --user` hide the NumPy that GNU Radio is built for behind another major version?"""
    name, python = "NumPy of GNU Radio's Python", base_interpreter()
    code = "import numpy; print(numpy.__version__, numpy.__file__)"
    found, answer = ask_interpreter(python, code)
    if not found:
        cure = "Install it with `apt-get install python3-numpy`; only flowgraphs run by that Python need it."
        return Check(name, WARNING, f"{python}: {answer}", cure)
    version, _, place = answer.partition(" ")
    own, first = ask_interpreter(python, code, isolated=True)
    if own and first.split(".")[0] != version.split(".")[0]:
        cure = f"Run `{python} -m pip uninstall --break-system-packages numpy`; the system's then shows."
        detail = f"version {version} at {place} hides {first.split(' ')[0]}, which GNU Radio is built for"
        return Check(name, FAILED, detail, cure)
    return Check(name, OK, f"version {version}")
