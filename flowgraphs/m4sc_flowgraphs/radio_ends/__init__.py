"""Radio ends behind one interface, chosen by an address."""

from m4sc_flowgraphs.radio_ends.address import Address, RadioEndError, parse_address
from m4sc_flowgraphs.radio_ends.end import Notify, ReceiveEnd, TransmitEnd, ignore
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
