"""Compile the receiver before samples flow: a new machine takes a minute for it, later starts no time.

``python -m m4sc.phy.warm_up`` does it for every kind of burst and payload of the default waveform, after it
has removed what an update has left behind.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from m4sc.phy.diagnosis import smallest
from m4sc.phy.equalizer.kernels import grid_posterior
from m4sc.phy.equalizer.swept_carrier import find_sweep
from m4sc.phy.frame import modulate_frame
from m4sc.phy.gr_digital.demodulator import packet_receiver
from m4sc.phy.gr_digital.packet import PacketFormat, modulate_packet
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.modulation.digital import decode_transport, encode_transport
from m4sc.phy.modulation.mcs import MCS_TABLE
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.stale_cache import drop_stale
from m4sc.phy.sync.strangers import repetition
from m4sc.phy.waveform import WaveformConfig

_SYMBOLS, _BYTES = 96, 24
_LONG = 100  # OFDM symbols
_NOISE, _SILENCE = 0.01, 3000


def warm_up_frames(receiver: BurstReceiver) -> int:
    """Let a receiver of the project's frames, which is thrown away, take one; how many it found."""
    waveform = receiver.waveform
    symbols = np.ones(_SYMBOLS, np.complex64)
    return _receive(receiver, modulate_frame(FrameHeader(PayloadKind.ANALOG, _SYMBOLS), symbols, waveform))


def warm_up_packets(receiver: BurstReceiver, packet_format: PacketFormat) -> int:
    """The same for a receiver of gr-digital's packets."""
    return _receive(receiver, modulate_packet(bytes(_BYTES), 0, receiver.waveform, packet_format))


def warm_up_interference(receiver: BurstReceiver) -> int:
    """Frames beside carriers of more power than theirs, short and long; how many were found."""
    waveform, found = receiver.waveform, 0
    for length in (_SYMBOLS, _LONG * waveform.n_data_carriers):
        symbols = np.ones(length, np.complex64)
        burst = modulate_frame(FrameHeader(PayloadKind.ANALOG, length), symbols, waveform)
        level = 2.0 * float(np.sqrt(np.mean(np.abs(burst) ** 2)))
        for number in waveform.occupied_carriers[::9]:
            turn = 2j * np.pi * number / waveform.fft_len * np.arange(len(burst))
            found += _receive(receiver, (burst + level * np.exp(turn)).astype(np.complex64))
    grid_posterior(np.ones(1, np.complex128), np.ones(1), np.ones(1))  # payloads on a grid
    cells = np.ones((4, 16))
    find_sweep(cells, cells, cells > 0, 1.0)
    return found


@lru_cache(maxsize=16)
def frames_are_warm(waveform: WaveformConfig) -> bool:
    """Warm up for a waveform's frames, once in a process; whether one was received."""
    return warm_up_frames(BurstReceiver(waveform)) == 1


@lru_cache(maxsize=16)
def packets_are_warm(waveform: WaveformConfig, packet_format: PacketFormat) -> bool:
    """The same for gr-digital's packets."""
    return warm_up_packets(packet_receiver(waveform, packet_format), packet_format) == 1


def _receive(receiver: BurstReceiver, burst: np.ndarray) -> int:
    silence = np.zeros(_SILENCE, np.complex64)
    samples = np.concatenate([silence, burst, silence])
    noise = np.random.default_rng(0).standard_normal((len(samples), 2), np.float32).view(np.complex64).ravel()
    samples = samples + np.float32(_NOISE) * noise
    smallest(np.ones((2, 2), np.float32), 1)  # of the look at what is wrong, once in many samples
    receiver.push(samples[:_SILENCE])  # nothing but noise goes another way
    found = receiver.push(samples[_SILENCE:])
    return len(found) + len(receiver.flush())


def warm_up_bytes() -> int:
    """Send bytes with every scheme and read them; how many schemes gave them back."""
    data = bytes(_BYTES)
    right = 0
    for mcs in MCS_TABLE:
        symbols = encode_transport(data, mcs.index)
        read = decode_transport(symbols, np.full(len(symbols), _NOISE, np.float32), mcs.index, _BYTES)
        right += read == data
    return right


def warm_up_strangers() -> int:
    """Look for a repetition in what has none; how many there are."""
    return len(repetition((np.arange(_SILENCE) ** 2 % 7).astype(np.complex64)))


def main() -> None:
    """Compile what the default waveform's receivers run; the machine code is kept."""
    waveform, packet_format = WaveformConfig(), PacketFormat()
    warm_up_frames(BurstReceiver(waveform))
    warm_up_packets(packet_receiver(waveform, packet_format), packet_format)
    warm_up_bytes()
    warm_up_strangers()
    warm_up_interference(BurstReceiver(waveform))


if __name__ == "__main__":
    drop_stale(Path(__file__).resolve().parent.parent)
    main()
