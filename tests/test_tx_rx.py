"""`m4sc tx`, `m4sc rx`, `m4sc calibrate` and the benches of the link, with a system that needs no weights."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from child import child_env
from fake_system import WORDS, FakeSystem, snr_told
from m4sc.recordings import RecordingWriter, open_recording
from m4sc_app.calibrate import GainStep, best_step
from m4sc_app.cli import main
from m4sc_app.errors import UserError
from m4sc_app.link_options import Listening, Sending
from m4sc_app.link_view import LinkView
from m4sc_app.multiuser import multiuser_command
from m4sc_app.outgoing import outgoing_messages
from m4sc_app.patience import patience
from m4sc_app.rx import run_rx
from m4sc_app.tx import run_tx
from m4sc_flowgraphs.link_event import LinkEvent
from PIL import Image
from test_radio_ends import free_port
from test_recordings import FullDisk

pytestmark = pytest.mark.timeout(90)
TEXTS = [f"text:{word}" for word in WORDS]


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4sc_app.loading.warm_up", lambda model: FakeSystem())
    monkeypatch.setattr("m4sc_app.loading.load_model", lambda model: FakeSystem())
    for module in ("file_tx", "file_rx"):
        monkeypatch.setattr(f"m4sc_app.{module}.load_model", lambda model: FakeSystem())


def rows(output: str, kind: str) -> list[dict[str, Any]]:
    return [row for row in map(json.loads, filter(None, output.splitlines())) if row["event"] == kind]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "cat"),
        ({"confidence": 0.874}, "cat (87 % sure)"),
        ({"confidence": 0.999999}, "cat (over 99 % sure)"),
        ({"confidence": 0.2, "verified": False}, "cat (not verified, 20 % sure)"),
        ({"confidence": 1.0, "verified": True}, "cat (verified)"),
        ({"confidence": 0.1, "answer": "not sure"}, "not sure"),
        ({"confidence": 0.9, "answer": None, "picture": "a.png"}, "(picture: a.png)"),
        ({"verified": False, "confidence": 0.5, "lost_segments": 1, "n_segments": 3},
         "cat [1 of 3 frames lost] (not verified, 50 % sure)"),
    ],
)  # fmt: skip
def test_a_line_says_how_far_an_answer_may_be_believed(known: dict[str, Any], said: str) -> None:
    values = {"sequence": 7, "task": "vqa", "snr_db": 9.96, "system": "semantic", "answer": "cat", **known}
    event = LinkEvent("answer", 0.0, values)
    assert LinkView("m4sc rx", False)._line(event) == f"#7 vqa 10.0 dB semantic: {said}"


def test_sim_sends_and_answers_in_one_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tx", "sim:?snr_db=15&cfo_hz=300&channel=multipath", *TEXTS, "--json"]) == 0
    out = capsys.readouterr().out
    assert [row["answer"] for row in rows(out, "answer")] == list(WORDS)
    (summary,) = rows(out, "summary")
    assert summary["sent"] == summary["frames"] == summary["answers"] == 6 and summary["lost"] == 0
    assert all(row["air_time_s"] > 0 for row in rows(out, "sent"))


def test_classical_messages_are_routed_by_their_header(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tx", "sim:?snr_db=20", "text:harbour lights", "--classical", "--json"]) == 0
    (answer,) = rows(capsys.readouterr().out, "answer")
    assert answer["system"] == "classical" and answer["answer"] == "harbour lights"


def test_plain_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tx", "sim:", "--text", "storm"]) == 0
    out = capsys.readouterr().out
    assert "ms on air" in out and ": storm" in out


@pytest.mark.parametrize("kind", [["qam", "--qam-order", "64"], ["digital", "--levels", "12"]])
def test_latents_of_every_kind_are_answered(kind: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command = ["tx", "sim:?snr_db=15&channel=multipath", *TEXTS, "--snr-db", "12", "--json", "--kind", *kind]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert [(row["answer"], row["system"]) for row in rows(out, "answer")] == [(w, "semantic") for w in WORDS]
    assert {row["payload_kind"] for row in rows(out, "frame")} == {kind[0]}


@pytest.mark.parametrize("place", ["sim:?snr_db=15", "file"])
def test_fewer_symbols_are_asked_for(place: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    address = f"file:{tmp_path / 'air'}?snr_db=15" if place == "file" else place
    assert main(["tx", address, *TEXTS, "--symbols", "32", "--json"]) == 0
    out = capsys.readouterr().out
    assert [row["complex_symbols"] for row in rows(out, "sent")] == [32] * len(TEXTS)
    if place == "file":
        assert main(["rx", f"file:{tmp_path / 'air'}", "--json"]) == 0
        out = capsys.readouterr().out
    assert [row["answer"] for row in rows(out, "answer")] == list(WORDS)


@pytest.mark.parametrize("place", ["sim:?snr_db=15", "file"])
@pytest.mark.parametrize(("more", "told"), [([], None), (["--snr-db", "7"], 7.0)])
def test_the_codec_is_told_what_the_sender_knows_of_the_link(
    place: str, more: list[str], told: float | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heard = snr_told(monkeypatch)
    address = f"file:{tmp_path / 'air'}?snr_db=15" if place == "file" else place
    assert main(["tx", address, *TEXTS[:2], *more, "--json"]) == 0
    assert heard == [told, told]


@pytest.mark.parametrize("place", ["sim:?snr_db=15", "file"])
def test_a_look_sends_what_the_question_points_at(
    place: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    halves = np.full((8, 8, 3), 250, np.uint8)
    halves[:, :4] = 5
    Image.fromarray(halves).save(tmp_path / "halves.png")
    address = f"file:{tmp_path / 'air'}?snr_db=15" if place == "file" else place
    asked = ["tx", address, str(tmp_path / "halves.png"), "--task", "vqa", "--json"]
    question = "What is on the left?"
    for more, word in ((["--look"], "cat"), ([], "ship")):
        assert main([*asked, "--instruction", question, *more]) == 0
        out = capsys.readouterr().out
        assert [row["text"] for row in rows(out, "looked")] == [
            "looked at 0 to 50 % of the width and 0 to 100 % of the height"
        ] * len(more)
        if place == "file":
            assert main(["rx", f"file:{tmp_path / 'air'}", "--query", question, "--json"]) == 0
            out = capsys.readouterr().out
        assert [row["answer"] for row in rows(out, "answer")] == [f"{question} {word}"]
    blank = ["--look", "--instruction", "  "]
    for wrong in (["--look"], blank, ["--look", "--instruction", question, "--classical"]):
        assert main([*asked, *wrong]) == 2
        assert "--look needs an --instruction that says where" in capsys.readouterr().err


def test_symbols_that_cannot_be_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["tx", f"file:{tmp_path / 'air'}", TEXTS[0], "--symbols", "4", "--json"]) == 2
    (fault,) = rows(capsys.readouterr().out, "fault")
    assert "at least 16 symbols; 4 are allowed" in fault["reason"]
    assert main(["tx", "sim:", TEXTS[0], "--symbols", "0"]) == 2
    capsys.readouterr()
    assert main(["tx", "sim:", TEXTS[0], "--symbols", "32", "--classical"]) == 2
    assert "--symbols is not for --classical" in capsys.readouterr().err


def test_a_code_that_breaks_is_told_as_a_loss(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["tx", "sim:?snr_db=6", *TEXTS[:3], "--kind", "digital", "--mcs", "9", "--json"]
    assert main(command) == 2  # nothing came through
    out = capsys.readouterr().out
    assert not rows(out, "answer") and [row["fault"] for row in rows(out, "fault")] == ["lost"] * 3


def with_reports(sending: Sending, listening: Listening, snr_db: float) -> tuple[int, int]:
    """Words over ZeroMQ through noise, with a way back; both exit codes."""
    address = f"zmq://127.0.0.1:{free_port()}"
    codes = []
    place = f"{address}?snr_db={snr_db}&seed=3"
    sender = threading.Thread(target=lambda: codes.append(run_tx(place, TEXTS, sending)), daemon=True)
    sender.start()
    heard = run_rx(address, listening)
    sender.join(40)
    assert not sender.is_alive()
    return codes[0], heard


def test_bytes_are_sent_over_zeromq_until_they_are_acknowledged(capsys: pytest.CaptureFixture[str]) -> None:
    back = f"zmq://127.0.0.1:{free_port()}"
    sending = Sending(payload_kind="digital", reports=back, as_json=True)
    listening = Listening(count=6, seconds=60.0, reports=back, as_json=True)
    assert with_reports(sending, listening, 12.0) == (0, 0)
    out = capsys.readouterr().out
    assert [row["answer"] for row in rows(out, "answer")] == list(WORDS)
    lengths = [row["complex_symbols"] for row in rows(out, "sent")]
    assert lengths[-1] < 0.5 * lengths[0]  # of the SNR that is reported, not of the poorest to begin with


def test_a_receiver_over_zeromq_asks_for_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("m4sc_app.loading.warm_up", lambda model: SelfDoubting())
    back = f"zmq://127.0.0.1:{free_port()}"
    listening = Listening(count=6, seconds=60.0, reports=back, ask_below=0.6, as_json=True)
    assert with_reports(Sending(reports=back, as_json=True), listening, 0.0) == (0, 0)
    out = capsys.readouterr().out
    assert sorted(row["answer"] for row in rows(out, "answer")) == sorted(WORDS)
    assert all(row["copies"] == 2 for row in rows(out, "answer"))


def test_a_simulated_receiver_asks_for_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("m4sc_app.loading.load_model", lambda model: SelfDoubting())
    assert main(["tx", "sim:?snr_db=0", *TEXTS, "--ask-below", "0.6"]) == 0
    assert capsys.readouterr().out.count("[2 copies]") == 6


class SelfDoubting(FakeSystem):
    """As sure as it hears well: 0.5 at 0 dB."""

    def decode(self, symbols: np.ndarray, noise_var: np.ndarray, *given: Any) -> Any:
        answer = super().decode(symbols, noise_var, *given)
        return replace(answer, confidence=float(np.mean(1.0 / (1.0 + noise_var))))


@pytest.mark.parametrize("paced", [False, True])
def test_two_ends_over_zeromq(paced: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    address, record = f"zmq://127.0.0.1:{free_port()}", tmp_path / "heard"
    sending = Sending(source_id=4, repeat=2, paced=paced, as_json=True)
    sender = threading.Thread(target=run_tx, args=(address, TEXTS, sending), daemon=True)
    sender.start()
    assert run_rx(address, Listening("which?", count=12, seconds=40.0, record=record, as_json=True)) == 0
    sender.join(20)
    assert not sender.is_alive()
    answers = rows(capsys.readouterr().out, "answer")
    assert [row["answer"] for row in answers] == [f"which? {word}" for word in WORDS] * 2
    assert {row["source_id"] for row in answers} == {4}
    described = json.loads(record.with_suffix(".sigmf-meta").read_text())
    assert len(described["annotations"]) == 12
    assert main(["rx", f"file:{record}", "--json"]) == 0
    assert len(rows(capsys.readouterr().out, "answer")) == 12


def test_record_then_replay_ends_by_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["tx", f"file:{tmp_path / 'air'}?snr_db=18", *TEXTS, "--payload-kind", "qam", "--json"]) == 0
    capsys.readouterr()
    assert main(["rx", f"file:{tmp_path / 'air'}", "--json"]) == 0
    assert [row["answer"] for row in rows(capsys.readouterr().out, "answer")] == list(WORDS)


def users_recording(folder: Path, keys: Path | None = None) -> str:
    """A recording of one frame for users 1 to 3, of whom the second has a picture of its own."""
    files = []
    for level in (10, 60, 10):
        files.append(folder / f"{level}.png")
        Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(files[-1])
    place = folder / "users.sigmf-meta"
    multiuser_command(files, ["classify@15"] * 3, out=place, keys=keys, model=FakeSystem())  # type: ignore[arg-type]
    return str(place)


def test_each_user_takes_its_part_of_a_recording(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = users_recording(tmp_path)
    capsys.readouterr()
    for user, word in (("1", "cat"), ("2", "dog"), ("3", "cat")):
        assert main(["rx", place, "--user-id", user, "--snr-db", "12", "--query", "What?", "--json"]) == 0
        (answer,) = rows(capsys.readouterr().out, "answer")
        assert answer["answer"] == f"What? {word}" and answer["task"] == "classify"
    assert main(["rx", place, "--user-id", "9", "--json"]) == 2
    assert not rows(capsys.readouterr().out, "answer")
    assert main(["rx", place]) == 2
    assert "give this receiver its user id" in "".join(capsys.readouterr())


def test_a_hidden_part_of_a_recording_needs_the_users_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keys, others = str(tmp_path / "keys.json"), str(tmp_path / "others.json")
    for file in (keys, others):
        assert main(["keys", "add", "2", "--file", file]) == 0
    place = users_recording(tmp_path, Path(keys))
    capsys.readouterr()
    assert main(["rx", place, "--user-id", "2", "--keys", keys, "--json"]) == 0
    out = capsys.readouterr().out
    assert [row["answer"] for row in rows(out, "answer")] == ["dog"] and not rows(out, "private_lost")
    for options in ([], ["--keys", others]):
        assert main(["rx", place, "--user-id", "2", "--count", "1", "--json", *options]) == 0
        out = capsys.readouterr().out
        (told,) = rows(out, "private_lost")
        assert "its own part is hidden" in told["reason"]
        assert [row["answer"] for row in rows(out, "answer")] == ["nothing"]
    assert main(["rx", place, "--keys", keys]) == 2
    assert "--keys needs --user-id" in capsys.readouterr().err
    assert main(["rx", place, "--user-id", "1", "--keys", keys]) == 2
    assert "no key for user 1" in capsys.readouterr().err


@pytest.mark.parametrize("end", ["tx", "rx"])
def test_a_full_disk_ends_the_recording_in_one_sentence(
    end: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["tx", f"file:{tmp_path / 'a'}", *TEXTS]) == 0
    capsys.readouterr()
    plain, room = RecordingWriter._open, 5000

    def small(self: RecordingWriter) -> Any:
        return FullDisk(plain(self), room)

    monkeypatch.setattr(RecordingWriter, "_open", small)
    name = str(tmp_path / "x")
    command = (
        ["tx", f"file:{name}", *TEXTS] if end == "tx" else ["rx", f"file:{tmp_path / 'a'}", "--record", name]
    )
    assert main(command) == 2
    told = capsys.readouterr().err.strip()
    assert "No space left on device" in told and f"{room // 8} samples" in told and "\n" not in told
    assert len(open_recording(name)) == room // 8
    assert not list(tmp_path.glob(".*"))


def test_losses_are_told_by_the_numbers_that_are_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    name = tmp_path / "air"
    assert main(["tx", f"file:{name}", *TEXTS]) == 0
    marks = json.loads(name.with_suffix(".sigmf-meta").read_text())["annotations"]
    samples = np.fromfile(name.with_suffix(".sigmf-data"), np.complex64)
    for mark in marks[2:4]:
        samples[mark["core:sample_start"] :][: mark["core:sample_count"]] = 0
    samples.tofile(name.with_suffix(".sigmf-data"))
    capsys.readouterr()
    assert main(["rx", f"file:{name}", "--json"]) == 0
    out = capsys.readouterr().out
    assert [row["count"] for row in rows(out, "lost")] == [2] and rows(out, "summary")[0]["lost"] == 2


def test_a_receiver_without_a_transmitter_ends_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    assert main(["rx", f"zmq://127.0.0.1:{free_port()}", "--seconds", "0.5", "--json"]) == 2
    assert time.monotonic() - started < 20.0
    assert rows(capsys.readouterr().out, "summary")[0]["frames"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_cleanly_with_a_summary(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)

    def interrupt_once_it_is_heard() -> None:
        while signal.getsignal(number) is before:  # on a slow machine the signal would end the tests
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt_once_it_is_heard, daemon=True).start()
    assert main(["rx", f"zmq://127.0.0.1:{free_port()}", "--seconds", "40", "--json"]) == 130
    assert len(rows(capsys.readouterr().out, "summary")) == 1
    assert signal.getsignal(number) is before


_SLOW = """
import sys, time
from fake_system import FakeSystem
from m4sc_app import loading
from m4sc_app.cli import main

