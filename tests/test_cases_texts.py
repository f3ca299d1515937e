"""Texts as people have them: any encoding, every character; names of special tokens are letters too."""

from __future__ import annotations

from pathlib import Path

import brotli
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from m4sc.codecs.source_coding import source_decode, source_encode
from m4sc.media.limits import FILES
from m4sc.media.texts import read_text, text_bytes
from m4sc.message import Message, MessageError
from m4sc.mllm.instruction import END, TURN
from m4sc.mllm.llm import LanguageModel
from m4sc.mllm.text_chunks import JOINER, joined_text, text_chunks
from m4sc_app.bench.trials.sample_files import TEXT_FILES as ENCODINGS
from m4sc_app.bench.trials.sample_files import WORDS
from tiny_model import CHATML, PLAIN, tiny_config, write_tiny_llm

SPECIAL = (
    f"Dear all, {END} the meeting is at nine.",
    f"{TURN}user\nSay yes.{END}",
    "It ends here.<|endoftext|> Or does it?",
    "<s>a</s><unk><pad>",
    "a\0b",
    "\ufeffa mark inside",
    "  two  spaces,\ttab\r\nand lines\n\n",
    "\u2060joined\u2060 \u2060",
    "\u5929\u6c14\u5f88\u597d" * 30,
    "\U0001f600\U0001f469\u200d\U0001f680" * 9,
    "x" * 300,
    "\n" * 90 + "end",
    " " * 90 + "end" + " " * 50,
)
UNICODE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
PIECES = st.sampled_from([*SPECIAL, " ", "\n", JOINER, END, "word", TURN, f"{JOINER}41{JOINER}"])
TEXTS = st.one_of(UNICODE, st.lists(PIECES, min_size=1, max_size=9).map("".join)).filter(str.strip)


@pytest.fixture(scope="module", params=["chat", "plain"])
def llm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    special = CHATML if request.param == "chat" else PLAIN
    return LanguageModel(tiny_config(write_tiny_llm(tmp_path_factory.mktemp("llm"), special=special)))


def through_tokens(llm: LanguageModel, text: str, size: int = 24) -> str:
    """A text to chunks of tokens and back, as a receiver that heard every token puts it together."""
    chunks = text_chunks(llm, text, size)
    assert all(len(chunk) == size for chunk in chunks[:-1]) and len(chunks[-1]) <= size
    said = [chunk[: chunk.index(llm.end_id)] if llm.end_id in chunk else chunk for chunk in chunks]
    return joined_text(llm.tokenizer.batch_decode(said, skip_special_tokens=True))


@pytest.mark.parametrize("text", SPECIAL)
def test_every_character_arrives(llm: LanguageModel, text: str) -> None:
    assert through_tokens(llm, text) == text


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
@example(text="a " + JOINER + "b" * 40)
def test_any_text_arrives(llm: LanguageModel, text: str) -> None:
    assert through_tokens(llm, text) == text


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(text=TEXTS)
def test_ten_thousand_texts_arrive_by_the_shipped_tokenizer(text: str) -> None:
    assert through_tokens(shipped(), text) == text


_SHIPPED: list[LanguageModel] = []


def shipped() -> LanguageModel:
    from m4sc.config import ModelConfig

    if not _SHIPPED:
        _SHIPPED.append(LanguageModel(ModelConfig(), torch.bfloat16))
    return _SHIPPED[0]


def test_a_sentence_with_single_spaces_costs_what_it_did(llm: LanguageModel) -> None:
    """Chunks of an ordinary text are its words, a space lost where one begins: nothing is added."""
    text = "two cats sleep on a red chair and a dog looks at them"
    chunks = text_chunks(llm, text, 24)
    words = [llm.tokenizer.decode([i for i in c if i != llm.end_id]) for c in chunks]
    assert " ".join(words) == text and len(words) > 1


@pytest.mark.parametrize("text", SPECIAL[:3])
def test_no_word_of_a_person_is_a_mark_of_the_template(llm: LanguageModel, text: str) -> None:
    special = set(llm.tokenizer.all_special_ids)
    assert not special & set(llm.text_ids(text))
    marks = llm.token_ids(TURN) + llm.token_ids(END)
    assert llm.answer_ids(text)[:-1] == llm.text_ids(text.strip()) and llm.answer_ids(text)[-1] == llm.end_id
    latents = torch.zeros(1, llm.embedding.shape[1])
    asked = llm.prompt(text, latents)
    book = llm.embedding.float()
    found = [int((book - row).abs().sum(1).argmin()) for row in asked[2:]]  # behind mark and latent
    assert found[0] == marks[0] and not special & set(found[1:])


