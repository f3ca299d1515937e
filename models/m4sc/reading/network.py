"""A reader: a question beside a text, to yes or no, to some of the words, or to a part of the text."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from m4sc.json_fields import from_json
from m4sc.space.sentence_encoder import SPACE_DIM, TokenStates
from m4sc.tensor_file import load_network, packed, save_network

YES_NO, WORDS, PART = "yes-no", "words", "part"
KINDS = (YES_NO, WORDS, PART)
"""What a question asks for: whether something is told; some words; or whatever says most of it."""

NOWHERE = -1e4  # score of a place that is none
MOST_WORDS = 6  # tokens of an answer
_HEADS = 2  # ways in which a question's tokens are weighed
_LEAST = 1e-6
_Trust = tuple[float, float]


@dataclass(frozen=True)
class ReadingConfig:
    """A reader.

    Attributes:
        sentences: frozen encoder's name.
        hidden: width.
        trust: of each kind of question that the reader answers itself the weights of its log odds and of 1
            in the log odds that the answer is right.
    """

    sentences: str = "minilm"
    hidden: int = 128
    trust: dict[str, _Trust] = field(default_factory=lambda: dict.fromkeys((YES_NO, WORDS), (1.0, 0.0)))

    def __post_init__(self) -> None:
        if self.hidden < 1:
            raise ValueError("a reader needs a width of at least 1")
        if set(self.trust) != {YES_NO, WORDS}:
            raise ValueError(f"a reader's trust needs the kinds {YES_NO}, {WORDS}")

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ReadingConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        return from_json(cls, text, "a reader's configuration", {"trust": _trust})


def _trust(given: dict[str, list[float]]) -> dict[str, _Trust]:
    found = {}
    for kind, weights in given.items():
        by_odds, constant = map(float, weights)
        found[kind] = by_odds, constant
    return found


@dataclass(frozen=True)
class Scores:
    """What a reader makes of questions on texts.

    Attributes:
        kind: float (n, 3), of `KINDS`, before the softmax.
        told: float (n, t): log odds that a token says what is asked for.
        first, last: float (n, t): of an answer's first and last token, before the softmax.
    """

    kind: Tensor
    told: Tensor
    first: Tensor
    last: Tensor


@dataclass(frozen=True)
class Padded:
    """Tokens of several texts in one batch.

    Attributes:
        states: float (n, t, 384).
        ids: int64 (n, t), -1 where there is none.
    """

    states: Tensor
    ids: Tensor

    @classmethod
    def of(cls, texts: Sequence[TokenStates]) -> Padded:
        """Texts of unequal lengths."""
        pad = nn.utils.rnn.pad_sequence
        return cls(
            pad([one.states.float() for one in texts], batch_first=True),
            pad([one.ids for one in texts], batch_first=True, padding_value=-1),
        )


def joined(parts: Sequence[TokenStates]) -> TokenStates:
    """The tokens of a text's parts, which were read one by one, without special ones."""
    own = [part.spans[:, 1] > part.spans[:, 0] for part in parts]
    return TokenStates(
        torch.cat([part.states[kept] for part, kept in zip(parts, own, strict=True)]),
        torch.cat([part.ids[kept] for part, kept in zip(parts, own, strict=True)]),
        torch.cat([part.spans[kept] for part, kept in zip(parts, own, strict=True)]),
    )


