"""How many symbols a token words take: what is asked for, else what the sender knows of the channel."""

from __future__ import annotations

import numpy as np
import pytest
from m4sc.codecs.base import Budget
from m4sc.codecs.gist import GistCodec
from m4sc.codecs.text_code import TextCode
from m4sc.codecs.text_code.alphabet import Alphabet
from m4sc.codecs.text_code.plan import DEFAULT_RATE, RATES, usual_rate
from m4sc.codecs.verbatim import VerbatimCodec
from m4sc.message import Message
from m4sc.tasks import get_task
from test_gist import by_words
from tiny_model import write_tiny_llm
from transformers import AutoTokenizer

TASK = get_task("text")
TEXT = "the boat is late again"


class Read:
    """Senses that see a text as it is."""

    @staticmethod
    def words(message: Message) -> str:
        return str(message.data)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> VerbatimCodec:
    folder = write_tiny_llm(tmp_path_factory.mktemp("llm"))
    code = TextCode(Alphabet(AutoTokenizer.from_pretrained(str(folder))), lambda: None)  # type: ignore[arg-type,return-value]
    return VerbatimCodec(lambda: code, Read())  # type: ignore[arg-type]


def rate_of(codec: VerbatimCodec, budget: Budget, text: str = TEXT) -> float:
    latents = codec.encode(Message("text", text), TASK, budget).latents
    assert latents is not None
    return len(latents) / codec.code.tokens(text)


@pytest.mark.parametrize("snr_db", [None, -5.0, 0.0, 5.0, 10.0, 15.0, 25.0])
def test_a_sender_takes_what_the_snr_needs(codec: VerbatimCodec, snr_db: float | None) -> None:
    rate = rate_of(codec, Budget(snr_db=snr_db))
    assert rate == usual_rate(codec.code.tokens(TEXT), snr_db)
    assert (rate > DEFAULT_RATE) == (snr_db is not None and snr_db < 9.0)


@pytest.mark.parametrize("snr_db", [None, -5.0, 10.0, 25.0])
@pytest.mark.parametrize("rate", RATES)
def test_a_rate_that_was_asked_for_is_sent_at_any_snr(
    codec: VerbatimCodec, rate: int, snr_db: float | None
) -> None:
    assert rate_of(codec, Budget(snr_db=snr_db, rate=rate)) == rate


def test_no_more_symbols_than_are_allowed(codec: VerbatimCodec) -> None:
    tokens = codec.code.tokens(TEXT)
    assert rate_of(codec, Budget(symbols=9 * tokens, snr_db=0.0)) == 8
    assert rate_of(codec, Budget(symbols=9 * tokens)) == DEFAULT_RATE
    assert rate_of(codec, Budget(symbols=5 * tokens)) == 4
    with pytest.raises(ValueError, match="too few"):
        rate_of(codec, Budget(symbols=tokens))


def test_of_a_summary_no_more_is_chosen_than_arrives(codec: VerbatimCodec) -> None:
    """Where the channel is known to be bad the same symbols carry fewer words, but carry them."""
    gist, text = GistCodec(codec, by_words), "We shall meet at nine, if it does not rain all day long."
    message, summary = Message("text", text), get_task("summarize")
    for snr_db, most in ((None, 240 // DEFAULT_RATE), (0.0, 240 // usual_rate(99, 0.0))):
        part = gist.choose(text, None, Budget(240, snr_db))
        assert part in text and codec.code.tokens(part) <= most
        latents = gist.encode(message, summary, Budget(240, snr_db)).latents
        assert latents is not None and np.isfinite(latents).all() and len(latents) <= 240
