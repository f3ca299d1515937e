"""`m4sc multiuser`: one frame for several users, beside what else could have been sent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from m4sc.data.example import Example
    from m4sc.evaluate.multiuser import Prepared, Session
    from m4sc.sharing.privacy import UserKey

    Keys = Mapping[int, UserKey]

_TEMPLATE = Path(__file__).parent / "report" / "multiuser.html.j2"


@dataclass(frozen=True)
class UserRow:
    """What came of one user; symbols are complex data symbols, public ones those that it takes part in."""

    user: int
    task: str
    question: str
    snr_db: float
    answer: str | None
    answer_alone: str | None
    public_symbols: int
    private_symbols: int
    alone_ms: float
    status: str


@dataclass(frozen=True)
class Totals:
    """Milliseconds on the air, preambles, headers, pilots and cyclic prefixes counted."""

    together_ms: float
    unicast_ms: float
    unicast_without_names_ms: float
    answers_ms: float
    classical_ms: float
    public_share: float
    directory_bytes: int


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

    layouts = {"tdm": TDM, "ofdma": OFDMA}
    if layout not in layouts:
        raise UserError(f"--layout is '{layout}'; use tdm or ofdma")
    if tolerance is not None and math.isnan(tolerance):
        raise UserError("--tolerance is nan; give a number, below 0 to share nothing")
    examples, snrs = _users(files, user)
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


def _users(files: Sequence[Path], asked: Sequence[str]) -> tuple[list[Example], list[float]]:
    """Users' wishes as examples, and their SNRs; raises UserError."""
    from m4sc.data.example import Example
    from m4sc.message import Message
    from m4sc.tasks import get_task

    from m4sc_app.errors import UserError

    if len(files) not in (1, len(asked)):
        raise UserError(f"give one file for all or one for each of {len(asked)} users; got {len(files)}")
    loaded = {path: Message.from_file(path) for path in dict.fromkeys(files)}
    examples, snrs = [], []
    for n, text in enumerate(asked):
        wish, _, question = text.partition(":")
        name, _, snr = wish.partition("@")
        task = get_task(name)
        try:
            snrs.append(float(snr))
        except ValueError:
            raise UserError(f"--user takes TASK@SNR or TASK@SNR:QUESTION; got '{text}'") from None
        path = files[0] if len(files) == 1 else files[n]
        message = loaded[path]
        examples.append(
            Example(
                id=str(n + 1),
                modality=message.modality,
                task=name,
                instruction=question or task.instructions[0],
                answers=("",),
                kind="",
                source=message.data,
                media_id=str(path),
            )
        )
    return examples, snrs


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


def serve(
    system: Any, prepared: Prepared, channel: Any, keys: Keys, seed: int
) -> tuple[list[UserRow], Totals]:
    """Send a session both ways; a row for each user, and what all of it took."""
    import numpy as np
    from m4sc.evaluate.multiuser import Ends, air_times, answer_all, answers_air_time, classical_air_time
    from m4sc.phy.waveform import WaveformConfig

    waveform = WaveformConfig()
    ends, session = Ends(waveform, channel), prepared.session
    rng = np.random.default_rng(seed)
    taken = ends.together(prepared, rng, keys)
    alone = ends.apart(prepared, rng)
    answers = answer_all(system, [None if one is None else one.received for one in taken], session.examples)
    others = answer_all(system, alone, session.examples)
    times = air_times(prepared, waveform)
    rows = []
    for n, (example, one) in enumerate(zip(session.examples, taken, strict=True)):
        status = "the frame was lost" if one is None else one.reason or "received"
        rows.append(
            UserRow(
                n + 1,
                example.task,
                example.instruction,
                session.snr_db[n],
                _words(answers[n]),
                _words(others[n]),
                0 if one is None else one.public_symbols,
                prepared.group.private_symbols[n],
                1e3 * times.unicast[n],
                status,
            )
        )
    texts = [row.answer_alone or "" for row in rows]
    return rows, Totals(
        1e3 * times.group,
        1e3 * sum(times.unicast),
        1e3 * sum(times.compact),
        1e3 * answers_air_time(session, texts, waveform),
        1e3 * classical_air_time(session, waveform),
        prepared.group.public_share,
        prepared.group.frame.header.payload_bytes,
    )


def _words(answer: Any) -> str | None:
    return None if answer is None else answer if isinstance(answer, str) else "a picture"


def _print(rows: Sequence[UserRow], totals: Totals) -> None:
    table = Table(
        "user", "task", "dB", "answer", "alone", "public", "own", "status", title="Users of one frame"
    )
    for row in rows:
        table.add_row(
            str(row.user),
            row.task,
            f"{row.snr_db:g}",
            row.answer or "-",
            row.answer_alone or "-",
            str(row.public_symbols),
            str(row.private_symbols),
            row.status,
        )
    Console().print(table)
    for name, value in compared(totals):
        typer.echo(f"{value:9.2f} ms  {name}")
    typer.echo(f"{100 * totals.public_share:.0f} % of the users' symbols are public")


def compared(totals: Totals) -> list[tuple[str, float]]:
    """Ways to serve these users, with the milliseconds that they take."""
    return [
        ("one frame for all", totals.together_ms),
        ("a frame for each", totals.unicast_ms),
        ("a frame for each that names no user", totals.unicast_without_names_ms),
        ("answers found at the transmitter, a frame for each", totals.answers_ms),
        ("files for all (WebP, Opus, Brotli; LDPC)", totals.classical_ms),
    ]


def write_page(path: Path, rows: Sequence[UserRow], totals: Totals) -> None:
    """One self-contained page."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    ways = compared(totals)
    path.parent.mkdir(parents=True, exist_ok=True)
    most = max(value for _, value in ways)
    path.write_text(template.render(rows=rows, totals=totals, ways=ways, most=most), encoding="utf-8")
