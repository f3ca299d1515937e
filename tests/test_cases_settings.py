"""Settings that a person hands in: files that are none, numbers beyond what can be reckoned with."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from m4sc.media.entries import text_message
from m4sc.message import Message, MessageError
from m4sc.phy.channel.config import ChannelConfig
from m4sc.recordings import RecordingError, open_recording, write_recording
from m4sc.sharing.privacy import KeyFileError, KeyRing
from m4sc.small_file import read_small, read_small_text
from m4sc_app.cli import main
from m4sc_flowgraphs.radio_ends.sim import ChannelOptions
from PIL import Image


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "note.txt"
    path.write_text("storm ahead")
    return str(path)


def test_a_small_file_is_read_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_small(path, 5) == b"12345" and read_small_text(path) == "12345"
    os.mkfifo(tmp_path / "pipe")
    for place, most, word in (
        (path, 4, "more than 4 bytes"),
        (tmp_path, 5, "a folder"),
        (Path("/dev/zero"), 5, "a device"),
        (tmp_path / "pipe", 5, "a pipe"),
    ):
        with pytest.raises(ValueError, match=word):
            read_small(place, most)
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "none")


def test_a_device_in_the_place_of_a_file_costs_no_memory(text: str) -> None:
    """/dev/zero has no end; whoever reads it to the end dies of it, here at two gigabytes."""
    lines = (
        ["send", text, "--out", "x", "--waveform", "/dev/zero"],
        ["rx", "zmq://127.0.0.1:5599", "--waveform", "/dev/zero"],
        ["rx", "zmq://127.0.0.1:5599", "--user-id", "1", "--keys", "/dev/zero"],
        ["sweep", "/dev/zero", "--data", ".", "--out", "x"],
        ["run", "/dev/zero"],
    )
    for line in lines:
        done = subprocess.run(
            [sys.executable, "-m", "m4sc_app", *line],
            capture_output=True, text=True, timeout=120, check=False, cwd=Path(text).parent,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30)),
        )  # fmt: skip
        assert done.returncode == 2, (line, done.stderr)
        said = [row for row in done.stderr.splitlines() if row.startswith("m4sc")]
        assert len(said) == 1 and "defect" not in done.stderr, (line, done.stderr)


def test_a_file_of_keys_that_is_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("[" * 100_000)
    with pytest.raises(KeyFileError, match="holds no keys"):
        KeyRing(path)


def test_a_description_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    _, meta = write_recording(tmp_path / "x", np.ones(9, np.complex64), 1e6, {})
    with meta.open("r+b") as file:
        file.truncate(40 << 30)  # sparse: none of it is on the disk
    with pytest.raises(RecordingError, match="too large"):
        open_recording(meta)


@pytest.mark.parametrize(
    "more", [["--snr-db", "-1e9"], ["--snr-db", "1e9"], ["--snr-db", "5", "--seed", "-1"]]
)
def test_numbers_that_no_channel_has(more: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["send", text, "--out", f"{text}.burst", *more]) == 2
    assert "defect" not in capsys.readouterr().err
    assert not list(Path(text).parent.glob("*.sigmf*"))


@pytest.mark.parametrize("snr_db", ["nan", "-1e9", "1e9"])
def test_the_same_of_the_demo(snr_db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--snr-db", snr_db, "--out", str(tmp_path)]) == 2
    assert "-200 to 200" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_tolerance_that_is_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["multiuser", text, "--user", "text@10", "--tolerance", "nan"]) == 2
    assert "--tolerance is nan" in capsys.readouterr().err


def test_the_same_of_channels() -> None:
    for snr_db in (-1e9, 1e9):
        with pytest.raises(ValueError, match="snr_db is"):
            ChannelConfig(snr_db=snr_db)
    assert ChannelConfig(snr_db=float("inf")).snr_db == float("inf")
    with pytest.raises(ValueError, match="seed is -1"):
        ChannelOptions(seed=-1)


def test_half_of_a_pair_is_no_character() -> None:
    with pytest.raises(MessageError, match="half of a UTF-16 pair"):
        text_message("storm \ud800 ahead")
    assert text_message(os.fsdecode(b"storm \xe9")).payload == b"storm \xe9"


def test_a_picture_without_a_value(tmp_path: Path) -> None:
    path = tmp_path / "nan.tif"
    Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(path)
    with pytest.raises(MessageError, match="no finite values"):
        Message.from_file(str(path))
