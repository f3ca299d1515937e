"""SigMF recordings as radio ends: record with an annotation a frame, replay."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import numpy as np
import pmt
from gnuradio import gr
from m4sc.recordings import Recording, RecordingError, RecordingWriter, recording_paths

from m4sc_flowgraphs.radio_ends.end import Notify, ignore

_LEN_KEY = pmt.intern("packet_len")
_DONE_KEY = pmt.intern("m4sc_done")
_TAIL = 2048  # zeros after a recording, so that a receiver sees the end of the last frame


class SigmfSource(gr.sync_block):
    """Replays a recording once, then zeros and the tag ``m4sc_done``. Counter: ``samples``."""

    def __init__(self, recording: Recording) -> None:
        gr.sync_block.__init__(self, "m4sc_sigmf_source", [], [np.complex64])
        self.counters: Counter[str] = Counter(samples=0)
        self._recording, self._total = recording, len(recording)
        self._place = 0

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Copy the next samples, scaled to full scale 1."""
        out = output_items[0]
        total = self._total
        if self._place >= total + _TAIL:  # an end of the stream would end those behind before they are ready
            time.sleep(0.01)
            return 0
        part = self._recording.read(self._place, len(out))
        count = len(part) if len(part) else min(len(out), total + _TAIL - self._place)
        out[:count] = part if len(part) else 0
        self._place += count
        self.counters["samples"] += len(part)
        if self._place == total + _TAIL:
            self.add_item_tag(0, self.nitems_written(0) + count - 1, _DONE_KEY, pmt.from_long(1))
        return count


class SigmfSink(gr.sync_block):
    """Records complex64 samples; the files get their names when the flowgraph stops.

    Tag read: ``packet_len``, one annotation a burst. Counters: ``samples``, ``frames``. On a full disk the
    stream ends, what was written is kept, and ``notify`` is told ``broken_off``.

    Args:
        name: with or without a suffix; its folder is made.
        waveform: ``WaveformConfig``, stored as ``m4sc:waveform``.
        freq_hz: centre frequency, 0 for none.
        description: free text.
        notify: told what went wrong.
    """

    def __init__(
        self, name: str, waveform: Any, freq_hz: float = 0.0, description: str = "", notify: Notify = ignore
    ) -> None:
        gr.sync_block.__init__(self, "m4sc_sigmf_sink", [np.complex64], [])
        self.counters: Counter[str] = Counter(samples=0, frames=0)
        self.fault: RecordingError | None = None
        self._has_all, self._notify = False, notify
        data, _ = recording_paths(name)
        try:
            data.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise RecordingError(f"cannot write {data} ({exc.strerror}); give another name") from exc
        self._writer = RecordingWriter(
            name,
            float(waveform.samp_rate),
            center_freq_hz=freq_hz,
            description=description,
            extra={"waveform": json.loads(waveform.to_json())},
        )

    def annotate(self, first_sample: int, n_samples: int, label: str) -> None:
        """Mark samples of the recording; for a receiver that finds frames later."""
        self._writer.annotate(first_sample, n_samples, label)
        self.counters["frames"] += 1

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Append to the file."""
        samples = input_items[0]
        for tag in self.get_tags_in_window(0, 0, len(samples), _LEN_KEY):
            first = self.counters["samples"] + int(tag.offset) - self.nitems_read(0)  # a restart counts anew
            self.annotate(first, pmt.to_long(tag.value), "M4SC frame")
        try:
            self._writer.append(samples)
        except RecordingError as exc:
            return self._break_off(exc)
        self.counters["samples"] += len(samples)
        self._has_all |= bool(self.get_tags_in_window(0, 0, len(samples), _DONE_KEY))
        return len(samples)

    def has_all(self) -> bool:
        """Whether the last sample is in the file, or no more can be written."""
        return self._has_all or self.fault is not None

    def stop(self) -> bool:
        """Give the files their names; called by the scheduler."""
        try:
            if self._writer.finish() is None and self.fault is None:
                self.logger.warn("nothing was recorded")
        except RecordingError as exc:
            self._break_off(exc)
        return True

    def _break_off(self, exc: RecordingError) -> int:
        self.fault = exc
        self._notify("broken_off", str(exc))
        return -1  # WORK_DONE
