"""Messages through GNU Radio to a radio end, or through a simulated channel and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from m4sc.phy.waveform import WaveformConfig
from m4sc_flowgraphs.radio_ends.address import Address

from m4sc_app import loading
from m4sc_app.errors import UserError
from m4sc_app.feeder import Feeder
from m4sc_app.link_options import Sending
from m4sc_app.link_run import Events, interruptible, need_gnuradio, run_station
from m4sc_app.link_view import LinkView
from m4sc_app.outcome import exit_code


def open_station(where: Address, sending: Sending, waveform: WaveformConfig) -> tuple[Any, Events]:
    """A station that sends to the address, its model loaded, and the events it will emit.

    Raises:
        RadioEndError, UserError: what cannot be opened, in one sentence.
    """
    need_gnuradio()
    from m4sc_flowgraphs.radio_ends.opening import open_channel, open_transmit
    from m4sc_flowgraphs.station import Station, StationConfig

    s, events = sending, Events()
    config = StationConfig(
        s.classical, s.payload_kind, s.qam_order, s.snr_db, s.mcs, s.source_id, s.instruction,
        s.levels, s.user_id, reports=s.reports or "", ask_below=s.ask_below,
    )  # fmt: skip
    if where.kind == "sim":
        channel = open_channel(where, waveform)
        system = _prepared(s)
        return Station(system, events, channel=channel, config=config, waveform=waveform), events
    end = open_transmit(where, waveform, events.notify, s.paced)
    system = None if s.classical else _prepared(s)
    return Station(system, events, transmit=end, config=config), events


def run_radio_tx(
    station: Any, events: Events, messages: Iterator[Any], sending: Sending, view: LinkView
) -> int:
    """Send all; the exit code.

    Raises:
        UserError: nothing was sent, or nothing was answered where both ends are here.
    """
    receives = hasattr(station, "decoder")
    with interruptible() as stopped:
        view.say("ready", text=view.title.replace("m4sc tx", "sending to", 1))
        feeder = Feeder(station, view, messages, sending.interval_s)
        was_stopped = run_station(station, events, view, stopped, feeder, 0, sending.seconds)
    counters = station.counters()
    if not receives and view.figures["sent"] and counters.get("samples", 1) == 0 and not was_stopped:
        raise UserError("nothing was sent: nobody came to take the samples")
    return exit_code(view, receives, was_stopped, endless=sending.repeat == 0)


def _prepared(sending: Sending) -> Any:
    """The model, with what the task needs; without a task the first message finds what it needs.

    Raises:
        ValueError: the weights do not know the task.
    """
    if sending.task is None:
        return loading.load_model(sending.model)
    return loading.prepare(sending.model, sending.task)
