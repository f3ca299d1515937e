"""Numba compilation that also works where nothing can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled at its first call, without the GIL.

    The machine code is kept beside the source, or in the user's cache where that is read-only. Numba raises
    RuntimeError where neither can be written; then each process compiles for itself.
    """
    try:
        return njit(cache=True, nogil=True)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return njit(nogil=True)(function)  # type: ignore[no-any-return]
