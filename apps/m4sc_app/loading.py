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


def warm_up(model: Any, encoder: bool) -> Any:
    """The loaded model; with ``encoder`` its picture encoder has run once, else its decoder too."""
    import numpy as np
    from m4sc.message import Message

    system = load_model(model)
    try:
        with patience("warming the model up"):
            encoded = system.encode(Message("image", np.zeros((64, 64, 3), np.uint8)), "classify")
            if not encoder:
                symbols = np.ascontiguousarray(encoded.latents, np.float32).view(np.complex64).ravel()
                system.decode(symbols, np.full(symbols.size, 0.1, np.float32), "classify")
    except ValueError:  # weights without that task
        pass
    return system
