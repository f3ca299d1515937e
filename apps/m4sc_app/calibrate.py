"""`m4sc calibrate`: search the gain at which a link has the best SNR without clipping."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from m4sc_app.errors import UserError

_PROBE_SYMBOLS = 480


@dataclass(frozen=True)
class GainStep:
    """What one setting gave.

    Attributes:
        gain_db: receive gain, dB; transmit level, dB, for ``sim:``.
        frames, sent: probes received and sent; ``sent`` is 0 where another machine sends.
        snr_db: median of the frames' estimates, None without a frame.
        clipped_samples: at full scale of the receiver.
    """

    gain_db: float
    frames: int
    sent: int
    snr_db: float | None
    clipped_samples: int


def best_step(steps: list[GainStep], tolerance_db: float = 0.5) -> GainStep | None:
    """The lowest gain within ``tolerance_db`` of the best SNR among steps that heard all and never clipped.

    Where each one clipped or missed a probe, the one that heard most and clipped least; None if none heard
    a frame.
    """
    heard = [step for step in steps if step.frames and step.snr_db is not None]
    if not heard:
        return None
    clean = [step for step in heard if not step.clipped_samples and step.frames >= step.sent]
    if not clean:
        return max(heard, key=lambda step: (step.frames, -step.clipped_samples, step.snr_db))
    top = max(step.snr_db for step in clean if step.snr_db is not None)
    near = [step for step in clean if step.snr_db is not None and step.snr_db >= top - tolerance_db]
    return min(near, key=lambda step: step.gain_db)


def calibrate_command(
    address: Annotated[
        str, typer.Argument(help="Receiver: uhd:..., soapy:..., zmq://..., file:NAME or sim:?...")
    ],
    transmit: Annotated[
        str | None, typer.Option(help="Transmitter on this machine that sends the probes.")
    ] = None,
    first_db: Annotated[float, typer.Option(help="Lowest gain, dB.")] = 0.0,
    last_db: Annotated[float, typer.Option(help="Highest gain, dB.")] = 40.0,
    step_db: Annotated[float, typer.Option(help="From one gain to the next, dB.")] = 5.0,
    seconds: Annotated[float, typer.Option(help="At each gain, s.")] = 2.0,
    waveform: Annotated[Path | None, typer.Option(help="JSON file of waveform parameters.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Step the receive gain, measure SNR and clipping, propose a setting.

    With uhd: and soapy: the device's gain is stepped, with sim: the transmitter's level; zmq: and file: have
    no gain and are measured once. Without --transmit another machine must be sending.

    Example:  m4sc calibrate "uhd:type=b200?freq=2.45G&antenna=RX2" --transmit "uhd:serial=...?freq=2.45G"
    """
    from m4sc_app.link_run import interruptible, need_gnuradio
    from m4sc_app.waveform_file import read_waveform

    if not (step_db > 0 and last_db >= first_db and seconds > 0):
        raise UserError("--step-db and --seconds must be above 0, --last-db not below --first-db")
    need_gnuradio()
    shape = read_waveform(waveform)
    gains = [first_db + i * step_db for i in range(math.floor((last_db - first_db) / step_db + 1e-9) + 1)]
    with interruptible() as stopped:
        steps = _sweep(address, transmit, gains, seconds, shape, stopped)
    proposed = best_step(steps)
    if json_:
        found = None if proposed is None else asdict(proposed)
        typer.echo(json.dumps({"steps": [asdict(step) for step in steps], "proposed": found}))
    else:
        for step in steps:
            snr = "none heard" if step.snr_db is None else f"{step.snr_db:.1f} dB SNR"
            typer.echo(
                f"gain {step.gain_db:g} dB: {step.frames} frames, {snr}, {step.clipped_samples} clipped"
            )
        if proposed is not None:
            typer.echo(f"proposed: gain={proposed.gain_db:g}")
    if proposed is None:
        raise UserError("no frame was heard at any gain; check frequency, antenna, cable and that one sends")


def _sweep(
    address: str, transmit: str | None, gains: list[float], seconds: float, waveform: Any, stopped: Any
) -> list[GainStep]:
    from m4sc_flowgraphs.gain_probe import GainProbe
    from m4sc_flowgraphs.radio_ends import open_channel, open_receive, open_transmit, parse_address

    if parse_address(address).kind == "sim":
        steps = []
        for gain in gains:
            if stopped():
                break
            amplitude = 10.0 ** (gain / 20.0)
            probe = GainProbe(waveform, channel=open_channel(address, waveform), amplitude=amplitude)
            steps.append(_measure(probe, gain, seconds, stopped))
            probe.end()
        return steps
    receive = open_receive(address, waveform)
    probe = GainProbe(
        receive.waveform,
        receive=receive,
        transmit=None if transmit is None else open_transmit(transmit, waveform),
    )
    steps = []
    try:
        for gain in gains if receive.set_gain_db is not None else [0.0]:
            if stopped():
                break
            if receive.set_gain_db is not None:
                receive.set_gain_db(gain)
            steps.append(_measure(probe, gain, seconds, stopped))
    finally:
        probe.end()
    return steps


def _measure(probe: Any, gain_db: float, seconds: float, stopped: Any) -> GainStep:
    probe.begin()
    before_clipped = probe.clipped_samples()
    probe.take_snrs()
    sent, begun = 0, time.monotonic()
    while (now := time.monotonic() - begun) < seconds and not stopped():
        if probe.sends and sent < 20 and now < 0.75 * seconds:  # the rest is for the last to arrive
            probe.send(_PROBE_SYMBOLS)
            sent += 1
        time.sleep(seconds / 40)
    snrs = sorted(probe.take_snrs())
    median = snrs[len(snrs) // 2] if snrs else None
    return GainStep(gain_db, len(snrs), sent, median, probe.clipped_samples() - before_clipped)
