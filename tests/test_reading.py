"""Questions on texts: which part of a text answers, what the answer is, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_words import Words
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.codecs.base import Answer, Budget, Received
from m4sc.codecs.gist import GistCodec
from m4sc.codecs.reading import ReadingCodec, load_reading
from m4sc.media.limits import MessageError
from m4sc.message import Message
from m4sc.reading.network import (
    KINDS,
    MOST_WORDS,
    WORDS,
    YES_NO,
    Padded,
    Reader,
    ReadingConfig,
    best_words,
    joined,
    read,
)
from m4sc.reading.training import (
    Question,
    ReadingPlan,
    Readings,
    fit_reader,
    open_questions,
    right_tokens,
    trusted,
)
from m4sc.shipped import weights_folder
from m4sc.space.sentence_encoder import SentenceEncoder, TokenStates
from m4sc.tasks import get_task

TASK = get_task("text-question")
TEXT = "A woman in a red coat rides a horse. Two dogs are running on the beach. The sky is grey today."


class Sent(Words):
    """Delivers them as bytes."""

    verified = True

    def decode_many(self, received: Sequence[Received], *_: object) -> list[Answer]:
        return [
            Answer(one.data.decode(), None, 0.0, confidence=0.5, verified=self.verified) for one in received
        ]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


def codec_of(encoder: SentenceEncoder, words: Sent | None = None) -> ReadingCodec:
    reader, fingerprint = load_reading(weights_folder("reading"))
    gist = GistCodec(words or Sent(), encoder)  # type: ignore[arg-type]
    return ReadingCodec(reader, gist, encoder, fingerprint)


@given(
    scores=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.integers(0, 2)), min_size=1, max_size=20)
)
def test_an_answer_is_a_short_run_of_one_part(scores: list[tuple[float, float, int]]) -> None:
    first, last = (torch.tensor([one[i] for one in scores]) for i in (0, 1))
    part = torch.tensor(sorted(one[2] for one in scores))
    start, end, value = best_words(first, last, part)
    assert 0 <= start <= end < len(scores)
    assert end - start < MOST_WORDS
    assert part[start] == part[end]
    assert value <= 0
    runs = [
        first.log_softmax(0)[i] + last.log_softmax(0)[j]
        for i in range(len(scores))
        for j in range(i, min(i + MOST_WORDS, len(scores)))
        if part[i] == part[j]
    ]
    assert value == pytest.approx(float(max(runs)), abs=1e-4)


def test_the_tokens_of_answers_are_found_in_every_part(encoder: SentenceEncoder) -> None:
    parts = ("A white-haired man in a white shirt.", "The shirt is white.")
    states = encoder.tokens(parts)
    text = joined(states)
    counts = [int((one.spans[:, 1] > one.spans[:, 0]).sum()) for one in states]
    first, last = right_tokens(text, parts, counts, ("white shirt", "white"))
    said = [(parts[n >= counts[0]][a:b], bool(f), bool(e)) for n, ((a, b), f, e) in enumerate(
        zip(text.spans.tolist(), first.tolist(), last.tolist(), strict=True)
    )]  # fmt: skip
    assert [(word, f, e) for word, f, e in said if f or e] == [
        ("white", True, False),
        ("shirt", False, True),
        ("white", True, True),
    ]
    assert not right_tokens(text, parts, counts, ("blue",)).any()


def test_what_is_padded_changes_nothing(encoder: SentenceEncoder) -> None:
    torch.manual_seed(0)
    reader = Reader(ReadingConfig(hidden=8)).eval()
    questions = encoder.tokens(["Is there a dog?", "What color is the big old house over there?"])
    texts = [joined(encoder.tokens([part])) for part in ("A dog.", "A big old house is red and it is tall.")]
    with torch.no_grad():
        both = reader(Padded.of(questions), Padded.of(texts))
        alone = reader(Padded.of(questions[:1]), Padded.of(texts[:1]))
    count = len(texts[0].ids)
    for name in ("told", "first", "last"):
        torch.testing.assert_close(
            getattr(both, name)[0, :count], getattr(alone, name)[0], atol=1e-4, rtol=1e-4
        )
    assert (both.told[0, count:] < -1000).all()


def test_a_reader_learns_and_says_how_sure_it_is() -> None:
    """Made-up tokens: a question's token names a direction; a text holds it or not."""
    generator = torch.Generator().manual_seed(0)
    things = torch.nn.functional.normalize(torch.randn(6, 384, generator=generator), dim=-1) * 5

    def tokens(which: Sequence[int]) -> TokenStates:
        states = things[list(which)] + 0.1 * torch.randn(len(which), 384, generator=generator)
        spans = torch.tensor([[2 * n, 2 * n + 1] for n in range(len(which))])
        return TokenStates(states, torch.tensor(which), spans)

    rng = np.random.default_rng(0)
    held = [rng.choice(6, 3, replace=False).tolist() for _ in range(60)]
    parts = [(" ".join("abcdef"[n] for n in group),) for group in held]
    asked = [
        Question(n, k, YES_NO, ("yes" if k in group else "no",))
        for n, group in enumerate(held)
        for k in range(6)
    ]
    readings = Readings(
        parts, [(tokens(g),) for g in held], [tokens([k]) for k in range(6)], [tokens([0, 1])], asked
    )
    learn, validate = asked[:300], asked[300:]
    torch.manual_seed(0)
    reader = Reader(ReadingConfig(hidden=16))

    def right() -> float:
        reader.eval()
        found = [
            read(reader, readings.wordings[q.wording], readings.states[q.text], parts[q.text])
            for q in validate
        ]
        return float(np.mean([one.text in q.answers for one, q in zip(found, validate, strict=True)]))

    assert right() < 0.8
    fit_reader(reader, readings, learn, ReadingPlan(steps=120, learning_rate=5e-3), lambda text: None)
    assert right() > 0.9
    reader = trusted(reader, readings, validate, lambda text: None)
    assert set(reader.config.trust) == {YES_NO, WORDS}


