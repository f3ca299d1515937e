"""Frames as samples over a channel or beside another transmitter, through the receiver that a radio has."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from m4sc.evaluate.channels import CHANNELS
from m4sc.phy.channel.config import TDL_FADINGS, ChannelConfig
from m4sc.phy.channel.impairments import add_noise, multipath, shift_carrier
from m4sc.phy.channel.interference import carrier, chirps, hit_symbols
from m4sc.phy.channel.tdl import draw_taps
from m4sc.phy.demodulator import FrameDemodulator
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


def hear_samples(
    frame: OutgoingFrame, channel: str, snr_db: float, rng: np.random.Generator, waveform: WaveformConfig
) -> HeardFrame | None:
    """A frame as the receiver hands it on; None where it does not find or read it.

    channel: one of :data:`m4sc.evaluate.channels.CHANNELS`; fading stands still. snr_db: mean Es/N0 per data
    symbol, of noise alone.

    Raises:
        ValueError: unknown channel.
    """
    if channel not in CHANNELS:
        raise ValueError(f"channel {channel!r} is none of {', '.join(CHANNELS)}")
    burst, sent = frame.modulate(waveform), TransportHeader.join(*frame.header.split())
    samples = np.concatenate([np.zeros(_GAP + int(rng.integers(80))), burst, np.zeros(_GAP)])
    if channel in _SPOILS:
        samples = _SPOILS[channel](samples, waveform, rng)
    elif channel == "rayleigh":
        samples = samples * (rng.normal(scale=0.5**0.5, size=2) @ [1, 1j])
    elif channel in TDL_FADINGS:
        spread = ChannelConfig().delay_spread_s * waveform.samp_rate
        samples = multipath(samples, draw_taps(channel[-1].upper(), spread, rng))
    samples = shift_carrier(samples, rng.uniform(-1, 1) / waveform.fft_len, 2 * np.pi * rng.random())
    samples = add_noise(samples, noise_voltage(snr_db, waveform), rng)
    receiver = BurstReceiver(waveform, _demodulator(waveform), diagnose=False)
    for found in receiver.push(samples.astype(np.complex64)) + receiver.flush():
        if TransportHeader.join(found.header, found.message) == sent:
            return HeardFrame(frame.header, found.symbols, found.noise_var, found.snr_db)
    return None


@lru_cache(maxsize=4)
def _demodulator(waveform: WaveformConfig) -> FrameDemodulator:
    """Its tables take far longer to make than a frame to receive."""
    return FrameDemodulator(waveform)
