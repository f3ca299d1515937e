"""One message across a symbol channel, through the transport's own frames and assembler."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from m4sc.codecs.base import Payload, Received
from m4sc.evaluate.channels import transmit
from m4sc.phy.header.code import header_code
from m4sc.phy.header.fields import HeaderError
from m4sc.phy.waveform import WaveformConfig
from m4sc.transport.assembler import Assembler, Frame
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, OutgoingFrame, frames_air_time_s, to_frames
from m4sc.transport.message_header import HeardFrame


@dataclass(frozen=True)
class Crossing:
    """What came of one message.

    Attributes:
        received: for the codec; None where the message is lost.
        symbols: complex data symbols of its frames.
        air_time_s: preambles, headers, pilots and cyclic prefixes counted.
        frames: that were sent.
        lost_segments: frames that did not arrive or whose code failed.
        snr_db: mean over the frames that arrived of the payload symbols' energy over that of their error
            after the equaliser, dB; NaN where none did.
    """

    received: Received | None
    symbols: int
    air_time_s: float
    frames: int
    lost_segments: int
    snr_db: float = float("nan")


def cross(
    payload: Payload, channel: str, snr_db: float, rng: np.random.Generator, config: TransportConfig
) -> Crossing:
    """Send a payload's frames through a symbol channel of :mod:`m4sc.evaluate.channels`.

    A frame whose header, or block of message fields, is not decoded from the same channel is lost. That the
    preamble is found is taken for granted; ``m4sc bench frame`` counts detection too.

    Raises:
        ValueError: unknown channel, or a payload that no frames can carry.
    """
    frames = to_frames(payload, Address(), config)
    heard, snrs_db = [], []
    for frame in frames:
        y, noise_var = transmit(frame.symbols, channel, snr_db, rng)
        if not _header_survives(frame, channel, snr_db, rng, config.waveform):
            continue
        heard.append(HeardFrame(frame.header, y, noise_var, snr_db))
        snrs_db.append(error_snr_db(frame.symbols, y))
    return crossing_of(frames, heard, config.waveform, snrs_db)


def crossing_of(
    frames: Sequence[OutgoingFrame],
    heard: Iterable[Frame],
    waveform: WaveformConfig,
    snrs_db: Sequence[float],
) -> Crossing:
    """What came of a message of which `frames` were sent and `heard` arrived, with the SNR of each."""
    assembler = Assembler(waveform.n_data_carriers)
    found = [message for frame in heard for message in assembler.push(frame, 0.0)]
    found += assembler.flush()
    return Crossing(
        received=found[0].received if found else None,
        symbols=sum(len(frame.symbols) for frame in frames),
        air_time_s=frames_air_time_s(frames, waveform),
        frames=len(frames),
        lost_segments=found[0].lost_segments if found else len(frames),
        snr_db=float(np.mean(snrs_db)) if len(snrs_db) else float("nan"),
    )


def error_snr_db(sent: np.ndarray, got: np.ndarray) -> float:
    """Energy of what was sent over that of its error, dB; both complex (k,)."""
    error = float(np.sum(np.abs(got - sent) ** 2))
    return 10.0 * float(np.log10(float(np.sum(np.abs(sent) ** 2)) / max(error, 1e-30)))


def _header_survives(
    frame: OutgoingFrame, channel: str, snr_db: float, rng: np.random.Generator, waveform: WaveformConfig
) -> bool:
    """Whether header and message fields are read right."""
    header, fields = frame.header.split()
    for block in (header.pack(), fields):
        if not block:
            continue
        code = header_code(waveform, frame.protection, len(block))
        y, noise_var = transmit(code.encode(block), channel, snr_db, rng)
        try:
            if code.decode_symbols(y, noise_var) != block:
                return False
        except HeaderError:
            return False
    return True
