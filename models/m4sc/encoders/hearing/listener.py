"""Words of a sound by an adapted Whisper model, without its padding to 30 s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m4sc.encoders.hearing.mel import LONGEST_S, log_mel, padded_seconds
from m4sc.encoders.hearing.vocabulary import Vocabulary
from m4sc.message import SAMPLE_RATE_HZ

_BEAMS = 5
_PIECE_S = (18.0, 26.0)  # a longer sound is cut where it is quietest between these
_QUIET_S = 0.2
_MOST_TOKENS = 224  # half of the decoder's places, as Whisper has it


@dataclass(frozen=True)
class Transcript:
    """Words, and how sure the decoder was of them.

    Attributes:
        text: the words; empty if none was heard.
        log_probability: natural logarithm, mean over the tokens; minus infinity where there are none.
    """

    text: str
    log_probability: float

    @classmethod
    def of(cls, pieces: Sequence[tuple[str, float, int]]) -> Transcript:
        """From (words, mean log probability of a token, tokens) of each piece of a sound."""
        tokens = sum(count for _, _, count in pieces)
        total = sum(mean * count for _, mean, count in pieces)
        text = " ".join(filter(None, (words.strip() for words, _, _ in pieces)))
        return cls(text, total / tokens if tokens else -float("inf"))


class Listener:
    """Whisper through CTranslate2 as the adapter was trained: short paddings, no time marks."""

    def __init__(self, folder: Path) -> None:
        """folder: a CTranslate2 Whisper model, as of :func:`m4sc.encoders.hearing.adapted_folder`."""
        from ctranslate2.models import Whisper

        self.model = Whisper(str(folder), device="cpu", compute_type="float32")
        self.vocabulary = Vocabulary(folder)

    def __call__(self, samples: np.ndarray) -> str:
        """Sound, float32 (n,) at 16 kHz, to words; empty if none is heard."""
        return self.listen(samples).text

    def listen(self, samples: np.ndarray) -> Transcript:
        """As :meth:`__call__`, with how sure the decoder is."""
        return Transcript.of([self._hear(piece) for piece in pieces(samples.astype(np.float32))])

    def _hear(self, samples: np.ndarray) -> tuple[str, float, int]:
        import ctranslate2

        mel = log_mel(samples, padded_seconds(len(samples)))
        view = ctranslate2.StorageView.from_array(mel[None])
        (found,) = self.model.generate(
            view,
            [self.vocabulary.prompt],
            beam_size=_BEAMS,
            max_length=_MOST_TOKENS,
            suppress_blank=False,
            return_scores=True,  # of a length penalty of 1: the mean over the tokens
        )
        ids = found.sequences_ids[0]
        return self.vocabulary.text(ids), float(found.scores[0]), len(ids)


def pieces(samples: np.ndarray) -> list[np.ndarray]:
    """Parts of a sound that are short enough for the model, cut where it is quiet. samples: float (n,)."""
    found = []
    while len(samples) > (LONGEST_S - 1.0) * SAMPLE_RATE_HZ:
        first, last = (int(s * SAMPLE_RATE_HZ) for s in _PIECE_S)
        window = int(_QUIET_S * SAMPLE_RATE_HZ)
        power = np.convolve(samples[first:last].astype(np.float64) ** 2, np.ones(window), "valid")
        cut = first + int(np.argmin(power)) + window // 2
        found.append(samples[:cut])
        samples = samples[cut:]
    return [*found, samples]
