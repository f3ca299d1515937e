"""`m4sc rx`, also called `m4sc receive`: from a radio end, or from a recording, to answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from m4sc_app.errors import UserError
from m4sc_app.link_options import Listening


def rx_command(
    address: Annotated[
        str,
        typer.Argument(
            help="zmq://127.0.0.1:5555, uhd:..., soapy:..., or a recording: file:NAME or its path (SigMF, "
            ".cf32, .cs16, .cu8, .wav and more)."
        ),
    ],
    query: Annotated[
        str | None,
        typer.Option("--query", "--instruction", help="The receiver's own question, of every message."),
    ] = None,
    count: Annotated[int, typer.Option(help="End after so many messages; 0 for no limit.")] = 0,
    seconds: Annotated[float, typer.Option(help="End after this, s; 0 for no limit.")] = 0.0,
    record: Annotated[Path | None, typer.Option(help="Also record what is received as SigMF.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder to keep received pictures in.")] = None,
    datatype: Annotated[
        str | None, typer.Option(help="Samples of a bare recording, as SigMF names them: ci16_le.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Samples a second of a recording that does not say it.")
    ] = None,
    snr_db: Annotated[float | None, typer.Option(help="Noise added to a recording, Es/N0 in dB.")] = None,
    cfo_hz: Annotated[float | None, typer.Option(help="Carrier offset added to a recording, Hz.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of that noise.")] = None,
    source_id: Annotated[int, typer.Option(min=-1, max=255, help="Transmitter to hear; -1: any.")] = -1,
    user_id: Annotated[
        int,
        typer.Option(
            min=-1,
            max=65535,
            help="Who listens: messages for it and for all, and its part of frames of several users; -1: "
            "messages for anybody.",
        ),
    ] = -1,
    keys: Annotated[
        Path | None, typer.Option(help="Key file that has this user's key (m4sc keys); with --user-id.")
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0.0, max=1.0, help='Below it an answer is "not sure"; 0: never.')
    ] = 0.0,
    reports: Annotated[
        str | None,
        typer.Option(
            help="zmq://HOST:PORT to listen at: tells m4sc tx --reports what came, and asks for more."
        ),
    ] = None,
    ask_below: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Below it more of a message is asked for, with --reports; 0: never."
        ),
    ] = 0.0,
    waveform: Annotated[Path | None, typer.Option(help="JSON file of waveform parameters.")] = None,
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
    json_: Annotated[bool, typer.Option("--json", help="One JSON object an event.")] = False,
) -> None:
    """Receive messages and answer their tasks. A recording is read without GNU Radio; all else needs it.

    Example:  m4sc rx zmq://127.0.0.1:5555 --query "What animal is it?"

    Example:  m4sc rx burst.sigmf-meta --json
    """
    listening = Listening(
        query, count, seconds, record, pictures, datatype, rate, snr_db, cfo_hz, seed, source_id, user_id,
        min_confidence, keys, reports, ask_below, waveform, model, json_,
    )  # fmt: skip
    code = run_rx(address, listening)
    if code:
        raise typer.Exit(code)


def run_rx(address: str, listening: Listening) -> int:
    """Receive; the exit code.

    Raises:
        ValueError: in one sentence, what the person can put right.
    """
    from m4sc_app.addresses import read_address, with_channel, with_sample_format
    from m4sc_app.link_run import check_limits, interruptible
    from m4sc_app.link_view import LinkView
    from m4sc_app.outcome import exit_code
    from m4sc_app.waveform_file import read_waveform

    options = listening
    check_limits(count=options.count, seconds=options.seconds)
    where = with_channel(read_address(address, sends=False), options.snr_db, options.cfo_hz, options.seed)
    where = with_sample_format(where, options.datatype, options.rate)
    shape = read_waveform(options.waveform)
    is_file = where.kind == "file"
    if options.reports is not None and is_file:
        raise UserError("--reports is for a transmitter that sends now; a recording has none")
    if options.ask_below and options.reports is None:
        raise UserError(
            "--ask-below needs --reports zmq://HOST:PORT, where the transmitter hears what is asked"
        )
    view = LinkView(f"m4sc rx {address}", options.as_json, live=not is_file, sends=False)
    if not is_file:
        from m4sc_app.radio_rx import run_radio_rx

        return run_radio_rx(where, options, shape, view)
    from m4sc_app.file_rx import FileListener

    listener = FileListener(where, options, shape, view)
    with interruptible() as stopped:
        was_stopped = listener.run(stopped)
    return exit_code(view, True, was_stopped, hint=listener.described)
