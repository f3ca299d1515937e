"""The likeliest chunk of text, and how likely it is: a search through the tree of all token sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from m4sc.codecs.text_code.code_book import following, permutations, words_of
from m4sc.codecs.text_code.kernels import log_sum_exp, not_below, rate_all

_TRIAL = 4
"""Tokens after which a search is worth going on, or not."""


class Prior(Protocol):
    """What a reader expects to read next."""

    def begin(self, read: Sequence[int]) -> np.ndarray:
        """Start behind a text; ln probability of each next token, float32 (1, vocab)."""

    def read(self, sources: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Go on from hypotheses `sources`, int64 (n,), with a token each; as above, float32 (n, vocab)."""


@dataclass(frozen=True)
class Effort:
    """How far the search goes.

    Attributes:
        beams: hypotheses kept at each token.
        ends: whole chunks whose tails are compared.
        behind: hypotheses that are this far behind the best, in nats, are given up.
        lost: a chunk is lost once the hypotheses kept weigh this much less than what was given up, in nats:
            most probably what was sent is no longer among them, and no verified text can come of it.
        beams_lost: hypotheses kept from there on, and where the symbols cannot say enough to verify a text;
            theirs is the likeliest all the same.
        least: the search stops when the best hypothesis weighs less than this, in nats, after a few tokens.
        ends_lost: the search stops where a chunk is lost, for who has no use for an unlikely text.
    """

    beams: int = 48
    ends: int = 4096
    behind: float = 16.0
    lost: float = 3.0
    beams_lost: int = 4
    least: float = -np.inf
    ends_lost: bool = False


@dataclass(frozen=True)
class Found:
    """A chunk.

    Attributes:
        tokens: of the likeliest; none where the search was stopped.
        log_odds: ln of its probability against that of all others together, those included that the search
            gave up: the mean weight of their unseen rest is known, since their words are random.
        gain: ln of its weight against that of no text at all.
    """

    tokens: list[int]
    log_odds: float
    gain: float


def search(
    gains: Sequence[np.ndarray],
    tail: np.ndarray,
    key: int,
    prior: Prior,
    read: Sequence[int],
    effort: Effort,
    ahead: Sequence[float] | None = None,
    needed: float = -np.inf,
) -> Found:
    """Read one chunk.

    A hypothesis x weighs p(x) p(y | x) / p(y), its probability by the language model times what the symbols
    say for it (:func:`m4sc.codecs.text_code.code_book.gains`). Over random code words the mean of that second
    factor is 1, so hypotheses of the tree may be compared before their rest is looked at, and what is given
    up keeps its weight.

    Args:
        gains: of each token's symbols, float32 (book,); tail: of those that depend on all.
        key: the code's state before the first token.
        prior: the language model; read: tokens before this chunk.
        effort: how far to go.
        ahead: the most that a right hypothesis may still gain, in nats, before each token and before the
            tail; None where that is not known.
        needed: the gain (:class:`Found`) below which the text is of no use.
    """
    ahead = [np.inf] * (len(gains) + 1) if ahead is None else ahead
    hopeless = ahead[0] < needed
    if hopeless and effort.least > -np.inf:
        return Found([], -np.inf, 0.0)
    belief = prior.begin(read)
    scores, states = np.zeros(1, np.float32), np.array([key], np.uint64)
    texts = np.zeros((1, 0), np.int64)
    given_up, beams = -np.inf, min(effort.beams, effort.beams_lost) if hopeless else effort.beams
    for place, heard in enumerate(gains):
        last = place + 1 == len(gains)
        totals = np.empty((len(scores), belief.shape[1]), np.float32)
        rate_all(scores, belief, heard, permutations(states, len(heard)), totals)
        flat = totals.ravel()
        best, places = _best(flat, effort.ends if last else beams, effort.behind)
        flat[places] = -np.inf
        given_up = np.logaddexp(given_up, log_sum_exp(flat, np.float32(30.0)))
        kept = np.logaddexp.reduce(best.astype(np.float64))
        lost = kept - given_up < -effort.lost
        if lost and effort.ends_lost:
            return Found([], -np.inf, float(best[0]))
        if lost or kept + ahead[place + 1] < needed:
            beams = min(beams, effort.beams_lost)
        rows, tokens = np.divmod(places, belief.shape[1])
        scores, states = best, following(states[rows], tokens)
        texts = np.concatenate([texts[rows], tokens[:, None]], axis=1)
        if place + 1 == _TRIAL and best[0] < effort.least:
            return Found([], -np.inf, float(best[0]))
        if not last:
            belief = prior.read(rows, tokens)
    scores = scores.astype(np.float64) + tail[words_of(states, np.zeros(len(states)), len(tail))]
    order = np.argsort(-scores, kind="stable")
    others = np.logaddexp.reduce([given_up, *scores[order[1:]]])
    winner = order[0]
    return Found(texts[winner].tolist(), float(scores[winner] - others), float(scores[winner]))


def _best(totals: np.ndarray, count: int, behind: float) -> tuple[np.ndarray, np.ndarray]:
    """The `count` highest of float32 (n,), best first, of those less than `behind` below the best.

    Returns:
        Their values, and their places, int64.
    """
    places = not_below(totals, np.float32(totals.max() - behind))
    values, order = torch.from_numpy(totals[places]).topk(min(count, len(places)))
    return values.numpy(), places[order.numpy()]
