"""What the judge of statements learns from: photographs with what their captions say, and small pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from m4sc.data.caption_facts import FORMS, KINDS
from m4sc.data.cifar10 import load_cifar10
from m4sc.encoders.object_detector import THINGS
from m4sc.questions.facts import Told, tell
from m4sc.questions.statements import Asked, thing_statement
from m4sc.questions.vocabulary import CIFAR_THINGS, DETECTED, all_things, things_of
from m4sc.space.material import Photographs, photographs
from m4sc.space.naming import thing_scores
from m4sc.space.picture_features import LOOKED_AT, PictureFeatures, class_sentences
from m4sc.space.sentence_encoder import SentenceEncoder

ABSENT, UNKNOWN, TRUE, CERTAIN = 0, 1, 2, 3
_PART = 256
_SURE, _MAY_BE = 0.45, 0.12  # scores of the detector
_SMALL_COPIES = 2048  # of CIFAR-10's training pictures


@dataclass(frozen=True)
class Choices:
    """Open questions of one kind on photographs.

    Attributes:
        picture: int64 (q,): rows of the photographs.
        statements: int64 (q, m): rows of the table of statements.
        right: int64 (q,): which of the m fits.
    """

    picture: Tensor
    statements: Tensor
    right: Tensor

    def of(self, rows: Tensor) -> Choices:
        """Those on some photographs, bool (n,)."""
        kept = rows[self.picture]
        return Choices(self.picture[kept], self.statements[kept], self.right[kept])


@dataclass(frozen=True)
class Material:
    """Everything that is learned from.

    Attributes:
        views: float16 (v, n, in_dim) features of the photographs, as they are and of altered copies.
        scores: float16 (v, n, 1000) of the backbone's own classes.
        captions: float (n, 5, 384) their points.
        table: float (s, 384) points of short statements.
        statements: those statements.
        fits: int8 (n, s): `ABSENT`, `UNKNOWN`, `TRUE`, or `CERTAIN` of things that two captions name.
        choices: open questions by kind.
        small, small_scores, small_right: CIFAR-10's pictures: features, class scores, and which statement of
            `everything` fits each; empty where the set is missing.
        everything: int64 (t,): the statements on all things.
    """

    views: Tensor
    scores: Tensor
    captions: Tensor
    table: Tensor
    statements: tuple[str, ...]
    fits: Tensor
    choices: dict[str, list[Choices]]
    small: Tensor
    small_scores: Tensor
    small_right: Tensor
    everything: Tensor

    def __len__(self) -> int:
        return self.views.shape[1]


def load_material(
    data: Path, split: str, cache: Path, say: Callable[[str], None] = lambda text: None, things: bool = False
) -> Material:
    """Photographs of Flickr8k's split ("train", "dev"), with altered copies and CIFAR-10's of "train".

    things: the detector's features too.

    Raises:
        FileNotFoundError: a data set is missing.
    """
    photos = photographs(data, split, cache, copies=split == "train", say=say, things=things)
    head = PictureFeatures(things=things)
    scores = torch.stack([head.class_scores(view.float()).half() for view in photos.views])
    told = tell(photos.captions)
    statements = _statements(told)
    table = SentenceEncoder()(statements, cache)
    place = {statement: row for row, statement in enumerate(statements)}
    everything = torch.tensor([place[thing_statement(name)] for name in things_of(None)])
    fits = _fits(told, statements, place)
    if things and split == "train":
        _see(fits, everything[kind_things(things_of(None))], thing_scores(photos.views[0].float()))
    small, small_right = _small_pictures(data, head, cache, say) if split == "train" else _nothing(head)
    return Material(
        photos.views,
        scores,
        photos.points,
        table,
        tuple(statements),
        fits,
        _choices(told, place),
        small,
        head.class_scores(small.float()).half(),
        small_right,
        everything,
    )


def _nothing(head: PictureFeatures) -> tuple[Tensor, Tensor]:
    return torch.zeros(0, head.dim, dtype=torch.float16), torch.zeros(0, dtype=torch.long)


def _statements(told: Sequence[Told]) -> list[str]:
    """Every short statement, each once."""
    own = {statement for one in told for statement in one.true}
    own |= {statement for one in told for asked, _ in one.choices for statement in asked.statements}
    own |= {thing_statement(thing.name) for thing in all_things()}
    return sorted(own)


def _fits(told: Sequence[Told], statements: Sequence[str], place: dict[str, int]) -> Tensor:
    """What the captions say of each statement; what they only hint at is unknown."""
    last = [_root(statement.strip(".").lower().split()[-1]) for statement in statements]
    by_root: dict[str, list[int]] = {}
    by_kind: dict[str, list[int]] = {}
    for row, root in enumerate(last):
        by_root.setdefault(root, []).append(row)
        if root in KINDS:
            by_kind.setdefault(KINDS[root], []).append(row)
    found = torch.zeros(len(told), len(statements), dtype=torch.int8)
    for row, one in enumerate(told):
        for root in {_root(word) for word in one.words}:
            found[row, by_root.get(root, [])] = UNKNOWN
        for kind in one.vague:
            found[row, by_kind.get(kind, [])] = UNKNOWN
        found[row, [place[statement] for statement in one.true]] = TRUE
        found[row, [place[statement] for statement in one.certain]] = CERTAIN
    return found


def _see(fits: Tensor, statements: Tensor, scores: Tensor) -> None:
    """What the detector surely sees is there too, and what it may see is not absent.

    Captions leave most things out: of a cup on the table nobody writes.

    Args:
        fits: int8 (n, s), changed in place.
        statements: int64 (80,): of each of the detector's kinds.
        scores: float (n, 80), its scores.
    """
    told = fits[:, statements]
    seen = torch.where((scores >= _MAY_BE) & (told == ABSENT), UNKNOWN, told)
    fits[:, statements] = torch.where((scores >= _SURE) & (told < TRUE), TRUE, seen).to(fits.dtype)


def _root(word: str) -> str:
    return FORMS.get(word, word.removesuffix("s"))


def _choices(told: Sequence[Told], place: dict[str, int]) -> dict[str, list[Choices]]:
    """By kind, one entry for each number of statements, so that a batch is a matrix."""
    groups: dict[tuple[str, int], list[tuple[int, Asked, int]]] = {}
    for row, one in enumerate(told):
        for asked, right in one.choices:
            groups.setdefault((asked.kind, len(asked.statements)), []).append((row, asked, right))
    found: dict[str, list[Choices]] = {}
    for (kind, _), members in groups.items():
        found.setdefault(kind, []).append(
            Choices(
                torch.tensor([row for row, _, _ in members]),
                torch.tensor([[place[s] for s in asked.statements] for _, asked, _ in members]),
                torch.tensor([right for _, _, right in members]),
            )
        )
    return found


def _small_pictures(
    data: Path, head: PictureFeatures, cache: Path, say: Callable[[str], None]
) -> tuple[Tensor, Tensor]:
    """Features of CIFAR-10's training pictures, and which thing each shows."""
    pictures = load_cifar10(data, "train")
    parts = []
    for start in range(0, min(_SMALL_COPIES, len(pictures.images)), _PART):
        path = cache / f"small-{LOOKED_AT}-{head.dim}-{start}.npy"
        if not path.exists():
            found = head(list(pictures.images[start : start + _PART])).half().numpy()
            scratch = path.with_suffix(".tmp.npy")
            np.save(scratch, found)
            scratch.replace(path)
            say(f"{start + len(found)} small pictures")
        parts.append(torch.from_numpy(np.load(path)))
    names = things_of(None)
    right = torch.tensor([names.index(CIFAR_THINGS.get(name, name)) for name in pictures.names])
    small = torch.cat(parts)
    return small, right[torch.from_numpy(pictures.labels[: len(small)]).long()]


