"""The simulated channel's options, shared by every end that has no air of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from m4sc.phy.channel.config import ChannelConfig
from m4sc.phy.channel.simulator import ChannelSimulator

from m4sc_flowgraphs.config import CHANNELS, FADING, LoopbackConfig
from m4sc_flowgraphs.radio_ends.address import Address, read_options


@dataclass(frozen=True)
class ChannelOptions:
    """Options of ``sim:``; ``zmq:`` and ``file:`` take them too.

    Attributes:
        snr_db: Es/N0 per data subcarrier, dB; ``inf`` for no noise.
        channel: ``awgn``, ``multipath``, ``fading``, ``tdl-a`` or ``tdl-c``.
        cfo_hz: carrier offset, Hz.
        sfo_ppm: sampling offset, parts per million.
        doppler_hz: maximum Doppler shift of fading channels, Hz.
        seed: of noise and fading.
    """

    snr_db: float = float("inf")
    channel: str = "awgn"
    cfo_hz: float = 0.0
    sfo_ppm: float = 0.0
    doppler_hz: float = 5.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            raise ValueError(f"channel is '{self.channel}'; use one of {', '.join(CHANNELS)}")
        if self.channel == "fading" and not self.doppler_hz > 0:
            raise ValueError(f"doppler_hz is {self.doppler_hz}; give Hz above 0")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give 0 or more")

    @property
    def is_clear(self) -> bool:
        """Whether samples pass unchanged."""
        return self.snr_db == float("inf") and self.channel == "awgn" and not (self.cfo_hz or self.sfo_ppm)


def channel_block(options: ChannelOptions, waveform: Any) -> Any:
    """The block ``gnuradio.m4sc.channel`` for these options."""
    from gnuradio import m4sc

    return m4sc.channel(
        options.snr_db,
        waveform,
        taps=LoopbackConfig.taps,
        cfo_hz=options.cfo_hz,
        sfo_ppm=options.sfo_ppm,
        doppler_hz=options.doppler_hz,
        seed=options.seed,
        fading=FADING[options.channel],
    )


def split_channel(address: Address) -> tuple[Address, ChannelOptions]:
    """The address without its channel options, and those."""
    names = {field.name for field in fields(ChannelOptions)}
    inside = {name: text for name, text in address.options.items() if name in names}
    outside = {name: text for name, text in address.options.items() if name not in names}
    return replace(address, options=outside), read_options(replace(address, options=inside), ChannelOptions)


def simulator(options: ChannelOptions, waveform: Any) -> ChannelSimulator:
    """The same channel for samples without GNU Radio."""
    config = ChannelConfig(
        fading=FADING[options.channel],
        taps=LoopbackConfig.taps,
        doppler_hz=options.doppler_hz,
        sfo_ppm=options.sfo_ppm,
        cfo_hz=options.cfo_hz,
        snr_db=options.snr_db,
    )
    return ChannelSimulator(config, waveform, np.random.default_rng(options.seed))
