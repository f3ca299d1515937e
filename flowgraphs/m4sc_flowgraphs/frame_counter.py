"""Count received frames."""

from __future__ import annotations

from typing import Any

import pmt
from gnuradio import gr
from gnuradio.m4sc.pdu import is_done, read_pdu


class FrameCounter(gr.basic_block):
    """Sink for symbols PDUs: ``frames`` received, and those whose number is not the next one's."""

    def __init__(self) -> None:
        gr.basic_block.__init__(self, "m4sc_frame_counter", [], [])
        self.frames = self.out_of_order = 0
        self._next: int | None = None
        self.message_port_register_in(pmt.intern("frames"))
        self.set_msg_handler(pmt.intern("frames"), self._accept)

    def _accept(self, message: Any) -> None:
        meta, _ = read_pdu(message)
        if is_done(meta):
            return
        sequence = int(meta["sequence"])
        self.out_of_order += int(self._next is not None and sequence != self._next)
        self._next = (sequence + 1) & 0xFFFF
        self.frames += 1
