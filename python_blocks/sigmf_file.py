"""Descriptions of SigMF recordings, as far as a flowgraph needs them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

TYPES = {"cf32_le": np.dtype("<c8"), "ci16_le": np.dtype("<i2")}


def sigmf_paths(name: str) -> tuple[Path, Path]:
    """Data and description of a recording, by its bare name or either file's."""
    if not name:
        raise ValueError("the recording has no name; give a path such as burst.sigmf-meta")
    path = Path(name)
    stem = path.with_suffix("") if path.suffix in (".sigmf-data", ".sigmf-meta") else path
    return stem.with_name(stem.name + ".sigmf-data"), stem.with_name(stem.name + ".sigmf-meta")


def write_description(meta: Path, samp_rate: float, center_freq_hz: float, recorder: str) -> None:
    """Write the description of a cf32_le recording (SigMF 1.0)."""
    capture = {"core:sample_start": 0}
    if center_freq_hz > 0:
        capture |= {"core:frequency": float(center_freq_hz)}
    text = {
        "global": {
            "core:datatype": "cf32_le",
            "core:version": "1.0.0",
            "core:sample_rate": float(samp_rate),
            "core:recorder": recorder,
        },
        "captures": [capture],
        "annotations": [],
    }
    meta.write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")


def open_recording(name: str, samp_rate: float) -> tuple[np.ndarray, str]:
    """Map a recording into memory.

    Returns:
        The file as it lies, complex64 (n,) or int16 (n, 2), and its type.

    Raises:
        ValueError: no such file, broken description, unknown sample type, a cut sample, another rate than
            ``samp_rate`` (samples/s).
    """
    data, meta = sigmf_paths(name)
    if not data.is_file() or not meta.is_file():
        missing = meta if data.is_file() else data
        raise ValueError(f"no such file: {missing}; a recording is a .sigmf-data beside its .sigmf-meta")
    try:
        top = json.loads(meta.read_text(encoding="utf-8"))["global"]
        kind, rate = str(top["core:datatype"]), float(top.get("core:sample_rate", samp_rate))
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValueError) as exc:
        raise ValueError(f"{meta.name} is not a SigMF description with a 'global' part") from exc
    if kind not in TYPES:
        raise ValueError(
            f"{meta.name}: samples of type '{kind}' are not read; convert to {' or '.join(TYPES)}"
        )
    if abs(rate - samp_rate) > 1e-6 * samp_rate:
        raise ValueError(
            f"{meta.name}: {rate:g} samples/s; the waveform has {samp_rate:g}: resample it first"
        )
    size, width = data.stat().st_size, 8 if kind == "cf32_le" else 4
    if size == 0 or size % width:
        raise ValueError(f"{data.name} has {size} bytes, not a whole number of {width}-byte samples")
    samples = np.memmap(data, dtype=TYPES[kind], mode="r")
    return (samples if kind == "cf32_le" else samples.reshape(-1, 2)), kind
