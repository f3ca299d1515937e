"""A part of a picture."""

from __future__ import annotations

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of width and height."""
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
