"""Find the model behind a block: an object as it is, or a name loaded once for all blocks."""

from __future__ import annotations

import threading
from typing import Any

SYSTEMS = ("semantic", "classical")

_lock = threading.Lock()
_loaded: dict[str, Any] = {}


def check_system(system: str) -> None:
    """Raise ValueError unless ``system`` is one of :data:`SYSTEMS`."""
    if system not in SYSTEMS:
        raise ValueError(f"system is '{system}'; use {' or '.join(repr(name) for name in SYSTEMS)}")


def find_system(model: Any) -> Any:
    """The semantic system.

    Args:
        model: an object with ``encode``, ``decode`` and ``fingerprint``, or a name or folder for
            ``m4sc.load``.

    Raises:
        ValueError: the name cannot be loaded, or the object has not these methods.
    """
    if not isinstance(model, str):
        missing = [name for name in ("encode", "decode", "fingerprint") if not hasattr(model, name)]
        if missing:
            raise ValueError(f"the model lacks {', '.join(missing)}; give a SemanticSystem or a name")
        return model
    with _lock:  # encoder and decoder of one process share one copy
        if model not in _loaded:
            import m4sc

            system = m4sc.load(model)
            system.prepare()  # while the flowgraph is built, not while it runs
            _loaded[model] = system
        return _loaded[model]


def fingerprint_of(system: Any) -> int:
    """The 32-bit fingerprint of a system."""
    value = system.fingerprint
    return int(value() if callable(value) else value) & 0xFFFFFFFF
