"""Sound to a sequence of features by the frozen Whisper encoder; words by the whole of Whisper."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from m4sc.encoders.hearing import Listener, Transcript, adapted_folder, adapter_config, speech_folder
from m4sc.media.sounds import SAMPLE_RATE_HZ, is_silent

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

_MEL_RATE_HZ = 100
_WINDOW_S = 30
_BEAMS = 5  # of synthetic voices fewer words are misheard than with one; the time is about the same


class SpeechEncoder:
    """Whisper tiny.en through CTranslate2; its encoder gives 50 vectors of 384 a second."""

    feature_dim = 384

    def __init__(
        self,
        name: str = "whisper-tiny.en",
        tokens_per_s: int = 5,
        max_tokens: int = 32,
        adapter: Path | None = None,
    ) -> None:
        """The features are those of Whisper as it is, or with an adapter that is part of its name.

        name: see :func:`m4sc.encoders.hearing.speech_folder`; adapter: of the words.
        """
        self._folder = speech_folder(name)
        self.tokens_per_s, self.max_tokens, self.adapter = tokens_per_s, max_tokens, adapter

    @cached_property
    def model(self) -> WhisperModel:
        """Loaded when first needed: an adapter's words do without it."""
        from faster_whisper import WhisperModel

        return WhisperModel(str(self._folder), device="cpu", compute_type="float32")

    def __call__(self, samples: np.ndarray) -> Tensor:
        """Sound, float32 (n,) at 16 kHz, to features, float32 (tokens, 384): means over 1/tokens_per_s."""
        seconds = len(samples) / SAMPLE_RATE_HZ
        tokens = int(np.clip(np.ceil(seconds * self.tokens_per_s), 1, self.max_tokens))
        states = torch.from_numpy(self.states(samples)).T[None]  # (1, 384, frames / 2)
        return torch.nn.functional.adaptive_avg_pool1d(states, tokens)[0].T.contiguous()

    def states(self, samples: np.ndarray) -> np.ndarray:
        """Sound, float (n,) at 16 kHz, to the encoder's states, float32 (50 a second, 384).

        Only the sound's own length is encoded, not Whisper's padded 30 s, and no more than those.
        """
        import ctranslate2

        seconds = len(samples) / SAMPLE_RATE_HZ
        mel = self.model.feature_extractor(samples.astype(np.float32))  # (80, frames)
        frames = min(max(int(seconds * _MEL_RATE_HZ) // 2 * 2, 2), _WINDOW_S * _MEL_RATE_HZ)
        view = ctranslate2.StorageView.from_array(
            np.ascontiguousarray(mel[None, :, :frames], dtype=np.float32)
        )
        return np.array(self.model.model.encode(view, to_cpu=True))[0]

    @cached_property
    def _listener(self) -> Listener | None:
        return None if self.adapter is None else Listener(adapted_folder(self.adapter))

    @cached_property
    def _margin(self) -> float:
        return adapter_config(self.adapter).margin if self.adapter is not None else 0.0

    def transcribe(self, samples: np.ndarray) -> str:
        """The words that Whisper hears, as it is or with the adapter, whichever is surer.

        The adapter knows synthetic voices, which Whisper mishears, and mishears people; how probable each
        finds its own words tells which of the two a voice is for. The adapter must be surer by its margin.
        In silence Whisper invents words, so there are none.
        """
        if is_silent(samples):
            return ""
        return self.hearings(samples)["chosen"]

    def hearings(self, samples: np.ndarray) -> dict[str, str]:
        """What is heard by each: "plain", "adapted" (where there is an adapter) and "chosen" of the two."""
        plain = self._plain(samples)
        if self._listener is None:
            return {"plain": plain.text, "chosen": plain.text}
        adapted = self._listener.listen(samples)
        surer = adapted.log_probability - plain.log_probability >= self._margin
        chosen = adapted if surer or not plain.text else plain
        return {"plain": plain.text, "adapted": adapted.text, "chosen": chosen.text}

    def _plain(self, samples: np.ndarray) -> Transcript:
        """Whisper as it is."""
        segments, _ = self.model.transcribe(samples.astype(np.float32), language="en", beam_size=_BEAMS)
        return Transcript.of([(s.text, s.avg_logprob, len(s.tokens)) for s in segments])
