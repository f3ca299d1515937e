"""Open a recording, whoever wrote it, and read its samples as complex64."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.recordings.archive import read_archive
from m4sc.recordings.description import MAX_BYTES, Description, parse_description
from m4sc.recordings.error import RecordingError
from m4sc.recordings.names import ARCHIVE, COLLECTION, DATA, META, is_archive, recording_paths
from m4sc.recordings.sample_types import RAW_TYPES, RAW_UNKNOWN, SampleType, sample_type
from m4sc.small_file import read_small

_HASHED = 1 << 27  # bytes: up to here the hash costs a fraction of a second


@dataclass(frozen=True)
class Recording:
    """Samples and what is known of them; files are mapped into memory, not loaded.

    Attributes:
        path: of the file that holds the samples.
        kind: how they lie there.
        spans: runs of samples one after another, components (n, 2) of ``kind.component`` each.
        samp_rate: samples/s, None when nothing says it.
        center_freq_hz: Hz, or None.
        extra: fields ``m4sc:*`` of the description, without the prefix.
        notes: what was taken for granted, a sentence each.
    """

    path: Path
    kind: SampleType
    spans: tuple[np.ndarray, ...]
    samp_rate: float | None = None
    center_freq_hz: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Samples."""
        return sum(len(span) for span in self.spans)

    def read(self, start: int, count: int) -> np.ndarray:
        """Samples ``start`` to ``start + count``, fewer at the end: complex64, integers scaled to -1 to 1."""
        found = []
        for span in self.spans:
            if start < len(span) and count > 0:
                part = span[start : start + count]
                found.append(self.kind.to_complex(part))
                count -= len(part)
            start = max(0, start - len(span))
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else np.zeros(0, np.complex64)

    @property
    def samples(self) -> np.ndarray:
        """All of them, complex64 (n,), in memory."""
        return self.read(0, len(self))


def open_recording(
    name: str | Path, datatype: str | None = None, samp_rate: float | None = None
) -> Recording:
    """Open a recording by the name of any of its files, with or without the ending.

    Read are SigMF pairs and archives (a tar, plain or compressed, or a zip), ``core:dataset`` files, bare
    samples whose ending names their type (:data:`RAW_TYPES`) and WAV files with I left and Q right.

    Args:
        name: path.
        datatype: SigMF type of bare samples; for files whose ending does not name it.
        samp_rate: samples/s, for files that do not say it.

    Raises:
        RecordingError: what cannot be read, in one sentence.
    """
    if not str(name):
        raise RecordingError("the recording has no name; give a path such as burst.sigmf-meta")
    path = Path(name)
    if samp_rate is not None and not 0 < samp_rate < float("inf"):
        raise RecordingError(f"the sample rate must be a positive number; it is {samp_rate:g}")
    try:
        if path.is_dir():
            raise RecordingError(f"{path} is a folder; name one recording in it")
        found = _open(path, datatype)
    except OSError as exc:
        raise RecordingError(f"{exc.filename or path} cannot be read: {exc.strerror or exc}") from exc
    if not len(found):
        raise RecordingError(f"{found.path.name} has 0 bytes of samples")
    if samp_rate is None or found.samp_rate == samp_rate:
        return found
    if found.samp_rate is not None:
        raise RecordingError(
            f"{found.path.name} says {found.samp_rate:g} samples/s, not {samp_rate:g}; leave the rate out"
        )
    return replace(found, samp_rate=float(samp_rate))


