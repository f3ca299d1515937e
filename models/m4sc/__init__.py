"""M4SC: multi-modal, multi-task semantic communication."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from m4sc.system import SemanticSystem

__version__ = "0.1.0"


def load(name_or_path: str = "default") -> SemanticSystem:
    """Load a trained system: see :func:`m4sc.system.load`. PyTorch is imported only here."""
    from m4sc.system import load as load_system

    return load_system(name_or_path)