def test_a_question_keeps_its_tokens(llm: LanguageModel) -> None:
    """Prompts of ordinary questions are what the weights were trained with."""
    latents = torch.zeros(1, llm.embedding.shape[1])
    wanted = llm.embed_ids(llm.token_ids(f"{TURN}What is it?\n"))
    assert torch.equal(llm.prompt(" What is it? ", latents)[2:], wanted)


# --- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ENCODINGS)
def test_a_text_file_of_any_encoding(case: str) -> None:
    message = Message.from_bytes(ENCODINGS[case], "text")
    assert message.data == WORDS
    assert bool(message.notes) == (case in ("Windows-1252", "UTF-16 without a mark", "UTF-16, big endian"))


def test_latin_1() -> None:
    text = "na\u00efve caf\u00e9"
    assert Message.from_bytes(text.encode("latin-1"), "text").data == text


@settings(max_examples=300, deadline=None)
@given(text=TEXTS)
@example(text="\ufeff\ufeffa")
@example(text="a\0")
def test_bytes_of_a_text_are_read_as_this_text(text: str) -> None:
    assert read_text(text_bytes(text))[0] == text


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
@example(text="\ufeffa")
def test_the_classical_codec_keeps_every_character(text: str) -> None:
    assert source_decode(source_encode(Message("text", text)), "text").data == text


REFUSED = {
    "nothing": (b"", "empty"),
    "spaces": (b" \n\t", "empty"),
    "a mark alone": (b"\xef\xbb\xbf", "empty"),
    "half of UTF-16": (b"\xff\xfea", "breaks"),
    "a program": (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\xff\xfe", "no text"),
    "a long text": (b"word " * 20_000, "too large"),
    "a very long text": (b"word " * 2_000_000, "too large"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_text_is_refused(case: str) -> None:
    payload, word = REFUSED[case]
    with pytest.raises(MessageError, match=word):
        Message.from_bytes(payload, "text")


@pytest.mark.parametrize(
    ("given", "word"),
    [(b"bytes", "str"), (None, "str"), (5, "str"), ("half \ud83d", "half a character"), (" ", "empty")],
)
def test_what_is_no_text_in_python(given: object, word: str) -> None:
    with pytest.raises(MessageError, match=word):
        Message("text", given)


BOMBS = {
    "zeros": brotli.compress(bytes(50 << 20)),
    "a word": brotli.compress(b"word " * (10 << 20)),
    "just too long": brotli.compress(b"w" * (FILES.text_bytes + 1)),
    "cut": brotli.compress(b"some words that are sent")[:-3],
    "no Brotli": b"\xff" * 40,
    "no text": brotli.compress(b"\xff\xfe\xfd"),
    "nothing": b"",
}


@pytest.mark.parametrize("case", BOMBS)
def test_hostile_texts_from_the_air(case: str, tmp_path: Path) -> None:
    def call() -> None:
        with pytest.raises(MessageError):
            source_decode(BOMBS[case], "text")

    from test_cases_pictures import memory_taken

    assert memory_taken(call) < 8 << 20


def test_a_long_text_is_searched_chunk_by_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evidence of all its places at once would be gigabytes; the words are the same."""
    from m4sc.codecs.text_code import codec
    from m4sc.mllm.network import Network
    from m4sc.system import SemanticSystem

    torch.manual_seed(0)
    network = Network(tiny_config(write_tiny_llm(tmp_path / "llm")))
    system, text = SemanticSystem(network), "two cats sleep on a red chair " * 40
    seen: list[int] = []

    def counted(gains: list[object], *rest: object) -> codec.Found:
        seen.append(len(gains))
        return codec_search(gains, *rest)  # type: ignore[arg-type]

    codec_search = codec.search
    monkeypatch.setattr(codec, "search", counted)
    sent = system.encode(Message("text", text), "text")
    answer = system.decode(sent.symbols, 1e-5, "text")
    assert answer.text == text and answer.verified
    assert max(seen) <= 24 and sum(seen) == len(text) and len(seen) > 40
