"""What a recording holds, and what is wrong with its samples."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from m4sc_app.doctor.check import FAILED, OK, WARNING, Check

_CHUNK = 1 << 18  # samples pushed at a time
_CURES = {
    "inverted": "Receive with `inverted=yes` in the address.",
    "clipping": "Turn the receiver's gain down; `m4sc calibrate` searches it.",
    "dc": "Tune a little aside of the sender, or let the radio correct its offset.",
    "carrier": "Move to another frequency, or find what sends there.",
    "rate_off": "Give both ends the same sample rate.",
    "slow_clock": "Lock both radios to one reference, or send short frames.",
    "clock_off": "Lock both radios to one reference.",
    "gaps": "The computer was too slow for the rate: lower it, or write to a faster disk.",
    "collisions": "Let senders take turns: `m4sc broker`, *Time Division*.",
    "weak": "More gain, a better antenna, or more protection (`--snr-db` of the sender, lower).",
    "no_signal": "Look at antenna, frequency and gain.",
    "strangers": "Give both ends the same waveform.",
}


def check_recording(path: Path) -> list[Check]:
    """Frames in a recording, and each cause that the receiver names, told once.

    Raises:
        RecordingError: it cannot be read.
    """
    from m4sc.phy.receiver import BurstReceiver
    from m4sc.phy.waveform import WaveformConfig
    from m4sc.recordings import open_recording
    from m4sc_flowgraphs.radio_ends.files import recorded_waveform

    iq = open_recording(path)
    said: list[str] = []
    waveform = recorded_waveform(iq, WaveformConfig(), lambda _kind, text: said.append(text))
    causes: dict[str, str] = {}
    receiver, frames = BurstReceiver(waveform), []
    for start in range(0, len(iq), _CHUNK):
        frames += receiver.push(iq.read(start, _CHUNK))
    frames += receiver.flush()
    for fault in receiver.take_faults():
        if fault.strong:
            causes.setdefault(fault.kind, f"sample {fault.sample}: {fault.reason}")
    checks = [_frames(path.name, len(iq), frames, receiver.counters)]
    checks += [Check("recording", WARNING, text) for text in said]
    return checks + [Check(kind, WARNING, text, _CURES.get(kind, "")) for kind, text in causes.items()]


def _frames(name: str, count: int, frames: list, counters: Counter[str]) -> Check:  # type: ignore[type-arg]
    if not frames:
        return Check("frames", FAILED, f"none in the {count} samples of {name}")
    snr_db = np.array([frame.snr_db for frame in frames])
    offset = np.median([frame.cfo_hz for frame in frames])
    lost = {kind: n for kind, n in counters.items() if n and kind not in ("frames", "false_alarms")}
    beside = "".join(f", {kind} {n}" for kind, n in lost.items())
    detail = (
        f"{len(frames)} in the {count} samples of {name}: SNR {snr_db.min():.1f} to {snr_db.max():.1f} dB, "
        f"carrier {offset:+.0f} Hz off{beside}"
    )
    return Check("frames", WARNING if lost else OK, detail)
