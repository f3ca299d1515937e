"""The waveform that ``--waveform`` names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from m4sc_app.errors import UserError


def read_waveform(path: Path | None) -> Any:
    """The waveform of a JSON file, or the default one.

    Raises:
        UserError: no such file, not JSON, or parameters that make no waveform.
    """
    from m4sc.phy.waveform import WaveformConfig
    from m4sc.small_file import read_small_text

    if path is None:
        return WaveformConfig()
    try:
        waveform = WaveformConfig.from_json(read_small_text(path))
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise UserError(f"{path} describes no waveform: {exc}") from exc
    if not waveform.samp_rate > 0:
        raise UserError(f"{path}: samp_rate is {waveform.samp_rate}; give samples a second above 0")
    return waveform
