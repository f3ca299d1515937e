"""Files of IQ samples: SigMF (cf32_le) or bare complex64 with the same description beside it.

The SigMF fields written are those of the specification 1.0 that a recording needs; reading takes
``cf32_le`` and ``ci16_le`` of any other program.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from m4sc_app.errors import UserError

_TYPES = ("cf32_le", "ci16_le")


@dataclass(frozen=True)
class Recording:
    """Samples and what is known of them.

    Attributes:
        samples: complex64 (n,).
        samp_rate: samples/s, None when the file does not say.
        extra: fields ``m4sc:*`` of the description, without the prefix.
    """

    samples: np.ndarray
    samp_rate: float | None
    extra: dict[str, Any] = field(default_factory=dict)


def write_iq(path: Path, samples: np.ndarray, samp_rate: float, extra: dict[str, Any]) -> tuple[Path, Path]:
    """Write complex64 samples and their description; returns both paths (data, description).

    ``NAME.cf32`` gets ``NAME.cf32.json``, any other name ``NAME.sigmf-data`` and ``NAME.sigmf-meta``.
    """
    data, meta = _paths(path)
    data.parent.mkdir(parents=True, exist_ok=True)
    description = {
        "global": {
            "core:datatype": "cf32_le",
            "core:version": "1.0.0",
            "core:sample_rate": float(samp_rate),
            "core:recorder": "m4sc send",
            **{f"m4sc:{key}": value for key, value in extra.items()},
        },
        "captures": [{"core:sample_start": 0}],
        "annotations": [],
    }
    np.asarray(samples, dtype="<c8").tofile(data)
    meta.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    return data, meta


def read_iq(path: Path) -> Recording:
    """Read a recording by the name of either of its files.

    Raises:
        UserError: no such file, broken description, unknown sample type, a cut sample.
    """
    data, meta = _paths(path)
    if not data.is_file():
        raise UserError(f"no such recording: {data}")
    bare = data.suffix == ".cf32"
    if not meta.is_file() and not bare:
        raise UserError(f"{data.name} has no description; {meta.name} must lie beside it")
    top = _description(meta) if meta.is_file() else {}
    kind = top.get("core:datatype", "cf32_le")
    if kind not in _TYPES:
        raise UserError(
            f"{meta.name}: samples of type '{kind}' are not read; convert to {' or '.join(_TYPES)}"
        )
    return Recording(
        samples=_samples(data, kind),
        samp_rate=_rate(top.get("core:sample_rate"), meta),
        extra={key[5:]: value for key, value in top.items() if key.startswith("m4sc:")},
    )


def _paths(path: Path) -> tuple[Path, Path]:
    if path.suffix == ".cf32":
        return path, path.with_name(path.name + ".json")
    stem = path.with_suffix("") if path.suffix in (".sigmf-data", ".sigmf-meta") else path
    return stem.with_name(stem.name + ".sigmf-data"), stem.with_name(stem.name + ".sigmf-meta")


def _description(meta: Path) -> dict[str, Any]:
    try:
        top = json.loads(meta.read_text(encoding="utf-8"))["global"]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as exc:
        raise UserError(f"{meta.name} is not a SigMF description with a 'global' part") from exc
    if not isinstance(top, dict):
        raise UserError(f"{meta.name}: 'global' is not an object")
    return top


def _samples(data: Path, kind: str) -> np.ndarray:
    width = 8 if kind == "cf32_le" else 4
    size = data.stat().st_size
    if size == 0 or size % width:
        raise UserError(f"{data.name} has {size} bytes, not a whole positive number of {width}-byte samples")
    if kind == "cf32_le":
        return np.fromfile(data, dtype="<c8").astype(np.complex64, copy=False)
    pairs = np.fromfile(data, dtype="<i2").astype(np.float32) * np.float32(1.0 / 32768.0)
    return pairs.view(np.complex64)


def _rate(value: Any, meta: Path) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise UserError(f"{meta.name}: the sample rate must be a positive number; it is {value!r}")
    return float(value)
