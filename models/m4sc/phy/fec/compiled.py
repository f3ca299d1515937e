"""Numba compilation that also works where nothing can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

_RELAXED = frozenset({"contract", "nsz", "nnan"})  # fused products and sums; maxima without a branch


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`function` compiled at its first call, without the GIL.

    The machine code is kept beside the source, or in the user's cache where that is read-only. Numba raises
    RuntimeError where neither can be written; then each process compiles for itself. Numba looks for
    changes in the function's own file alone: after one in a function that it calls, run
    ``python -m m4sc.phy.warm_up``.
    """
    return _compile(function, **options)


def vectorized(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """As :func:`compiled`, for loops whose result need not be the same to the bit on another processor."""
    return _compile(function, fastmath=set(_RELAXED), **options)


def reordered(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """As :func:`vectorized`, where sums may be taken in any order as well."""
    return _compile(function, fastmath=set(_RELAXED | {"reassoc"}), **options)


def borrowing(kind: Callable[..., Any]) -> Callable[..., Any]:
    """One of the three above, for a function that neither makes arrays nor returns any: it borrows those of
    its caller and counts no references, of which each costs as much as dozens of sums. Nor may it call a
    function that does: what is compiled for it is kept without counting, too.
    """

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        return kind(function, _nrt=False)

    return decorated


def _compile(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    try:
        return njit(cache=True, nogil=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return njit(nogil=True, **options)(function)  # type: ignore[no-any-return]
