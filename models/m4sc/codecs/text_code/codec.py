"""Texts to symbols and back: what comes back is verified, or its doubtful parts say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from m4sc.codecs.text_code.alphabet import Alphabet
from m4sc.codecs.text_code.code_book import (
    effective_snr_db,
    following,
    gains,
    mixed,
    most_gain,
    symbols_of,
    words_of,
)
from m4sc.codecs.text_code.plan import DEFAULT_RATE, RATES, Sharing, enough_rate, order_of, rate_for
from m4sc.codecs.text_code.search import Effort, Found, Prior, search

_LEAST_BOOK = 1 << 16
"""Words of the book at least: what a word can tell is the logarithm of their number."""
_GUESS = Effort(beams=12, least=4.0)
"""Effort for a rate that may have been sent, although another is usual."""
_LEAST_SNR_DB = 8.0
"""Es/N0 below which nobody sends less than the default rate, dB."""
_LEAST_SURPRISE = 1.0
"""What a token of a text costs a reader at least, on average over a chunk, in nats."""
DOUBTFUL = "[?]"
"""Stands for a part of a long text that could not be verified."""


@dataclass(frozen=True)
class VerbatimText:
    """A text as it was received.

    Attributes:
        text: where `verified`, the text that was sent, to the letter; else the likeliest one, and of a text
            of several chunks "[?]" for each that is in doubt.
        verified: every part is surely what was sent.
        confidence: probability that `text` is what was sent, 0 to 1.
    """

    text: str
    verified: bool
    confidence: float


@dataclass(frozen=True)
class Certainty:
    """When a chunk counts as verified.

    Attributes:
        log_odds: least ln odds of the chunk against all others (``Found.log_odds``).
        gain: least ln weight against that of no text at all: noise alone passes once in e^gain.
    """

    log_odds: float = 7.0
    gain: float = 9.0

    def verifies(self, found: Found) -> bool:
        """Whether a chunk is sure enough to be called so."""
        return found.log_odds >= self.log_odds and found.gain >= self.gain


@dataclass(frozen=True)
class _Reading:
    """A text at one rate.

    Attributes:
        said: the text.
        gain: ln of its weight against that of no text at all; minus infinity where the search was stopped.
    """

    said: VerbatimText
    gain: float = -np.inf


class TextCode:
    """The keyed tree code of :mod:`m4sc.codecs.text_code.code_book` over a language model's tokens."""

    def __init__(
        self,
        alphabet: Alphabet,
        prior: Callable[[], Prior],
        sharing: Sharing | None = None,
        effort: Effort | None = None,
        certainty: Certainty | None = None,
    ) -> None:
        """prior: makes the receiver's language model when the first text comes; a transmitter needs none."""
        self.alphabet = alphabet
        self.sharing, self.effort = sharing or Sharing(), effort or Effort()
        self.certainty = certainty or Certainty()
        self._make_prior = prior
        self._size = max(_LEAST_BOOK, 1 << (alphabet.size - 1).bit_length())

    @cached_property
    def prior(self) -> Prior:
        """The receiver's language model."""
        return self._make_prior()

    def encode(self, text: str, symbols_per_token: float = 6.0, snr_db: float | None = None) -> np.ndarray:
        """A text to symbols.

        Args:
            text: any Unicode text of at least one character.
            symbols_per_token: most symbols a token, on average, with all that protects the text.
            snr_db: of the channel, if known: fewer symbols are sent where they are enough.

        Returns:
            float32 (k, 2) of unit mean power over all texts.

        Raises:
            ValueError: an empty text, half a surrogate pair, or less than the lowest rate.
        """
        if not text:
            raise ValueError("the text is empty; give at least one character")
        rate = rate_for(symbols_per_token, snr_db)
        tokens = self.alphabet.numbers(text)
        parts, start = [], 0
        for number, length in enumerate(self.sharing.chunks(len(tokens))):
            parts.append(self._send(tokens[start : start + length], self._key(len(tokens), number), rate))
            start += length
        symbols = np.concatenate(parts)
        return symbols[order_of(len(symbols))]

    def tokens(self, text: str) -> int:
        """How many tokens a text has."""
        return len(self.alphabet.numbers(text))

    def decode(
        self,
        symbols: np.ndarray,
        noise_var: np.ndarray,
        symbols_per_token: float | None = None,
        min_confidence: float = 0.0,
    ) -> VerbatimText:
        """Received symbols to a text.

        Args:
            symbols: complex64 (k,), unbiased; noise_var: float32 (k,), complex, infinite where erased.
            symbols_per_token: as the transmitter sent; None tries all rates that make whole tokens, first
                the one that is enough for noise like this, the default one at least.
            min_confidence: of use to the caller. A search that will most probably stay below it ends early,
                with an empty text.

        Raises:
            ValueError: numbers of symbols that do not fit each other or any rate.
        """
        count = len(symbols)
        if count == 0 or count != len(noise_var):
            raise ValueError(f"{count} symbols with {len(noise_var)} noise variances are no text")
        given = RATES if symbols_per_token is None else (rate_for(symbols_per_token),)
        rates = _by_likelihood([rate for rate in given if count % rate == 0], noise_var)
        if not rates:
            raise ValueError(f"{count} symbols do not make whole tokens of {given[0]} symbols")
        back = np.argsort(order_of(count))
        y, n = np.asarray(symbols)[back], np.asarray(noise_var, np.float32)[back]
        # a quick look finds most texts; rates that were not sent, and much noise, end it after a few tokens
        readings: dict[int, _Reading] = {}
        for rate in rates:
            readings[rate] = self._receive(y, n, rate, _GUESS, min_confidence)
            if readings[rate].said.verified:
                return readings[rate].said
        best = max(rates, key=lambda rate: readings[rate].gain)
        usual = [rate for rate in rates if rate == DEFAULT_RATE]
        for rate in dict.fromkeys([rates[0], *usual, best]):
            readings[rate] = self._receive(y, n, rate, self.effort, min_confidence)
            if readings[rate].said.verified:
                return readings[rate].said
        return _likeliest([readings[rate] for rate in rates])

    def _send(self, tokens: list[int], key: int, rate: int) -> np.ndarray:
        """Symbols of a chunk, float32 (rate * tokens, 2)."""
        plan = self.sharing.plan(len(tokens), rate)
        states = np.array([key], np.uint64)
        every = [states]
        for token in tokens:
            states = following(states, np.array([token]))
            every.append(states)
        words = words_of(np.concatenate(every), np.array([*tokens, 0]), self._size)
        return symbols_of(words, np.array([*plan.counts, plan.tail]), self._size)

    def _receive(
        self, y: np.ndarray, noise_var: np.ndarray, rate: int, effort: Effort, min_confidence: float
    ) -> _Reading:
        """Symbols in the code's order to a text at one rate."""
        total = len(y) // rate
        # what is lost (Effort.lost) is among the hypotheses with a probability of e^-lost at most
        effort = replace(effort, ends_lost=min_confidence > np.exp(-effort.lost))
        confidence = 1.0
        said: list[int] = []
        found: list[Found] = []
        for number, length in enumerate(self.sharing.chunks(total)):
            here = slice(len(said) * rate, (len(said) + length) * rate)
            found.append(self._read(y[here], noise_var[here], self._key(total, number), rate, said, effort))
            if not found[-1].tokens:
                return _Reading(VerbatimText("", False, 0.0))
            said += found[-1].tokens
            confidence *= float(np.exp(-np.logaddexp(0.0, -found[-1].log_odds)))
            if confidence < min_confidence and len(said) < total:
                return _Reading(VerbatimText("", False, confidence))
        gain = sum(part.gain for part in found)
        sure = [self.certainty.verifies(part) for part in found]
        if len(found) == 1 or all(sure):
            return _Reading(VerbatimText(self.alphabet.text(said), all(sure), confidence), gain)
        return _Reading(VerbatimText(self._marked(found, sure), False, confidence), gain)

    def _marked(self, found: list[Found], sure: list[bool]) -> str:
        """The text with `DOUBTFUL` in the place of chunks that are not sure."""
        pieces, run = [], list[int]()
        for part, certain in zip(found, sure, strict=True):
            if certain:
                run += part.tokens
                continue
            pieces += [self.alphabet.text(run), DOUBTFUL]
            run = []
        return "".join([*pieces, self.alphabet.text(run)])

    def _read(
        self, y: np.ndarray, noise_var: np.ndarray, key: int, rate: int, said: list[int], effort: Effort
    ) -> Found:
        """One chunk, behind the text before it."""
        plan = self.sharing.plan(len(y) // rate, rate)
        ends = np.cumsum([*plan.counts, plan.tail])
        starts = [0, *ends[:-1]]
        heard = [gains(y[a:b], noise_var[a:b], self._size) for a, b in zip(starts, ends, strict=True)]
        ahead = [
            most_gain(noise_var[a:]) - _LEAST_SURPRISE * left
            for a, left in zip(starts, range(len(ends) - 1, -1, -1), strict=True)
        ]
        return search(heard[:-1], heard[-1], key, self.prior, said, effort, ahead, self.certainty.gain)

    @staticmethod
    def _key(tokens: int, chunk: int) -> int:
        """The code's state before a chunk: texts of other lengths have other symbols."""
        return int(mixed(np.array([tokens << 20 | chunk]))[0])


def _likeliest(readings: Sequence[_Reading]) -> VerbatimText:
    """Of readings at several rates the one that explains the symbols best, as sure as the others leave it."""
    best = max(readings, key=lambda reading: reading.gain)
    if not np.isfinite(best.gain):
        return readings[0].said
    others = sum(np.exp(reading.gain - best.gain) for reading in readings if reading is not best)
    return replace(best.said, confidence=best.said.confidence / (1.0 + float(others)))


def _by_likelihood(rates: Sequence[int], noise_var: np.ndarray) -> list[int]:
    """Rates that a sender may have chosen: enough for noise like this, the default, then the others."""
    snr_db = effective_snr_db(noise_var)
    expected = max(enough_rate(snr_db), DEFAULT_RATE)  # most senders do not know the SNR
    order = sorted(
        rates, key=lambda rate: (rate != expected, rate != DEFAULT_RATE, abs(np.log(rate / expected)))
    )
    return [rate for rate in order if rate == order[0] or rate >= DEFAULT_RATE or snr_db >= _LEAST_SNR_DB]
