"""Link in torch: against numpy's channels, against the real receiver, and its gradients.

Tolerances: a mean of |error|^2 over N independent complex errors is off by 1 / sqrt(N); with the 40 to 60
frames of about 1000 symbols here that is below 1 % in AWGN. What a frame has in common (noise of its channel
estimate, 20 of about 1600 degrees of freedom, and the noise estimate, 2.5 %) averages over frames alone, and
in a fading channel a frame has one draw: 0.3 dB is about three standard deviations of that.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from m4sc.coding.torch_link.amplifier import amplify, rapp
from m4sc.coding.torch_link.config import EstimationConfig, LinkConfig
from m4sc.coding.torch_link.link import CHANNELS, transmit
from m4sc.coding.torch_link.qam import round_to_grid
from m4sc.coding.torch_link.receiver import header_training, receive
from m4sc.coding.torch_link.tdl import draw_responses
from m4sc.phy.channel.amplifier import rapp as rapp_numpy
from m4sc.phy.channel.config import ChannelConfig
from m4sc.phy.channel.simulator import apply_channel
from m4sc.phy.channel.tdl import draw_taps
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.modulation import mapping
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.waveform import WaveformConfig

WAVEFORM = WaveformConfig()
ROWS = 20
K = ROWS * WAVEFORM.n_data_carriers


def gaussian(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    pairs = rng.standard_normal((2, *shape))
    return ((pairs[0] + 1j * pairs[1]) / np.sqrt(2)).astype(np.complex64)


@pytest.mark.parametrize("letter", ["A", "C", "D"])
def test_responses_have_the_statistics_of_numpys_taps(letter: str) -> None:
    config, draws = LinkConfig(delay_spread_s=1.5e-6), 3000
    rng = np.random.default_rng(0)
    ours = draw_responses(letter, draws, 1, config, torch.Generator().manual_seed(1))[:, 0].numpy()
    taps = [np.fft.fft(draw_taps(letter, 1.5, rng), WAVEFORM.fft_len) for _ in range(draws)]
    for one, other in ((ours, np.array(taps)),):
        power = [np.mean(np.abs(x) ** 2) for x in (one, other)]
        assert power[0] == pytest.approx(power[1], rel=0.06)
        spread = [np.var(np.abs(x) ** 2) / np.mean(np.abs(x) ** 2) ** 2 for x in (one, other)]
        assert spread[0] == pytest.approx(spread[1], rel=0.12)
        for apart in (1, 6, 20):
            a, b = (np.mean(x[:, apart:] * np.conj(x[:, :-apart])) for x in (one, other))
            assert abs(a - b) < 0.06


def test_responses_move_with_the_doppler() -> None:
    from scipy.special import j0

    config = LinkConfig(doppler_hz=300.0)
    h = draw_responses("B", 400, 60, config, torch.Generator().manual_seed(2))
    step_s = WAVEFORM.symbol_len / WAVEFORM.samp_rate
    for lag in (1, 10, 40):
        found = (h[:, lag:] * h[:, :-lag].conj()).mean().real / h.abs().square().mean()
        assert float(found) == pytest.approx(j0(2 * np.pi * 300.0 * lag * step_s), abs=0.06)


def _real_and_simulated(fading: str, snr_db: float, frames: int, **more: float) -> tuple[list, list]:
    """(weighted error, normalised error, reported variance over true) of each frame, by both chains.

    The channel is the same draw in both: taps for the samples, their transform for the carriers.
    """
    rng, generator = np.random.default_rng(3), torch.Generator().manual_seed(4)
    noise_var = 10 ** (-snr_db / 10)
    real, simulated = [], []
    for _ in range(frames):
        x = gaussian((K,), rng)
        taps = draw_taps(fading, 1.5, rng) if fading else np.ones(1)
        taps = taps / np.linalg.norm(taps)
        h = np.fft.fft(taps, WAVEFORM.fft_len).astype(np.complex64)
        gain = np.tile(np.abs(h[WAVEFORM.data_bins]) ** 2, ROWS)
        samples = np.concatenate(
            [np.zeros(300), modulate_frame(FrameHeader(PayloadKind.ANALOG, K), x, WAVEFORM), np.zeros(300)]
        )
        channel = ChannelConfig(fading="taps", taps=tuple(taps), snr_db=snr_db, cfo_hz=900.0)
        receiver = BurstReceiver(WAVEFORM)
        samples = apply_channel(samples, channel, WAVEFORM, rng)
        (frame,) = receiver.push(samples) + receiver.flush()
        grid = torch.from_numpy(x).reshape(1, ROWS, -1)
        y, v = receive(
            grid,
            torch.from_numpy(h)[None, None],
            torch.tensor([noise_var]),
            WAVEFORM,
            EstimationConfig(),
            generator,
        )
        pairs = ((frame.symbols, frame.noise_var), (y.numpy().ravel(), v.numpy().ravel()))
        for store, (got, variance) in zip((real, simulated), pairs, strict=True):
            error = np.abs(got - x) ** 2
            store.append((np.mean(error * gain) / noise_var, error / variance, variance * gain / noise_var))
    return real, simulated


@pytest.mark.parametrize(("fading", "snr_db"), [("", 3.0), ("", 15.0), ("", 28.0), ("A", 15.0), ("C", 25.0)])
def test_errors_after_the_equaliser_are_the_real_receivers(fading: str, snr_db: float) -> None:
    real, simulated = _real_and_simulated(fading, snr_db, 40)
    power = [10 * np.log10(np.mean([f[0] for f in chain])) for chain in (real, simulated)]
    assert power[0] == pytest.approx(power[1], abs=0.3)
    normalised = [np.concatenate([f[1] for f in chain]) for chain in (real, simulated)]
    calibration = [10 * np.log10(np.mean(x)) for x in normalised]
    assert calibration[0] == pytest.approx(calibration[1], abs=0.3)
    for share in (0.1, 0.5, 0.9, 0.99):  # of an exponential, were the variance known
        low, high = (np.quantile(x, share) for x in normalised)
        assert low == pytest.approx(high, rel=0.1)
    reported = [10 * np.log10(np.mean([np.mean(f[2]) for f in chain])) for chain in (real, simulated)]
    assert reported[0] == pytest.approx(reported[1], abs=0.3)


def test_a_genie_has_the_noise_alone() -> None:
    x = torch.randn(50, 40, 8, 2, generator=torch.Generator().manual_seed(5)) / 2**0.5
    for channel in CHANNELS:
        y, v = transmit(x, torch.full((50,), 12.0), channel, torch.Generator().manual_seed(6))
        assert float(((y - x).square().sum(-1) / v).mean()) == pytest.approx(1.0, abs=0.03), channel


def test_estimation_costs_what_its_formula_says() -> None:
    x = torch.randn(200, 40, 8, 2, generator=torch.Generator().manual_seed(7)) / 2**0.5
    header = header_training(WAVEFORM)
    y, v = transmit(x, torch.full((200,), 10.0), "awgn", torch.Generator().manual_seed(8), EstimationConfig())
    count = header.rows + math.ceil(320 / WAVEFORM.n_data_carriers)
    # phases: the mean over all symbols and windows lies between a whole frame's and one of pilots alone
    known = header.rows * len(header.bins) + (count - header.rows) * len(WAVEFORM.pilot_carriers)
    wanted = 0.1 * (1 + header.taps / header.observed + 0.5 / known)
    assert float(v.mean()) == pytest.approx(wanted, rel=0.02)
    assert float((y - x).square().sum(-1).mean()) == pytest.approx(wanted, rel=0.02)


def test_doppler_ages_the_estimate() -> None:
    x = torch.randn(60, 100, 8, 2, generator=torch.Generator().manual_seed(9)) / 2**0.5
    errors = []
    for doppler in (0.0, 5.0, 60.0):
        config = LinkConfig(doppler_hz=doppler, interleaved=False)
        y, v = transmit(
            x, torch.full((60,), 30.0), "tdl-a", torch.Generator().manual_seed(1), EstimationConfig(), config
        )
        errors.append(float(((y - x).square().sum(-1) / v).median()))
    assert errors[0] < errors[1] < errors[2]


def test_interleaving_spreads_a_faded_carrier_over_tokens() -> None:
    """Spread over a frame's tokens of their mean noise, in dB: TDL-C, 16 tokens of 8 symbols."""
    spread = []
    for interleaved in (False, True):
        config = LinkConfig(interleaved=interleaved)
        x = torch.zeros(400, 16, 8, 2)
        _, v = transmit(x, torch.full((400,), 10.0), "tdl-c", torch.Generator().manual_seed(2), None, config)
        capacity = torch.log2(1 + 1 / v).mean(-1)  # bits a symbol of each token
        spread.append(float(capacity.std(1).mean()))
    assert spread[1] < 0.5 * spread[0]


