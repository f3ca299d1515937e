"""Machine code that was compiled from sources which have changed since."""

from __future__ import annotations

from pathlib import Path

_CACHED = (".nbi", ".nbc")  # Numba's index and code of a function, in __pycache__


def drop_stale(folder: Path) -> int:
    """Remove all compiled code below `folder` if any source there is newer than it; how many files went.

    Numba looks for changes in a function's own file alone, not in those of the functions that it calls: after
    an update half of the receiver would be the old one.
    """
    cached = [path for path in folder.rglob("*") if path.suffix in _CACHED]
    if not cached:
        return 0
    newest = max(path.stat().st_mtime for path in folder.rglob("*.py"))
    if newest < min(path.stat().st_mtime for path in cached):
        return 0
    for path in cached:
        path.unlink(missing_ok=True)
    return len(cached)
