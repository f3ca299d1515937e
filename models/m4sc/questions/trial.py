"""Questions on photographs with captions, balanced so that no question alone tells its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from m4sc.questions.material import ABSENT, CERTAIN, TRUE, Material, rows_of
from m4sc.questions.statements import thing_statement
from m4sc.questions.vocabulary import things_of

CLOSED = ("existence", "phrase", "sentence")
OPEN = ("colour", "count", "where", "doing", "which")
TRIAL_KINDS = (*CLOSED, *OPEN)
_MOST_EACH = 20  # yes and no of one statement
_NEAR = (5, 40)  # ranks of the photographs whose captions are near misses


@dataclass(frozen=True)
class Questions:
    """Questions of one kind with as many statements each.

    Attributes:
        kind: of `TRIAL_KINDS`: "existence" of everyday things, "phrase" of what captions name otherwise.
        picture: int64 (q,): rows of the material's photographs.
        statements: float (q, m, 384): points of what is judged.
        right: int64 (q,): which statement fits; 1 for yes and 0 for no where there is one alone.
        rows: int64 (q, m): rows of the material's table; empty of sentences.
    """

    kind: str
    picture: Tensor
    statements: Tensor
    right: Tensor
    rows: Tensor


def questions_on(kind: str, material: Material, rows: Tensor, seed: int) -> list[Questions]:
    """Questions of a kind on some photographs, int64 (r,)."""
    generator = torch.Generator().manual_seed(seed)
    if kind in ("existence", "phrase"):
        return [_balanced(kind, material, rows, generator)]
    if kind == "sentence":
        return [_sentences(material, rows, generator)]
    mask = rows_of(material, rows)
    found = []
    for group in material.choices.get(kind, []):
        one = group.of(mask)
        if len(one.right):
            kept = _capped(one.right, generator)
            table = material.table[one.statements[kept]]
            found.append(Questions(kind, one.picture[kept], table, one.right[kept], one.statements[kept]))
    return found


def _capped(right: Tensor, generator: torch.Generator) -> Tensor:
    """Places of the answers, with none oftener than the second most common."""
    often = torch.bincount(right).sort(descending=True).values
    most = int(often[1]) if len(often) > 1 and often[1] else int(often[0])
    order = torch.randperm(len(right), generator=generator)
    seen: dict[int, int] = {}
    kept = []
    for n in order.tolist():
        answer = int(right[n])
        seen[answer] = seen.get(answer, 0) + 1
        if seen[answer] <= most:
            kept.append(n)
    return torch.tensor(sorted(kept))


def _balanced(kind: str, material: Material, rows: Tensor, generator: torch.Generator) -> Questions:
    """Each statement as often of photographs that it fits as of such that it does not."""
    things = {thing_statement(name) for name in things_of(None)}
    picture: list[int] = []
    statement: list[int] = []
    right: list[int] = []
    for column, text in enumerate(material.statements):
        if (text in things) != (kind == "existence"):
            continue
        fits = material.fits[rows, column]
        least = CERTAIN if kind == "existence" else TRUE
        sides = [rows[fits == ABSENT], rows[fits >= least]]
        count = min(len(sides[0]), len(sides[1]), _MOST_EACH)
        for answer, side in enumerate(sides):
            chosen = side[torch.randperm(len(side), generator=generator)[:count]]
            picture += chosen.tolist()
            statement += [column] * count
            right += [answer] * count
    asked = torch.tensor(statement, dtype=torch.long)
    return Questions(
        kind,
        torch.tensor(picture, dtype=torch.long),
        material.table[asked][:, None],
        torch.tensor(right, dtype=torch.long),
        asked[:, None],
    )


def _sentences(material: Material, rows: Tensor, generator: torch.Generator) -> Questions:
    """Of each photograph one of its captions, and one of a photograph whose captions are much alike."""
    mean = torch.nn.functional.normalize(material.captions[rows].mean(1), dim=-1)
    near = (mean @ mean.T).topk(min(_NEAR[1], len(rows))).indices[:, _NEAR[0] :]
    pick = torch.randint(near.shape[1], (len(rows), 1), generator=generator)
    other = rows[near.gather(1, pick)[:, 0]]
    said = torch.randint(material.captions.shape[1], (2, len(rows)), generator=generator)
    points = torch.cat([material.captions[rows, said[0]], material.captions[other, said[1]]])
    right = torch.cat([torch.ones(len(rows)), torch.zeros(len(rows))]).long()
    return Questions("sentence", rows.repeat(2), points[:, None], right, torch.zeros(2 * len(rows), 0).long())


def answers_of(odds: Tensor) -> Tensor:
    """Log odds, float (q, m), of the judge to answers, int64 (q,)."""
    return (odds[:, 0] > 0).long() if odds.shape[1] == 1 else odds.argmax(1)


def neighbour_answers(asked: Questions, tested: Tensor, material: Material, known: Tensor) -> Tensor:
    """What the captions of the nearest known photographs answer, without a judge.

    Args:
        asked: questions on the tested photographs, whose statements are rows of `material`'s table.
        tested: points of the tested photographs by row, float (n, 768).
        material: known photographs with what their captions say.
        known: their points, float (k, 768).

    Returns:
        int64 (q,): of a yes-no question whether more than half as many of 30 neighbours say it as do on
        average; of another the statement that most of them say.
    """
    near = (tested[asked.picture] @ known.T).topk(min(30, len(known))).indices  # (q, 30)
    fits = material.fits >= TRUE
    share = fits[near[:, :, None], asked.rows[:, None, :]].float().mean(1)  # (q, m)
    if asked.rows.shape[1] == 1:
        return (share[:, 0] > fits.float().mean(0)[asked.rows[:, 0]]).long()
    return share.argmax(1)


def commonest(asked: Sequence[Questions]) -> float:
    """Share that the commonest answer of a kind would have right: of what a blind receiver may reach."""
    right = torch.cat([one.right for one in asked])
    return float(torch.bincount(right).max()) / len(right)
