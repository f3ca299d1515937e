"""The description of a SigMF recording: read leniently, each field that matters checked."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from m4sc.recordings.error import RecordingError

MAX_BYTES = 32 << 20  # of a description; annotations of a day of bursts need a tenth
PREFIX = "m4sc:"
_MAX_CAPTURES = 100_000


@dataclass(frozen=True)
class Capture:
    """A run of samples: index of its first one, and bytes before it in the file that are none."""

    start: int
    header_bytes: int


@dataclass(frozen=True)
class Description:
    """What a reader of samples needs.

    Attributes:
        datatype: ``core:datatype`` as it stands.
        samp_rate: samples/s, None where it is not said.
        center_freq_hz: of the first capture that says it, Hz, or None.
        captures: in order, at least one.
        trailing_bytes: at the end of the file that are no samples.
        dataset: name of a file of samples that has another name, or None.
        metadata_only: whether there are no samples at all.
        sha512: of the file of samples, lower case; empty where it is not said.
        extra: fields ``m4sc:*`` without the prefix.
        notes: what was read leniently, a sentence each.
    """

    datatype: Any
    samp_rate: float | None
    center_freq_hz: float | None
    captures: tuple[Capture, ...]
    trailing_bytes: int
    dataset: str | None
    metadata_only: bool
    sha512: str
    extra: dict[str, Any]
    notes: tuple[str, ...]


def parse_description(text: bytes, where: str) -> Description:
    """Read the bytes of a ``.sigmf-meta``.

    Unknown fields and namespaces are left alone; a number that is written as a text is taken as a number.

    Args:
        text: UTF-8, with or without a byte order mark.
        where: the file's name, for messages.

    Raises:
        RecordingError: not a description, or one of more than one channel, or a field of a wrong kind.
    """
    whole, captures = _parts(text, where)
    top = whole["global"]
    notes = _schema_faults(whole, where)
    channels = _count(top, "core:num_channels", where, 1)
    if channels != 1:
        raise RecordingError(
            f"{where}: {channels} channels in one file are not read; write each to a file of its own"
        )
    runs = _captures(captures, _count(top, "core:offset", where, 0), where)
    tuned = [_number(capture, "core:frequency", where, notes) for capture in captures]
    known = [value for value in tuned if value is not None]
    if len(set(known)) > 1:
        notes.append(f"{where}: its captures are at different frequencies; they are read one after another")
    rate = _number(top, "core:sample_rate", where, notes)
    if rate is not None and not rate > 0:
        raise RecordingError(f"{where}: the sample rate must be a positive number; it is {rate:g}")
    dataset = top.get("core:dataset")
    if dataset is not None and (not isinstance(dataset, str) or not dataset or set(dataset) & set("/\\\0")):
        raise RecordingError(f"{where}: core:dataset must name a file in the same folder; it is {dataset!r}")
    return Description(
        datatype=top.get("core:datatype"),
        samp_rate=rate,
        center_freq_hz=known[0] if known else None,
        captures=runs,
        trailing_bytes=_count(top, "core:trailing_bytes", where, 0),
        dataset=dataset,
        metadata_only=top.get("core:metadata_only") is True,
        sha512=_hash(top.get("core:sha512")),
        extra={key[len(PREFIX) :]: value for key, value in top.items() if key.startswith(PREFIX)},
        notes=tuple(notes),
    )


def _parts(text: bytes, where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The whole, whose ``global`` is an object, and ``captures`` with at least one entry."""
    if len(text) > MAX_BYTES:
        raise RecordingError(f"{where} has {len(text)} bytes; a SigMF description has at most {MAX_BYTES}")
    try:
        whole = json.loads(text.decode("utf-8-sig"))
        top = whole["global"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise RecordingError(f"{where} is not a SigMF description with a 'global' part") from exc
    if not isinstance(top, dict):
        raise RecordingError(f"{where} is not a SigMF description: 'global' is not an object")
    captures = whole.get("captures") or [{}]
    if not isinstance(captures, list) or not all(isinstance(capture, dict) for capture in captures):
        raise RecordingError(f"{where} is not a SigMF description: 'captures' is not a list of objects")
    if len(captures) > _MAX_CAPTURES:
        raise RecordingError(f"{where} has {len(captures)} captures; at most {_MAX_CAPTURES} are read")
    return whole, captures


def _schema_faults(whole: dict[str, Any], where: str) -> list[str]:
    """What breaks the specification, by the sigmf library's schema; nothing where it is not installed."""
    validator = _validator()
    if validator is None:
        return []
    from jsonschema.exceptions import best_match

    try:
        found = best_match(validator.iter_errors(whole))
        reason = None if found is None else found.message
        for part in () if reason else ("captures", "annotations"):
            starts = [entry["core:sample_start"] for entry in whole[part]]
            if any(after < before for before, after in pairwise(starts)):
                reason = f"{part} are not in order of core:sample_start"
    except (KeyError, TypeError, AttributeError, RecursionError) as exc:
        reason = str(exc)
    if reason is None:
        return []
    reason = " ".join(reason.split("\n")[0].split())[:80]
    return [f"{where} does not keep to the SigMF specification ({reason}); it is read as far as it goes"]


@cache
def _validator() -> Any:
    """Of SigMF metadata, made once, since checking the schema itself takes longest; None without sigmf."""
    try:
        from jsonschema.validators import validator_for
        from sigmf.schema import get_schema
    except ImportError:
        return None
    schema = get_schema()
    return validator_for(schema)(schema)


def _captures(entries: list[dict[str, Any]], offset: int, where: str) -> tuple[Capture, ...]:
    """Captures with their first sample counted from the start of the file."""
    runs: list[Capture] = []
    for entry in entries:
        start = _count(entry, "core:sample_start", where, offset) - offset
        if start < (runs[-1].start if runs else 0):
            raise RecordingError(f"{where}: its captures are not in order of core:sample_start")
        runs.append(Capture(start, _count(entry, "core:header_bytes", where, 0)))
    return tuple(runs)


def _hash(value: Any) -> str:
    """A hash as hexadecimal digits; what is none is as good as not said (the schema's note tells it)."""
    return value.strip().lower() if isinstance(value, str) else ""


def _count(fields: dict[str, Any], key: str, where: str, otherwise: int) -> int:
    """A whole number from 0 on."""
    value = fields.get(key)
    if value is None:
        return otherwise
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise RecordingError(f"{where}: {key} must be a whole number from 0 on; it is {str(value)[:40]!r}")
    return value


def _number(fields: dict[str, Any], key: str, where: str, notes: list[str]) -> float | None:
    """A finite number, or None where there is none; a text that is one is taken and noted."""
    value = fields.get(key)
    if value is None:
        return None
    try:
        number = (
            math.nan if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
        )
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise RecordingError(f"{where}: {key} must be a positive number; it is {str(value)[:40]!r}")
    if isinstance(value, str):
        notes.append(f"{where}: {key} is written as a text; it is read as {number:g}")
    return number
