"""SigMF recordings as radio ends: record with an annotation a frame, replay."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pmt
from gnuradio import gr
from jsonschema.exceptions import ValidationError
from sigmf import SigMFFile
from sigmf.error import SigMFError
from sigmf.validate import validate

from m4sc_flowgraphs.radio_ends.address import RadioEndError
from m4sc_flowgraphs.radio_ends.sim import ChannelOptions

DATATYPES: dict[str, np.dtype[Any]] = {
    "cf32_le": np.dtype("<c8"),
    "ci16_le": np.dtype("<i2"),
    "ci8": np.dtype("<i1"),
}
_FULL_SCALE = {"cf32_le": 1.0, "ci16_le": 32768.0, "ci8": 128.0}
_LEN_KEY = pmt.intern("packet_len")
_DONE_KEY = pmt.intern("m4sc_done")
_TAIL = 2048  # zeros after a recording, so that a receiver sees the end of the last frame


@dataclass(frozen=True)
class FileOptions:
    """Options of ``file:NAME``.

    Attributes:
        freq: centre frequency written into a recording, Hz; 0: none.
        description: free text written into a recording.
        channel: a simulated channel before recording, or behind replay.
    """

    freq: float = 0.0
    description: str = ""
    channel: ChannelOptions = field(default_factory=ChannelOptions)


@dataclass(frozen=True)
class Recording:
    """A recording's samples and what its description says.

    Attributes:
        data: path of the samples.
        datatype: one of :data:`DATATYPES`.
        samp_rate: samples a second.
        waveform: JSON of the waveform, None where the recorder did not say.
    """

    data: Path
    datatype: str
    samp_rate: float
    waveform: str | None

    def samples(self) -> np.ndarray:
        """Memory map of the samples: complex64 (n,), or integers (n, 2)."""
        raw = np.memmap(self.data, dtype=DATATYPES[self.datatype], mode="r")
        return raw if self.datatype == "cf32_le" else raw.reshape(-1, 2)


def paths(name: str) -> tuple[Path, Path]:
    """Paths of samples and description of a recording's name, with or without a suffix."""
    if not name:
        raise RadioEndError("'file:' has no name; write file:NAME for NAME.sigmf-data and NAME.sigmf-meta")
    stem = name.removesuffix(".sigmf-meta").removesuffix(".sigmf-data")
    return Path(f"{stem}.sigmf-data"), Path(f"{stem}.sigmf-meta")


def open_recording(name: str) -> Recording:
    """Read and check a recording's description.

    Raises:
        RadioEndError: files missing, description not SigMF, another sample type, no rate, a cut sample.
    """
    data, meta = paths(name)
    for path in (data, meta):
        if not path.is_file():
            raise RadioEndError(f"there is no {path}; a recording is NAME.sigmf-data with NAME.sigmf-meta")
    try:
        described = json.loads(meta.read_text(encoding="utf-8"))
        validate(described)
        top = described["global"]
    except (ValueError, KeyError, TypeError, SigMFError, ValidationError) as exc:
        reason = str(exc).splitlines()[0][:120]
        raise RadioEndError(f"{meta} is not a SigMF description: {reason}") from exc
    kind = top["core:datatype"]
    if kind not in DATATYPES:
        raise RadioEndError(f"{meta} holds samples of type '{kind}'; convert them to {', '.join(DATATYPES)}")
    rate = top.get("core:sample_rate")
    if not rate:
        raise RadioEndError(f"{meta} has no core:sample_rate; add the rate in samples a second")
    width = DATATYPES[kind].itemsize * (1 if kind == "cf32_le" else 2)
    size = data.stat().st_size
    if not size or size % width:
        raise RadioEndError(f"{data} has {size} bytes, not a whole positive number of {width}-byte samples")
    stored = top.get("m4sc:waveform")
    return Recording(data, kind, float(rate), None if stored is None else json.dumps(stored))


