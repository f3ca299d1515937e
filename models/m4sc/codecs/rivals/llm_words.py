"""Words as bytes by arithmetic coding under the language model: what it expects costs few bits.

Both ends must compute the same probabilities to the bit, as one machine does: between two kinds of processors
a text may be lost. That is not counted against this rival.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from m4sc.codecs.text_code.alphabet import Alphabet
from m4sc.codecs.text_code.search import Prior
from m4sc.message import Message, MessageError

END = "<|im_end|>"
"""The model's mark of a text's end."""
_END_SHARE = 0.02  # of belief that a text ends here, beside the model's own
_CHUNK = 64  # tokens that are read in one go, as the texts' receiver does
_BITS = 24  # of a probability
_MOST_TOKENS = 4096
_MOST_BYTES = 1 << 14
_MOST_A_BYTE = 280  # tokens: each takes log2(1 / 0.98) bits at least


class LlmWordCoder:
    """A source codec of texts.

    Args:
        alphabet: of the model's tokenizer, with a mark of the end.
        prior: the model.
    """

    def __init__(self, alphabet: Alphabet, prior: Prior) -> None:
        (self._end,) = alphabet.with_marks(END)
        self._alphabet, self._prior = alphabet, prior

    def source_encode(self, message: Message) -> bytes:
        """A text's bytes.

        Raises:
            ValueError: the message is no text, or a very long one.
        """
        if message.modality != "text":
            raise ValueError(f"llm takes texts, but the message is {message.modality}")
        tokens = self._alphabet.numbers(str(message.data))
        if len(tokens) > _MOST_TOKENS:
            raise ValueError(f"the text has {len(tokens)} tokens; {_MOST_TOKENS} are coded at most")
        low, width, said = 0, 1, list[int]()
        for token, shares in zip([*tokens, self._end], self._expected(said), strict=False):
            ends = np.cumsum(shares)
            share = int(shares[token])
            low, width = (low << _BITS) + width * (int(ends[token]) - share), width * share
            said.append(token)
        return _shortest(low, width, _BITS * len(said))

    def source_decode(self, payload: bytes, modality: str) -> Message:
        """The text of its bytes.

        Raises:
            MessageError: bytes that end no text.
        """
        if not 1 <= len(payload) <= _MOST_BYTES:
            raise MessageError("the text's bytes are too few or too many; they are broken")
        # place is where the bytes point to within the interval, out of `whole`
        place, whole, said = int.from_bytes(payload, "big"), 1 << (8 * len(payload)), list[int]()
        for shares in self._expected(said):
            ends = np.cumsum(shares)
            token = int(np.searchsorted(ends, (place << _BITS) // whole, side="right"))
            if token == self._end:
                break
            said.append(token)
            share = int(shares[token])
            place, whole = (place << _BITS) - whole * (int(ends[token]) - share), whole * share
            if len(said) > min(_MOST_TOKENS, _MOST_A_BYTE * len(payload)):
                raise MessageError("the text's bytes end nowhere; they are broken")
        if not said:
            raise MessageError("the text's bytes hold no character")
        return Message("text", self._alphabet.text(said))

    def _expected(self, said: list[int]) -> Iterator[np.ndarray]:
        """Shares of 2^24 of each next token, int64 (vocab,), while `said` grows by a token at a time."""
        while True:
            if len(said) % _CHUNK == 0:
                belief = self._prior.begin(said)
            else:
                belief = self._prior.read(np.zeros(1, np.int64), np.array(said[-1:]))
            own = (1 - _END_SHARE) * np.exp(belief[0].astype(np.float64))
            own[self._end] += _END_SHARE
            room = (1 << _BITS) - len(own)  # one for each, so that nothing is impossible
            shares = 1 + np.floor(own / own.sum() * room).astype(np.int64)
            shares[int(shares.argmax())] += (1 << _BITS) - int(shares.sum())
            yield shares


def _shortest(low: int, width: int, bits: int) -> bytes:
    """The fewest bytes that stand for a place in [low, low + width) of 2^bits, whatever follows them."""
    for count in range(1, bits // 8 + 2):
        unit = 1 << max(0, bits - 8 * count)
        first = -(-low // unit)
        if (first + 1) * unit <= low + width:
            return (first << max(0, 8 * count - bits)).to_bytes(count, "big")
    raise AssertionError("an interval holds one of its own units")
