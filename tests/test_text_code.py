"""Texts through the keyed tree code: to the letter over a clean channel, and never silently wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from m4sc.codecs.text_code import TextCode, VerbatimText
from m4sc.codecs.text_code.alphabet import Alphabet
from m4sc.codecs.text_code.code_book import code_book, effective_snr_db, gains, most_gain, permutations
from m4sc.codecs.text_code.codec import DOUBTFUL
from m4sc.codecs.text_code.plan import (
    DEFAULT_RATE,
    ENOUGH_SNR_DB,
    LEAST_SYMBOLS,
    RATES,
    Sharing,
    enough_rate,
    order_of,
    rate_for,
    usual_rate,
)
from m4sc.codecs.text_code.prior import OPENING
from m4sc.codecs.text_code.search import Effort
from m4sc.codecs.text_code.tokenizer_file import tokenizer_of
from m4sc.config import ModelConfig
from m4sc.pretrained import resolve
from tiny_model import write_tiny_llm
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

CLEAN = 1e-3
CASES = Path(__file__).parent.parent / "shared" / "cases" / "texts"


class Letters:
    """A reader who expects the letters of plain English alike, and anything else hardly."""

    def __init__(self, alphabet: Alphabet) -> None:
        likely = {n for char in "abcdefghijklmnopqrstuvwxyz " for n in alphabet.numbers(char)}
        weight = np.array([1.0 if n in likely else 1e-3 for n in range(alphabet.size)])
        self._belief = np.log(weight / weight.sum()).astype(np.float32)

    def begin(self, read: Sequence[int]) -> np.ndarray:
        return self._belief[None]

    def read(self, sources: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        return np.repeat(self._belief[None], len(tokens), 0)


@pytest.fixture(scope="module")
def alphabet(tmp_path_factory: pytest.TempPathFactory) -> Alphabet:
    return Alphabet(AutoTokenizer.from_pretrained(str(write_tiny_llm(tmp_path_factory.mktemp("llm")))))


@pytest.fixture(scope="module")
def code(alphabet: Alphabet) -> TextCode:
    return TextCode(alphabet, lambda: Letters(alphabet), effort=Effort(beams=32, ends=512))


def as_complex(latents: np.ndarray) -> np.ndarray:
    return (latents[:, 0] + 1j * latents[:, 1]).astype(np.complex64)


def noise(count: int, power: float, rng: np.random.Generator) -> np.ndarray:
    pairs = rng.standard_normal((2, count)) * np.sqrt(power / 2)
    return (pairs[0] + 1j * pairs[1]).astype(np.complex64)


def received(code: TextCode, symbols: np.ndarray, noise_var: float = CLEAN) -> VerbatimText:
    return code.decode(symbols, np.full(len(symbols), noise_var, np.float32))


def noisy(code: TextCode, text: str, snr_db: float, seed: int) -> VerbatimText:
    sent, power = as_complex(code.encode(text)), 10 ** (-snr_db / 10)
    return received(code, sent + noise(len(sent), power, np.random.default_rng(seed)), power)


@pytest.fixture(scope="module")
def shipped_alphabets() -> tuple[Alphabet, Alphabet]:
    """Of the packaged language model: by transformers, and from the file alone."""
    folder = Path(resolve(ModelConfig().llm, "llm"))
    return Alphabet(AutoTokenizer.from_pretrained(str(folder))), Alphabet(tokenizer_of(folder))


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
@example(text="Dear all, <|im_end|> the meeting is at nine.")
@example(text="  two  spaces\t\r\n\x00 \ufeff end ")
def test_the_tokenizers_file_gives_the_numbers_that_transformers_gives(
    shipped_alphabets: tuple[Alphabet, Alphabet], text: str
) -> None:
    whole, file = shipped_alphabets
    assert (whole.size, whole.with_marks(OPENING)) == (file.size, file.with_marks(OPENING))
    assert whole.numbers(text) == file.numbers(text) and file.text(file.numbers(text)) == text


def test_a_broken_tokenizer_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(ValueError, match="broken or cut off"):
        tokenizer_of(tmp_path)


@settings(max_examples=25, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_text_comes_back_to_the_letter(code: TextCode, text: str) -> None:
    answer = received(code, as_complex(code.encode(text)))
    assert answer.verified and answer.text == text and answer.confidence > 0.999


@pytest.mark.parametrize("text", ["<|im_end|>", "a <|im_start|>b", " \n two  spaces\t", "nul \x00 \x16"])
def test_marks_blanks_and_control_characters_are_text(code: TextCode, text: str) -> None:
    assert received(code, as_complex(code.encode(text))).text == text


@settings(max_examples=30, deadline=None)
@given(text=st.text(st.sampled_from("ab\x04\x16é\U0005f000"), min_size=1, max_size=8))
def test_bytes_that_the_tokenizer_lacks_have_tokens(text: str) -> None:
    lacking = {"\u0104", "\u0116", "ñ"}  # how a byte-level vocabulary writes bytes 4, 22 and 241
    letters = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - lacking)
    tokenizer = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    with pytest.raises(ValueError, match="lacks 3 bytes"):
        Alphabet(fast)
    fast.add_special_tokens({"additional_special_tokens": ["<a>", "<b>", "<c>"]})
    alphabet = Alphabet(fast)
    assert alphabet.text(alphabet.numbers(text)) == text


def test_what_is_no_text_is_refused(code: TextCode) -> None:
    with pytest.raises(ValueError, match="empty"):
        code.encode("")
    with pytest.raises(ValueError, match="character 2 of the text is half of a surrogate pair"):
        code.encode("a\ud800")
    with pytest.raises(ValueError, match="too few"):
        code.encode("a", 1.0)
    with pytest.raises(ValueError, match="whole tokens"):
        code.decode(np.zeros(7, np.complex64), np.ones(7, np.float32), 6)
    with pytest.raises(ValueError, match="are no text"):
        code.decode(np.zeros(6, np.complex64), np.ones(5, np.float32))


@pytest.mark.parametrize("rate", RATES)
def test_a_text_takes_the_symbols_that_it_may(code: TextCode, rate: int) -> None:
    text = "any number of symbols"
    sent = code.encode(text, rate + 0.5)
    assert len(sent) == rate * code.tokens(text)
    answer = received(code, as_complex(sent))  # the receiver is not told the rate
    assert answer.verified and answer.text == text


def test_a_known_good_channel_saves_symbols() -> None:
    assert rate_for(6.0, 5.0) == 6 > rate_for(6.0, 15.0) > rate_for(6.0, 30.0)
    assert rate_for(2.0, 15.0) == 2


@given(tokens=st.integers(1, 60), snr_db=st.none() | st.floats(-20, 40))
def test_a_short_text_is_sent_at_a_higher_rate(tokens: int, snr_db: float | None) -> None:
    rate, plain = usual_rate(tokens, snr_db), enough_rate(snr_db)
    least = LEAST_SYMBOLS * max(1.0, plain / DEFAULT_RATE)
    assert rate in RATES and rate >= plain
    assert rate == RATES[-1] or rate * tokens >= least
    assert rate == plain or plain * tokens < least


def test_the_worse_the_channel_the_more_symbols_a_token() -> None:
    assert usual_rate(40) == enough_rate(None) == DEFAULT_RATE == enough_rate(10.0)
    rates = [enough_rate(snr_db) for snr_db in np.arange(-30.0, 40.0, 0.5)]
    assert rates == sorted(rates, reverse=True) and rates[0] == RATES[-1]
    assert set(rates) == {*ENOUGH_SNR_DB, RATES[-1]} <= set(RATES)
    assert rate_for(12.0, -20.0) == 12  # no more than is allowed


def test_a_text_comes_whole_where_it_is_known_how_bad_the_channel_is(alphabet: Alphabet) -> None:
    """The receiver, which is told no rate, tries what is enough first: one quick look finds the text."""
    code, asked = counted(alphabet)
    text, snr_db = "we meet by the old pier", 0.0
    power, rate = 10 ** (-snr_db / 10), usual_rate(code.tokens(text), snr_db)
    sent = as_complex(code.encode(text, rate))
    for seed in range(3):
        asked.clear()
        said = received(code, sent + noise(len(sent), power, np.random.default_rng(seed)), power)
        assert said.verified and said.text == text
        assert len(asked) == code.tokens(text) - 1
    usual = as_complex(code.encode(text))
    lost = [
        received(code, usual + noise(len(usual), power, np.random.default_rng(seed)), power)
        for seed in range(3)
    ]
    assert not any(one.verified for one in lost)


@settings(max_examples=30, deadline=None)
@given(snr_db=st.floats(-10, 25), count=st.integers(1, 200), lost=st.integers(0, 3))
def test_the_snr_of_what_is_heard_is_that_of_as_good_a_plain_channel(
    snr_db: float, count: int, lost: int
) -> None:
    noise_var = np.full(count, 10 ** (-snr_db / 10), np.float32)
    assert effective_snr_db(noise_var) == pytest.approx(snr_db, abs=1e-3)
    with_gaps = np.concatenate([noise_var, np.full(lost, np.inf, np.float32)])
    assert effective_snr_db(with_gaps) <= effective_snr_db(noise_var) + 1e-6
    assert effective_snr_db(np.full(count, np.inf, np.float32)) == -np.inf
    faded = noise_var.copy()
    faded[0] *= 100
    assert effective_snr_db(faded) < snr_db


@pytest.mark.parametrize("text", ["hello", "no", "a b", "1"])
@pytest.mark.parametrize("snr_db", [None, 14.0, 18.0, 25.0])
def test_a_word_or_two_arrives_where_a_longer_text_does(
    code: TextCode, text: str, snr_db: float | None
) -> None:
    sent = as_complex(code.encode(text, usual_rate(code.tokens(text), snr_db)))
    power = 10 ** (-(snr_db or 14.0) / 10)
    for seed in range(5):
        said = received(code, sent + noise(len(sent), power, np.random.default_rng(seed)), power)
        assert said.text == text and said.confidence > 0.9


def test_of_readings_at_several_rates_the_one_that_explains_the_symbols_is_given(code: TextCode) -> None:
    """Four symbols are a token at 4 or two at 2, and too few to verify either."""
    right = verified = 0
    for seed, text in enumerate("abcdefghijklmnop"):
        sent = as_complex(code.encode(text, 4))
        said = received(code, sent + noise(4, 0.1, np.random.default_rng(seed)), 0.1)
        right, verified = right + (said.text == text), verified + said.verified
    assert right >= 12 and verified <= 4
    doubtful = received(code, as_complex(code.encode("k", 4)), 3.0)
    assert not doubtful.verified and doubtful.confidence < 0.5


def test_mean_power_is_one(code: TextCode) -> None:
    sent = np.concatenate([code.encode(f"text number {n} of many") for n in range(40)])
    assert np.mean(np.sum(sent**2, 1)) == pytest.approx(1.0, abs=0.04)


def test_noise_alone_is_never_verified(code: TextCode) -> None:
    rng = np.random.default_rng(1)
    for power in (0.1, 1.0, 4.0) * 12:
        assert not received(code, noise(6 * int(rng.integers(1, 12)), 1.0 + power, rng), power).verified


@pytest.mark.parametrize("noise_var", [0.01, 1.0, np.inf])
def test_nothing_received_is_never_verified(code: TextCode, noise_var: float) -> None:
    answer = received(code, np.zeros(60, np.complex64), noise_var)
    assert not answer.verified and answer.confidence < 0.5


def test_a_tail_of_another_text_is_found_out(code: TextCode) -> None:
    texts = ("the code of the door is one", "the code of the door is two")
    first, second = (as_complex(code.encode(text)) for text in texts)
    order = order_of(len(first))
    tail = code.sharing.plan(Sharing().chunks(len(texts[0]))[-1], 6).tail
    mixed = np.where(order >= len(first) - tail, second, first)
    answer = received(code, mixed)
    assert not answer.verified


def test_never_silently_wrong_at_any_snr(code: TextCode) -> None:
    right = 0
    for seed in range(40):
        text = ("meet me at the harbour", "nine boxes for anna", "x7 Q!", "no")[seed % 4]
        answer = noisy(code, text, (-3.0, 0.0, 3.0)[seed % 3], seed)
        assert not answer.verified or answer.text == text
        right += answer.text == text
    assert right > 10


def test_at_ten_decibels_all_is_verified(code: TextCode) -> None:
    for seed in range(12):
        answer = noisy(code, "the train leaves at nine", 10.0, seed)
        assert answer.verified and answer.text == "the train leaves at nine"


QUICK = 3
"""Tokens that a quick look at noise reads."""


def counted(alphabet: Alphabet) -> tuple[TextCode, list[int]]:
    """A code of 32 hypotheses, and how many of them it asks its language model about at each token."""
    asked: list[int] = []

    class Counting(Letters):
        def read(self, sources: np.ndarray, tokens: np.ndarray) -> np.ndarray:
            asked.append(len(tokens))
            return super().read(sources, tokens)

    return TextCode(alphabet, lambda: Counting(alphabet), effort=Effort(beams=32, ends=512)), asked


def test_a_lost_chunk_takes_little_more_work(alphabet: Alphabet) -> None:
    """Noise alone: after a few tokens what was sent is most probably given up, and few are kept."""
    code, asked = counted(alphabet)
    silence = noise(6 * 24, 1.0, np.random.default_rng(4))
    assert not code.decode(silence, np.full(len(silence), 1.0, np.float32), 6).verified
    assert asked[:QUICK] == [12] * QUICK  # the quick look, which comes first
    assert max(asked[:9]) == 32 and set(asked[-4:]) == {Effort().beams_lost}
    asked.clear()
    code.effort = Effort(beams=32, ends=512, lost=np.inf)
    code.decode(silence, np.full(len(silence), 1.0, np.float32), 6)
    assert set(asked[QUICK + 1 :]) == {32}


def test_a_text_at_a_known_rate_is_found_by_a_quick_look(alphabet: Alphabet) -> None:
    """The wide search is for what the quick look leaves in doubt; both find the same text."""
    code, asked = counted(alphabet)
    text, rng = "the boat is late", np.random.default_rng(7)
    symbols = code.encode(text, 6)
    heard = (symbols[:, 0] + 1j * symbols[:, 1] + noise(len(symbols), 0.2, rng)).astype(np.complex64)
    said = code.decode(heard, np.full(len(heard), 0.2, np.float32), 6)
    assert said.verified and said.text == text
    assert max(asked) <= 12 and len(asked) == code.tokens(text) - 1


def test_symbols_that_cannot_say_enough_are_searched_with_few_from_the_start(alphabet: Alphabet) -> None:
    code, asked = counted(alphabet)
    symbols = noise(6 * 24, 1.0, np.random.default_rng(5))
    said = code.decode(symbols, np.full(len(symbols), 10.0, np.float32), 6)
    assert said.text and not said.verified
    assert set(asked) == {Effort().beams_lost}
    assert len(asked) == 23


def test_no_word_gains_more_than_the_most() -> None:
    """Gains of words that were sent, beside the bound: three deviations above their mean."""
    rng, size, words = np.random.default_rng(6), 1 << 10, 300
    for noise_var in (0.1, 3.0, 10.0):
        variances = np.full(12, noise_var, np.float32)
        book, found = code_book(size, 16)[:, :12], []
        for word in rng.integers(0, size, words):
            heard = book[word, :, 0] + 1j * book[word, :, 1] + noise(12, noise_var, rng)
            found.append(gains(heard.astype(np.complex64), variances, size)[word])
        assert np.mean(np.array(found) > most_gain(variances)) <= 0.02
        mean = 12 * np.log1p(1 / noise_var)
        if mean < np.log(size) / 2:  # a word of a small book cannot gain more than its surprise
            assert np.mean(found) == pytest.approx(mean, rel=0.15)
            assert np.std(found) == pytest.approx((most_gain(variances) - mean) / 3, rel=0.15)
    assert most_gain(np.full(4, np.inf, np.float32)) == 0.0


def test_a_text_is_lost_no_sooner_for_that(alphabet: Alphabet) -> None:
    """Where some texts come through and some do not: what is verified is the same with and without."""
    kept, all_the_way = (
        TextCode(alphabet, lambda: Letters(alphabet), effort=Effort(beams=32, ends=512, lost=lost))
        for lost in (Effort().lost, np.inf)
    )
    answers = [
        (noisy(kept, "the boat is late", 3.0, seed), noisy(all_the_way, "the boat is late", 3.0, seed))
        for seed in range(12)
    ]
    assert [one.verified for one, _ in answers] == [other.verified for _, other in answers]
    assert 0 < sum(one.verified for one, _ in answers) < len(answers)


def test_who_wants_likely_texts_alone_waits_no_longer(alphabet: Alphabet) -> None:
    """A lost chunk ends the search there; one that is found is the same text, as sure as without."""
    code, asked = counted(alphabet)
    silence, noise_var = noise(6 * 24, 1.0, np.random.default_rng(4)), np.full(6 * 24, 1.0, np.float32)
    whole = code.decode(silence, noise_var, 6)
    patient = len(asked)
    asked.clear()
    said = code.decode(silence, noise_var, 6, min_confidence=0.5)
    assert (said.text, said.verified, said.confidence) == ("", False, 0.0) and whole.confidence < 0.5
    assert len(asked) - QUICK < (patient - QUICK) / 2
    asked.clear()
    code.decode(silence, noise_var, 6, min_confidence=0.01)  # less than that a lost chunk may reach
    assert len(asked) == patient


def test_a_likely_text_is_the_same_for_who_wants_no_other(code: TextCode) -> None:
    likely = 0
    for seed in range(24):
        text = ("meet me at the harbour", "one two three four five six seven eight nine ten")[seed % 2]
        sent = as_complex(code.encode(text))
        heard = sent + noise(len(sent), 0.8, np.random.default_rng(seed))
        every, only = (
            code.decode(heard, np.full(len(sent), 0.8, np.float32), 6, min_confidence=least)
            for least in (0.0, 0.5)
        )
        assert only == every or max(only.confidence, every.confidence) < 0.5
        likely += only.confidence >= 0.5
    assert 0 < likely < 24


def test_a_gap_costs_every_token_a_little(code: TextCode) -> None:
    text = "lost in the air but not in the text"
    sent = as_complex(code.encode(text))
    noise_var = np.full(len(sent), CLEAN, np.float32)
    noise_var[20:80] = np.inf
    sent[20:80] = 9.0  # what stands there says nothing
    answer = code.decode(sent, noise_var)
    assert answer.verified and answer.text == text


def test_a_part_that_did_not_come_through_is_marked(code: TextCode) -> None:
    text = "one two three four five six seven eight nine ten eleven twelve"
    lengths = Sharing().chunks(code.tokens(text))
    assert len(lengths) == 3
    sent = as_complex(code.encode(text))
    begin, end = 6 * lengths[0], 6 * (lengths[0] + lengths[1])
    order = order_of(len(sent))
    hit = (order >= begin) & (order < end)
    sent[hit] = noise(int(hit.sum()), 2.0, np.random.default_rng(2))
    answer = received(code, sent, 0.05)
    assert not answer.verified
    assert answer.text == text[: lengths[0]] + DOUBTFUL + text[lengths[0] + lengths[1] :]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 16), scale=st.floats(0.01, 30.0))
def test_the_mean_gain_of_a_random_word_is_one(seed: int, count: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    noise_var = (scale * rng.uniform(0.1, 1.0, count)).astype(np.float32)
    found = gains(noise(count, 1.0 + scale, rng), noise_var, 1 << 16).astype(np.float64)
    assert np.mean(np.exp(found)) == pytest.approx(1.0, rel=1e-3)


@settings(max_examples=20, deadline=None)
@given(state=st.integers(0, 2**64 - 1))
def test_every_state_permutes_the_book(state: int) -> None:
    flip, factor, shift = permutations(np.array([state], np.uint64), 1 << 12)[0].astype(np.int64)
    words = ((np.arange(1 << 12) ^ flip) * factor + shift) & ((1 << 12) - 1)
    assert len(set(words.tolist())) == 1 << 12


def test_the_book_is_the_same_for_ever() -> None:
    """Both ends make it; another one would be another code."""
    book = code_book(1 << 16, 16)
    assert np.array_equal(code_book(1 << 16, 64)[:, :16], book)
    assert np.mean(book.astype(np.float64) ** 2) == pytest.approx(0.5, abs=1e-3)
    levels = np.unique(book)
    assert np.searchsorted(levels, book[12345, :4]).tolist() == BOOK_12345


@settings(max_examples=60, deadline=None)
@given(tokens=st.integers(1, 400), rate=st.sampled_from(RATES))
def test_all_symbols_are_shared_out(tokens: int, rate: int) -> None:
    sharing = Sharing()
    lengths = sharing.chunks(tokens)
    assert sum(lengths) == tokens and max(lengths) <= sharing.chunk_tokens
    assert max(lengths) - min(lengths) <= 1
    for length in set(lengths):
        plan = sharing.plan(length, rate)
        assert plan.symbols == rate * length and min(plan.counts) >= 1 and len(plan.counts) == length


BOOK_12345 = [[21, 26], [5, 19], [16, 7], [20, 9]]
