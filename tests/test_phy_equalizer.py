"""The equaliser where pilots are in a fade, or where there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from m4sc.phy.channel.impairments import add_noise, multipath, resample, shift_carrier
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.header.protection import PROTECTIONS
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig

WAVEFORM = WaveformConfig()
NOTCH = np.exp(2j * np.pi * 21 / 64)  # of the channel 1 - e^{j2 pi 21/64} z^-1: on the last pilot


@pytest.mark.parametrize("ppm", [0.0, 15.0])
def test_a_faded_outer_pilot_leaves_a_long_frame_straight(ppm: float) -> None:
    rng, snr_db, rows, loss = np.random.default_rng(4), 30.0, 200, []
    taps = np.array([1.0, -NOTCH]) / np.sqrt(2.0)
    gain = np.abs(np.fft.fft(taps, 64)[WAVEFORM.data_bins]) ** 2
    for _ in range(6):
        x = rng.standard_normal((2, rows * WAVEFORM.n_data_carriers)) / np.sqrt(2)
        x = x[0] + 1j * x[1]
        burst = modulate_frame(FrameHeader(PayloadKind.ANALOG, len(x)), x, WAVEFORM)
        samples = resample(multipath(np.pad(burst, 300), taps), ppm)
        receiver = BurstReceiver(WAVEFORM)
        samples = add_noise(samples, noise_voltage(snr_db, WAVEFORM), rng)
        (frame,) = receiver.push(samples) + receiver.flush()
        assert frame.sfo_ppm == pytest.approx(ppm, abs=1.0)
        error = np.abs(frame.symbols - x).reshape(rows, -1) ** 2 * gain * 10 ** (snr_db / 10)
        loss.append([error[: rows // 4].mean(), error[-rows // 4 :].mean()])
    begin_db, end_db = 10 * np.log10(np.mean(loss, axis=0))
    assert begin_db < 0.6 and end_db < 0.8


@pytest.mark.parametrize("n_symbols", [100, 5000])
def test_a_waveform_without_pilots_is_received(n_symbols: int) -> None:
    carriers = tuple(sorted((*WAVEFORM.occupied_carriers, *WAVEFORM.pilot_carriers)))
    waveform = replace(WAVEFORM, occupied_carriers=carriers, pilot_carriers=(), pilot_symbols=((),))
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, n_symbols)) / np.sqrt(2)
    x = x[0] + 1j * x[1]
    # without pilots the offset is known from preamble and header alone: a long frame needs a long header
    protection = PROTECTIONS[-1] if n_symbols > 1000 else PROTECTIONS[1]
    burst = modulate_frame(FrameHeader(PayloadKind.ANALOG, n_symbols), x, waveform, protection)
    samples = shift_carrier(np.pad(burst, 300), 0.7 / waveform.fft_len)
    receiver = BurstReceiver(waveform)
    samples = add_noise(samples, noise_voltage(25.0, waveform), rng)
    (frame,) = receiver.push(samples) + receiver.flush()
    assert 10 * np.log10(np.mean(np.abs(frame.symbols - x) ** 2) * 10**2.5) < 1.0
