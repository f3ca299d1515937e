"""Ways across the channel: frames in torch beside symbols alone and beside the blocks."""

import numpy as np
import pytest
from m4sc.codecs.base import Payload
from m4sc.evaluate.envelope import choose_scheme
from m4sc.evaluate.link_way import LinkWay
from m4sc.evaluate.sweep.config import SweepConfig, SystemSpec
from m4sc.evaluate.sweep.ground import Place
from m4sc.evaluate.sweep.measured import measure_one
from m4sc.evaluate.sweep.points import Point
from m4sc.evaluate.systems import frames_for
from m4sc.evaluate.ways import SampleWay, SymbolWay, Way
from m4sc.phy.channel.config import TDL_FADINGS
from m4sc.phy.modulation.payload import PayloadFormat

N = 60


def symbols(n: int = N, k: int = 64) -> list[Payload]:
    latents = np.random.default_rng(0).normal(scale=0.5**0.5, size=(n, k, 2)).astype(np.float32)
    return [Payload(1, "image", 7, one) for one in latents]


def sent(way: Way, payloads: list[Payload], channel: str, snr_db: float, mcs: int = -1, seed: int = 0):
    rngs = [np.random.default_rng([seed, i]) for i in range(len(payloads))]
    config = frames_for(snr_db, PayloadFormat(mcs=mcs), way.framed)
    return way.cross_all(payloads, channel, snr_db, rngs, [config] * len(payloads))


def median_db(crossings) -> float:
    return float(np.median([c.snr_db for c in crossings if c.received is not None]))


@pytest.mark.parametrize("snr_db", [3.0, 15.0])
def test_the_link_loses_little_to_its_estimates_in_awgn(snr_db: float) -> None:
    found = sent(LinkWay(), symbols(), "awgn", snr_db)
    assert median_db(found) == pytest.approx(snr_db, abs=0.6)
    assert all(c.frames == 1 and c.lost_segments == 0 for c in found)
    told = [10 * np.log10(1 / np.mean(c.received.noise_var)) for c in found]
    assert np.median(told) == pytest.approx(snr_db, abs=0.7)
    alone = sent(SymbolWay(), symbols(), "awgn", snr_db)
    assert [c.symbols for c in found] == [c.symbols for c in alone]
    assert [c.air_time_s for c in found] == [c.air_time_s for c in alone]


def test_symbols_come_back_in_their_order_and_bytes_whole() -> None:
    (payload,) = symbols(1, 300)
    (found,) = sent(LinkWay(), [payload], "awgn", 60.0)
    assert np.abs(found.received.symbols - payload.symbols).max() < 0.02
    data = np.random.default_rng(1).bytes(3000)  # several frames
    (found,) = sent(LinkWay(), [Payload(1, "image", data=data)], "tdl-a", 40.0, mcs=4)
    assert found.received.data == data and found.frames > 1


def test_a_fade_loses_bytes_and_noise_loses_headers() -> None:
    data = [Payload(1, "image", data=bytes(40)) for _ in range(N)]
    lost = [sum(c.received is None for c in sent(LinkWay(), data, "rayleigh", snr, mcs=5)) for snr in (5, 30)]
    assert lost[0] > N / 3 > lost[1]
    deaf = sent(LinkWay(), symbols(), "awgn", -25.0)
    assert all(c.received is None and c.lost_segments == c.frames == 1 for c in deaf)


@pytest.mark.parametrize("way", [SymbolWay(), LinkWay()])
def test_a_way_repeats_itself_and_seeds_differ(way: Way) -> None:
    first, again, other = (sent(way, symbols(4), "tdl-b", 10.0, seed=seed) for seed in (3, 3, 4))
    assert [c.snr_db for c in first] == [c.snr_db for c in again]
    assert {c.snr_db for c in first}.isdisjoint(c.snr_db for c in other)


def test_every_profile_has_draws_of_its_own() -> None:
    """Of the harness: the seed of a point takes the channel's name itself, not its length."""
    from m4sc.evaluate.harness import point_rngs

    states = {
        tuple(rng.bit_generator.state["state"].values())
        for channel in (*TDL_FADINGS, "awgn", "rayleigh")
        for rng in point_rngs(0, 3, channel, 10.0)
    }
    assert len(states) == 7 * 3


def test_unknown_channels_are_refused() -> None:
    for way in (SymbolWay(), LinkWay()):
        with pytest.raises(ValueError, match="vacuum"):
            sent(way, symbols(1), "vacuum", 0.0)
    assert LinkWay().cross_all([], "awgn", 0.0, [], []) == []


def test_schemes_are_chosen_by_the_way_they_are_sent() -> None:
    by_symbols, by_link = (choose_scheme("awgn", 5.0, 60, way) for way in (SymbolWay(), LinkWay()))
    assert by_link.lost <= 1 and by_link.mcs <= by_symbols.mcs


def test_samples_choose_their_schemes_by_samples() -> None:
    from m4sc.evaluate.sweep import measured

    way = measured._way("samples")
    assert way == SampleWay() and measured._choosing(way) == way
    beside = choose_scheme("cw", 12.0, 4, way)
    assert beside.lost <= 1 and beside == choose_scheme("cw", 12.0, 4, SymbolWay())  # no symbols alone there


def test_a_sweep_without_gnu_radio_refuses_the_radio(tmp_path) -> None:
    spec = SystemSpec("a", "constant")
    config = SweepConfig((spec,), ("classify",), (("awgn", 0.0),), through="radio")
    with pytest.raises(ValueError, match="GNU Radio"):
        measure_one(config, Point(spec, "classify", "awgn", 0.0), Place(tmp_path, tmp_path))
    assert config.settings_digest != SweepConfig((spec,), ("classify",), ()).settings_digest


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("channel", "snr_db"), [("awgn", 10.0), ("awgn", 3.0)])
def test_the_link_says_what_the_blocks_say(channel: str, snr_db: float) -> None:
    pytest.importorskip("gnuradio.m4sc")
    from m4sc_flowgraphs.radio_way import RadioWay

    by_radio, by_link = (sent(way, symbols(), channel, snr_db) for way in (RadioWay(), LinkWay()))
    assert median_db(by_radio) == pytest.approx(median_db(by_link), abs=0.5)
    assert [c.air_time_s for c in by_radio] == [c.air_time_s for c in by_link]
    assert sum(c.received is None for c in by_radio) <= 1


@pytest.mark.timeout(120)
def test_bytes_and_fades_go_through_the_blocks_too() -> None:
    pytest.importorskip("gnuradio.m4sc")
    from m4sc_flowgraphs.radio_way import RadioWay

    data = [Payload(1, "text", data=bytes([i]) * (20 + i)) for i in range(6)]
    schemes = (2, 2, 4, 4, 4, 2)  # two flowgraphs
    rngs = [np.random.default_rng(i) for i in range(6)]
    configs = [frames_for(20.0, PayloadFormat(mcs=mcs), True) for mcs in schemes]
    found = RadioWay().cross_all(data, "awgn", 20.0, rngs, configs)
    assert [c.received.data for c in found if c.received] == [payload.data for payload in data]
    faded = RadioWay().cross_all(symbols(4), "rayleigh", 20.0, rngs[:4], [frames_for(20.0, None, True)] * 4)
    snrs = [c.snr_db for c in faded]
    assert np.nanstd(snrs) > 1  # each message under a draw of its own
