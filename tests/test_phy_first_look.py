"""The first look: strong preambles at once, and everything else left to the whole search."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from m4sc.phy.channel.impairments import add_noise, shift_carrier
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.header.protection import NORMAL, PROTECTIONS
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.sync.detector import BurstSearch
from m4sc.phy.sync.first_look import first_look, look_first
from m4sc.phy.sync.preamble_bank import MAX_OFFSET_CARRIERS, preamble
from m4sc.phy.waveform import WaveformConfig
from wide_waveform import TWICE

WAVEFORM = WaveformConfig()
REPEATS = tuple(sorted({p.preambles for p in PROTECTIONS if p.preambles > 1}))


def frame(number: int, n_symbols: int = 96, protection: object = NORMAL) -> np.ndarray:
    symbols = np.exp(0.5j * np.pi * np.random.default_rng(number).integers(4, size=n_symbols))
    header = FrameHeader(PayloadKind.ANALOG, n_symbols, number)
    return modulate_frame(header, symbols, WAVEFORM, protection)


def look(samples: np.ndarray, waveform: WaveformConfig = WAVEFORM) -> tuple[int, float, float]:
    search = BurstSearch(waveform, REPEATS)
    place, cfo, share, *_ = look_first(samples.astype(np.complex64), 400, search.tables[5], search.tables[4])
    return place, cfo, share


def noisy(samples: np.ndarray, snr_db: float, seed: int = 1) -> np.ndarray:
    return add_noise(samples, noise_voltage(snr_db, WAVEFORM), np.random.default_rng(seed))


@pytest.mark.parametrize("waveform", [WAVEFORM, TWICE])
def test_a_strong_preamble_is_found_with_its_offset_wherever_it_is(waveform: WaveformConfig) -> None:
    known, found = preamble(waveform), 0
    for number, offset in enumerate(np.linspace(-2.7, 2.7, 55)):
        place = 400 + 8 * number
        samples = np.zeros(4000, complex)
        samples[place : place + len(known)] = known
        samples = shift_carrier(samples, offset / waveform.fft_len, 1.0)
        noise = np.random.default_rng(number).standard_normal((len(samples), 2)) @ np.array([1, 1j])
        samples = samples + 0.15 * np.sqrt(np.mean(np.abs(known) ** 2)) * noise
        at, cfo, share = look(samples, waveform)
        if at >= 0:  # what noise in the gap looks like may call for the whole search
            found += 1
            assert at == place and share > 0.9
            assert cfo * waveform.fft_len == pytest.approx(offset, abs=0.02)
    assert found >= 50


def test_noise_a_carrier_and_data_are_no_preamble() -> None:
    data = np.tile(frame(3, 480)[1200:], 3)
    for samples in (noisy(np.zeros(4000), 0.0), np.exp(0.3j * np.arange(4000)), noisy(data, 20.0)):
        assert look(samples)[0] == -1


def test_a_repeated_preamble_is_left_to_the_whole_search() -> None:
    for protection in PROTECTIONS:
        samples = np.concatenate([np.zeros(450), frame(1, 96, protection), np.zeros(3000)])
        assert (look(noisy(samples, 15.0))[0] == -1) == (protection.preambles > 1)


def test_without_equal_halves_there_is_no_first_look() -> None:
    known = preamble(WAVEFORM)
    assert first_look(WAVEFORM, known, MAX_OFFSET_CARRIERS, False).lag == 32
    plain = replace(WAVEFORM, sync_word1=WAVEFORM.sync_word2)
    assert first_look(plain, preamble(plain), MAX_OFFSET_CARRIERS, False).lag == 0


def counted(samples: np.ndarray, with_look: bool) -> tuple[Counter[str], list[int]]:
    receiver = BurstReceiver(WAVEFORM)
    if not with_look:
        receiver._search._look = receiver._search._no_look
    frames = receiver.push(samples) + receiver.flush()
    del receiver.counters["false_alarms"]  # by chance, in gaps that only one of them looks into
    return receiver.counters, [f.header.message_id for f in frames]


@pytest.mark.parametrize("weak_db", [3.0, 8.0])
def test_a_weak_frame_that_a_strong_one_cuts_off_is_counted_as_by_the_whole_search(weak_db: float) -> None:
    """The strong one is 20 dB above, and begins 200 to 440 samples behind the weak one."""
    rng, parts = np.random.default_rng(5), []
    for number in range(30):
        weak, strong = frame(1000 + number), 10.0 * frame(number)
        begin = int(rng.integers(200, 440))
        both = np.zeros(begin + len(strong) + 700, complex)
        both[: len(weak)] += weak
        both[begin : begin + len(strong)] += strong
        parts += [both, 10.0 * frame(2000 + number), np.zeros(int(rng.integers(20)))]
    samples = noisy(np.concatenate(parts), weak_db).astype(np.complex64)
    with_look, without = counted(samples, True), counted(samples, False)
    assert with_look == without
    assert without[0]["truncated"] + without[0]["header_errors"] >= 20 and len(without[1]) >= 60


def test_no_weak_frame_is_lost_between_strong_ones() -> None:
    """Frames of 3 dB between those of 23 dB, right behind them, with gaps in which the strong one is seen."""
    parts = []
    for number in range(40):
        parts += [10.0 * frame(number), frame(1000 + number), np.zeros(5 * number)]
    samples = noisy(np.concatenate([*parts, np.zeros(2000)]), 3.0).astype(np.complex64)
    counters, frames = counted(samples, True)
    assert counters["frames"] == len(frames) == len(set(frames)) == 80
