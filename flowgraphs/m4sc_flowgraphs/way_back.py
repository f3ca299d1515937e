"""What a receiver says to its transmitter over ZeroMQ: reports on frames, and requests for more."""

from __future__ import annotations

from typing import Any

from gnuradio import zeromq

from m4sc_flowgraphs.radio_ends.address import RadioEndError
from m4sc_flowgraphs.radio_ends.zmq import endpoint

_POLL_MS = 20
_SCHEME = "zmq://"


def _place(address: str) -> str:
    """``tcp://HOST:PORT`` of ``zmq://HOST:PORT``; raises RadioEndError for anything else."""
    if not address.startswith(_SCHEME):
        raise RadioEndError(f"'{address}' is no way back; write {_SCHEME}HOST:PORT")
    return endpoint(address.removeprefix(_SCHEME))


def open_reports(address: str) -> Any:
    """Block that publishes the messages on its port ``in``; binds, so that transmitters connect to it.

    Raises:
        RadioEndError: not such an address, or a port that is taken.
    """
    where = _place(address)
    try:
        return zeromq.pub_msg_sink(where, _POLL_MS)
    except Exception as exc:  # what gr-zeromq throws depends on its bindings
        raise RadioEndError(f"cannot listen at {where}; another program may use this port") from exc


def open_listener(address: str) -> Any:
    """Block that hears on port ``out`` what a receiver publishes at the address, which may come later.

    Raises:
        RadioEndError: not such an address.
    """
    return zeromq.sub_msg_source(_place(address), _POLL_MS)
