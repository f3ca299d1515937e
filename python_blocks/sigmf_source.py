"""Replay a SigMF recording."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
import pmt
from gnuradio import gr
from m4sc.recordings import RecordingError, open_recording

from .frame_transmitter import DONE_TAG
from .inbox import add_stop_port, begin_run

_IDLE_S = 0.005


class sigmf_source(gr.sync_block):  # noqa: N801
    """SigMF source: a recording as complex samples, then the end mark.

    Ports: message ``stop`` in; stream out, complex64. Reads what
    :func:`m4sc.recordings.open_recording` reads, integers scaled to -1 to 1.
    The last sample carries tag ``m4sc_done``; after it the block waits for a ``done`` PDU on ``stop`` (the
    answer sink's), so that what the decoders still hold is answered before the flowgraph ends. Counter:
    ``errors`` (a message on ``stop`` that is no PDU).

    Args:
        filename: path of the recording, with or without ``.sigmf-meta``.
        samp_rate: samples/s that the flowgraph works at; a recording at another rate is refused.
        repeat: how often it is played, 0 for ever.
        wait_for_stop: False ends the stream with the last sample.
    """

    def __init__(
        self, filename: str, samp_rate: float = 1e6, repeat: int = 1, wait_for_stop: bool = True
    ) -> None:
        if repeat < 0:
            raise ValueError(f"repeat is {repeat}; give 0 (for ever) or more")
        gr.sync_block.__init__(self, "m4sc_sigmf_source", [], [np.complex64])
        self.counters: Counter[str] = Counter(errors=0)
        self._recording = _at_rate(filename, samp_rate)
        self._total = len(self._recording)
        self._repeat, self._wait = int(repeat), bool(wait_for_stop)
        self._position, self._rounds, self._stopped = 0, 0, False
        add_stop_port(self, self._accept_stop)

    def _accept_stop(self) -> None:
        self._stopped = True

    def start(self) -> bool:
        """Go on where it was stopped, or play anew if it had ended; called by the scheduler."""
        begin_run(self)
        if self._repeat and self._rounds == self._repeat and (self._stopped or not self._wait):
            self._position = self._rounds = 0
        self._stopped = False
        return True

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Copy the next samples; mark the last one."""
        out = output_items[0]
        if self._repeat and self._rounds == self._repeat:
            if self._stopped or not self._wait:
                return -1  # WORK_DONE
            time.sleep(_IDLE_S)
            return 0
        part = self._recording.read(self._position, len(out))
        out[: len(part)] = part
        self._position += len(part)
        if self._position == self._total:
            self._position, self._rounds = 0, self._rounds + 1
            if self._rounds == self._repeat:
                last = self.nitems_written(0) + len(part) - 1
                self.add_item_tag(0, last, pmt.intern(DONE_TAG), pmt.from_long(1))
        return len(part)


def _at_rate(filename: str, samp_rate: float) -> Any:
    """The recording; ValueError where it says another rate than ``samp_rate`` (samples/s)."""
    found = open_recording(filename)
    if found.samp_rate is not None and abs(found.samp_rate - samp_rate) > 1e-6 * samp_rate:
        raise RecordingError(
            f"{found.path.name}: {found.samp_rate:g} samples/s; the waveform has {samp_rate:g}: "
            "resample it first"
        )
    return found
