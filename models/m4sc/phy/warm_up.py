"""Compile the receiver before samples flow: on a new machine that takes half a minute, afterwards no time."""

from __future__ import annotations

import numpy as np

from m4sc.phy.frame import modulate_frame
from m4sc.phy.gr_digital.packet import PacketFormat, modulate_packet
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.receiver import BurstReceiver

_SYMBOLS, _BYTES = 96, 24
_NOISE, _SILENCE = 0.01, 3000


def warm_up_frames(receiver: BurstReceiver) -> int:
    """Let a receiver of the project's frames, which is thrown away, take one; how many it found."""
    waveform = receiver.waveform
    symbols = np.ones(_SYMBOLS, np.complex64)
    return _receive(receiver, modulate_frame(FrameHeader(PayloadKind.ANALOG, _SYMBOLS), symbols, waveform))


def warm_up_packets(receiver: BurstReceiver, packet_format: PacketFormat) -> int:
    """The same for a receiver of gr-digital's packets."""
    return _receive(receiver, modulate_packet(bytes(_BYTES), 0, receiver.waveform, packet_format))


def _receive(receiver: BurstReceiver, burst: np.ndarray) -> int:
    silence = np.zeros(_SILENCE, np.complex64)
    samples = np.concatenate([silence, burst, silence])
    noise = np.random.default_rng(0).standard_normal((len(samples), 2), np.float32).view(np.complex64).ravel()
    found = receiver.push(samples + np.float32(_NOISE) * noise)
    return len(found) + len(receiver.flush())
