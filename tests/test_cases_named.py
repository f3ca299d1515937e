"""What is named as a message, on the command line and in a flowgraph: no mistake is sent as a text."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from m4sc.message import MessageError
from m4sc_app.cli import main
from m4sc_app.errors import UserError
from m4sc_app.outgoing import outgoing_messages
from m4sc_flowgraphs.messages import OutgoingMessage
from PIL import Image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good pictures, a broken one, a sound and a file of another kind."""
    for name in ("a.png", "c.png"):
        Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    soundfile.write(tmp_path / "s.wav", np.sin(np.arange(1600)), 16000)
    (tmp_path / "other.bin").write_bytes(b"x")
    return tmp_path


def sent(entries: list[str], task: str | None = None) -> tuple[list[OutgoingMessage], list[str]]:
    told: list[str] = []
    return list(outgoing_messages(entries, task, None, told.append)), told


MISTAKES = {
    "a misspelt suffix": "cat.jgp",
    "a misspelt suffix with spaces": "my cat.jgp",
    "a missing file": "cat.jpg",
    "a missing file with spaces": "the cat on the mat.png",
    "a missing path": "holiday/cats",
    "a missing folder": "holidays",
    "a missing folder, two words": "my holidays",
    "an absolute path": "/no/such/thing",
    "a home folder": "~/no such cat",
    "a URL": "https://example.com/cat.jpg",
    "a URL of a file": "file:///tmp/cat.jpg",
    "nothing": "",
    "spaces": "  ",
    "a long line": "x" * 5000,
    "a zero byte": "a\0b",
}


@pytest.mark.parametrize("case", MISTAKES)
def test_what_names_nothing_is_a_mistake(case: str) -> None:
    with pytest.raises(ValueError, match=r"no such file or folder|URL|empty"):
        sent([MISTAKES[case]])


@pytest.mark.parametrize("case", sorted(set(MISTAKES) - {"a missing folder, two words"}))
def test_the_message_source_refuses_the_same(case: str) -> None:
    m4sc = pytest.importorskip("gnuradio.m4sc")
    with pytest.raises(ValueError, match=r"no such file or folder|URL|empty"):
        m4sc.message_source([MISTAKES[case]], "text")


def test_the_message_source_refuses_a_folder_and_an_unknown_kind(folder: Path) -> None:
    m4sc = pytest.importorskip("gnuradio.m4sc")
    with pytest.raises(ValueError, match="folder"):
        m4sc.message_source([str(folder)], "caption")
    with pytest.raises(ValueError, match=r"other\.bin"):
        m4sc.message_source([str(folder / "other.bin")], "caption")


def test_the_message_source_sends_words_and_files(folder: Path) -> None:
    m4sc = pytest.importorskip("gnuradio.m4sc")
    from gnuradio.m4sc.pdu import read_pdu

    entries = ["text:storm", "A storm is coming.", str(folder / "a.png")]
    source = m4sc.message_source(entries, ["text", "text", "caption"])
    read = [read_pdu(source._pdu(entry, "text", 0)) for entry in entries]
    assert [meta["modality"] for meta, _ in read] == ["text", "text", "image"]
    assert [bytes(payload) for _, payload in read[:2]] == [b"storm", b"A storm is coming."]


def test_one_sentence_and_exit_code_2_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gnuradio.m4sc")
    for argv in (["cat.jgp"], ["https://example.com/cat.jpg"], []):
        assert main(["tx", "sim:", *argv]) == 2
        err = capsys.readouterr().err.strip()
        assert err.startswith("m4sc: ") and len(err.splitlines()) == 1


def test_a_folder_names_its_bad_file_and_sends_the_rest(folder: Path) -> None:
    messages, told = sent([str(folder)])
    assert [m.name for m in messages] == ["a.png", "c.png", "s.wav"]
    assert len(told) == 1 and "b.png" in told[0] and "not sent" in told[0]


def test_a_folder_of_bad_files_is_a_mistake(folder: Path) -> None:
    for name in ("a.png", "c.png", "s.wav"):
        (folder / name).unlink()
    with pytest.raises(UserError, match="none of the 1 files"):
        sent([str(folder)])


def test_a_bad_file_named_by_itself_is_a_mistake(folder: Path) -> None:
    with pytest.raises(MessageError, match=r"b\.png"):
        sent([str(folder / "b.png")])


@pytest.mark.parametrize(
    "words", ["storm", "cat.jpg", "Is 3/4 a text?", "/etc/hostname", "- a list", "  two  \n"]
)
def test_words_are_sent_as_they_are(words: str) -> None:
    (message,), _ = sent([f"text:{words}"])
    assert message.modality == "text" and message.payload == words.encode()


def test_words_of_a_terminal_without_unicode() -> None:
    """Python hands over a byte that is no UTF-8 as half a character."""
    (message,), told = sent(["text:caf\udce9"])
    assert message.payload == b"caf\xe9" and "Windows-1252" in told[0]


def test_lines_of_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "ship ahoy\n\n  \nna\u00efve\r\n".encode() + b"caf\xe9\n" + b"last"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    messages, _ = sent(["-"])
    assert [m.payload.decode() for m in messages] == ["ship ahoy", "na\u00efve", "caf\u00e9", "last"]


def test_what_a_person_should_know_of_a_file_is_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.zeros(1600), 16000)
    _, told = sent([str(tmp_path / "s.wav")])
    assert told and told[0].startswith("s.wav: ") and "silent" in told[0]


def test_a_device_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(MessageError, match="device"):
        sent([str(tmp_path / "zero.png")])


def test_a_file_too_large_to_read_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(3 << 30)  # sparse
    with pytest.raises(MessageError, match="too large"):
        sent([str(tmp_path / "large.png")])
