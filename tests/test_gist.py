"""Summaries: the sentence that says most of a text, or what is asked, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from fake_words import Words
from hypothesis import given
from hypothesis import strategies as st
from m4sc.codecs.base import Budget, Received
from m4sc.codecs.gist import GistCodec, sentences_of
from m4sc.codecs.text_code import VerbatimText
from m4sc.codecs.verbatim import VerbatimCodec
from m4sc.message import Message
from m4sc.tasks import get_task

TASK = get_task("summarize")
TEXT = "Bring a coat. The meeting is at nine on Monday. The meeting was moved to nine. Lunch is there."


def by_words(texts: Sequence[str]) -> torch.Tensor:
    """Points of bags of words: near where words are shared."""
    bags = [{word.strip(".,?").lower() for word in text.split()} for text in texts]
    every = sorted(set().union(*bags))
    points = torch.tensor([[float(word in bag) for word in every] for bag in bags])
    return points / points.norm(dim=1, keepdim=True).clamp_min(1e-9)


def said(text: str, instruction: str | None = None, symbols: int | None = None) -> str:
    codec = GistCodec(Words(), by_words)  # type: ignore[arg-type]
    return codec.encode(Message("text", text), TASK, Budget(symbols), instruction).data.decode()


def test_a_general_instruction_gets_the_central_sentence_and_a_question_the_one_it_asks_for() -> None:
    assert said(TEXT) == said(TEXT, TASK.instructions[3]) == said(TEXT, TASK.held_out[0])
    assert said(TEXT).startswith("The meeting")
    assert said(TEXT, "Where is lunch?") == "Lunch is there."
    assert said(TEXT, "Which coat?") == "Bring a coat."


def test_a_budget_gets_what_fits_and_too_small_a_one_is_refused() -> None:
    assert said(TEXT, "Which coat?", symbols=6 * 4) == "Bring a coat."
    assert said(TEXT, "At nine on Monday?", symbols=6 * 4) == "at nine on Monday."
    long = "We shall meet at nine, if it does not rain all day long."
    assert said(long, "Where do we meet?", symbols=6 * 5) == "We shall meet at nine,"
    assert len(said(long, symbols=6 * 3).split()) == 3
    with pytest.raises(ValueError, match="1 symbols carry no word"):
        said(TEXT, symbols=1)


@pytest.mark.parametrize("text", ["no end", "One.", "...", "Dr", "a\n\nb"])
def test_odd_texts_are_said_all_the_same(text: str) -> None:
    assert said(text) in (text, text.strip(), "a", "b")


@given(st.text(max_size=300))
def test_sentences_are_parts_of_the_text_in_order(text: str) -> None:
    place = 0
    for part in sentences_of(text):
        place = text.index(part, place) + len(part)
    assert len(sentences_of("One. " * 400)) == 256


def test_the_same_symbols_are_searched_once() -> None:
    searched: list[int] = []

    class Code:
        def decode(
            self, symbols: np.ndarray, noise_var: np.ndarray, rate: None, least: float
        ) -> VerbatimText:
            searched.append(len(symbols))
            return VerbatimText(f"{symbols.real.sum():.0f} {noise_var.sum():.0f} {least}", True, 1.0)

    codec = VerbatimCodec(Code, None)  # type: ignore[arg-type]
    ones, noise = np.ones(12, np.complex64), np.ones(12, np.float32)
    heard = [Received(ones, noise), Received(ones, noise), Received(2 * ones, noise)]
    heard += [Received(ones, 2 * noise), Received(ones, noise, min_confidence=0.5)]
    told = [answer.text for answer in codec.decode_many(heard, TASK, [None] * 5)]
    assert told == ["12 12 0.0", "12 12 0.0", "24 12 0.0", "12 24 0.0", "12 12 0.5"]
    assert len(searched) == 4