class Slow(FakeSystem):
    def decode(self, *given, **named):
        time.sleep(0.5)
        return super().decode(*given, **named)

loading.warm_up = lambda model: Slow()
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (None, 0)], ids=["int", "term", "count"]
)
def test_a_receiver_with_a_backlog_ends_and_says_what_it_did_not_answer(
    number: signal.Signals | None, code: int
) -> None:
    address = f"zmq://127.0.0.1:{free_port()}"
    command = [sys.executable, "-c", _SLOW, "rx", address, *(["--count", "3"] if number is None else [])]
    sending = Sending(repeat=10, as_json=True)
    sender = threading.Thread(target=run_tx, args=(address, TEXTS, sending), daemon=True)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, env=child_env()) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline().startswith("listening to zmq://")
        sender.start()
        while " semantic: " not in (line := receiver.stdout.readline()):  # the first answer; others wait
            assert line
        if number is not None:
            receiver.send_signal(number)
        out, err = receiver.communicate(timeout=60)
    assert receiver.returncode == code, err
    assert "frames not answered before the end." in out.splitlines()[-1], out
    assert "Traceback" not in err and "terminate" not in err
    sender.join(20)


def test_a_transmitter_nobody_listens_to_has_sent_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tx", f"zmq://127.0.0.1:{free_port()}", TEXTS[0], "--seconds", "0.5"]) == 2
    assert "nobody came" in capsys.readouterr().err


