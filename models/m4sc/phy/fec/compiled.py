"""Numba compilation that also works where nothing can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

_RELAXED = frozenset({"contract", "nsz", "nnan"})  # fused products and sums; maxima without a branch


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled at its first call, without the GIL.

    The machine code is kept beside the source, or in the user's cache where that is read-only. Numba raises
    RuntimeError where neither can be written; then each process compiles for itself. Numba looks for
    changes in the function's own file alone: after one in a function that it calls, run
    ``python -m m4sc.phy.warm_up``.
    """
    return _compile(function)


def vectorized(function: Callable[..., Any]) -> Callable[..., Any]:
    """As :func:`compiled`, for loops whose result need not be the same to the bit on another processor."""
    return _compile(function, fastmath=set(_RELAXED))


def reordered(function: Callable[..., Any]) -> Callable[..., Any]:
    """As :func:`vectorized`, where sums may be taken in any order as well."""
    return _compile(function, fastmath=set(_RELAXED | {"reassoc"}))


def _compile(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    try:
        return njit(cache=True, nogil=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return njit(nogil=True, **options)(function)  # type: ignore[no-any-return]
