"""The model behind a command: loaded once, and warm where answers must come quickly."""

from __future__ import annotations

from typing import Any

from m4sc_app.patience import patience


def load_model(model: Any) -> Any:
    """The semantic system of a name or folder; an object is passed on as it is."""
    if not isinstance(model, str):
        return model
    with patience("loading the model"):
        import m4sc

        return m4sc.load(model)


def prepare(model: Any, task: str | None) -> Any:
    """The loaded model with everything that messages of a task wait for; None: whatever comes.

    Raises:
        UnknownTaskError, ValueError: no such task, or weights that have none.
    """
    system = load_model(model)
    if hasattr(system, "prepare"):
        with patience("loading what the task needs"):
            system.prepare(task)
    return system


def warm_up(model: Any) -> Any:
    """The loaded model, all of it; it has sent a picture to itself and answered once."""
    import numpy as np
    from m4sc.message import Message

    system = prepare(model, None)
    try:
        with patience("warming the model up"):
            encoded = system.encode(Message("image", np.zeros((64, 64, 3), np.uint8)), "classify")
            symbols = np.ascontiguousarray(encoded.latents, np.float32).view(np.complex64).ravel()
            system.decode(symbols, np.full(symbols.size, 0.1, np.float32), "classify")
    except ValueError:  # weights without that task
        pass
    return system
