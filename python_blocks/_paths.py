"""Make package m4sc importable for whichever interpreter runs the flowgraph."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def find_environment() -> tuple[str, ...]:
    """Append the recorded environment to the end of ``sys.path`` where package m4sc is missing.

    At the end, so that the NumPy that GNU Radio was built with stays first.

    Returns:
        The folders appended, empty when nothing was needed.
    """
    if importlib.util.find_spec("m4sc") is not None:
        return ()
    try:
        from ._environment import PATHS
    except ImportError:
        return ()
    added = tuple(path for path in PATHS if path and path not in sys.path and Path(path).is_dir())
    sys.path.extend(added)
    return added
