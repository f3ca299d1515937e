"""Figures of `m4sc bench sound` on made-up answers."""

from __future__ import annotations

import numpy as np
import pytest
from m4sc_app.bench.trials.sound_trial import kept_at


def test_share_that_may_be_kept_at_a_precision() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert kept_at(confidence, np.array([1, 1, 1, 0, 0.0]), 0.9) == pytest.approx(0.6)
    assert kept_at(confidence, np.array([1, 1, 1, 0, 0.0]), 0.75) == pytest.approx(0.8)
    assert kept_at(confidence, np.zeros(5), 0.9) == 0.0
    assert kept_at(confidence, np.ones(5), 0.9) == 1.0
