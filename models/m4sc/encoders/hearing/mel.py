"""Sound to Whisper's log-mel spectrogram, padded little instead of to 30 s."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from m4sc.message import SAMPLE_RATE_HZ

FRAMES_A_S = 100
LONGEST_S = 30.0
_STEP_S = 1.0
_LEAST_SILENCE_S = 0.3


@lru_cache(maxsize=1)
def _extractor() -> Any:
    from faster_whisper.feature_extractor import FeatureExtractor

    return FeatureExtractor()


def padded_seconds(samples: int) -> float:
    """Length that a sound is padded to: whole seconds, some silence at its end."""
    seconds = samples / SAMPLE_RATE_HZ + _LEAST_SILENCE_S
    return float(min(np.ceil(seconds / _STEP_S) * _STEP_S, LONGEST_S))


def log_mel(samples: np.ndarray, seconds: float) -> np.ndarray:
    """samples: float32 (n,) at 16 kHz, at most `seconds` of them. Returns float32 (80, 100 seconds)."""
    whole = np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)
    whole[: len(samples)] = samples[: len(whole)]
    return np.ascontiguousarray(_extractor()(whole)[:, : round(seconds * FRAMES_A_S)], np.float32)
