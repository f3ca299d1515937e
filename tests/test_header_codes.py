"""The header's code beside an LDPC code: every contender reads its own, and the curve's crossing is right."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from m4sc.phy.header.protection import PROTECTIONS, Protection
from m4sc.phy.waveform import WaveformConfig
from m4sc_app.bench.trials.header_codes import (
    Losses,
    count_losses,
    falling_curve,
    header_codecs,
    snr_at,
)
from m4sc_app.cli import main

WAVEFORM = WaveformConfig()


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_every_code_reads_its_own_over_as_many_symbols_and_none_reads_noise(protection: Protection) -> None:
    codecs = header_codecs(protection, WAVEFORM)
    lengths = {codec.encode(bytes(9)).size for codec in codecs.values()}
    assert len(lengths) == 1
    for codec in codecs.values():
        good = count_losses(codec, protection.snr_db + 3.0, 5, 20, 1)
        bad = count_losses(codec, protection.snr_db - 20.0, 20, 20, 1)
        assert (good.lost, good.sent, bad.lost) == (0, 20, 20)
        assert np.mean(np.abs(codec.encode(bytes(range(9)))) ** 2) == pytest.approx(1.0, abs=1e-5)


def test_a_curve_ends_below_its_least_rate_and_is_crossed_between_its_points() -> None:
    codec = header_codecs(PROTECTIONS[0], WAVEFORM)["polar"]
    curve = falling_curve(codec, -4.0, 1.0, 0.05, 10, 60, 1)
    assert curve[0].rate > 0.5 and curve[-1].rate <= 0.05
    assert all(b.snr_db - a.snr_db == 1.0 for a, b in pairwise(curve))
    line = [Losses(float(snr), 10 ** (4 - snr), 0, 10_000) for snr in range(5)]
    assert snr_at(line, 0.01) == pytest.approx(2.0) and snr_at(line, 0.03) == pytest.approx(1.523, abs=0.01)
    assert math.isnan(snr_at(line[:2], 0.01))


def test_the_command_prints_each_code_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "curves.svg"
    assert (
        main(["bench", "header-code", "--blocks", "100", "--errors", "3", "--plot", str(path), "--json"]) == 0
    )
    found = json.loads(capsys.readouterr().out)["figures"]
    assert len(found) == 4 * 3 * 2 and {"light_polar_1_pct_snr_db", "strongest_ldpc_1_pct_snr_db"} <= {
        figure["name"] for figure in found
    }
    assert path.read_text().startswith("<?xml")
