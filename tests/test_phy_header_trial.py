"""Where headers are lost, and how that SNR is found."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import m4sc_app.bench.trials.header_trial as trial
import numpy as np
import pytest
from m4sc.phy.waveform import WaveformConfig

WAVEFORM = WaveformConfig()
GRID = [0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0]


def test_headers_are_read_at_0_db_and_none_far_below() -> None:
    assert trial.header_loss(0.0, 40, WAVEFORM, 3) == 0.0
    assert trial.header_loss(-14.0, 20, WAVEFORM, 3) == 1.0


def _outcomes(snr_db: float, *rest: Any) -> Iterator[bool]:
    """1 % lost at -3.3 dB, ten times as many each dB below; never more than all."""
    lost, rng = 10.0 ** min(-2.0 - (snr_db + 3.3), 0.0), np.random.default_rng(7)
    return (bool(rng.random() >= lost) for _ in itertools.count())


def test_snr_of_one_percent_lies_between_the_points_of_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "headers_read", _outcomes)
    sent: list[int] = []
    found = trial.header_snr_db(WAVEFORM, 20_000, 1, GRID, progress=sent.append)
    assert found.snr_db == pytest.approx(-3.3, abs=0.1)
    assert found.low_db < -3.3 < found.high_db and found.high_db - found.low_db < 0.3
    assert found.frames == sum(sent) < 2.5 * 20_000  # points far away cost little


def test_interval_of_few_frames_is_wide_and_holds_the_true_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "headers_read", _outcomes)
    few, many = (trial.header_snr_db(WAVEFORM, frames, 1, GRID) for frames in (200, 5000))
    assert few.low_db < -3.3 < few.high_db
    assert few.high_db - few.low_db > 2 * (many.high_db - many.low_db)


def test_a_grid_that_does_not_hold_the_point_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "headers_read", _outcomes)
    assert math.isnan(trial.header_snr_db(WAVEFORM, 1000, 1, [-5.0, -6.0]).snr_db)
    assert trial.header_snr_db(WAVEFORM, 1000, 1, GRID[:3]).snr_db == -2.0
