"""Messages beside another transmitter, through the whole receiver."""

from __future__ import annotations

import numpy as np
import pytest
from m4sc.codecs.base import Payload
from m4sc.evaluate.channels import INTERFERED, transmit
from m4sc.evaluate.crossing import Crossing, cross
from m4sc.evaluate.link_way import LinkWay
from m4sc.evaluate.ways import SampleWay, SymbolWay
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.transport.config import TransportConfig


def latents(k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.5**0.5, size=(k, 2)).astype(np.float32)


def crossed(payload: Payload, channel: str, snr_db: float, seed: int, config: TransportConfig) -> Crossing:
    (found,) = SymbolWay().cross_all([payload], channel, snr_db, [np.random.default_rng(seed)], [config])
    return found


@pytest.mark.parametrize("channel", INTERFERED)
def test_symbols_come_with_the_noise_that_they_have(channel: str) -> None:
    payload, config = Payload(9, "image", 0xABCD, latents(400)), TransportConfig(PayloadFormat(snr_db=10.0))
    sent, ratios, weighted = latents(400) @ [1, 1j], [], []
    for seed in range(12):
        found = crossed(payload, channel, 10.0, seed, config)
        assert found.received is not None and found.lost_segments == 0
        error = np.abs(found.received.symbols - sent) ** 2
        ratios.append(error / found.received.noise_var)
        weighted.append(np.sum(error / found.received.noise_var) / np.sum(1 / found.received.noise_var))
    assert abs(10 * np.log10(np.mean(ratios))) < 1.0
    assert 10 * np.log10(np.mean(weighted)) < -8.0  # who believes the sure ones has nearly all of 10 dB


def test_a_frame_below_the_noise_is_lost() -> None:
    payload = Payload(9, "image", 0xABCD, latents(100))
    found = crossed(payload, "cw", -25.0, 0, TransportConfig())
    assert found.received is None and found.lost_segments == 1


def test_ways_of_symbols_alone_refuse_it_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="'cw' is none of awgn"):
        transmit(np.ones(4, np.complex64), "cw", 10.0, np.random.default_rng(0))
    payload, rng = Payload(9, "image", 1, latents(10)), np.random.default_rng(0)
    with pytest.raises(ValueError, match="'sweep' is none of awgn"):
        cross(payload, "sweep", 10.0, rng, TransportConfig())
    with pytest.raises(ValueError, match="'pulse' is none of awgn"):
        LinkWay().cross_all([payload], "pulse", 10.0, [rng], [TransportConfig()])


def test_samples_carry_every_channel_and_lose_what_is_not_found() -> None:
    payloads = [Payload(9, "image", 0xABCD, latents(64, seed)) for seed in range(20)]
    config = TransportConfig(PayloadFormat(snr_db=10.0))

    def sent(channel: str, snr_db: float) -> list[Crossing]:
        rngs = [np.random.default_rng([3, i]) for i in range(len(payloads))]
        return SampleWay().cross_all(payloads, channel, snr_db, rngs, [config] * len(payloads))

    clear = sent("awgn", 10.0)
    assert all(one.received is not None for one in clear)
    assert abs(np.median([one.snr_db for one in clear]) - 10.0) < 1.0
    assert [one.snr_db for one in clear] == [one.snr_db for one in sent("awgn", 10.0)]
    faded = [one.snr_db for one in sent("rayleigh", 10.0) if one.received is not None]
    assert np.std(faded) > 2.0  # one gain a frame
    assert all(one.received is None and one.lost_segments == 1 for one in sent("tdl-a", -25.0))
    with pytest.raises(ValueError, match="'vacuum' is none of"):
        sent("vacuum", 10.0)
