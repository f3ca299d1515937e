"""Radio ends behind one interface, chosen by an address; addresses are read without GNU Radio."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from m4sc_flowgraphs.radio_ends.address import Address, RadioEndError, parse_address
from m4sc_flowgraphs.radio_ends.end import Notify, ReceiveEnd, TransmitEnd, ignore

if TYPE_CHECKING:
    from m4sc_flowgraphs.radio_ends.opening import open_channel, open_receive, open_transmit

__all__ = [
    "Address",
    "Notify",
    "RadioEndError",
    "ReceiveEnd",
    "TransmitEnd",
    "ignore",
    "open_channel",
    "open_receive",
    "open_transmit",
    "parse_address",
]


def __getattr__(name: str) -> Any:
    """What opens an end needs GNU Radio, and is imported when it is asked for."""
    if name in ("open_channel", "open_receive", "open_transmit"):
        return getattr(importlib.import_module("m4sc_flowgraphs.radio_ends.opening"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
