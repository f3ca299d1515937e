"""Wordings of each task's instruction, from `m4sc.tasks`: those that training may use, and those held out."""

from __future__ import annotations

import numpy as np

from m4sc.tasks import get_task


def wordings_of(task: str, wording: str = "seen") -> tuple[str, ...]:
    """Return the instructions of `task`; `wording` is "seen" or "heldout".

    Raises:
        ValueError: unknown task or kind of wording.
    """
    if wording not in ("seen", "heldout"):
        raise ValueError(f"wording {wording!r} is neither 'seen' nor 'heldout'")
    entry = get_task(task)
    return entry.instructions if wording == "seen" else entry.held_out


def pick(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    """Draw one of `choices`."""
    return choices[int(rng.integers(len(choices)))]