class Reader(nn.Module):
    """Each token of a text beside what a question asks for: a product of both, and whether words are shared.

    The states come from a frozen encoder that knows what words mean, so that a reader learns from few
    questions how to ask, not what a zebra is.
    """

    def __init__(self, config: ReadingConfig) -> None:
        super().__init__()
        self.config = config
        hidden, asked = config.hidden, _HEADS * SPACE_DIM
        self.weigh = nn.Linear(SPACE_DIM, _HEADS)
        self.kind = nn.Linear(asked, len(KINDS))
        self.question = nn.Linear(asked, hidden)
        self.token = nn.Linear(SPACE_DIM, hidden)
        self.places = nn.ModuleList([_place(hidden) for _ in range(3)])  # told, first, last
        self.dropout = nn.Dropout(0.2)

    def forward(self, questions: Padded, texts: Padded) -> Scores:
        """Questions on texts, one each."""
        none = (questions.ids < 0)[..., None]
        share = self.weigh(questions.states).masked_fill(none, NOWHERE).softmax(1)  # (n, q, heads)
        asked = (share.transpose(1, 2) @ questions.states).flatten(1)
        wanted = self.question(asked)[:, None]
        given = self.token(self.dropout(texts.states))
        shared = (texts.ids[..., None] == questions.ids[:, None]).any(-1, keepdim=True).float()
        seen = torch.cat([wanted.expand_as(given), given, wanted * given, shared], -1)
        told, first, last = (place(seen)[..., 0].masked_fill(texts.ids < 0, NOWHERE) for place in self.places)
        return Scores(self.kind(asked), told, first, last)

    def confidence(self, found: Reading) -> float:
        """How probably an answer of the reader's own, not of kind `PART`, is right."""
        by_odds, constant = self.config.trust[found.kind]
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, by_odds * found.odds + constant))))

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``config.json``."""
        save_network(packed(self.state_dict()), self.config.to_json(), folder)

    @classmethod
    def load(cls, folder: Path) -> Reader:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: no such files.
            ValueError: the weights do not fit their configuration.
        """
        config = ReadingConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
        return load_network(lambda: cls(config), folder)


def _place(hidden: int) -> nn.Module:
    return nn.Sequential(nn.Linear(3 * hidden + 1, hidden), nn.GELU(), nn.Linear(hidden, 1))


@dataclass(frozen=True)
class Reading:
    """What a reader found.

    Attributes:
        kind: of `KINDS`.
        part: number of the part of the text that says it.
        text: the answer; the whole part of kind `PART`.
        odds: log odds that a reader gives it; 0 of kind `PART`.
    """

    kind: str
    part: int
    text: str
    odds: float


def best_words(first: Tensor, last: Tensor, part: Tensor) -> tuple[int, int, float]:
    """The likeliest first and last token of an answer within one part, and log-probability.

    first, last: float (t,), before the softmax; part: int64 (t,), numbers of the tokens' parts.
    """
    count = len(first)
    both = first.log_softmax(0)[:, None] + last.log_softmax(0)
    fits = torch.ones(count, count).triu().tril(MOST_WORDS - 1).bool() & (part[:, None] == part)
    value, where = both.masked_fill(~fits, NOWHERE).flatten().max(0)
    return int(where) // count, int(where) % count, float(value)


@torch.inference_mode()
def read(
    reader: Reader, question: TokenStates, parts: Sequence[TokenStates], texts: Sequence[str]
) -> Reading:
    """A question on a text whose parts, one at least with a word in it, were encoded one by one."""
    text = joined(parts)
    counts = [int((part.spans[:, 1] > part.spans[:, 0]).sum()) for part in parts]
    owner = torch.arange(len(parts)).repeat_interleave(torch.tensor(counts))
    scores = reader(Padded.of([question]), Padded.of([text]))
    kind = KINDS[int(scores.kind[0].argmax())]
    if kind == WORDS:
        start, end, value = best_words(scores.first[0], scores.last[0], owner)
        part = int(owner[start])
        letters = slice(int(text.spans[start, 0]), int(text.spans[end, 1]))
        share = min(max(math.exp(value), _LEAST), 1 - _LEAST)
        return Reading(kind, part, texts[part][letters].lower(), math.log(share / (1 - share)))
    best = int(scores.told[0].argmax())
    odds, part = float(scores.told[0, best]), int(owner[best])
    if kind == YES_NO:
        return Reading(kind, part, "yes" if odds > 0 else "no", abs(odds))
    return Reading(kind, part, texts[part], 0.0)
