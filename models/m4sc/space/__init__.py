"""The shared semantic space: every modality as a unit vector beside the sentences that say the same."""

from __future__ import annotations

from m4sc.space.system import SpaceAnswer, SpaceSystem

__all__ = ["SpaceAnswer", "SpaceSystem"]
