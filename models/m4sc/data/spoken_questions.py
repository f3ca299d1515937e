"""A picture with a spoken question about it: questions of other examples, said by espeak-ng."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from m4sc.data.espeak import spoken_examples
from m4sc.data.example import Data, Example
from m4sc.data.wordings import pick, wordings_of


@dataclass(frozen=True)
class _Pair:
    picture: Data | Callable[[], Data]
    sound: Callable[[], np.ndarray]

    def __call__(self) -> tuple[np.ndarray, np.ndarray]:
        picture = self.picture() if callable(self.picture) else self.picture
        return np.asarray(picture), self.sound()


def spoken_question_examples(
    asked: Sequence[Example], cache_dir: Path, *, wording: str = "seen", seed: int = 0
) -> list[Example]:
    """One `spoken-question` example for each question about a picture.

    Args:
        asked: examples about pictures whose instructions are the questions, of the split wanted.
        cache_dir: where what was spoken is kept.
        wording: "seen" or "heldout", of the instruction beside the spoken question.
        seed: of voices, noise and wordings.
    """
    rng = np.random.default_rng(seed)
    choices = wordings_of("spoken-question", wording)
    said = spoken_examples([example.instruction for example in asked], cache_dir, seed=seed)
    return [
        replace(
            example,
            id=f"spoken-{example.id}",
            modality="image+speech",
            task="spoken-question",
            instruction=pick(choices, rng),
            source=_Pair(example.source, voice.source),  # type: ignore[arg-type]  # a cached utterance
            media_id=f"{example.media_id}-{voice.media_id}",
        )
        for example, voice in zip(asked, said, strict=True)
    ]