def class_members(things: Sequence[str]) -> Tensor:
    """Which of ImageNet's 1,000 classes each thing covers, bool (1000, things)."""
    known = {thing.name: thing.classes for thing in all_things()}
    found = torch.zeros(1000, len(things), dtype=torch.bool)
    for column, name in enumerate(things):
        found[list(known[name]), column] = True
    return found


def kind_things(things: Sequence[str]) -> Tensor:
    """Which of the things each of the detector's kinds is, int64 (80,)."""
    return torch.tensor([things.index(DETECTED.get(name, name)) for name in THINGS])


def everyday_points(classes: Tensor, cache: Path) -> Tensor:
    """Points of ImageNet's classes drawn halfway to the everyday words that cover them, float (1000, 384).

    A ram is a sheep to whoever asks.
    """
    names = things_of(None)
    words = SentenceEncoder()([thing_statement(name) for name in names], cache)
    members = class_members(names).float()
    covering = members @ words / members.sum(1, keepdim=True).clamp_min(1)
    return torch.nn.functional.normalize(classes + covering, dim=-1)


def class_points(cache: Path) -> Tensor:
    """Points of the sentences that name ImageNet's classes, float (1000, 384)."""
    return SentenceEncoder()(class_sentences(), cache)


def rows_of(photos: Photographs | Material, rows: Tensor) -> Tensor:
    """Rows as a mask, bool (n,)."""
    mask = torch.zeros(len(photos), dtype=torch.bool)
    mask[rows] = True
    return mask
