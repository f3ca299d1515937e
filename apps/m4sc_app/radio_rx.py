"""From a radio end through GNU Radio to answers."""

from __future__ import annotations

from m4sc.phy.waveform import WaveformConfig
from m4sc_flowgraphs.radio_ends.address import Address

from m4sc_app import loading
from m4sc_app.link_options import Listening
from m4sc_app.link_run import Events, interruptible, need_gnuradio, run_station
from m4sc_app.link_view import LinkView
from m4sc_app.outcome import exit_code
from m4sc_app.pictures import Keeper

_LINGER_S = 3.0  # longer than a transmitter waits for those who ask for more


def run_radio_rx(where: Address, options: Listening, waveform: WaveformConfig, view: LinkView) -> int:
    """Listen to the address; the exit code.

    Raises:
        RadioEndError, UserError: what cannot be opened, or that nothing came.
    """
    need_gnuradio()
    from m4sc_flowgraphs.radio_ends.opening import open_receive
    from m4sc_flowgraphs.radio_ends.sigmf import SigmfSink
    from m4sc_flowgraphs.station import Station, StationConfig

    events, key = Events(), options.key()
    end = open_receive(where, waveform, events.notify)  # it connects when the station begins
    system = loading.warm_up(options.model)
    recorder = None
    if options.record is not None:
        recorder = SigmfSink(str(options.record), end.waveform, notify=events.notify)
    config = StationConfig(
        query=options.query,
        user_id=options.user_id,
        wanted_source_id=options.source_id,
        min_confidence=options.min_confidence,
        key="" if key is None else key.key.hex(),
        reports=options.reports or "",
        ask_below=options.ask_below,
    )
    station = Station(system, events, receive=end, config=config, recorder=recorder)
    events.keeper = Keeper(options.pictures)
    with interruptible() as stopped:
        view.say("ready", text=f"listening to {where.text}")
        was_stopped = run_station(
            station,
            events,
            view,
            stopped,
            count=options.count,
            seconds=options.seconds,
            linger_s=_LINGER_S if options.reports else 0.0,
        )
    return exit_code(view, True, was_stopped, endless=not options.count and not options.seconds)