def test_a_reader_is_kept_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    reader = Reader(ReadingConfig(hidden=8, trust={YES_NO: (0.5, 0.1), WORDS: (1.0, -1.0)}))
    reader.save(tmp_path)
    again = Reader.load(tmp_path)
    assert again.config == reader.config
    torch.testing.assert_close(again.token.weight, reader.token.weight, atol=1e-3, rtol=1e-2)
    (tmp_path / "config.json").write_text(replace(reader.config, hidden=9).to_json())
    with pytest.raises(ValueError, match="do not fit"):
        Reader.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match="broken"):
        Reader.load(tmp_path)
    with pytest.raises(ValueError, match="trust needs the kinds"):
        ReadingConfig(trust={YES_NO: (1.0, 0.0)})
    with pytest.raises(ValueError, match="width"):
        ReadingConfig(hidden=0)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is there a horse in the text?", "yes"),
        ("Is there a train in the text?", "no"),
        ("Does the text mention a dog?", "yes"),
        ("What color is the coat?", "red"),
        ("How many dogs are there?", "two"),
    ],
)
def test_the_shipped_reader_answers(encoder: SentenceEncoder, question: str, answer: str) -> None:
    said = codec_of(encoder).read(Message("text", TEXT), TASK, question)
    assert said.text == answer
    assert said.confidence is not None
    assert 0.5 < said.confidence < 1


def test_the_answer_is_in_the_text_and_not_in_the_question(encoder: SentenceEncoder) -> None:
    codec = codec_of(encoder)
    other = Message("text", "A man in a blue coat sits on a bench. A cat sleeps there.")
    assert codec.read(other, TASK, "What color is the coat?").text == "blue"
    assert codec.read(other, TASK, "Is there a horse in the text?").text == "no"


def test_a_transmitter_that_is_told_sends_the_part_that_answers(encoder: SentenceEncoder) -> None:
    words = Sent()
    codec = codec_of(encoder, words)
    message = Message("text", TEXT)

    def sent(instruction: str | None, budget: Budget | None = None) -> str:
        return codec.encode(message, TASK, budget or Budget(), instruction).data.decode()

    assert sent("How many dogs are there?") == "Two dogs are running on the beach."
    assert words.budget.symbols == 128
    assert sent("What color is the coat?") == "A woman in a red coat rides a horse."
    assert sent(None) == sent(TASK.instructions[0]) == TEXT
    assert sent(None, Budget(symbols=6 * 9)) in TEXT.split(". ")[0] + "." + TEXT
    assert len(sent(None, Budget(symbols=6 * 9)).split()) <= 9
    payload = codec.encode(message, TASK, Budget(), "How many dogs are there?")
    answer = codec.decode_many([Received(data=payload.data)], TASK, ["How many dogs are there?"])[0]
    assert (answer.text, answer.verified) == ("two", True)


def test_a_question_of_another_kind_gets_the_nearest_part(encoder: SentenceEncoder) -> None:
    note = "The meeting is on Monday at nine. Anna brings the cake. Park behind the house."
    said = codec_of(encoder).read(Message("text", note), TASK, "When do we meet?")
    assert said.text == "The meeting is on Monday at nine."


def test_words_that_are_not_verified_are_less_sure_and_none_are_no_answer(encoder: SentenceEncoder) -> None:
    words = Sent()
    codec = codec_of(encoder, words)
    received = [Received(data=TEXT.encode())]
    sure = codec.decode_many(received, TASK, ["Is there a horse in the text?"])[0]
    words.verified = False
    less = codec.decode_many(received, TASK, ["Is there a horse in the text?"])[0]
    assert less.confidence == pytest.approx(0.5 * (sure.confidence or 0))
    assert not less.verified
    nothing = codec.decode_many([Received(data=b"...")], TASK, ["Is there a horse in the text?"])[0]
    assert nothing.text == "..."


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=40))
def test_any_text_and_any_question_get_an_answer(text: str, question: str) -> None:
    codec = codec_of(_ENCODER)
    if not text.strip():
        with pytest.raises(MessageError, match="the text is empty"):
            codec.read(Message("text", text), TASK, question)
        return
    assert isinstance(codec.read(Message("text", text), TASK, question).text, str)


_ENCODER = SentenceEncoder()


def test_open_questions_are_many_and_whole() -> None:
    found = open_questions()
    assert len(set(found)) > 60
    assert all(one.endswith("?") and "{" not in one for one in found)
    assert len(KINDS) == 3
