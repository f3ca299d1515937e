"""Recordings: `m4sc tx` and `m4sc rx` without GNU Radio, under all their names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from child import child_env
from fake_system import WORDS, FakeSystem
from m4sc.codecs.base import Answer, Payload
from m4sc.recordings import open_recording
from m4sc_app.addresses import read_address, with_channel
from m4sc_app.cli import main
from m4sc_app.errors import UserError
from m4sc_flowgraphs.radio_ends.address import RadioEndError
from PIL import Image

SAMPLES = (np.arange(10) - 3j * np.arange(10)).astype(np.complex64)
PIXELS = 16_384  # complex symbols of a picture of several frames


class Echo(FakeSystem):
    """FakeSystem that also sends a picture as it is: a message of several frames."""

    def encode(self, message: Any, task: str, instruction: str | None = None, snr_db: Any = None) -> Any:
        if task != "reconstruct":
            return super().encode(message, task, instruction, snr_db)
        pairs = np.random.default_rng(3).standard_normal((PIXELS, 2)).astype(np.float32) / np.sqrt(2)
        return Payload(9, "image", self.fingerprint, pairs, essential=4, unit=128)

    def decode(self, symbols: Any, noise_var: Any, task: str, instruction: str | None = None) -> Any:
        if task != "reconstruct":
            return super().decode(symbols, noise_var, task, instruction)
        sent = np.random.default_rng(3).standard_normal((PIXELS, 2)).astype(np.float32) / np.sqrt(2)
        assert len(symbols) == PIXELS
        known = np.isfinite(noise_var)
        error = np.mean(np.abs(symbols - sent @ [1, 1j])[known] ** 2)
        return Answer("", np.full((8, 8, 3), round(float(error) * 100), np.uint8), 0.0)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Echo:
    from m4sc.tasks import get_task

    system = Echo()
    number = get_task("reconstruct").task_id
    plain = system.encode

    def encode(message: Any, task: str, *more: Any, **named: Any) -> Any:
        payload = plain(message, task, *more, **named)
        return Payload(number, "image", payload.fingerprint, payload.latents, b"", 4, 128) if (
            task == "reconstruct"
        ) else payload  # fmt: skip

    system.encode = encode  # type: ignore[method-assign]
    for module in ("file_tx", "file_rx"):
        monkeypatch.setattr(f"m4sc_app.{module}.load_model", lambda name: system)
    return system


def texts(folder: Path) -> list[str]:
    """A file for each word."""
    for word in WORDS:
        (folder / f"{word}.txt").write_text(word, encoding="utf-8")
    return [str(folder / f"{word}.txt") for word in WORDS]


def rows(output: str, kind: str) -> list[dict[str, Any]]:
    return [row for row in map(json.loads, filter(None, output.splitlines())) if row["event"] == kind]


@pytest.mark.parametrize(
    ("meta", "word"),
    [("{", "SigMF"), ("[]", "SigMF"), ('{"global": 3}', "object"),
     ('{"global": {"core:datatype": "ru8"}}', "ru8"), ('{"global": {"core:sample_rate": -1}}', "positive")],
)  # fmt: skip
@pytest.mark.parametrize("command", ["receive", "rx"])
def test_broken_descriptions(tmp_path, capsys, command, meta, word):
    SAMPLES.tofile(tmp_path / "x.sigmf-data")
    (tmp_path / "x.sigmf-meta").write_text(meta)
    assert main([command, str(tmp_path / "x.sigmf-meta")]) == 2
    err = capsys.readouterr().err
    assert word in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("sending", "receiving"),
    [(["send", "{files}", "--out", "{out}"], ["receive", "{out}.sigmf-meta"]),
     (["tx", "file:{out}?snr_db=15", "{files}"], ["rx", "file:{out}"]),
     (["tx", "{out}.sigmf-meta", "{files}", "--snr-db", "12", "--cfo-hz", "900"], ["rx", "{out}"]),
     (["tx", "{files}", "--out", "{out}.cf32", "--kind", "qam"], ["rx", "{out}.cf32", "--snr-db", "15"]),
     (["send", "{files}", "--out", "{out}", "--kind", "digital", "--levels", "12"], ["receive", "{out}"]),
     (["send", "{files}", "--out", "{out}", "--classical"], ["receive", "{out}", "--cfo-hz", "-700"])],
)  # fmt: skip
def test_what_is_sent_is_received(sending, receiving, model, tmp_path, capsys):
    def filled(words: list[str]) -> list[str]:
        out = str(tmp_path / "burst")
        return [
            part
            for word in words
            for part in (texts(tmp_path) if word == "{files}" else [word.format(out=out)])
        ]

    assert main([*filled(sending), "--json", "--source-id", "7"]) == 0
    told = capsys.readouterr().out
    sent = rows(told, "sent")
    (summary,) = rows(told, "summary")
    assert summary["messages_sent"] == summary["sent"] == len(sent) == 6
    assert Path(summary["data"]).is_file() and Path(summary["meta"]).is_file()
    assert all(row["air_time_s"] > 0 for row in sent)
    assert main([*filled(receiving), "--json"]) == 0
    told = capsys.readouterr().out
    answers = rows(told, "answer")
    assert [row["answer"] for row in answers] == list(WORDS)
    assert [row["sequence"] for row in answers] == [row["sequence"] for row in sent]
    assert {row["source_id"] for row in answers} == {7} and len(rows(told, "frame")) == 6
    assert {row["system"] for row in answers} == {"classical" if "--classical" in sending else "semantic"}


@pytest.mark.parametrize("lost", [0, 1])
def test_a_message_of_several_frames_crosses_and_may_lose_one(lost, model, tmp_path, capsys):
    picture, name = tmp_path / "p.png", tmp_path / "air"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture)
    assert main(["send", str(picture), "--task", "reconstruct", "--out", str(name), "--snr-db", "20"]) == 0
    described = json.loads(name.with_suffix(".sigmf-meta").read_text())
    marks = described["annotations"]
    assert len(marks) == 3
    samples = np.fromfile(name.with_suffix(".sigmf-data"), np.complex64)
    for mark in marks[:lost]:
        samples[mark["core:sample_start"] :][: mark["core:sample_count"]] = 0
    samples.tofile(name.with_suffix(".sigmf-data"))
    capsys.readouterr()
    assert main(["receive", str(name), "--json", "--pictures", str(tmp_path / "kept")]) == 0
    (answer,) = rows(capsys.readouterr().out, "answer")
    assert answer["n_segments"] == 3 and answer["lost_segments"] == lost and answer["answer"] is None
    assert np.asarray(Image.open(answer["picture"])).max() == 1  # error power in percent: 20 dB


def test_messages_are_for_whom_they_are_sent(model, tmp_path, capsys):
    name = str(tmp_path / "air")
    assert main(["tx", f"file:{name}", *texts(tmp_path)[:2], "--user-id", "5"]) == 0
    capsys.readouterr()
    assert main(["rx", name, "--user-id", "5", "--json"]) == 0
    assert len(rows(capsys.readouterr().out, "answer")) == 2
    assert main(["rx", name, "--user-id", "6", "--json"]) == 2
    assert rows(capsys.readouterr().out, "summary")[0]["unanswered"] == 0
    assert main(["rx", name, "--source-id", "9"]) == 2


def test_the_receiver_asks_and_a_task_without_its_question_says_so(model, tmp_path, capsys):
    picture, name = tmp_path / "p.png", str(tmp_path / "air")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture)
    assert main(["send", str(picture), "--task", "vqa", "--out", name, "--instruction", "not told"]) == 0
    capsys.readouterr()
    assert main(["receive", name, "--query", "why?"]) == 0
    assert ": why? cat" in capsys.readouterr().out
    assert main(["receive", name]) == 0
    out = capsys.readouterr().out
    assert ": cat" in out and "no --query was given" in out and "no noise" in out
    assert "1 message answered." in out.splitlines()[-1]


def test_other_weights_are_named_and_nothing_answered_is_no_success(model, tmp_path, capsys):
    name = str(tmp_path / "air")
    assert main(["send", texts(tmp_path)[0], "--out", name]) == 0
    model.fingerprint = 6
    capsys.readouterr()
    assert main(["receive", name]) == 2
    assert "other weights" in capsys.readouterr().err


def test_noise_alone_and_nothing_to_send_are_no_success(model, tmp_path, capsys):
    rng = np.random.default_rng(1)
    noise = (rng.standard_normal((40_000, 2)) @ [0.1, 0.1j]).astype(np.complex64)
    noise.tofile(tmp_path / "noise.cf32")
    assert main(["rx", str(tmp_path / "noise.cf32")]) == 2
    assert "no frame was received" in (err := capsys.readouterr().err) and "40000 samples" in err
    assert "spectrum is inverted" not in err
    model.encode = lambda *_, **__: (_ for _ in ()).throw(ValueError("the word is too heavy"))
    assert main(["send", texts(tmp_path)[0], "--out", str(tmp_path / "none")]) == 2
    assert "too heavy" in capsys.readouterr().err
    assert not (tmp_path / "none.sigmf-data").exists() and not list(tmp_path.glob(".*"))


def test_an_inverted_spectrum_is_named(model, tmp_path, capsys):
    """Some front ends and programs swap I and Q: no frame comes through, and the reason is told."""
    assert main(["send", texts(tmp_path)[0], "--out", str(tmp_path / "air")]) == 0
    sent = np.fromfile(tmp_path / "air.sigmf-data", np.complex64)
    np.conj(sent).tofile(tmp_path / "inverted.cf32")
    (1j * np.conj(sent)).astype(np.complex64).tofile(tmp_path / "swapped.cf32")
    sent.tofile(tmp_path / "straight.cf32")
    for name in ("inverted", "swapped"):
        assert main(["rx", str(tmp_path / f"{name}.cf32")]) == 2
        assert "spectrum is inverted" in "".join(capsys.readouterr())
        assert main(["rx", f"file:{tmp_path / name}.cf32?inverted=yes"]) == 0
        assert "spectrum is inverted" not in "".join(capsys.readouterr())
    assert main(["rx", str(tmp_path / "straight.cf32")]) == 0
    assert "spectrum is inverted" not in "".join(capsys.readouterr())


def test_count_ends_the_reading_and_says_what_was_left(model, tmp_path, capsys):
    name = str(tmp_path / "air")
    assert main(["tx", f"file:{name}", *texts(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["rx", name, "--count", "2", "--json"]) == 0
    (summary,) = rows(capsys.readouterr().out, "summary")
    assert summary["answers"] == 2 and summary["unanswered"] == summary["frames"] - 2
    assert main(["rx", name, "--count", "2"]) == 0
    assert "4 frames not answered before the end" in capsys.readouterr().out


def test_the_interval_is_silence_in_the_recording(model, tmp_path):
    assert main(["tx", f"file:{tmp_path / 'a'}", *texts(tmp_path)[:3], "--interval-s", "0.05"]) == 0
    described = json.loads((tmp_path / "a.sigmf-meta").read_text())
    starts = [mark["core:sample_start"] for mark in described["annotations"]]
    assert np.allclose(np.diff(starts), 50_000) and open_recording(tmp_path / "a").samp_rate == 1e6


def test_bare_samples_of_any_type_are_read(model, tmp_path, capsys):
    assert main(["send", texts(tmp_path)[0], "--out", str(tmp_path / "a.cf32"), "--snr-db", "25"]) == 0
    samples = np.fromfile(tmp_path / "a.cf32", np.complex64)
    pairs = np.stack([samples.real, samples.imag], 1) * 4000
    pairs.round().astype("<i2").tofile(tmp_path / "b.bin")
    capsys.readouterr()
    argv = ["rx", str(tmp_path / "b.bin"), "--json"]
    assert main(argv) == 2
    assert main([*argv, "--datatype", "ci16_le", "--rate", "1e6"]) == 0
    assert rows(capsys.readouterr().out, "answer")[0]["answer"] == "cat"


@pytest.mark.parametrize(
    ("text", "sends", "kind", "place"),
    [("sim:?snr_db=3", True, "sim", ""), ("zmq://:5555", False, "zmq", ":5555"),
     ("burst.sigmf-meta", True, "file", "burst.sigmf-meta"), ("a/b.cf32?snr_db=3", True, "file", "a/b.cf32"),
     ("x.cs16", False, "file", "x.cs16"), ("x.sigmf", False, "file", "x.sigmf")],
)  # fmt: skip
def test_addresses(text, sends, kind, place):
    where = read_address(text, sends)
    assert (where.kind, where.place) == (kind, place)


def test_addresses_that_are_none():
    with pytest.raises(RadioEndError, match="--out NAME"):
        read_address("cat.jpg", sends=True)
    with pytest.raises(RadioEndError, match="path of a recording"):
        read_address("nothing", sends=False)
    own = with_channel(read_address("sim:?snr_db=3", True), 9.0, 20.0, None)
    assert own.options == {"snr_db": "3", "cfo_hz": "20.0"}
    with pytest.raises(UserError, match="--cfo-hz"):
        with_channel(read_address("zmq://:5555", True), None, 20.0, None)
    with pytest.raises(UserError, match="finite"):
        with_channel(read_address("sim:", True), float("nan"), None, None)


def test_recordings_need_no_gnuradio(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['gnuradio'] = sys.modules['pmt'] = None\n"
        "from m4sc_app import file_rx, file_tx\nfrom fake_system import FakeSystem\n"
        "file_rx.load_model = file_tx.load_model = lambda name: FakeSystem()\n"
        "from m4sc_app.cli import main\n"
        f"name = {str(tmp_path / 'air')!r}\n"
        f"sys.exit(main(['send', {texts(tmp_path)[2]!r}, '--out', name]) or main(['receive', name]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=child_env()
    )
    assert done.returncode == 0, done.stderr
    assert ": ship" in done.stdout
