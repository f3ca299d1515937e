"""Every set of sounds that is at hand, as one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from m4sc.data import esc50, urbansound
from m4sc.data.example import Example


def sound_sets(data_dir: Path, split: str, *, wording: str = "seen", seed: int = 0) -> list[Example]:
    """Sounds of one split of ESC-50, of the rest of ESC-10 and of UrbanSound8K, as far as they are there.

    Raises:
        FileNotFoundError: none of them is.
    """
    readers: tuple[Callable[[], list[Example]], ...] = (
        lambda: esc50.sound_examples(data_dir, split, wording=wording, seed=seed),
        lambda: esc50.sound_examples(data_dir, split, rest=True, wording=wording, seed=seed),
        lambda: urbansound.sound_examples(data_dir, split, wording=wording, seed=seed),
    )
    found: list[Example] = []
    missing: FileNotFoundError | None = None
    for reader in readers:
        try:
            found += reader()
        except FileNotFoundError as error:
            missing = missing or error
    if not found and missing is not None:
        raise missing
    return found
