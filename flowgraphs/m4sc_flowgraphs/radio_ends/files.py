"""What an address of a recording says, and the recording's waveform; needs no GNU Radio."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from m4sc.phy.waveform import WaveformConfig
from m4sc.recordings import Recording

from m4sc_flowgraphs.radio_ends.end import Notify
from m4sc_flowgraphs.radio_ends.sim import ChannelOptions


@dataclass(frozen=True)
class FileOptions:
    """Options of ``file:NAME``.

    Attributes:
        freq: centre frequency written into a recording, Hz; 0: none.
        datatype: SigMF type of the samples of a bare file to replay; "": as its ending says.
        rate: samples/s of a file to replay that does not say it; 0: the waveform's.
        description: free text written into a recording.
        channel: a simulated channel before recording, or behind replay.
    """

    freq: float = 0.0
    description: str = ""
    datatype: str = ""
    rate: float = 0.0
    channel: ChannelOptions = field(default_factory=ChannelOptions)


def recorded_waveform(recording: Recording, waveform: WaveformConfig, notify: Notify) -> WaveformConfig:
    """The waveform that a recording names, or ``waveform`` at its rate; what is taken for granted, told."""
    for note in recording.notes:
        notify("note", note)
    stored = recording.extra.get("waveform")
    if stored is not None:
        return type(waveform).from_json(json.dumps(stored))
    if recording.samp_rate is None:
        notify(
            "note", f"{recording.path.name} does not say its rate; {waveform.samp_rate:g} samples/s are taken"
        )
        return waveform
    return replace(waveform, samp_rate=recording.samp_rate)
