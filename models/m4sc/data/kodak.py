"""Kodak's 24 colour photographs, which pictures' codecs are compared on; never for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m4sc.data.example import ImageFile, require


def load_kodak(data_dir: Path) -> list[tuple[str, np.ndarray]]:
    """Names and pictures, uint8 (512, 768, 3) or (768, 512, 3), of those in `data_dir`/kodak.

    Raises:
        FileNotFoundError: no such folder, or no picture in it.
    """
    folder = require(Path(data_dir) / "kodak", "Kodak's pictures")
    files = sorted(folder.glob("kodim*.png"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no picture kodim*.png")
    return [(file.stem, ImageFile(file)()) for file in files]
