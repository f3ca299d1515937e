"""One message across a symbol channel, through the transport's own frames and assembler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from m4sc.codecs.base import Payload, Received
from m4sc.evaluate.channels import transmit
from m4sc.transport.assembler import Assembler
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, frames_air_time_s, to_frames
from m4sc.transport.message_header import HeardFrame


@dataclass(frozen=True)
class Crossing:
    """What came of one message.

    Attributes:
        received: for the codec; None where the message is lost.
        symbols: complex data symbols of its frames.
        air_time_s: preambles, headers, pilots and cyclic prefixes counted.
        lost_segments: frames that did not arrive or whose code failed.
    """

    received: Received | None
    symbols: int
    air_time_s: float
    lost_segments: int


def cross(
    payload: Payload, channel: str, snr_db: float, rng: np.random.Generator, config: TransportConfig
) -> Crossing:
    """Send a payload's frames through a channel of :mod:`m4sc.evaluate.channels`.

    Raises:
        ValueError: unknown channel, or a payload that no frames can carry.
    """
    frames = to_frames(payload, Address(), config)
    assembler = Assembler(config.waveform.n_data_carriers)
    found = []
    for frame in frames:
        y, noise_var = transmit(frame.symbols, channel, snr_db, rng)
        heard = HeardFrame(frame.header, y, noise_var, snr_db)
        found += assembler.push(heard, 0.0)
    found += assembler.flush()
    air_time_s = frames_air_time_s(frames, config.waveform)
    symbols = sum(len(frame.symbols) for frame in frames)
    received = found[0].received if found else None
    lost = found[0].lost_segments if found else len(frames)
    return Crossing(received, symbols, air_time_s, lost)
