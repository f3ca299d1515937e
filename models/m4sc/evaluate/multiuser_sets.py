"""Sessions of several users: one picture with different tasks, pictures of one room, unrelated ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.data import caption_questions, cifar10, daquar, flickr8k, mosaic
from m4sc.data.example import Example, ImageFile, require
from m4sc.evaluate.multiuser import Session

SETS = ("questions", "tasks", "crowd", "crops", "cutouts", "rooms", "unrelated")
CROP = 0.92  # of a side


@dataclass(frozen=True)
class View:
    """A picture of a scene: number of the view, and its file."""

    scene: str
    view: int
    path: Path


def sessions(
    name: str,
    data_dir: Path,
    n: int,
    snrs_db: Sequence[float],
    *,
    split: str = "test",
    seed: int = 0,
    side: float = CROP,
) -> list[Session]:
    """Up to `n` sessions of as many users as there are SNRs; a user's SNR turns from session to session.

    "questions": questions of different kinds about one mosaic; "crops": the same, and each user
    has a crop of its own of the mosaic; "tasks": a caption, a name and questions
    about one photograph; "crowd": the same for any number of users, who ask in turn; "cutouts": a question
    about a photograph to each user of a crop of it;
    "rooms": a question about each of consecutive DAQUAR pictures; "unrelated": one about each of different
    photographs.

    Args:
        name: of `SETS`.
        data_dir: folder of the data sets.
        n, snrs_db, seed: as said.
        split: "test", or "train" to choose by.
        side: of a crop, over the picture's own, 0 to 1.

    Raises:
        ValueError: no such set.
    """
    users = len(snrs_db)
    if name in ("questions", "crops"):
        pictures = cifar10.load_cifar10(data_dir, split)
        made = mosaic.mosaic_examples(pictures, n, seed=seed)
        groups = [_take(group, users) for group in _by_picture(made)]
        if name == "crops":
            groups = [cropped(group, side) for group in groups]
    elif name in ("tasks", "crowd"):
        captions = flickr8k.caption_examples(data_dir, "dev" if split == "test" else "train", seed=seed)
        asked = {e.media_id: list[Example]() for e in captions}
        for example in caption_questions.picture_questions(captions, seed=seed):
            asked[example.media_id].append(example)
        groups = [[e, _named(e), *asked[e.media_id]] for e in captions]
        if name == "crowd":
            groups = [_take(group, users) for group in groups]
        groups = [group[:users] for group in groups]
    elif name == "cutouts":
        captions = flickr8k.caption_examples(data_dir, "dev" if split == "test" else "train", seed=seed)
        asked_of = _by_picture(caption_questions.picture_questions(captions, seed=seed))
        groups = [cropped(_take(group, users), side) for group in asked_of]
    elif name == "rooms":
        groups = _runs(daquar.vqa_examples(data_dir, split), users, n, seed)
    elif name == "unrelated":
        captions = flickr8k.caption_examples(data_dir, "dev" if split == "test" else "train", seed=seed)
        asked_of = _by_picture(caption_questions.picture_questions(captions, seed=seed))
        groups = [[one[0] for one in asked_of[k::n]][:users] for k in range(n)]
    else:
        raise ValueError(f"set '{name}' is none of {', '.join(SETS)}")
    groups = [group for group in groups if len(group) == users][:n]
    return [Session(tuple(group), tuple(np.roll(snrs_db, k).tolist())) for k, group in enumerate(groups)]


def scene_views(data_dir: Path) -> dict[str, list[View]]:
    """Pictures of each scene in order of the views."""
    folder = require(Path(data_dir) / "scene_views", "the scenes")
    found: dict[str, list[View]] = {}
    for entry in json.loads((folder / "scenes.json").read_text(encoding="utf-8")):
        view = View(entry["scene"], int(entry["view"]), folder / "images" / entry["image"])
        found.setdefault(view.scene, []).append(view)
    return {scene: sorted(views, key=lambda view: view.view) for scene, views in found.items()}


def view_session(views: Sequence[View], snrs_db: Sequence[float]) -> Session:
    """Users of views of one scene; nobody knows right answers."""
    examples = [
        Example(
            id=f"{view.scene}-{view.view}",
            modality="image",
            task="vqa",
            instruction="What is in the picture?",
            answers=("",),
            kind="scene",
            source=ImageFile(view.path),
            media_id=f"{view.scene}-{view.view}",
        )
        for view in views
    ]
    return Session(tuple(examples), tuple(snrs_db))


def _by_picture(examples: Sequence[Example]) -> list[list[Example]]:
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.media_id, []).append(example)
    return list(groups.values())


def _take(group: list[Example], users: int) -> list[Example]:
    """Questions of one picture; where there are fewer kinds than users some are asked again."""
    return [group[k % len(group)] for k in range(users)]


@dataclass(frozen=True)
class _Crop:
    """Loads a part of a picture: `side` of each side, from a corner between top left and bottom right."""

    whole: Callable[[], Any]
    side: float
    right: float
    down: float

    def __call__(self) -> np.ndarray:
        """Return the part, uint8 (h, w, 3)."""
        picture = np.asarray(self.whole())
        height, width = (round(self.side * whole) for whole in picture.shape[:2])
        top = round(self.down * (picture.shape[0] - height))
        left = round(self.right * (picture.shape[1] - width))
        return picture[top : top + height, left : left + width]


def cropped(group: Sequence[Example], side: float) -> list[Example]:
    """To each user a crop of its own, at the edge and as far apart as they can be.

    group: an example of each user; side: of a crop, over the picture's own, 0 to 1.
    """
    found = []
    for user, example in enumerate(group):
        angle = 2 * np.pi * user / len(group)
        crop = _Crop(example.load, side, 0.5 + 0.5 * np.cos(angle), 0.5 + 0.5 * np.sin(angle))
        found.append(replace(example, source=crop, media_id=f"{example.media_id}-crop{user}"))
    return found


def _named(example: Example) -> Example:
    """The same photograph, to be named; no data set has its name."""
    return replace(example, id=f"{example.id}-name", task="classify", instruction="", answers=("",))


def _runs(asked: Sequence[Example], users: int, n: int, seed: int) -> list[list[Example]]:
    """`n` times a question, drawn, about each of `users` consecutive pictures.

    A picture is of one run; where there are fewer runs than `n` they come again with other questions.
    """
    rng = np.random.default_rng(seed)
    by_number: dict[int, list[Example]] = {}
    for example in asked:
        number = re.search(r"(\d+)$", example.media_id)
        if number:
            by_number.setdefault(int(number[1]), []).append(example)
    runs, run = list[list[int]](), list[int]()
    for picture in sorted(by_number):
        run = [*run, picture] if run and picture == run[-1] + 1 else [picture]
        if len(run) == users:
            runs.append(run)
            run = []
    if not runs:
        return []
    order = [rng.permutation(len(by_number[picture])) for picture in sorted(by_number)]
    shuffled = dict(zip(sorted(by_number), order, strict=True))
    groups = []
    for k in range(n):
        turn, which = divmod(k, len(runs))
        if all(turn < len(by_number[picture]) for picture in runs[which]):
            groups.append([by_number[picture][int(shuffled[picture][turn])] for picture in runs[which]])
    return groups