class SigmfSource(gr.sync_block):
    """Replays a recording once, then zeros and the tag ``m4sc_done``. Counter: ``samples``."""

    def __init__(self, recording: Recording) -> None:
        gr.sync_block.__init__(self, "m4sc_sigmf_source", [], [np.complex64])
        self.counters: Counter[str] = Counter(samples=0)
        self._samples, self._scale = recording.samples(), _FULL_SCALE[recording.datatype]
        self._place = 0

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Copy the next samples, scaled to full scale 1."""
        out = output_items[0]
        total = len(self._samples)
        if self._place >= total + _TAIL:  # an end of the stream would end those behind before they are ready
            time.sleep(0.01)
            return 0
        part = self._samples[self._place : self._place + len(out)]
        count = len(part) if len(part) else min(len(out), total + _TAIL - self._place)
        if not len(part):
            out[:count] = 0
        elif part.ndim == 2:
            out[:count] = (part.astype(np.float32) / np.float32(self._scale)).view(np.complex64)[:, 0]
        else:
            out[:count] = part
        self._place += count
        self.counters["samples"] += len(part)
        if self._place == total + _TAIL:
            self.add_item_tag(0, self.nitems_written(0) + count - 1, _DONE_KEY, pmt.from_long(1))
        return count


class SigmfSink(gr.sync_block):
    """Records complex64 samples; the description is written when the flowgraph stops.

    Tag read: ``packet_len``, one annotation a burst. Counters: ``samples``, ``frames``.

    Args:
        name: with or without a suffix.
        waveform: ``WaveformConfig``, stored as ``m4sc:waveform``.
        freq_hz: centre frequency, 0 for none.
        description: free text.
    """

    def __init__(self, name: str, waveform: Any, freq_hz: float = 0.0, description: str = "") -> None:
        gr.sync_block.__init__(self, "m4sc_sigmf_sink", [np.complex64], [])
        self.counters: Counter[str] = Counter(samples=0, frames=0)
        self._data, self._meta = paths(name)
        self._waveform, self._freq_hz, self._description = waveform, freq_hz, description
        self._has_all = False
        self._started = datetime.now(UTC)
        self._frames: list[tuple[int, int, str]] = []  # first sample, samples, label
        try:
            self._data.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._data.open("wb")
        except OSError as exc:
            raise RadioEndError(f"cannot write {self._data} ({exc.strerror}); give another name") from exc

    def annotate(self, first_sample: int, n_samples: int, label: str) -> None:
        """Mark samples of the recording; for a receiver that finds frames later."""
        self._frames.append((first_sample, n_samples, label))

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Append to the file."""
        samples = input_items[0]
        for tag in self.get_tags_in_window(0, 0, len(samples), _LEN_KEY):
            self.annotate(int(tag.offset), pmt.to_long(tag.value), "M4SC frame")
        try:
            self._file.write(samples.tobytes())
        except OSError as exc:
            self.logger.error(f"{self._data}: {exc.strerror}")
            return -1
        self.counters["samples"] += len(samples)
        self._has_all |= bool(self.get_tags_in_window(0, 0, len(samples), _DONE_KEY))
        return len(samples)

    def has_all(self) -> bool:
        """Whether the last sample is in the file."""
        return self._has_all

    def stop(self) -> bool:
        """Write the description; called by the scheduler."""
        if not self._file.closed:
            self._file.close()
            self._describe()
        return True

    def _describe(self) -> None:
        if not self.counters["samples"]:
            self.logger.warn("nothing was recorded")
            return
        described = SigMFFile(data_file=str(self._data), global_info=self._global())
        capture = {"core:datetime": self._started.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        if self._freq_hz:
            capture["core:frequency"] = self._freq_hz  # type: ignore[assignment]
        described.add_capture(0, metadata=capture)
        for first, count, label in sorted(self._frames):
            count = min(count, self.counters["samples"] - first)
            described.add_annotation(first, length=count, metadata={"core:label": label})
        described.tofile(str(self._meta), overwrite=True)
        self.counters["frames"] = len(self._frames)

    def _global(self) -> dict[str, Any]:
        given = {"core:description": self._description} if self._description else {}
        return {
            "core:datatype": "cf32_le",
            "core:sample_rate": float(self._waveform.samp_rate),
            "core:recorder": "gr-m4sc",
            "core:extensions": [{"name": "m4sc", "version": "1.0.0", "optional": True}],
            "m4sc:waveform": json.loads(self._waveform.to_json()),
            **given,
        }
