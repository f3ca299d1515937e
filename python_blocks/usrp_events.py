"""What a USRP sink says of its bursts: underflows, late bursts, lost packets."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pmt
from gnuradio import gr

from .inbox import set_quick_handler
from .pdu import make_pdu

_MOST_TOLD = 20  # faults a second
_EVENTS = {
    "underflow": "underflows",
    "underflow_in_packet": "underflows",
    "seq_error": "sequence_errors",
    "seq_error_in_burst": "sequence_errors",
    "time_error": "late_bursts",
    "burst_ack": "acknowledged",
}


def counts_as_text(counters: Counter[str]) -> str:
    """``underflows 0, late bursts 2``: every counter, in the order in which it was made."""
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counters.items())


class usrp_events(gr.basic_block):  # noqa: N801
    """USRP events: counts what a ``uhd.usrp_sink`` reports on its port ``async_msgs``.

    Ports: ``async_msgs`` in, ``status`` out: one PDU a fault (``event`` = ``fault``, ``kind`` = the counter's
    name, ``reason``); beyond 20 a second they are only counted. :meth:`counts_text` is for a label in
    the window; the counts are printed when the flowgraph ends.

    Counters: ``underflows`` (the computer was too slow), ``late_bursts`` (the time stamp had passed),
    ``sequence_errors`` (samples lost on the way to the device), ``acknowledged`` (bursts that went out),
    ``other_events``, ``errors`` (messages not understood).
    """

    def __init__(self) -> None:
        gr.basic_block.__init__(self, f"m4sc_{type(self).__name__}", [], [])
        self.counters: Counter[str] = Counter(underflows=0, late_bursts=0, sequence_errors=0)
        self._second, self._told = float("-inf"), 0  # faults told since then
        self._status = pmt.intern("status")
        self.message_port_register_in(pmt.intern("async_msgs"))
        self.message_port_register_out(self._status)
        set_quick_handler(self, "async_msgs", self._accept)

    def counts_text(self) -> str:
        """The counters as a line of text; safe from any thread."""
        return counts_as_text(self.counters)

    def tell(self, kind: str, reason: str) -> None:
        """Publish a fault."""
        self.logger.warn(reason)
        status = {"block": "m4sc_usrp_events", "event": "fault", "kind": kind, "reason": reason}
        self.message_port_pub(self._status, make_pdu(status, b""))

    def stop(self) -> bool:
        """Print the counts; called by the scheduler."""
        print(f"radio: {self.counts_text()}", flush=True)
        return True

    def _accept(self, message: Any) -> None:
        try:
            codes = pmt.dict_ref(pmt.cdr(message), pmt.intern("event_code"), pmt.PMT_NIL)
            names = [pmt.symbol_to_string(pmt.nth(i, codes)) for i in range(pmt.length(codes))]
            if not names:
                raise ValueError(f"no event_code in {pmt.write_string(message)[:80]}")
        except (RuntimeError, TypeError, ValueError) as exc:
            self.counters["errors"] += 1
            self.logger.warn(f"a message of UHD was not understood: {exc}")
            return
        for name in names:
            counter = _EVENTS.get(name, "other_events")
            self.counters[counter] += 1
            if counter != "acknowledged" and self._may_tell():
                self.tell(counter, f"UHD reports {name.replace('_', ' ')}")

    def _may_tell(self) -> bool:
        """Whether fewer than 20 faults were told within a second."""
        now = time.monotonic()
        if now - self._second >= 1.0:
            self._second, self._told = now, 0
        self._told += 1
        return self._told <= _MOST_TOLD
