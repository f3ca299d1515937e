"""A sound to one vector of features by frozen networks: YAMNet, and Whisper's encoder beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from m4sc.encoders import yamnet
from m4sc.encoders.speech import SpeechEncoder

_QUIET = 1e-3  # a patch of less power than the loudest times this says nothing
_MOST_LOGIT = 20.0
_PART = 64  # patches at a time, for memory's sake
_STATISTICS = 3  # mean, maximum and standard deviation of Whisper's states
FEATURES = 2 * yamnet.FEATURES + _STATISTICS * SpeechEncoder.feature_dim
DIM = FEATURES + yamnet.CLASSES


@dataclass(frozen=True)
class SoundPatches:
    """What the encoders say of a sound, before it is pooled.

    Attributes:
        features: float (p, 1024): YAMNet's, of each patch.
        logits: float (p, 521): of its classes.
        power: float (p,): mean square of each patch's samples.
        speech: float (1152,): mean, maximum and standard deviation over time of Whisper's encoder states.
    """

    features: np.ndarray
    logits: np.ndarray
    power: np.ndarray
    speech: np.ndarray

    @property
    def heard(self) -> np.ndarray:
        """Numbers of the patches that are not near silence; all, where nothing is heard."""
        loud = np.flatnonzero(self.power >= max(float(self.power.max()) * _QUIET, 1e-12))
        return loud if len(loud) else np.arange(len(self.power))

    def pooled(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """One vector, float32 (DIM,): `FEATURES` features, then the classes' mean probabilities.

        The square root of YAMNet's features brings their skewed values together; mean and maximum over the
        patches follow. chosen: numbers of the patches to take; those that are heard if None.
        """
        rows = self.heard if chosen is None else chosen
        roots = np.sqrt(np.maximum(self.features[rows].astype(np.float32), 0.0))
        logits = np.clip(self.logits[rows].astype(np.float32), -_MOST_LOGIT, _MOST_LOGIT)
        probabilities = (1.0 / (1.0 + np.exp(-logits))).mean(0)
        parts = [roots.mean(0), roots.max(0), self.speech.astype(np.float32), probabilities]
        return np.concatenate(parts)


class SoundEncoder:
    """YAMNet and Whisper's encoder, both frozen; loaded when the first sound comes."""

    def __init__(self, name: str = "yamnet", speech: str = "whisper-tiny.en") -> None:
        """name, speech: backbones of kind "sound" and "speech", as of :func:`m4sc.pretrained.resolve`."""
        self.name, self.speech = name, speech

    @cached_property
    def _yamnet(self) -> tuple[yamnet.YamNet, tuple[str, ...]]:
        return yamnet.load_yamnet(self.name)

    @cached_property
    def _whisper(self) -> SpeechEncoder:
        return SpeechEncoder(self.speech)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of YAMNet's classes."""
        return self._yamnet[1]

    @torch.inference_mode()
    def patches(self, samples: np.ndarray) -> SoundPatches:
        """samples: float (n,) at 16 kHz, -1..1."""
        whole = yamnet.padded(samples.astype(np.float32))
        network, _ = self._yamnet
        parts = torch.from_numpy(yamnet.patches(samples)).split(_PART)
        features, logits = zip(*(network(part) for part in parts), strict=True)
        count = sum(map(len, features))
        starts = np.arange(count) * yamnet.PATCH_HOP_SAMPLES
        power = [float(np.mean(whole[s : s + yamnet.PATCH_SAMPLES] ** 2)) for s in starts]
        states = self._whisper.states(samples)
        speech = np.concatenate([states.mean(0), states.max(0), states.std(0)])
        return SoundPatches(torch.cat(features).numpy(), torch.cat(logits).numpy(), np.array(power), speech)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """samples: float (n,) at 16 kHz. Returns float32 (DIM,), see :meth:`SoundPatches.pooled`."""
        return self.patches(samples).pooled()
