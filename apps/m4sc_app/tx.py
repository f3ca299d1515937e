"""`m4sc tx`: messages through GNU Radio to a radio end."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from m4sc.media.entries import TEXT

from m4sc_app.errors import UserError

_AHEAD = 4  # messages in the chain at most: what is queued there cannot be taken back


def tx_command(
    address: Annotated[
        str, typer.Argument(help="sim:?snr_db=10, zmq://127.0.0.1:5555, file:NAME, uhd:..., soapy:...")
    ],
    messages: Annotated[
        list[str] | None,
        typer.Argument(help="Files, PICTURE+SOUND, folders, - (lines of stdin), mic:SECONDS, camera:"),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="Words to send; repeat for several.")] = None,
    task: Annotated[str | None, typer.Option(help="What the receiver is to do; default by modality.")] = None,
    instruction: Annotated[str | None, typer.Option(help="Instruction, not the task's own.")] = None,
    classical: Annotated[bool, typer.Option("--classical", help="Source codec, LDPC and QAM.")] = False,
    repeat: Annotated[int, typer.Option(help="How often the messages are sent; 0 for ever.")] = 1,
    interval_s: Annotated[float, typer.Option(help="From one message to the next, s.")] = 0.0,
    seconds: Annotated[float, typer.Option(help="End after this, s; 0 for no limit.")] = 0.0,
    paced: Annotated[bool, typer.Option("--paced", help="Real time, with silence between bursts.")] = False,
    payload_kind: Annotated[
        str, typer.Option("--kind", "--payload-kind", help="analog, qam or digital.")
    ] = "analog",
    qam_order: Annotated[int, typer.Option(help="Points of the grid for qam.")] = 256,
    levels: Annotated[int, typer.Option(help="Levels of a latent real for digital, 2 to 256.")] = 16,
    snr_db: Annotated[float, typer.Option(help="Expected SNR, for the scheme of digital payloads.")] = 15.0,
    mcs: Annotated[int, typer.Option(help="Scheme of digital payloads, -1 to choose by --snr-db.")] = -1,
    source_id: Annotated[int, typer.Option(min=0, max=255, help="Source id in the header.")] = 0,
    waveform: Annotated[Path | None, typer.Option(help="JSON file of waveform parameters.")] = None,
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
    json_: Annotated[bool, typer.Option("--json", help="One JSON object an event.")] = False,
) -> None:
    """Send messages to a radio end.

    Example:  m4sc tx zmq://127.0.0.1:5555 cat.jpg --task classify
    """
    entries = [*(messages or ()), *(f"{TEXT}{words}" for words in text or ())]
    run_tx(
        address, entries, task=task, instruction=instruction, classical=classical, repeat=repeat,
        interval_s=interval_s, seconds=seconds, paced=paced, payload_kind=payload_kind, qam_order=qam_order,
        snr_db=snr_db, mcs=mcs, source_id=source_id, waveform=waveform, model=model, as_json=json_,
        levels=levels,
    )  # fmt: skip


class Feeder:
    """Sends messages one by one, never more than a few ahead of the radio."""

    def __init__(self, station: Any, view: Any, messages: Iterator[Any], interval_s: float) -> None:
        self._station, self._view, self._interval_s = station, view, interval_s
        self._next_s, self._number, self._finished = 0.0, 0, False
        self._ready: queue.Queue[Any] = queue.Queue(1)
        threading.Thread(target=self._read, args=(messages,), name="m4sc_reader", daemon=True).start()

    def __call__(self) -> None:
        """Send what is due; raises what reading a message raised."""
        while not self._finished and time.monotonic() >= self._next_s and self._room():
            try:
                message = self._ready.get_nowait()
            except queue.Empty:
                return
            if isinstance(message, Exception):
                raise message
            if message is None:
                self._station.finish_sending()
                self._finished = True
                return
            self._station.send(message, self._number)
            self._number += 1
            self._next_s = time.monotonic() + self._interval_s

    def _read(self, messages: Iterator[Any]) -> None:
        """On a thread of its own: standard input, microphone and camera keep one waiting."""
        try:
            for message in messages:
                self._ready.put(message)
            self._ready.put(None)
        except Exception as exc:  # raised again in the loop
            self._ready.put(exc)

    def _room(self) -> bool:
        handled = max(self._view.sequences_sent, self._view.figures["faults"])
        return self._number - handled < _AHEAD


def run_tx(
    address: str,
    entries: list[str],
    *,
    task: str | None,
    instruction: str | None,
    classical: bool,
    repeat: int,
    interval_s: float,
    seconds: float,
    paced: bool,
    payload_kind: str,
    qam_order: int,
    snr_db: float,
    mcs: int,
    source_id: int,
    waveform: Path | None,
    model: Any,
    as_json: bool,
    levels: int = 16,
) -> None:
    """Send; see ``m4sc tx --help``."""
    from m4sc_app.link_run import (
        Events,
        check_limits,
        interruptible,
        need_gnuradio,
        run_station,
        warm_up,
    )
    from m4sc_app.link_view import LinkView
    from m4sc_app.outgoing import outgoing_messages
    from m4sc_app.waveform_file import read_waveform

    need_gnuradio()
    from m4sc_flowgraphs.radio_ends import open_channel, open_transmit, parse_address
    from m4sc_flowgraphs.station import Station, StationConfig

    if not entries:
        raise UserError("nothing to send: name a file or a folder, or give words with --text")
    check_limits(repeat=repeat, interval_s=interval_s, seconds=seconds)
    where, shape = parse_address(address), read_waveform(waveform)
    if paced and where.kind not in ("zmq", "file"):
        raise UserError(f"--paced is for zmq: and file:; '{where.kind}:' has its own clock")
    live = any(entry == "-" or entry.startswith(("mic:", "camera:")) for entry in entries)
    messages = _each_round(entries, task, instruction, repeat)
    if not live:  # all are read and checked before anything is sent
        messages = _repeated(list(outgoing_messages(entries, task, instruction)), repeat)
    config = StationConfig(classical, payload_kind, qam_order, snr_db, mcs, source_id, instruction, levels)
    events, view = Events(), LinkView(f"m4sc tx {address}", as_json)
    if where.kind == "sim":
        channel = open_channel(address, shape)
        station = Station(warm_up(model, False), events, channel=channel, config=config, waveform=shape)
    else:
        end = open_transmit(address, shape, events.notify, paced)
        system = None if classical else warm_up(model, True)
        _check_task(system, task)
        station = Station(system, events, transmit=end, config=config)
    with interruptible() as stopped:
        view.say("ready", text=f"sending to {address}")
        run_station(station, events, view, stopped, Feeder(station, view, messages, interval_s), 0, seconds)


def _check_task(system: Any, task: str | None) -> None:
    """Raise UserError where the weights do not know the task."""
    known = getattr(getattr(system, "config", None), "tasks", None)
    if task is not None and known is not None and task not in known:
        raise UserError(f"these weights were not trained for '{task}'; they know {', '.join(known)}")


def _repeated(messages: list[Any], repeat: int) -> Iterator[Any]:
    for _ in itertools.count() if repeat == 0 else range(repeat):
        yield from messages


def _each_round(entries: list[str], task: str | None, instruction: str | None, repeat: int) -> Iterator[Any]:
    """What is heard and seen anew in each round; standard input has only one."""
    from m4sc_app.outgoing import outgoing_messages

    for _ in range(1) if "-" in entries else itertools.count() if repeat == 0 else range(repeat):
        yield from outgoing_messages(entries, task, instruction)
