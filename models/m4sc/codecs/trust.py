"""How probably an answer of the language model is right, from its own probability and the channel's noise."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

FILE = "trust.json"
Trust = Mapping[str, Sequence[float]]
_LEAST, _MOST = 1e-4, 1 - 1e-4


def evidence(log_probability: float, noise_var: np.ndarray) -> np.ndarray:
    """What the regression takes: float (4,), the last of them 1.

    Args:
        log_probability: of the answer, by the language model.
        noise_var: float (k,), complex noise variance of each symbol; infinite where it did not arrive.
    """
    heard = float(np.mean(1.0 / (1.0 + np.asarray(noise_var, dtype=np.float64))))  # 1 of a clean channel
    surprise = -log_probability
    p = min(max(math.exp(-surprise), _LEAST), _MOST)
    share = min(max(heard, _LEAST), _MOST)
    return np.array([math.log(p / (1 - p)), math.log(share / (1 - share)), math.sqrt(surprise), 1.0])


def probability_right(weights: Sequence[float], seen: np.ndarray) -> float:
    """1 / (1 + exp(-seen . weights))."""
    total = float(np.dot(seen, np.asarray(weights)))
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


def load_trust(folder: Path) -> Trust:
    """What `m4sc train trust` wrote into a folder of weights; empty where it did not.

    Raises:
        ValueError: a file that is not of this kind.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["weights"]
        trust = {str(task): tuple(float(value) for value in values) for task, values in found.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no weights of confidences") from error
    if any(len(values) != len(evidence(0.0, np.ones(1))) for values in trust.values()):
        raise ValueError(f"{path} holds weights of another number of confidences' inputs")
    return trust
