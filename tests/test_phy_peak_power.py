"""Peak power: figures that theory gives, clipping, and the benchmark's output."""

from __future__ import annotations

import json

import numpy as np
import pytest
from m4sc.phy.channel.simulator import mean_sample_power
from m4sc.phy.modulation.clipping import soft_clip
from m4sc.phy.waveform import WaveformConfig
from m4sc_app.bench.trials.peak_power import (
    KINDS,
    amplifier_evm_db,
    exceeded_db,
    kind_papr_db,
    ofdm_symbols,
    papr_db,
    preamble_papr_db,
    random_symbols,
)
from m4sc_app.cli import main

WAVEFORM = WaveformConfig()


def test_an_ofdm_symbol_of_one_carrier_has_no_peak() -> None:
    one = WaveformConfig(occupied_carriers=(3,), pilot_carriers=(1,), pilot_symbols=((0.0,),))
    assert papr_db(ofdm_symbols(np.ones(5), one), 1 / 64) == pytest.approx(np.zeros(5), abs=1e-6)
    two = WaveformConfig(occupied_carriers=(3, 5), pilot_carriers=(1,), pilot_symbols=((0.0,),))
    assert papr_db(ofdm_symbols(np.ones(2), two), 2 / 64)[0] == pytest.approx(10 * np.log10(2), abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_levels_of_a_payload_are_those_of_gaussian_samples(kind: str) -> None:
    level = kind_papr_db(kind, "none", 4000, WAVEFORM)
    assert 9.0 < level < 11.8  # -ln of 1e-3 over 2.8 x 52 independent samples: 10.7 dB
    assert exceeded_db(np.arange(1000.0), 0.1) == pytest.approx(899.1)


def test_spreading_lowers_the_peaks_of_a_constellation_and_its_evm() -> None:
    assert (
        kind_papr_db("digital", "dft", 4000, WAVEFORM) < kind_papr_db("digital", "none", 4000, WAVEFORM) - 0.7
    )
    plain, spread = (amplifier_evm_db("digital", p, 3.0, 3.0, 500, WAVEFORM) for p in ("none", "dft"))
    assert spread < plain - 1.5
    assert amplifier_evm_db("analog", "dft", 40.0, 3.0, 100, WAVEFORM) < -80  # a linear one harms nothing
    assert preamble_papr_db(WAVEFORM) < 9.0


def test_clipping_bounds_the_power_and_spares_the_rest() -> None:
    rows = ofdm_symbols(random_symbols("analog", 4800, np.random.default_rng(1)), WAVEFORM).ravel()
    power = mean_sample_power(WAVEFORM)
    clipped = soft_clip(rows, 5.0, power)
    assert np.max(np.abs(clipped) ** 2) <= power * 10**0.5 * 1.001 < np.max(np.abs(rows) ** 2)
    quiet = np.abs(rows) ** 2 < 0.3 * power * 10**0.5
    assert np.max(np.abs(clipped - rows)[quiet]) < 1e-3
    with pytest.raises(ValueError, match="clip_db"):
        soft_clip(rows, float("nan"), power)
    with pytest.raises(ValueError, match="analog"):
        random_symbols("laser", 48, np.random.default_rng(0))


def test_the_benchmark_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "papr", "--rows", "2000", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    names = {figure["name"] for figure in printed["figures"]}
    for kind in KINDS:
        assert {f"papr_{kind}_db", f"papr_{kind}_dft_db", f"evm_{kind}_db", f"evm_{kind}_dft_db"} <= names
    assert {"papr_preamble_db", "papr_header_db"} <= names
