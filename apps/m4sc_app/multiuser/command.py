"""The command line of `m4sc multiuser`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from m4sc_app.tables import show

if TYPE_CHECKING:
    from m4sc.data.example import Example
    from m4sc.evaluate.multiuser import Prepared, Session
    from m4sc.sharing.privacy import UserKey
    from m4sc.tasks import Task

    from m4sc_app.multiuser.serving import Totals, UserRow

    Keys = Mapping[int, UserKey]


def multiuser_command(
    files: Annotated[list[Path], typer.Argument(help="One message for all users, or one for each.")],
    user: Annotated[
        list[str],
        typer.Option(help="TASK@SNR, or TASK@SNR:QUESTION; once for each user. SNR in dB."),
    ],
    layout: Annotated[
        str, typer.Option(help="tdm: one part after another; ofdma: carriers for each user.")
    ] = "tdm",
    tolerance: Annotated[
        float | None,
        typer.Option(help="How far a public token may be from a user's own; below 0 shares nothing."),
    ] = None,
    channel: Annotated[str, typer.Option(help="awgn, rayleigh, or tdl-a to tdl-e, of every user.")] = "awgn",
    keys: Annotated[
        Path | None, typer.Option(help="Hide the own parts of the users who have a key here.")
    ] = None,
    receiver_keys: Annotated[
        Path | None, typer.Option(help="Keys that the receivers have, where they are not the sender's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write the frame as a recording, for m4sc rx NAME --user-id N."),
    ] = None,
    right: Annotated[
        list[str] | None,
        typer.Option(
            help="Right answer of each user, in their order, for scores; several with |, empty if unknown."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page here.")] = None,
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
    seed: Annotated[int, typer.Option(min=0, help="Of noise and fading.")] = 1,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send users' messages in one frame through a channel for each, and say what it took and what each got.

    Example: m4sc multiuser cat.jpg --user caption@10 --user classify@0 --user "vqa@20:What animal is it?"
    """
    from m4sc.evaluate.multiuser import Session
    from m4sc.sharing.directory import OFDMA, TDM
    from m4sc.sharing.group import TOLERANCE, SharingConfig
    from m4sc.sharing.privacy import KeyRing

    from m4sc_app.errors import UserError
    from m4sc_app.loading import load_model
    from m4sc_app.multiuser.page import write_page
    from m4sc_app.multiuser.serving import serve

    layouts = {"tdm": TDM, "ofdma": OFDMA}
    if layout not in layouts:
        raise UserError(f"--layout is '{layout}'; use tdm or ofdma")
    if tolerance is not None and math.isnan(tolerance):
        raise UserError("--tolerance is nan; give a number, below 0 to share nothing")
    examples, snrs = _users(files, user, right)
    air = _channel(channel)
    config = SharingConfig(TOLERANCE if tolerance is None else tolerance, layouts[layout])
    ring = None if keys is None else KeyRing(keys)
    held = ring if receiver_keys is None else KeyRing(receiver_keys)
    numbers = range(1, len(examples) + 1)
    sealers = {n: ring.get(n) for n in numbers if n in ring.users} if ring is not None else {}
    openers = {n: held.get(n) for n in numbers if n in held.users} if held is not None else {}
    nonce = ring.nonce() if ring is not None and sealers else None
    system = load_model(model)
    prepared = _prepare(system, Session(tuple(examples), tuple(snrs)), config, sealers, nonce)
    if out is not None:
        _record(out, prepared)
    rows, totals = serve(system, prepared, air, openers, seed)
    if report is not None:
        write_page(report, rows, totals)
    if json_:
        typer.echo(json.dumps({"users": [asdict(row) for row in rows], "totals": asdict(totals)}, indent=1))
    else:
        _print(rows, totals)