def _open(path: Path, datatype: str | None) -> Recording:
    suffix = path.suffix.lower()
    data, meta = recording_paths(path)
    if is_archive(path) or (not meta.is_file() and not path.is_file() and _archive_of(path).is_file()):
        archive = path if is_archive(path) else _archive_of(path)
        _must_exist(archive)
        text, raw = read_archive(archive)
        return _described(archive, raw, parse_description(text, archive.name))
    if suffix == COLLECTION:
        raise RecordingError(f"{path.name} is a collection of recordings; name one of those")
    if suffix == ".wav":
        _must_exist(path)
        return _wav(path)
    if suffix in RAW_TYPES or suffix in RAW_UNKNOWN or (datatype is not None and not meta.is_file()):
        _must_exist(path)
        return _bare(path, meta if suffix == ".cf32" else None, datatype)
    if not meta.is_file():
        if data.is_file():
            raise RecordingError(f"{data.name} has no description; {meta.name} must lie beside it")
        if path.is_file():
            raise RecordingError(
                f"{path.name} does not say what samples it holds; give their type, such as cf32_le"
            )
        raise RecordingError(f"no such file: {meta}; a recording is NAME{DATA} with NAME{META}")
    described = _description(meta)
    if described.dataset is not None:
        data = meta.with_name(described.dataset)
    elif described.metadata_only and not data.is_file():
        raise RecordingError(f"{meta.name} is a description only; there are no samples to read")
    if not data.is_file():
        raise RecordingError(f"no such file: {data}; {meta.name} describes the samples in it")
    return _described(data, _mapped(data), described, meta.name)


def _description(meta: Path) -> Description:
    try:
        return parse_description(read_small(meta, MAX_BYTES), meta.name)
    except RecordingError:
        raise
    except ValueError as exc:
        raise RecordingError(str(exc)) from exc


def _archive_of(path: Path) -> Path:
    return path.with_name(path.name + ARCHIVE)


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise RecordingError(f"no such file: {path}")


def _mapped(path: Path) -> np.ndarray:
    """The bytes of a file, uint8."""
    return np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)


def _described(path: Path, raw: np.ndarray, told: Description, where: str = "") -> Recording:
    kind = sample_type(told.datatype, where or path.name)
    return Recording(
        path,
        kind,
        _spans(raw, kind, told, path.name),
        told.samp_rate,
        told.center_freq_hz,
        told.extra,
        (*told.notes, *_changed(raw, told.sha512, path.name)),
    )


def _changed(raw: np.ndarray, sha512: str, where: str) -> list[str]:
    """A note where a file of moderate size is not the one that its description was written for."""
    if not sha512 or len(raw) > _HASHED or hashlib.sha512(raw.data).hexdigest() == sha512:
        return []
    return [f"{where} was changed or cut since its description was written (core:sha512 is another)"]


def _spans(raw: np.ndarray, kind: SampleType, told: Description, where: str) -> tuple[np.ndarray, ...]:
    """Runs of samples between what is none: header bytes before each capture, trailing bytes at the end."""
    size = len(raw) - told.trailing_bytes
    if size < 0:
        raise RecordingError(f"{where} has {len(raw)} bytes; its description speaks of more behind them")
    spans, begin, place, sample = [], 0, 0, 0
    for capture in told.captures:
        place += (capture.start - sample) * kind.width
        sample = capture.start
        if capture.header_bytes:
            spans.append(raw[begin:place])
            begin = place = place + capture.header_bytes
        if place > size:
            raise RecordingError(
                f"{where} has {len(raw)} bytes; its description speaks of samples and headers behind them"
            )
    rest = size - place
    if rest % kind.width:
        raise RecordingError(
            f"{where} has {rest} bytes behind its headers, not a whole number of {kind.width}-byte samples "
            f"({kind.name})"
        )
    spans.append(raw[begin:size])
    return tuple(np.asarray(span).view(kind.component).reshape(-1, 2) for span in spans if len(span))


def _bare(path: Path, meta: Path | None, datatype: str | None) -> Recording:
    """Samples without a description, but for ours of a ``.cf32``."""
    known = RAW_TYPES.get(path.suffix.lower())
    if datatype is None and known is None:
        raise RecordingError(
            f"{path.name} does not say what samples it holds; give their type, such as cf32_le"
        )
    told = Description(datatype or known, None, None, (), 0, None, False, "", {}, ())
    if meta is not None and meta.is_file():
        told = _description(meta)
    return _described(path, _mapped(path), told)


def _wav(path: Path) -> Recording:
    """I on the left, Q on the right channel."""
    import soundfile

    try:
        pairs, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as exc:
        raise RecordingError(f"{path.name} is not a WAV file that can be read") from exc
    if pairs.shape[1] != 2:
        raise RecordingError(
            f"{path.name} has {pairs.shape[1]} channel(s); IQ samples need two, I left and Q right"
        )
    return Recording(path, sample_type("cf32_le", path.name), (pairs.astype("<f4", copy=False),), float(rate))
