"""How the symbols of a text are shared out: chunks, tokens, and a tail that protects the last ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATES = (2, 3, 4, 6, 8, 12, 16, 24)
"""Symbols a token, of the whole text with all that protects it."""
DEFAULT_RATE = 6
"""Of a sender who does not know the SNR."""
ENOUGH_SNR_DB = {3: 18.0, 4: 14.0, 6: 9.0, 8: 7.0, 12: 4.0, 16: 2.0}
"""Es/N0 of AWGN from which a rate is enough; the highest rate is for all below. There 8, 12 and 16, 6 at 8 dB
and 24 at -1 dB brought at least 99 % of 200 texts whole: captions of the training split, messages made up.
"""
LEAST_SYMBOLS = 16
"""Of a text whose sender was given no rate: a word or two at the default one hold too little to be sure of.
Where more than that is enough it is more, in proportion."""


def rate_for(symbols_per_token: float, snr_db: float | None = None) -> int:
    """The rate that is sent: the highest that is allowed, or the lowest that the SNR needs.

    Args:
        symbols_per_token: at most.
        snr_db: Es/N0 that the sender expects, dB; None where unknown.

    Raises:
        ValueError: less than the lowest rate.
    """
    allowed = [rate for rate in RATES if rate <= symbols_per_token]
    if not allowed:
        raise ValueError(f"{symbols_per_token:g} symbols a token are too few; use at least {RATES[0]}")
    return allowed[-1] if snr_db is None else min(allowed[-1], enough_rate(snr_db))


def enough_rate(snr_db: float | None) -> int:
    """The lowest rate of `ENOUGH_SNR_DB` for an SNR; the default one where it is unknown.

    Args:
        snr_db: Es/N0 of AWGN, dB, or of AWGN that carries as much.
    """
    if snr_db is None:
        return DEFAULT_RATE
    return next((rate for rate, least in sorted(ENOUGH_SNR_DB.items()) if snr_db >= least), RATES[-1])


def usual_rate(tokens: int, snr_db: float | None = None) -> int:
    """The rate of a text whose sender was given none: that which is enough, or more where the text is short.

    Args:
        tokens: of the text.
        snr_db: as in :func:`enough_rate`.
    """
    rate = enough_rate(snr_db)
    least = LEAST_SYMBOLS * max(rate, DEFAULT_RATE) / DEFAULT_RATE
    return next((more for more in RATES if more >= rate and more * tokens >= least), RATES[-1])


@dataclass(frozen=True)
class Plan:
    """Of one chunk.

    Attributes:
        counts: symbols of each token.
        tail: symbols that depend on all tokens and come last.
    """

    counts: tuple[int, ...]
    tail: int

    @property
    def symbols(self) -> int:
        """Of the chunk."""
        return sum(self.counts) + self.tail


@dataclass(frozen=True)
class Sharing:
    """What both ends must agree on.

    Attributes:
        chunk_tokens: most tokens of a chunk.
        tail: symbols of a chunk's tail up to the default rate, and in proportion above it; fewer where it
            has few tokens.
        first, second, last: shares of a chunk's first two tokens and of its last, where another has 1.
            Nothing before the first ones tells the language model what to expect, and a search that keeps
            few beginnings must not lose the right one there; the last is protected by the tail as well.
    """

    chunk_tokens: int = 24
    tail: int = 8
    first: float = 4.0
    second: float = 2.0
    last: float = 0.6

    def chunks(self, tokens: int) -> list[int]:
        """Tokens of each chunk: as few chunks as may be, about equally long."""
        count = -(-tokens // self.chunk_tokens)
        return [tokens // count + (i < tokens % count) for i in range(count)]

    def plan(self, tokens: int, rate: int) -> Plan:
        """Of a chunk of `tokens` at `rate` symbols a token."""
        total = tokens * rate
        spare = total - tokens  # each token has one symbol at least
        tail = min(round(self.tail * max(rate / DEFAULT_RATE, 1.0)), max(spare // 4, 3), spare)
        weights = np.ones(tokens)
        weights[-1] = self.last
        weights[:2] = (self.first, self.second)[:tokens]
        spare -= tail
        exact = weights / weights.sum() * spare
        counts = np.floor(exact).astype(int)
        short = spare - counts.sum()
        counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
        return Plan(tuple(int(count) + 1 for count in counts), int(tail))


def order_of(symbols: int) -> np.ndarray:
    """The order in which a text's symbols are sent, int64 (symbols,): neighbours are far apart in the code.

    So a gap or a fade costs every token a little, instead of one token everything.
    """
    from m4sc.codecs.text_code.code_book import mixed

    return np.argsort(mixed(np.arange(symbols, dtype=np.uint64)), kind="stable")