def _users(
    files: Sequence[Path], asked: Sequence[str], right: Sequence[str] | None
) -> tuple[list[Example], list[float]]:
    """Users' wishes as examples, and their SNRs; raises UserError."""
    from m4sc.data.example import Example
    from m4sc.message import Message

    from m4sc_app.errors import UserError
    from m4sc_app.multiuser.wishes import read_wish

    if len(files) not in (1, len(asked)):
        raise UserError(f"give one file for all or one for each of {len(asked)} users; got {len(files)}")
    if right and len(right) != len(asked):
        raise UserError(f"give --right once for each of {len(asked)} users, or not at all; got {len(right)}")
    loaded = {path: Message.from_file(path) for path in dict.fromkeys(files)}
    examples, snrs = [], []
    for n, text in enumerate(asked):
        task, snr, question = read_wish(text)
        snrs.append(snr)
        path = files[0] if len(files) == 1 else files[n]
        message = loaded[path]
        examples.append(
            Example(
                id=str(n + 1),
                modality=message.modality,
                task=task.name,
                instruction=question or task.instructions[0],
                answers=_right(right[n], task) if right else ("",),
                kind="",
                source=message.data,
                media_id=str(path),
            )
        )
    return examples, snrs


def _right(text: str, task: Task) -> tuple[str, ...]:
    """Right answers of one user; one that is empty stands for nobody knows."""
    from m4sc_app.errors import UserError

    if text and task.gives_picture:
        raise UserError(f"task '{task.name}' answers with a picture, which --right cannot name")
    return tuple(one.strip() for one in text.split("|"))


def _channel(name: str) -> Any:
    from m4sc.phy.channel.config import TDL_FADINGS, ChannelConfig

    from m4sc_app.errors import UserError

    if name not in ("awgn", "rayleigh", *TDL_FADINGS):
        raise UserError(f"--channel is '{name}'; use awgn, rayleigh or {', '.join(TDL_FADINGS)}")
    return ChannelConfig(fading="none" if name == "awgn" else name)


def _prepare(system: Any, session: Session, config: Any, sealers: Keys, nonce: int | None) -> Prepared:
    from m4sc.evaluate.multiuser import divide, prepare
    from m4sc.phy.waveform import WaveformConfig

    waveform = WaveformConfig()
    made = prepare(system, session, waveform, config)
    if not sealers:
        return made
    return divide(session, made.shared, made.alone, waveform, config, sealers, nonce)


def _record(place: Path, prepared: Prepared) -> None:
    """The frame as it leaves the transmitter, silence around it; raises RecordingError."""
    import numpy as np
    from m4sc.phy.waveform import WaveformConfig
    from m4sc.recordings import RecordingWriter

    waveform = WaveformConfig()
    burst, quiet = prepared.group.frame.modulate(waveform), np.zeros(800, np.complex64)
    extra = {"waveform": json.loads(waveform.to_json())}
    writer = RecordingWriter(place, float(waveform.samp_rate), extra=extra)
    try:
        writer.append(quiet)
        writer.annotate(writer.n_samples, len(burst), "M4SC frame")
        writer.append(np.asarray(burst, np.complex64))
        writer.append(quiet)
        writer.finish()
    finally:
        writer.discard()


def _print(rows: Sequence[UserRow], totals: Totals) -> None:
    table = Table(
        "user",
        "task",
        "dB",
        "answer",
        "alone",
        "score",
        "public",
        "own",
        "status",
        title="Users of one frame",
    )
    for row in rows:
        table.add_row(
            str(row.user),
            row.task,
            f"{row.snr_db:g}",
            row.answer or "-",
            row.answer_alone or "-",
            "-" if row.score is None else f"{row.score:.2f} ({row.score_alone:.2f} alone)",
            str(row.public_symbols),
            str(row.private_symbols),
            row.status,
        )
    show(table)
    for way in totals.ways:
        known = "" if way.score is None else f", mean score {way.score:.2f}"
        typer.echo(f"{way.ms:9.2f} ms  {way.name}{known}")
    typer.echo(f"{100 * totals.public_share:.0f} % of the users' symbols are public")
