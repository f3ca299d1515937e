"""`m4sc rx`: from a radio end through GNU Radio to answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def rx_command(
    address: Annotated[str, typer.Argument(help="zmq://127.0.0.1:5555, file:NAME, uhd:..., soapy:...")],
    query: Annotated[str | None, typer.Option(help="The receiver's own question, of every message.")] = None,
    count: Annotated[int, typer.Option(help="End after so many messages; 0 for no limit.")] = 0,
    seconds: Annotated[float, typer.Option(help="End after this, s; 0 for no limit.")] = 0.0,
    record: Annotated[Path | None, typer.Option(help="Also record what is received as SigMF.")] = None,
    waveform: Annotated[Path | None, typer.Option(help="JSON file of waveform parameters.")] = None,
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
    json_: Annotated[bool, typer.Option("--json", help="One JSON object an event.")] = False,
) -> None:
    """Receive messages from a radio end and answer their tasks.

    Example:  m4sc rx zmq://127.0.0.1:5555 --query "What animal is it?"
    """
    run_rx(
        address, query=query, count=count, seconds=seconds, record=record, waveform=waveform, model=model,
        as_json=json_,
    )  # fmt: skip


def run_rx(
    address: str,
    *,
    query: str | None,
    count: int,
    seconds: float,
    record: Path | None,
    waveform: Path | None,
    model: Any,
    as_json: bool,
) -> None:
    """Receive; see ``m4sc rx --help``."""
    from m4sc_app.link_run import (
        Events,
        check_limits,
        interruptible,
        need_gnuradio,
        run_station,
        warm_up,
    )
    from m4sc_app.link_view import LinkView
    from m4sc_app.waveform_file import read_waveform

    need_gnuradio()
    from m4sc_flowgraphs.radio_ends import open_receive
    from m4sc_flowgraphs.radio_ends.sigmf import SigmfSink
    from m4sc_flowgraphs.station import Station, StationConfig

    check_limits(count=count, seconds=seconds)
    events, view = Events(), LinkView(f"m4sc rx {address}", as_json)
    end = open_receive(address, read_waveform(waveform), events.notify)
    system = warm_up(model, False)
    recorder = None if record is None else SigmfSink(str(record), end.waveform, notify=events.notify)
    station = Station(system, events, receive=end, config=StationConfig(query=query), recorder=recorder)
    with interruptible() as stopped:
        view.say("ready", text=f"listening to {address}")
        run_station(station, events, view, stopped, count=count, seconds=seconds)
