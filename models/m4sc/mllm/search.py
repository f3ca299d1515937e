"""Greedy and beam search over a lean decoder."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from m4sc.mllm.decoding import Decoder

_NEVER = -1e9


@dataclass
class _Prompt:
    """Finished hypotheses of one prompt, best first: score and tokens."""

    finished: list[tuple[float, list[int]]] = field(default_factory=list)
    done: bool = False


def greedy(
    decoder: Decoder, embeds: Tensor, begins: Tensor, most: int, end_id: int, evidence: Tensor | None
) -> tuple[list[list[int]], Tensor]:
    """The likeliest token at each place, until the end mark or `most` tokens.

    Args:
        decoder: of the language model.
        embeds: float (n, t, hidden), prompts padded on the left.
        begins: int64 (n,), first place of each prompt that is no padding.
        most: tokens of the longest answer.
        end_id: the end mark; it is left out of the answers.
        evidence: float (n, steps, vocab), log-likelihoods that join the LLM's own; the last step's holds on.

    Returns:
        Token numbers of each answer, and its log-probability, float (n,): of its tokens and its end mark.
    """
    logits, cache = decoder.prefill(embeds, begins, most)
    said: list[list[int]] = [[] for _ in range(len(embeds))]
    open_rows = torch.ones(len(embeds), dtype=torch.bool)
    total = torch.zeros(len(embeds))
    for step in range(most):
        best, ids = _with_evidence(logits, evidence, step, 1).max(-1)
        total += torch.where(open_rows, best.float(), 0.0)
        open_rows &= ids != end_id
        for row in open_rows.nonzero()[:, 0].tolist():
            said[row].append(int(ids[row]))
        if step + 1 == most or not open_rows.any():
            break
        logits = decoder.step(ids, cache)
    return said, total


def beam_search(
    decoder: Decoder,
    embeds: Tensor,
    begins: Tensor,
    most: int,
    end_id: int,
    evidence: Tensor | None,
    beams: int,
) -> list[list[int]]:
    """The answer of the highest summed score among `beams` hypotheses kept at each step.

    Arguments and tokens as those of :func:`greedy`. A prompt is done when `beams` of its hypotheses have
    ended and all score above the best that has not.
    """
    n = len(embeds)
    logits, cache = decoder.prefill(embeds, begins, most)
    logits, cache = logits.repeat_interleave(beams, 0), cache.repeated(beams)
    prompts = [_Prompt() for _ in range(n)]
    said: list[list[int]] = [[] for _ in range(n * beams)]
    running = torch.full((n, beams), _NEVER)
    running[:, 0] = 0.0
    for step in range(most):
        scores = _with_evidence(logits, evidence, step, beams).unflatten(0, (n, beams))
        vocab = scores.shape[-1]
        best, places = (running[..., None] + scores).flatten(1).topk(2 * beams)
        ids, rows = places % vocab, places // vocab + beams * torch.arange(n)[:, None]
        ends = (ids == end_id) | (step + 1 == most)
        for i, prompt in enumerate(prompts):
            if not prompt.done:
                _finish(prompt, said, best[i, :beams], rows[i], ids[i], ends[i], end_id, beams)
        running, kept = best.masked_fill(ends, _NEVER).topk(beams)
        ids, rows = ids.gather(1, kept).flatten(), rows.gather(1, kept).flatten()
        for prompt, ahead in zip(prompts, running[:, 0].tolist(), strict=True):
            prompt.done |= len(prompt.finished) == beams and prompt.finished[-1][0] >= ahead
        if step + 1 == most or all(prompt.done for prompt in prompts):
            break
        said = [[*said[row], int(i)] for row, i in zip(rows.tolist(), ids, strict=True)]
        cache.reorder(rows)
        logits = decoder.step(ids, cache)
    return [prompt.finished[0][1] for prompt in prompts]


def _finish(
    prompt: _Prompt,
    said: list[list[int]],
    scores: Tensor,
    rows: Tensor,
    ids: Tensor,
    ends: Tensor,
    end_id: int,
    beams: int,
) -> None:
    """Take up what ends among the best candidates of a prompt, as far as `scores` goes."""
    for place, score in enumerate(scores.tolist()):
        if ends[place]:
            token = int(ids[place])
            text = said[int(rows[place])]
            prompt.finished.append((score, text if token == end_id else [*text, token]))
    prompt.finished = sorted(prompt.finished, key=lambda pair: -pair[0])[:beams]


def _with_evidence(logits: Tensor, evidence: Tensor | None, step: int, beams: int) -> Tensor:
    """Log-probabilities of the next token, and what the channel says of it."""
    scores = logits.log_softmax(-1)
    if evidence is None:
        return scores
    return scores + evidence[:, min(step, evidence.shape[1] - 1)].repeat_interleave(beams, 0)
