"""Frames as samples beside another transmitter, through the receiver that a radio has."""

from __future__ import annotations

import numpy as np

from m4sc.phy.channel.impairments import add_noise, shift_carrier
from m4sc.phy.channel.interference import carrier, chirps, hit_symbols
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig
from m4sc.transport.frames import OutgoingFrame
from m4sc.transport.message_header import HeardFrame, TransportHeader

_SPOILS = {
    "cw": carrier(0.0),  # as strong as the burst
    "pulse": hit_symbols(10.0, share=0.1, spared=2),  # one OFDM symbol in ten behind the preamble, +10 dB
    "sweep": chirps(0.0),
}
_GAP = 600  # samples before and behind a burst


def hear_interfered(
    frame: OutgoingFrame, channel: str, snr_db: float, rng: np.random.Generator, waveform: WaveformConfig
) -> HeardFrame | None:
    """A frame as the receiver hands it on; None where it does not find or read it.

    channel: one of :data:`m4sc.evaluate.channels.INTERFERED`; snr_db: Es/N0 per data symbol, of noise alone.
    """
    burst, sent = frame.modulate(waveform), TransportHeader.join(*frame.header.split())
    samples = np.concatenate([np.zeros(_GAP + int(rng.integers(80))), burst, np.zeros(_GAP)])
    samples = _SPOILS[channel](samples, waveform, rng)
    samples = shift_carrier(samples, rng.uniform(-1, 1) / waveform.fft_len, 2 * np.pi * rng.random())
    samples = add_noise(samples, noise_voltage(snr_db, waveform), rng)
    receiver = BurstReceiver(waveform, diagnose=False)
    for found in receiver.push(samples.astype(np.complex64)) + receiver.flush():
        if TransportHeader.join(found.header, found.message) == sent:
            return HeardFrame(frame.header, found.symbols, found.noise_var, found.snr_db)
    return None
