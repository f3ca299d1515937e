"""Random crops and mirrored copies of the pictures of a small data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from m4sc.data.example import Data, Example

_SMALLEST_SIDE = 0.75


@dataclass(frozen=True)
class CroppedCopy:
    """Loads a picture and crops it; the same crop at every call. mirror: left and right change places."""

    source: Data | Callable[[], Data]
    seed: int
    mirror: bool

    def __call__(self) -> np.ndarray:
        """Return uint8 (h, w, 3), at least three quarters of each side of the picture."""
        picture = np.asarray(self.source() if callable(self.source) else self.source)
        rng = np.random.default_rng(self.seed)
        (top, height), (left, width) = (_cut(side, rng) for side in picture.shape[:2])
        crop = picture[top : top + height, left : left + width]
        return np.ascontiguousarray(crop[:, ::-1] if self.mirror else crop)


def _cut(side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Start and length of a random part of a side."""
    length = max(1, round(side * rng.uniform(_SMALLEST_SIDE, 1.0)))
    return int(rng.integers(side - length + 1)), length


def cropped_copies(examples: Sequence[Example], copies: int, *, seed: int = 0) -> list[Example]:
    """`copies` further examples of each picture. Mirrored unless an answer speaks of left or right."""
    rng = np.random.default_rng(seed)
    found = []
    for example in examples:
        for copy in range(copies):
            source = CroppedCopy(
                example.source, int(rng.integers(2**31)), not _sided(example.answers) and rng.random() < 0.5
            )
            found.append(_copy(example, copy, seed, source))
    return found


def asked_copies(examples: Sequence[Example], copies: int, *, seed: int = 0) -> list[Example]:
    """As `cropped_copies`, for several questions about a picture: all see the same crop."""
    rng = np.random.default_rng(seed)
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.media_id, []).append(example)
    found = []
    for group in groups.values():
        sided = _sided([text for e in group for text in (e.instruction, *e.answers)])
        for copy in range(copies):
            source = CroppedCopy(group[0].source, int(rng.integers(2**31)), rng.random() < 0.5 and not sided)
            found += [_copy(example, copy, seed, source) for example in group]
    return found


def _sided(texts: Sequence[str]) -> bool:
    return any(word in text.lower() for text in texts for word in ("left", "right"))


def _copy(example: Example, copy: int, seed: int, source: CroppedCopy) -> Example:
    name = f"copy{copy}-"
    media_id = f"{name}{seed}-{example.media_id}"
    return replace(example, id=name + example.id, media_id=media_id, source=source)