@pytest.mark.parametrize("channel", CHANNELS)
def test_gradients_pass_every_channel(channel: str) -> None:
    for config in (LinkConfig(), LinkConfig(amplifier_backoff_db=3.0)):
        if config.amplifier_backoff_db < math.inf and channel in ("rayleigh", "rician"):
            with pytest.raises(ValueError, match="amplify"):
                transmit(torch.zeros(1, 1, 8, 2), torch.zeros(1), channel, config=config)
            continue
        x = torch.randn(2, 10, 8, 2, generator=torch.Generator().manual_seed(3)).requires_grad_()
        y, _ = transmit(
            x,
            torch.tensor([10.0, 20.0]),
            channel,
            torch.Generator().manual_seed(4),
            EstimationConfig(),
            config,
        )
        (y * torch.ones_like(y)).sum().backward()
        assert x.grad is not None and torch.isfinite(x.grad).all() and bool((x.grad != 0).all())


def test_amplifier_agrees_with_numpy_and_with_finite_differences() -> None:
    rng = np.random.default_rng(10)
    x = gaussian((500,), rng) * 2
    ours = rapp(torch.from_numpy(x), 2.0, 3.0, 0.8).numpy()
    np.testing.assert_allclose(ours, rapp_numpy(x, 2.0, 3.0, 0.8), atol=1e-5)
    grid = torch.from_numpy(gaussian((1, 2, WAVEFORM.n_data_carriers), rng).astype(complex))
    flat = torch.view_as_real(grid).requires_grad_()

    def loss(pairs: torch.Tensor) -> torch.Tensor:
        return amplify(torch.view_as_complex(pairs), WAVEFORM, 1.0, 2.0).abs().square().sum()

    assert torch.autograd.gradcheck(loss, (flat,), fast_mode=True)
    zero = torch.zeros(4, dtype=torch.complex64, requires_grad=True)
    rapp(zero, 0.0, 0.7, 1.0).abs().square().sum().backward()
    assert torch.isfinite(torch.view_as_real(zero.grad)).all()


@pytest.mark.parametrize("order", [4, 64, 4096])
def test_the_grid_is_numpys_and_lets_gradients_through(order: int) -> None:
    x = gaussian((300,), np.random.default_rng(11))
    pairs = torch.view_as_real(torch.from_numpy(x)).clone().requires_grad_()
    y = round_to_grid(pairs, order)
    np.testing.assert_allclose(
        torch.view_as_complex(y.detach()).numpy(), mapping.round_to_grid(x, order), atol=1e-5
    )
    y.sum().backward()
    assert torch.equal(pairs.grad, torch.ones_like(pairs))
    with pytest.raises(ValueError, match="4096"):
        round_to_grid(pairs, 8)
