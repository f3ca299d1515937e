"""The link in torch against the blocks: transmitter, channel and receiver in a running flowgraph.

Tolerance 0.4 dB: 24 frames of 960 symbols leave 0.03 dB of chance to the mean of |error|^2; what the frames'
estimates of channel, phase and clock have in common leaves about 0.1 dB, and fixed taps in the flowgraph pass
gr-channels' single-precision filter.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gnuradio import m4sc
from m4sc.coding.torch_link.config import EstimationConfig
from m4sc.coding.torch_link.receiver import receive
from m4sc.phy.modulation.arrangement import arrange
from m4sc.phy.waveform import WaveformConfig
from qa_frame_link import link, symbols_pdu

pytestmark = pytest.mark.timeout(90)
WAVEFORM = WaveformConfig()
FRAMES, ROWS = 24, 20
TAPS = (1.0, 0.0, 0.5j, 0.0, -0.3)


@pytest.mark.parametrize(("taps", "snr_db"), [(None, 5.0), (None, 20.0), (TAPS, 20.0)])
def test_error_statistics_are_those_of_the_blocks(taps: tuple | None, snr_db: float) -> None:
    rng = np.random.default_rng(1)
    pairs = rng.standard_normal((2, FRAMES, ROWS * WAVEFORM.n_data_carriers)) / np.sqrt(2)
    x = (pairs[0] + 1j * pairs[1]).astype(np.complex64)
    air = [arrange(row, WAVEFORM.n_data_carriers, True, False) for row in x]
    pdus = [symbols_pdu(i, row, interleaved=True) for i, row in enumerate(air)]
    sink, receiver = link(pdus, snr_db=snr_db, taps=taps, cfo_hz=500.0)
    assert receiver.counters["frames"] == FRAMES and all(meta["interleaved"] for meta, _ in sink.pdus)
    blocks = [
        (np.abs(got - row) ** 2, meta["noise_var"]) for (meta, got), row in zip(sink.pdus, air, strict=True)
    ]
    h = np.fft.fft(np.array(taps or (1.0,)) / np.linalg.norm(taps or (1.0,)), WAVEFORM.fft_len)
    grid = torch.from_numpy(np.array(air)).reshape(FRAMES, ROWS, -1)
    y, v = receive(
        grid,
        torch.from_numpy(h.astype(np.complex64)).expand(FRAMES, 1, -1),
        torch.full((FRAMES,), 10 ** (-snr_db / 10)),
        WAVEFORM,
        EstimationConfig(),
        torch.Generator().manual_seed(2),
    )
    simulated = (y - grid).abs().square().reshape(FRAMES, -1).numpy(), v.reshape(FRAMES, -1).numpy()
    error, variance = (np.array([frame[i] for frame in blocks]) for i in (0, 1))
    for real, torch_ in (
        (error, simulated[0]),
        (variance, simulated[1]),
        (error / variance, simulated[0] / simulated[1]),
    ):
        assert 10 * np.log10(real.mean() / torch_.mean()) == pytest.approx(0.0, abs=0.4)
    for share in (0.1, 0.5, 0.9, 0.99):
        low, high = np.quantile(error / variance, share), np.quantile(simulated[0] / simulated[1], share)
        assert low == pytest.approx(high, rel=0.1)
    per_carrier = [e.reshape(FRAMES * ROWS, -1).mean(0) for e in (error, simulated[0])]
    ratio_db = 10 * np.log10(per_carrier[0] / per_carrier[1])
    assert (
        abs(np.median(ratio_db)) < 0.4 and np.max(np.abs(ratio_db)) < 1.3
    )  # 480 errors a carrier: 0.28 dB each


def test_clipping_keeps_the_frame_readable() -> None:
    from qa_frame_link import transmit

    symbols = (
        (np.random.default_rng(3).standard_normal((500, 2)) / np.sqrt(2))
        .astype(np.float32)
        .view(np.complex64)[:, 0]
    )
    plain, _, _ = transmit([symbols_pdu(0, symbols)])
    clipped, _, _ = transmit([symbols_pdu(0, symbols)], clip_db=5.0)
    assert np.max(np.abs(clipped)) < 0.9 * np.max(np.abs(plain))
    with pytest.raises(ValueError, match="clip_db"):
        m4sc.frame_transmitter(clip_db=-1.0)
