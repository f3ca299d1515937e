"""Record to SigMF."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from gnuradio import gr
from m4sc.recordings import RecordingError, RecordingWriter


class sigmf_sink(gr.sync_block):  # noqa: N801
    """SigMF sink: complex samples in, a ``cf32_le`` recording with its description out.

    Both files appear under their names when the flowgraph stops; a flowgraph that is started again goes on
    behind what is there. On a full disk the stream ends, what was written is kept, and ``fault`` says so.
    Counter: ``samples``.

    Args:
        filename: path of the recording, with or without ``.sigmf-meta``; its folder must exist.
        samp_rate: samples/s, > 0.
        center_freq_hz: of the radio, Hz; 0: none is written.
    """

    def __init__(self, filename: str, samp_rate: float = 1e6, center_freq_hz: float = 0.0) -> None:
        gr.sync_block.__init__(self, "m4sc_sigmf_sink", [np.complex64], [])
        self.counters: Counter[str] = Counter(samples=0)
        self.fault: RecordingError | None = None
        self._writer = RecordingWriter(filename, samp_rate, center_freq_hz=center_freq_hz)

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Append to the file."""
        samples = input_items[0]
        try:
            self._writer.append(samples)
        except RecordingError as exc:
            return self._break_off(exc)
        self.counters["samples"] += len(samples)
        return len(samples)

    def stop(self) -> bool:
        """Give the files their names; called by the scheduler."""
        try:
            self._writer.finish()
        except RecordingError as exc:
            self._break_off(exc)
        return True

    def _break_off(self, exc: RecordingError) -> int:
        self.fault = exc
        self.logger.error(str(exc))
        return -1  # WORK_DONE
