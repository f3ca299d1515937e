"""`m4sc broker`: one transmitter, many receivers in processes of their own, a channel for each."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

_TELL_S = 10.0
_SETTLE_S = 0.5  # a receiver that is connected subscribes a moment later


def broker_command(
    source: Annotated[
        str, typer.Argument(help="What to pass on: zmq://127.0.0.1:5555 of m4sc tx, or a recording.")
    ],
    users: Annotated[
        list[str],
        typer.Argument(help='One for each user: "zmq://127.0.0.1:5561?snr_db=10&channel=fading".'),
    ],
    wait_for: Annotated[
        int, typer.Option(min=0, help="Begin once so many users have a receiver; 0: at once.")
    ] = 0,
    paced: Annotated[
        bool, typer.Option("--paced", help="In real time, as a recording is always played.")
    ] = False,
    seconds: Annotated[float, typer.Option(help="End after this, s; 0 for no limit.")] = 0.0,
    waveform: Annotated[Path | None, typer.Option(help="JSON file of waveform parameters.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object an event.")] = False,
) -> None:
    """Pass one transmitter's samples on to users, each through a channel of its own.

    Receivers come and go as they like: m4sc rx "zmq://127.0.0.1:5561?mode=pub" --user-id 1. Who is too slow
    misses samples, which is told, and holds up nobody.

    Example:  m4sc broker zmq://127.0.0.1:5555 "zmq://127.0.0.1:5561?snr_db=10" "zmq://127.0.0.1:5562?snr_db=0"

    Example:  m4sc broker users.sigmf-meta zmq://127.0.0.1:5561 zmq://127.0.0.1:5562 --wait-for 2
    """
    from m4sc_app.addresses import read_address
    from m4sc_app.errors import UserError
    from m4sc_app.link_run import Events, check_limits, interruptible, need_gnuradio
    from m4sc_app.waveform_file import read_waveform

    check_limits(seconds=seconds)
    if wait_for > len(users):
        raise UserError(f"--wait-for is {wait_for} and there are {len(users)} users; give no more than those")
    where = read_address(source, sends=False)
    need_gnuradio()
    from m4sc_flowgraphs.broker import Broker

    events = Events()
    broker = Broker(where, users, read_waveform(waveform), events.notify, paced)
    say = _Lines(json_)
    with interruptible() as stopped:
        say("ready", f"passing on {where.text} to {len(users)} user{'s' * (len(users) != 1)}")
        if not _has_users(broker, events, say, stopped, wait_for):
            broker.close()
            raise typer.Exit(130)
        _run(broker, events, say, stopped, seconds)
        was_stopped = stopped()
    if events.broken_off:
        raise UserError(events.broken_off)
    if not any(user.samples for user in broker.users()):
        raise UserError("nothing was passed on: no transmitter came")
    if was_stopped:
        raise typer.Exit(130)


class _Lines:
    """Events as lines, or as JSON lines."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def __call__(self, kind: str, text: str = "", **values: Any) -> None:
        if self._as_json:
            known = {"text": text} if text else {}
            print(json.dumps({"event": kind, "time": time.time(), **known, **values}), flush=True)
        elif text:
            print(text, flush=True)


def _has_users(broker: Any, events: Any, say: _Lines, stopped: Any, wanted: int) -> bool:
    """Wait for users to come; False where the person wants an end."""
    while sum(user.peers > 0 for user in broker.users()) < wanted:
        broker.look()
        _tell(events, say)
        if stopped():
            return False
    if wanted:
        time.sleep(_SETTLE_S)
    return True


def _run(broker: Any, events: Any, say: _Lines, stopped: Any, seconds: float) -> None:
    begun = told = time.monotonic()
    broker.begin()
    try:
        while not (stopped() or broker.has_ended() or events.broken_off):
            _tell(events, say)
            now = time.monotonic()
            if seconds and now - begun >= seconds:
                break
            if now - told >= _TELL_S:
                told = now
                _state(broker, say, "state")
    finally:
        clean = broker.end()
        _tell(events, say)
        _state(broker, say, "summary")
        if not clean:
            from m4sc_app.link_run import leave_without_threads

            say("warning", "a block did not end within 10 seconds; it is left behind")
            leave_without_threads(0)
        sys.stdout.flush()


def _tell(events: Any, say: _Lines) -> None:
    for event in events.take():
        say(event.kind, **event.values)


def _state(broker: Any, say: _Lines, kind: str) -> None:
    users = broker.users()
    passed = max(user.samples for user in users)
    slow = [f"user {n} was too slow {u.overruns} times" for n, u in enumerate(users, 1) if u.overruns]
    there = sum(user.peers > 0 for user in users)
    text = "; ".join([f"{passed:,} samples passed on, {there} of {len(users)} users there", *slow])
    say(kind, text, users=[asdict(user) for user in users])