def test_a_long_wait_is_told_and_a_short_one_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with patience("thinking", 0.05):
        time.sleep(0.3)
    assert capsys.readouterr().err == "m4sc: thinking ...\n"
    with patience("thinking", 0.3):
        pass
    time.sleep(0.5)
    assert not capsys.readouterr().err


def test_standard_input_is_sent_line_by_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ship ahoy\n\ndog\n"))
    assert main(["tx", "sim:", "-", "--json"]) == 0
    assert [row["answer"] for row in rows(capsys.readouterr().out, "answer")] == ["ship", "dog"]


@pytest.mark.parametrize(
    ("argv", "word"),
    [(["tx", "laser:", "text:x"], "laser"), (["tx", "sim:", "no/such.png"], "no such"),
     (["rx", "sim:"], "m4sc tx"),
     (["tx", "sim:", "text:x", "--task", "sing"], "sing"),
     (["tx", "sim:", "text:x", "--task", "classify"], "takes image"),
     (["tx", "sim:", "text:x", "--paced"], "clock"), (["tx", "sim:", "mic:90"], "mic:3"),
     (["rx", "file:none"], "no"),
     (["tx", "sim:", "text:x", "--interval-s", "-1"], "interval"),
     (["rx", "uhd:addr=127.0.0.9?freq=1G"], "USRP"),
     (["calibrate", "sim:", "--step-db", "0"], "step"),
     (["tx", "sim:", "text:x", "--payload-kind", "fm"], "analog"),
     (["tx", "sim:", "text:x", "--reports", "zmq://127.0.0.1:9"], "--reports"),
     (["tx", "zmq://127.0.0.1:9", "text:x", "--ask-below", "0.5"], "m4sc rx"),
     (["tx", "zmq://127.0.0.1:9", "text:x", "--reports", "tcp://127.0.0.1:9"], "zmq://"),
     (["rx", "zmq://127.0.0.1:9", "--ask-below", "0.5"], "--reports"),
     (["rx", "zmq://127.0.0.1:9", "--reports", "zmq://127.0.0.1"], "port")],
)  # fmt: skip
def test_bad_input_is_one_sentence(argv: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    err = capsys.readouterr().err.strip()
    assert word in err and err.splitlines()[-1].startswith("m4sc: ") and "Traceback" not in err


def test_wrong_waveform_parameters_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for text, word in (("{", "waveform"), ('{"fft_len": 7}', "fft_len"), ('{"colour": 1}', "colour")):
        (tmp_path / "w.json").write_text(text)
        assert main(["rx", "zmq://:5555", "--waveform", str(tmp_path / "w.json")]) == 2
        assert word in capsys.readouterr().err


def test_messages_of_files_folders_and_texts(tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(tmp_path / name)
    soundfile.write(tmp_path / "s.wav", np.zeros(1600), 16000)
    (tmp_path / "other.bin").write_bytes(b"x")
    messages = list(outgoing_messages([str(tmp_path), "text:Is 3/4 a text?"], None, None))
    assert [(m.name, m.task) for m in messages] == [
        ("a.png", "caption"), ("b.png", "caption"), ("s.wav", "transcribe"), ("Is 3/4 a text?", "text"),
    ]  # fmt: skip
    assert [m.name for m in outgoing_messages([str(tmp_path)], "classify", None)] == ["a.png", "b.png"]
    with pytest.raises(UserError, match="text files"):
        list(outgoing_messages([str(tmp_path)], "text", None))


def test_calibrate_proposes_the_level_with_the_best_snr(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["calibrate", "sim:?snr_db=10", "--first-db", "-10", "--last-db", "10", "--step-db", "10"]
    assert main([*argv, "--seconds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [step["frames"] for step in found["steps"]] == [step["sent"] for step in found["steps"]]
    assert [step["snr_db"] for step in found["steps"]] == pytest.approx([0.0, 10.0, 20.0], abs=2.0)
    assert found["proposed"]["gain_db"] == 10.0


def test_the_best_gain_is_the_lowest_good_one_that_neither_clips_nor_loses() -> None:
    def step(gain: float, frames: int, snr: float | None, clipped: int = 0) -> GainStep:
        return GainStep(gain, frames, 5, snr, clipped)

    steps = [step(0, 0, None), step(10, 4, 18), step(20, 5, 24.8), step(30, 5, 25), step(40, 5, 31, 7)]
    assert best_step(steps) == steps[2]
    assert best_step(steps[:1]) is None and best_step(steps[4:]) == steps[4]


def test_the_soak_counts_frames_memory_and_lag(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    progress = tmp_path / "soak.jsonl"
    argv = ["bench", "soak", "--minutes", "0.05", "--every-s", "1", "--progress", str(progress), "--json"]
    assert main(argv) == 0
    figures = {f["name"]: f["value"] for f in json.loads(capsys.readouterr().out)["figures"]}
    assert figures["soak_frames_sent"] >= 25 and figures["soak_frames_lost"] == 0
    assert len(progress.read_text().splitlines()) >= 3


@pytest.mark.slow
def test_a_picture_question_crosses_two_processes_with_the_real_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "zmq", "--messages", "4", "--interval-s", "4", "--json"]) == 0
    (figure,) = json.loads(capsys.readouterr().out)["figures"]
    assert figure["name"] == "zmq_answer_s" and "3 answers" in figure["detail"]
