"""The usual reasons why GNU Radio or the module cannot be imported, each with its cure."""

from __future__ import annotations

import re

_NUMPY = "GNU Radio here is built for another NumPy: run script/bootstrap, which installs the one that fits."
_CURES = (
    (
        r"cannot open shared object file|undefined symbol|symbol lookup error",
        "A library is missing or of another version: run `sudo ldconfig`; with a prefix of your own put its "
        "lib folder on LD_LIBRARY_PATH; if two versions of GNU Radio are installed, remove one.",
    ),
    (r"_ARRAY_API|multiarray failed to import|numpy\.core\.umath|compiled using NumPy 1", _NUMPY),
    (
        r"torchvision::nms|torchvision",
        "torchvision is of another PyTorch: run `.venv/bin/pip uninstall torchvision torchaudio`.",
    ),
    (
        r"No module named '?gnuradio'?$",
        "This Python is not the one of GNU Radio: use /usr/bin/python3 or .venv/bin/python, "
        "or install GNU Radio with `apt-get install gnuradio`.",
    ),
    (
        r"No module named '?gnuradio\.m4sc'?|cannot import name 'm4sc'",
        "The module is not in a folder that Python looks in: run script/bootstrap, or put the prefix's "
        "site-packages on PYTHONPATH.",
    ),
    (
        r"cannot import name|has no attribute|unexpected keyword",
        "Parts of different versions are mixed: run script/bootstrap, which installs this checkout's module.",
    ),
    (r"No module named", "A Python package is missing: run script/bootstrap."),
)


def import_cure(message: str, otherwise: str) -> str:
    """The cure for an import that failed.

    Args:
        message: last line of the traceback.
        otherwise: the cure when the message is none of the usual ones.
    """
    for pattern, cure in _CURES:
        if re.search(pattern, message):
            return cure
    return otherwise
