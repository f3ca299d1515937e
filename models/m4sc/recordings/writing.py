"""Write a recording: it appears whole under its name, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from m4sc.recordings.description import PREFIX
from m4sc.recordings.error import RecordingError
from m4sc.recordings.names import BARE, is_archive, recording_paths

_WIDTH = 8  # bytes of a cf32_le sample
_GIVEN_BACK = 1 << 16  # bytes of samples given up on a full disk, so that the description finds room


class RecordingWriter:
    """Samples into ``NAME.sigmf-data`` and ``NAME.sigmf-meta`` (cf32_le), or ``NAME.cf32`` and its ``.json``.

    Both are written under temporary names in the same folder and renamed by :meth:`finish`. When the disk is
    full, what was written until then is finished as a recording, and one error says so.

    Args:
        name: with or without an ending.
        samp_rate: samples/s, > 0.
        center_freq_hz: of the radio, Hz; 0: none is written.
        recorder: name of the program.
        description: free text, "" for none.
        extra: fields ``m4sc:*``, keys without the prefix; values as JSON takes them.
    """

    def __init__(
        self,
        name: str | Path,
        samp_rate: float,
        *,
        center_freq_hz: float = 0.0,
        recorder: str = "gr-m4sc",
        description: str = "",
        extra: dict[str, Any] | None = None,
    ) -> None:
        if is_archive(Path(name)):
            raise RecordingError(f"'{name}' is the name of an archive; give NAME or NAME.sigmf-meta")
        if not 0 < samp_rate < float("inf"):
            raise RecordingError(f"the sample rate must be a positive number; it is {samp_rate:g}")
        self.data, self.meta = recording_paths(name)
        self.n_samples = 0
        self._annotations: list[tuple[int, int, str]] = []  # first sample, samples, label
        self._captures = [_capture(0, center_freq_hz)]
        self._center_freq_hz = center_freq_hz
        self._hash = hashlib.sha512()
        self._global: dict[str, Any] = {"core:datatype": "cf32_le", "core:sample_rate": float(samp_rate)}
        self._global |= {"core:recorder": recorder, "core:num_channels": 1}
        if description:
            self._global["core:description"] = description
        if extra:
            self._global["core:extensions"] = [{"name": "m4sc", "version": "1.0.0", "optional": True}]
            self._global |= {PREFIX + key: value for key, value in extra.items()}
        self._part = _temporary(self.data)
        self._file: IO[bytes] | None = None
        self._broken = False
        if not self.data.parent.is_dir():
            raise RecordingError(f"no such folder: {self.data.parent}; make it first")
        if self.data.is_dir() or not os.access(self.data.parent, os.W_OK):
            raise RecordingError(f"{self.data} cannot be written; give the recording another name")

    def _open(self) -> IO[bytes]:
        """The file under its temporary name; one that was finished is taken up again, as a new capture."""
        if self._broken:
            raise RecordingError(f"{self.data} is broken off; nothing can be added")
        try:
            if self.n_samples:
                self.meta.unlink(missing_ok=True)
                self.data.rename(self._part)
                self._captures.append(_capture(self.n_samples, self._center_freq_hz))
            return self._part.open("ab", buffering=0)
        except OSError as exc:
            raise RecordingError(
                f"{self.data} cannot be written ({exc.strerror}); give another name"
            ) from exc

    def append(self, samples: np.ndarray) -> None:
        """Write complex samples (n,). After :meth:`finish` it goes on behind what is there, as a new capture.

        Raises:
            RecordingError: the disk is full or gone; what was written before is finished.
        """
        if not len(samples):
            return
        if self._file is None:
            self._file = self._open()
        rest = memoryview(np.ascontiguousarray(samples, dtype="<c8").tobytes())
        try:
            while len(rest):
                written = self._file.write(rest) or 0
                self._hash.update(rest[:written])
                rest = rest[written:]
        except OSError as exc:
            raise self._broken_off(exc) from exc
        self.n_samples += len(samples)

    def annotate(self, first_sample: int, n_samples: int, label: str) -> None:
        """Mark samples; those that were never written are left out at the end."""
        self._annotations.append((first_sample, n_samples, label))

    def finish(self) -> tuple[Path, Path] | None:
        """Describe the samples and give both files their names; a second call changes nothing.

        Returns:
            Paths of samples and description; None where no sample was written, and then there is no file.

        Raises:
            RecordingError: the disk has no room for the description.
        """
        if self._file is None:
            return (self.data, self.meta) if self.n_samples else None
        self._file.close()
        self._file = None
        try:
            self._publish()
        except OSError as exc:
            raise self._broken_off(exc) from exc
        return self.data, self.meta

    def discard(self) -> None:
        """Leave nothing behind of what was not finished."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._part.unlink(missing_ok=True)

    def _publish(self) -> None:
        text = json.dumps(self._described(), indent=2) + "\n"
        described = _temporary(self.meta)
        try:
            described.write_text(text, encoding="utf-8")
            self.meta.unlink(missing_ok=True)  # never the old description beside new samples
            self._part.replace(self.data)
            described.replace(self.meta)
        finally:
            described.unlink(missing_ok=True)

    def _broken_off(self, exc: OSError) -> RecordingError:
        """Keep the whole samples that were written; the error to raise."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._broken = True
        reason = f"{self.data} cannot be written any further ({exc.strerror or exc})"
        try:
            size = self._part.stat().st_size
            for spare in (0, _GIVEN_BACK):
                self.n_samples = max(0, size - spare) // _WIDTH
                if not self.n_samples:
                    break
                os.truncate(self._part, self.n_samples * _WIDTH)
                with self._part.open("rb") as stream:
                    self._hash = hashlib.file_digest(stream, "sha512")
                try:
                    self._publish()
                except OSError:
                    continue
                return RecordingError(
                    f"{reason}; the {self.n_samples} samples before that are kept, with their description"
                )
        except OSError:
            pass
        self.n_samples = 0
        self._part.unlink(missing_ok=True)
        return RecordingError(f"{reason}; nothing is kept")

    def _described(self) -> dict[str, Any]:
        """The description, SigMF 1.2."""
        marks = [
            {
                "core:sample_start": first,
                "core:sample_count": min(count, self.n_samples - first),
                "core:label": label,
            }
            for first, count, label in sorted(self._annotations)
            if first < self.n_samples
        ]
        top = {**self._global, "core:version": "1.2.0"}
        if self.data.suffix != BARE:
            top["core:sha512"] = self._hash.hexdigest()
        captures = [entry for entry in self._captures if entry["core:sample_start"] < self.n_samples]
        return {"global": top, "captures": captures, "annotations": marks}


def write_recording(
    name: str | Path,
    samples: np.ndarray,
    samp_rate: float,
    extra: dict[str, Any],
    recorder: str = "m4sc send",
) -> tuple[Path, Path]:
    """Write complex samples (n,) in one go, its folder made; returns the paths of samples and description.

    Raises:
        RecordingError: no samples, a full disk, or a place that cannot be written.
    """
    try:
        recording_paths(name)[0].parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise RecordingError(f"{exc.filename} cannot be made ({exc.strerror}); give another name") from exc
    writer = RecordingWriter(name, samp_rate, recorder=recorder, extra=extra)
    try:
        writer.append(samples)
        done = writer.finish()
    finally:  # stopped by Ctrl-C
        writer.discard()
    if done is None:
        raise RecordingError(f"{writer.data} would have no samples; nothing was written")
    return done


def _capture(start: int, center_freq_hz: float) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    tuned = {"core:frequency": float(center_freq_hz)} if center_freq_hz > 0 else {}
    return {"core:sample_start": start, "core:datetime": now, **tuned}


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
