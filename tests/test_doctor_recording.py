"""`m4sc doctor --recording`: frames, and what is wrong with samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.modulation.qam import map_bits
from m4sc.phy.waveform import WaveformConfig
from m4sc.recordings import write_recording
from m4sc_app.cli import app
from m4sc_app.errors import UserError
from typer.testing import CliRunner

PLAIN = WaveformConfig()


def stream(frames: int = 6, noise: float = 0.05) -> np.ndarray:
    rng, parts = np.random.default_rng(3), [np.zeros(2000)]
    for number in range(frames):
        symbols = map_bits(rng.integers(2, size=800).astype(np.uint8), 2)
        header = FrameHeader(PayloadKind.QAM, len(symbols), number, mcs=2)
        parts += [modulate_frame(header, symbols, PLAIN), np.zeros(4000)]
    samples = np.concatenate(parts)
    return samples + noise * (rng.standard_normal((len(samples), 2)) @ [1, 1j])


def look(samples: np.ndarray, folder: Path) -> tuple[int, dict[str, dict[str, str]]]:
    write_recording(folder / "burst", samples.astype(np.complex64), PLAIN.samp_rate, {})
    done = CliRunner().invoke(app, ["doctor", "--recording", str(folder / "burst.sigmf-meta"), "--json"])
    return done.exit_code, {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_frames_and_their_snr_are_told(tmp_path: Path) -> None:
    code, checks = look(stream(), tmp_path)
    assert code == 0 and checks["frames"]["status"] == "ok" and checks["frames"]["detail"].startswith("6 in")
    assert list(checks) == ["frames"]


@pytest.mark.parametrize("cause", ["inverted", "carrier"])
def test_a_cause_is_told_with_its_cure(cause: str, tmp_path: Path) -> None:
    samples = stream(12)
    if cause == "inverted":
        samples = np.conj(samples)
    else:
        samples = samples + 0.5 * np.exp(2j * np.pi * 0.11 * np.arange(len(samples)))
    code, checks = look(samples, tmp_path)
    assert checks[cause]["status"] == "warning" and checks[cause]["cure"]
    assert code == (1 if cause == "inverted" else 0)


def test_noise_holds_no_frame(tmp_path: Path) -> None:
    code, checks = look(stream(0), tmp_path)
    assert code == 1 and checks["frames"]["detail"].startswith("none")


def test_what_is_no_recording_is_told_in_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--recording", str(tmp_path / "nothing")])
    assert isinstance(done.exception, UserError) and "no such file" in str(done.exception)
