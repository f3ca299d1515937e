"""Versions of what produced a report."""

from __future__ import annotations

import importlib.metadata
import platform

_PACKAGES = ("numpy", "torch", "transformers", "peft", "scipy", "numba", "Pillow", "av", "scikit-image")


def own_version() -> str:
    """Version of m4sc as installed, "0+unknown" when run from a bare source tree."""
    try:
        return importlib.metadata.version("m4sc")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"


def versions() -> dict[str, str]:
    """Name -> version of everything that a figure may depend on."""
    found = {"m4sc": own_version(), "Python": platform.python_version()}
    found["GNU Radio"] = _gnuradio_version()
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    found["machine"] = f"{platform.system()} {platform.machine()}"
    return found


def _gnuradio_version() -> str:
    try:
        from gnuradio import gr
    except ImportError:
        return "not installed"
    return str(gr.version())
