"""Picture reconstruction: analog transmission on the Karhunen-Loeve transform, refined by a network."""

from __future__ import annotations

from m4sc.coding.reconstruction.config import ReconstructionConfig

__all__ = ["ReconstructionConfig"]
