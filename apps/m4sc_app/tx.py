"""`m4sc tx`, also called `m4sc send`: messages to a radio end, to a simulated one, or to a recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from m4sc.media.entries import TEXT
from m4sc_flowgraphs.radio_ends.address import Address

from m4sc_app.errors import UserError
from m4sc_app.link_options import Sending


def tx_command(
    address: Annotated[
        str | None,
        typer.Argument(
            help="sim:?snr_db=10, zmq://127.0.0.1:5555, uhd:..., soapy:..., or a recording: file:NAME, "
            "NAME.sigmf-meta, NAME.cf32. Left out where --out names one."
        ),
    ] = None,
    messages: Annotated[
        list[str] | None,
        typer.Argument(help="Files, PICTURE+SOUND, folders, - (lines of stdin), mic:SECONDS, camera:"),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="Words to send; repeat for several.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Recording to write, NAME or NAME.cf32, instead of an ADDRESS.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="What the receiver is to do; default by modality.")] = None,
    instruction: Annotated[
        str | None,
        typer.Option("--instruction", "--query", help="Question or instruction, not the task's own."),
    ] = None,
    classical: Annotated[bool, typer.Option("--classical", help="Source codec, LDPC and QAM.")] = False,
    repeat: Annotated[int, typer.Option(help="How often the messages are sent; 0 for ever.")] = 1,
    interval_s: Annotated[float, typer.Option(help="From one message to the next, s.")] = 0.0,
    seconds: Annotated[float, typer.Option(help="End after this, s; 0 for no limit.")] = 0.0,
    paced: Annotated[
        bool, typer.Option("--paced", help="zmq: in real time, silence between bursts.")
    ] = False,
    payload_kind: Annotated[
        str, typer.Option("--kind", "--payload-kind", help="analog, qam or digital.")
    ] = "analog",
    qam_order: Annotated[int, typer.Option(help="Points of the grid for qam.")] = 256,
    levels: Annotated[int, typer.Option(help="Levels of a latent real for digital, 2 to 256.")] = 16,
    mcs: Annotated[int, typer.Option(help="Scheme of digital payloads, -1 to choose by --snr-db.")] = -1,
    symbols: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Complex data symbols of a message at most, such as 32; fewer take less air time and are "
            "less sure. Default: what the task takes.",
        ),
    ] = None,
    look: Annotated[
        bool,
        typer.Option(
            "--look",
            help="Look where --instruction points, such as 'What is at the top left?', and send that part of "
            "the picture alone: better seen in as many symbols, but no other question can follow.",
        ),
    ] = False,
    snr_db: Annotated[
        float | None,
        typer.Option(
            help="SNR of the link, dB: reckoned with, and made by sim: and recordings. Default: unknown; "
            "a text is sent for about 9 dB, a picture that --symbols limits for 10, other bytes for 15."
        ),
    ] = None,
    cfo_hz: Annotated[float | None, typer.Option(help="Carrier offset of sim: and recordings, Hz.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the noise of sim: and recordings.")] = None,
    source_id: Annotated[int, typer.Option(min=0, max=255, help="Who sends, in the header.")] = 0,
    user_id: Annotated[int, typer.Option(min=-1, max=65535, help="For whom; -1: every receiver.")] = -1,
    reports: Annotated[
        str | None,
        typer.Option(
            help="zmq://HOST:PORT of m4sc rx --reports: digital messages are sent until they are "
            "acknowledged, others again where the receiver asks for more."
        ),
    ] = None,
    ask_below: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="sim: more is asked for below this confidence; 0: never."),
    ] = 0.0,
    waveform: Annotated[Path | None, typer.Option(help="JSON file of waveform parameters.")] = None,
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
    json_: Annotated[bool, typer.Option("--json", help="One JSON object an event.")] = False,
) -> None:
    """Send messages. A recording is written without GNU Radio; everything else needs it.

    Example:  m4sc tx zmq://127.0.0.1:5555 cat.jpg --task classify

    Example:  m4sc tx burst.sigmf-meta cat.jpg --snr-db 5

    Example:  m4sc tx sim: four.png --task mosaic --instruction "What is at the top left?" --look
    """
    entries = [*(messages or ()), *(f"{TEXT}{words}" for words in text or ())]
    where: str | Address | None = address
    if out is not None:
        entries = [*((address,) if address else ()), *entries]
        where = Address("file", str(out), {}, f"file:{out}")
    if where is None:
        raise UserError(
            "name an ADDRESS to send to, such as zmq://127.0.0.1:5555, or a recording by --out NAME"
        )
    sending = Sending(
        task, instruction, classical, repeat, interval_s, seconds, paced, payload_kind, qam_order, levels,
        mcs, symbols, look, snr_db, cfo_hz, seed, source_id, user_id, reports, ask_below, waveform, model,
        json_,
    )  # fmt: skip
    code = run_tx(where, entries, sending)
    if code:
        raise typer.Exit(code)


def run_tx(address: str | Address, entries: list[str], sending: Sending) -> int:
    """Send; the exit code.

    Raises:
        ValueError: in one sentence, what the person can put right.
    """
    from m4sc_app.addresses import read_address, with_channel
    from m4sc_app.feeder import messages_to_send
    from m4sc_app.link_run import check_limits, interruptible
    from m4sc_app.link_view import LinkView
    from m4sc_app.outcome import exit_code
    from m4sc_app.waveform_file import read_waveform

    if not entries:
        raise UserError("nothing to send: name a file or a folder, or give words with --text")
    s = sending
    check_limits(repeat=s.repeat, interval_s=s.interval_s, seconds=s.seconds)
    where = with_channel(read_address(address, sends=True), s.snr_db, s.cfo_hz, s.seed)
    shape = read_waveform(s.waveform)
    if s.paced and where.kind != "zmq":
        why = "is written as fast as can be" if where.kind == "file" else "has its own clock"
        raise UserError(f"--paced is for zmq:; '{where.kind}:' {why}")
    is_file = where.kind == "file"
    answers = where.kind == "sim"
    view = LinkView(f"m4sc tx {where.text}", s.as_json, live=not is_file, receives=answers)
    if s.classical and s.symbols is not None:
        raise UserError("--symbols is not for --classical, whose files take what they need")
    if s.look and (s.classical or not (s.instruction or "").strip()):
        raise UserError("--look needs an --instruction that says where, and no --classical")
    if s.reports is not None and where.kind in ("sim", "file"):
        raise UserError(f"--reports is for a receiver elsewhere; '{where.kind}:' has none")
    if s.ask_below and where.kind != "sim":
        raise UserError("--ask-below is the receiver's: give it to m4sc rx, with --reports, or send to sim:")
    found = messages_to_send(entries, s.task, s.instruction, s.repeat)
    messages = (replace(message, symbols=s.symbols, look=s.look) for message in found)
    if is_file:
        from m4sc_app.file_tx import FileSender

        sender = FileSender(where, s, shape, view)
        with interruptible() as stopped:
            return exit_code(view, False, sender.run(messages, stopped), endless=s.repeat == 0)
    from m4sc_app.radio_tx import open_station, run_radio_tx

    station, events = open_station(where, s, shape)
    return run_radio_tx(station, events, messages, s, view)
