"""A few messages of a point with what came of them, for people to look at."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from m4sc.data.example import Example
from m4sc.evaluate.systems import Delivery

SAMPLES = 3
_SIDE = 128  # of a picture at most
_CHARACTERS = 400


def samples_of(examples: Sequence[Example], sent: Sequence[Delivery]) -> list[dict[str, Any]]:
    """The first examples about different messages: what was asked, wanted and said; pictures as PNG."""
    found: dict[str, dict[str, Any]] = {}
    for example, delivery in zip(examples, sent, strict=True):
        if example.media_id in found:
            continue
        said, loaded = delivery.said, example.load() if example.modality == "image" else None
        found[example.media_id] = {
            "id": example.id,
            "asked": example.instruction[:_CHARACTERS],
            "wanted": (example.answers[0] if example.answers else "")[:_CHARACTERS],
            "said": "(lost)" if said is None else "" if isinstance(said, np.ndarray) else said[:_CHARACTERS],
            "message": _png(loaded) if isinstance(loaded, np.ndarray) and loaded.ndim == 3 else None,
            "received": _png(said) if isinstance(said, np.ndarray) else None,
        }
        if len(found) == SAMPLES:
            break
    return list(found.values())


def _png(picture: np.ndarray) -> bytes:
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((_SIDE, _SIDE))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
