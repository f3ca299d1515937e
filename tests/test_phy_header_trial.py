"""Where headers are lost, and how that SNR is found."""

from __future__ import annotations

import math

import m4sc_app.bench.trials.header_trial as trial
import pytest
from m4sc.phy.waveform import WaveformConfig

WAVEFORM = WaveformConfig()


def test_headers_are_read_at_0_db_and_none_far_below() -> None:
    assert trial.header_loss(0.0, 40, WAVEFORM, 3) == 0.0
    assert trial.header_loss(-14.0, 20, WAVEFORM, 3) == 1.0


def test_snr_of_one_percent_lies_between_the_points_of_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "header_loss", lambda snr_db, *rest: 10.0 ** (-2.0 - (snr_db + 3.3)))
    grid = [0.0, -1.0, -2.0, -3.0, -4.0]
    assert trial.header_snr_db(WAVEFORM, 100_000, 1, grid) == pytest.approx(-3.3, abs=0.05)
    assert math.isnan(trial.header_snr_db(WAVEFORM, 1000, 1, [-5.0, -6.0]))
    assert trial.header_snr_db(WAVEFORM, 1000, 1, grid[:3]) == -2.0
