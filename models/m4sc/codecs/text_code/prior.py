"""The language model as a reader of short messages: what it expects next, hypothesis by hypothesis.

Only the receiver asks it. So it need not give the same numbers on two machines: a difference changes how far
a hypothesis is believed, never what was sent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from m4sc.mllm.decoding import Decoder

_ROOM = 64
_SURPRISE = 0.02
"""Share of belief that is spread over all tokens: nothing that a user may write is impossible."""
EXAMPLES = """\
Pick up Nadia at 16:20 from Terminal 2
The meeting with Mr. Cooper is on 12 March
Parcel 3381 for Lena, 4 Mill Road, York
Pressure in tank 5 is 2.1 bar
We have 26 people and 9 dogs at Camp Delta
John Baxter, born 1974, blood group O positive
Pay 320 dollars to Rosa before Friday
Bus 12 to Central Station leaves at 7:35
Call me on 0664 312 77 after 8 pm
Rover 2 is stuck 400 metres north of Hill 65
My cousin Theo lives in Toronto at 18 King Street
Please send 75 tents to Port Vila by Tuesday
The doctor told Irene to take 2 tablets at night
Invoice 6014 of 890 euros was paid by Hofmann
Snow on Mount Rainier is 3 metres deep
Gate code 5581, ring the bell for Mrs. Lang
"""
"""Written for this project: messages of the kind that are sent, so that the model expects one."""


class LlmPrior:
    """Beliefs of a lean decoder that has read `EXAMPLES` and what was received before."""

    def __init__(self, decoder: Decoder, examples: Sequence[int]) -> None:
        """examples: token numbers that every text is thought to stand behind."""
        self._decoder = decoder
        embeds = decoder.embedding[torch.tensor(list(examples))].float()[None]
        logits, cache = decoder.prefill(embeds, torch.zeros(1, dtype=torch.long), 0)
        self._before = _belief(logits), cache.behind(0, _ROOM)
        self._cache = self._before[1]

    @torch.inference_mode()
    def begin(self, read: Sequence[int]) -> np.ndarray:
        """As :meth:`m4sc.codecs.text_code.search.Prior.begin`; the last `_ROOM` tokens of `read` count."""
        belief, empty = self._before
        self._cache = empty.picked(torch.zeros(1, dtype=torch.long))
        for token in read[-_ROOM:]:
            belief = _belief(self._decoder.step(torch.tensor([token]), self._cache))
        if read:
            self._cache = self._cache.behind(0, _ROOM)
        return belief

    @torch.inference_mode()
    def read(self, sources: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """As :meth:`m4sc.codecs.text_code.search.Prior.read`."""
        self._cache = self._cache.picked(torch.from_numpy(sources))
        return _belief(self._decoder.step(torch.from_numpy(tokens), self._cache))


def _belief(logits: torch.Tensor) -> np.ndarray:
    """ln probabilities, a little of them spread over all tokens: float32 (n, vocab)."""
    least = float(np.log(_SURPRISE / logits.shape[1]))
    own = logits.log_softmax(-1) + float(np.log1p(-_SURPRISE))
    return torch.logaddexp(own, torch.tensor(least)).numpy()
