"""What a USRP source's samples tell: overflows, lost samples, clipping."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from .pdu import make_pdu
from .usrp_events import counts_as_text

_FULL_SCALE = 0.999


class usrp_watch(gr.sync_block):  # noqa: N801
    """USRP watch: passes a ``uhd.usrp_source``'s samples and counts what was lost or clipped.

    Ports: stream in and out, complex64; message ``status`` out: one PDU an overflow (``event`` = ``fault``,
    ``kind`` = ``overflows``, ``reason``). Tag read: ``rx_time``, which the source writes at its start and
    after every overflow. :meth:`counts_text` is for a label in the window; the counts are printed when the
    flowgraph ends.

    Counters: ``overflows``, ``lost_samples``, ``clipped_samples`` (real or imaginary part at full scale),
    ``errors`` (a tag not understood).

    Args:
        samp_rate: samples/s that the device really has, > 0.
    """

    def __init__(self, samp_rate: float = 1e6) -> None:
        if not samp_rate > 0:
            raise ValueError(f"samp_rate is {samp_rate}; give samples/s above 0")
        gr.sync_block.__init__(self, f"m4sc_{type(self).__name__}", [np.complex64], [np.complex64])
        self.counters: Counter[str] = Counter(overflows=0, lost_samples=0, clipped_samples=0)
        self._samp_rate = float(samp_rate)
        self._last: tuple[int, float] | None = None
        self._status = pmt.intern("status")
        self.message_port_register_out(self._status)

    def counts_text(self) -> str:
        """The counters as a line of text; safe from any thread."""
        return counts_as_text(self.counters)

    def tell(self, kind: str, reason: str) -> None:
        """Publish a fault."""
        self.logger.warn(reason)
        status = {"block": "m4sc_usrp_watch", "event": "fault", "kind": kind, "reason": reason}
        self.message_port_pub(self._status, make_pdu(status, b""))

    def stop(self) -> bool:
        """Print the counts; called by the scheduler."""
        print(f"radio: {self.counts_text()}", flush=True)
        return True

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Copy and count."""
        samples = input_items[0]
        output_items[0][:] = samples
        parts = samples.view(np.float32)
        if np.max(np.abs(parts), initial=0.0) >= _FULL_SCALE:
            self.counters["clipped_samples"] += int(
                np.sum(np.max(np.abs(parts.reshape(-1, 2)), axis=1) >= _FULL_SCALE)
            )
        for tag in self.get_tags_in_window(0, 0, len(samples), pmt.intern("rx_time")):
            try:
                self._on_time(tag)
            except (RuntimeError, TypeError, ValueError) as exc:  # in work() it would hang the flowgraph
                self.counters["errors"] += 1
                self.logger.warn(f"a time stamp was not understood: {exc}")
        return len(samples)

    def _on_time(self, tag: Any) -> None:
        seconds = pmt.to_uint64(pmt.tuple_ref(tag.value, 0)) + pmt.to_double(pmt.tuple_ref(tag.value, 1))
        if self._last is not None:
            place, time = self._last
            lost = round((seconds - time) * self._samp_rate) - (int(tag.offset) - place)
            self.counters["overflows"] += 1
            self.counters["lost_samples"] += max(0, lost)
            self.tell("overflows", f"the computer was too slow: {max(0, lost)} samples lost")
        self._last = (int(tag.offset), seconds)
