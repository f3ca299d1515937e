"""Recordings: whoever wrote them, read rightly or refused in one sentence; ours are whole or not there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sigmf
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from m4sc.recordings import RecordingError, RecordingWriter, open_recording, recording_paths, write_recording
from m4sc.recordings.description import parse_description
from m4sc_app.bench.trials.mutation import mutated_json
from sigmf.validate import validate

N = 1001
rng = np.random.default_rng(0)
SAMPLES = (rng.uniform(-0.7, 0.7, N) + 1j * rng.uniform(-0.7, 0.7, N)).astype(np.complex64)
PAIRS = SAMPLES.view(np.float32)


def put(
    folder: Path, data: bytes, datatype: Any = "cf32_le", captures: Any = None, name: str = "x", **top: Any
) -> Path:
    """Write a recording by hand; keys of ``top`` are core fields, None leaves one out."""
    fields = {"datatype": datatype, "version": "1.2.0", "sample_rate": 1e6, **top}
    described = {
        "global": {f"core:{key}": value for key, value in fields.items() if value is not None},
        "captures": captures if captures is not None else [{"core:sample_start": 0}],
        "annotations": [],
    }
    (folder / f"{name}.sigmf-data").write_bytes(data)
    meta = folder / f"{name}.sigmf-meta"
    meta.write_text(json.dumps(described), encoding="utf-8")
    return meta


def integers(kind: str) -> bytes:
    bits, unsigned = 8 * np.dtype(kind).itemsize, np.dtype(kind).kind == "u"
    half = 2.0 ** (bits - 1)
    return np.round(PAIRS.astype(np.float64) * (half - 1) + half * unsigned).astype(kind).tobytes()


TYPES: dict[str, tuple[bytes, float]] = {
    "cf32_le": (PAIRS.astype("<f4").tobytes(), 0.0),
    "cf32_be": (PAIRS.astype(">f4").tobytes(), 0.0),
    "cf64_le": (PAIRS.astype("<f8").tobytes(), 0.0),
    "cf64_be": (PAIRS.astype(">f8").tobytes(), 0.0),
    "ci8": (integers("i1"), 0.02),
    "cu8": (integers("u1"), 0.02),
    **{f"c{k}{b}_{o}": (integers(f"{s}{k}{b // 8}"), 1e-4)
       for k in "iu" for b in (16, 32) for o, s in (("le", "<"), ("be", ">"))},
}  # fmt: skip


@pytest.mark.parametrize("datatype", sorted(TYPES))
def test_every_complex_type_is_read_as_the_sigmf_library_does(tmp_path: Path, datatype: str) -> None:
    data, error = TYPES[datatype]
    meta = put(tmp_path, data, datatype)
    found = open_recording(meta)
    assert len(found) == N and found.samples.dtype == np.complex64 and found.samp_rate == 1e6
    assert np.abs(found.samples - SAMPLES).max() <= error
    theirs = sigmf.fromfile(str(meta)).read_samples().astype(np.complex64)
    assert np.allclose(found.samples, theirs, atol=1e-6)


@given(start=st.integers(0, N + 5), count=st.integers(0, N + 5), cut=st.integers(0, N))
def test_any_part_is_read_across_captures(tmp_path_factory: Any, start: int, count: int, cut: int) -> None:
    folder = tmp_path_factory.mktemp("part")
    raw = SAMPLES[:cut].tobytes() + b"\7" * 12 + SAMPLES[cut:].tobytes() + b"end"
    captures = [{"core:sample_start": 0}, {"core:sample_start": cut, "core:header_bytes": 12}]
    found = open_recording(put(folder, raw, captures=captures, trailing_bytes=3))
    assert np.array_equal(found.read(start, count), SAMPLES[start : start + count])


@pytest.mark.parametrize("header", [100, 512])
def test_header_bytes_before_the_first_sample(tmp_path: Path, header: int) -> None:
    capture = [{"core:sample_start": 0, "core:header_bytes": header}]
    assert np.array_equal(
        open_recording(put(tmp_path, b"\1" * header + SAMPLES.tobytes(), captures=capture)).samples, SAMPLES
    )


def test_an_offset_counts_from_the_first_sample_of_the_file(tmp_path: Path) -> None:
    captures = [{"core:sample_start": 500}, {"core:sample_start": 600, "core:header_bytes": 5}]
    raw = SAMPLES[:100].tobytes() + b"12345" + SAMPLES[100:].tobytes()
    assert np.array_equal(open_recording(put(tmp_path, raw, captures=captures, offset=500)).samples, SAMPLES)


def changed(meta: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    described = json.loads(meta.read_text())
    change(described)
    meta.write_text(json.dumps(described))
    return meta


@pytest.mark.parametrize(
    ("top", "rate"),
    [({"sample_rate": "1000000.0"}, 1e6), ({"sample_rate": None}, None), ({"num_channels": 1}, 1e6),
     ({"dataset": None, "version": None}, 1e6), ({"sample_rate": 10**6}, 1e6)],
)  # fmt: skip
def test_small_faults_of_others_are_forgiven(tmp_path: Path, top: dict[str, Any], rate: float | None) -> None:
    found = open_recording(put(tmp_path, SAMPLES.tobytes(), **top))
    assert found.samp_rate == rate and np.array_equal(found.samples, SAMPLES)
    assert bool(found.notes) == (top.get("sample_rate") == "1000000.0" or "version" in top)


def test_a_byte_order_mark_other_namespaces_and_no_captures(tmp_path: Path) -> None:
    meta = put(tmp_path, SAMPLES.tobytes())
    changed(meta, lambda m: (m["global"].update({"antenna:gain": 3.0, "m4sc:x": [1]}), m.pop("captures")))
    meta.write_text("\ufeff" + meta.read_text(), encoding="utf-8")
    found = open_recording(meta)
    assert np.array_equal(found.samples, SAMPLES) and found.extra == {"x": [1]}


def test_samples_under_another_name(tmp_path: Path) -> None:
    meta = put(tmp_path, b"", dataset="elsewhere.iq")
    (tmp_path / "x.sigmf-data").unlink()
    SAMPLES.tofile(tmp_path / "elsewhere.iq")
    assert np.array_equal(open_recording(meta).samples, SAMPLES)
    (tmp_path / "elsewhere.iq").unlink()
    with pytest.raises(RecordingError, match=r"no such file: .*elsewhere\.iq"):
        open_recording(meta)


def pack(folder: Path, name: str, files: list[str]) -> Path:
    path = folder / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for file in files:
                zipped.write(folder / file, f"x/{file}")
        return path
    mode = {"gz": "w:gz", "xz": "w:xz"}.get(name.rsplit(".", 1)[-1], "w")
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for file in files:
            tar.add(folder / file, f"x/{file}")
    return path


@pytest.mark.parametrize("name", ["a.sigmf", "a.sigmf.gz", "a.sigmf.xz", "a.sigmf.zip"])
def test_archives(tmp_path: Path, name: str) -> None:
    capture = [{"core:sample_start": 0, "core:header_bytes": 7}]
    put(tmp_path, b"1234567" + integers("<i2"), "ci16_le", capture)
    archive = pack(tmp_path, name, ["x.sigmf-meta", "x.sigmf-data"])
    assert np.abs(open_recording(archive).samples - SAMPLES).max() < 1e-4
    put(tmp_path, SAMPLES.tobytes(), name="y")
    for files, word in (
        (["x.sigmf-meta"], "not its samples"),
        (["x.sigmf-data"], "0 recordings"),
        (["x.sigmf-meta", "x.sigmf-data", "y.sigmf-meta", "y.sigmf-data"], "2 recordings"),
    ):
        with pytest.raises(RecordingError, match=word):
            open_recording(pack(tmp_path, name, files))
    whole = pack(tmp_path, name, ["x.sigmf-meta", "x.sigmf-data"]).read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match=r"cut|not a whole|cannot be read|not its samples|0 recordings"):
        open_recording(archive)


def test_a_zip_with_a_file_of_no_name_is_refused(tmp_path: Path) -> None:
    put(tmp_path, SAMPLES.tobytes())
    archive = pack(tmp_path, "a.sigmf.zip", ["x.sigmf-meta", "x.sigmf-data"])
    archive.write_bytes(archive.read_bytes().replace(b"x/x.sigmf-data", b"\0/x.sigmf-data"))
    with pytest.raises(RecordingError, match="not its samples"):
        open_recording(archive)


def test_a_plain_archive_is_found_by_its_bare_name_and_mapped(tmp_path: Path) -> None:
    put(tmp_path, SAMPLES.tobytes())
    pack(tmp_path, "a.sigmf", ["x.sigmf-meta", "x.sigmf-data"])
    found = open_recording(tmp_path / "a")
    assert np.array_equal(found.samples, SAMPLES)
    base = found.spans[0]
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_an_archive_that_unpacks_to_too_much_is_refused_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("m4sc.recordings.archive.MAX_UNPACKED", 1 << 20)
    meta = put(tmp_path, b"")
    with tarfile.open(tmp_path / "bomb.sigmf.gz", "w:gz", compresslevel=1) as tar:
        tar.add(meta, "x.sigmf-meta")
        entry = tarfile.TarInfo("x.sigmf-data")
        entry.size = 1 << 41
        tar.fileobj.write(entry.tobuf())
    with pytest.raises(RecordingError, match=r"unpacks to|not a whole|cannot be read"):
        open_recording(tmp_path / "bomb.sigmf.gz")
    with zipfile.ZipFile(tmp_path / "bomb.sigmf.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        zipped.write(meta, "x.sigmf-meta")
        with zipped.open("x.sigmf-data", "w", force_zip64=True) as stream:
            stream.write(bytes((1 << 20) + 1))
    with pytest.raises(RecordingError, match="unpacks to 1048577 bytes"):
        open_recording(tmp_path / "bomb.sigmf.zip")


@pytest.mark.parametrize(
    ("name", "data"),
    [("r.cf32", TYPES["cf32_le"]), ("r.cfile", TYPES["cf32_le"]), ("r.cs16", TYPES["ci16_le"]),
     ("r.cs8", TYPES["ci8"]), ("r.cu8", TYPES["cu8"]), ("r.cf64", TYPES["cf64_le"])],
)  # fmt: skip
def test_bare_samples_by_their_ending(tmp_path: Path, name: str, data: tuple[bytes, float]) -> None:
    (tmp_path / name).write_bytes(data[0])
    found = open_recording(tmp_path / name)
    assert found.samp_rate is None and np.abs(found.samples - SAMPLES).max() <= data[1]
    assert open_recording(tmp_path / name, samp_rate=2e6).samp_rate == 2e6


def test_bare_samples_need_a_type_where_the_ending_says_none(tmp_path: Path) -> None:
    (tmp_path / "r.iq").write_bytes(TYPES["ci16_be"][0])
    with pytest.raises(RecordingError, match="give their type"):
        open_recording(tmp_path / "r.iq")
    assert np.abs(open_recording(tmp_path / "r.iq", "ci16_be", 1e6).samples - SAMPLES).max() < 1e-4


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16", "PCM_24"])
def test_wav_files_of_two_channels(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "r.wav", PAIRS.reshape(-1, 2), 250_000, subtype)
    found = open_recording(tmp_path / "r.wav")
    assert found.samp_rate == 250_000 and np.abs(found.samples - SAMPLES).max() < 1e-4
    soundfile.write(tmp_path / "r.wav", PAIRS, 250_000)
    with pytest.raises(RecordingError, match="need two"):
        open_recording(tmp_path / "r.wav")
    (tmp_path / "r.wav").write_bytes(b"RIFF")
    with pytest.raises(RecordingError, match="not a WAV"):
        open_recording(tmp_path / "r.wav")


HUGE = {"core:sample_start": 10**30}
REFUSED: list[tuple[dict[str, Any], Any, str]] = [
    ({"num_channels": 2}, None, "2 channels"),
    ({"num_channels": 0}, None, "0 channels"),
    ({"datatype": "rf32_le"}, None, "real samples"),
    ({"datatype": "ri16_be"}, None, "real samples"),
    ({"datatype": "ru8"}, None, "real samples"),
    ({"datatype": "cf16_le"}, None, "'cf16_le' are not read"),
    ({"datatype": 3}, None, "'3' are not read"),
    ({"datatype": None}, None, "'None' are not read"),
    ({"sample_rate": "fast"}, None, "positive number"),
    ({"sample_rate": -1}, None, "positive number"),
    ({"sample_rate": True}, None, "positive number"),
    ({"sample_rate": float("nan")}, None, "positive number"),
    ({"sample_rate": [1]}, None, "positive number"),
    ({"dataset": "../secret"}, None, "same folder"),
    ({"dataset": 5}, None, "same folder"),
    ({"trailing_bytes": -1}, None, "whole number"),
    ({"trailing_bytes": 10**6}, None, "behind them"),
    ({"trailing_bytes": 3}, None, "not a whole number"),
    ({}, [{"core:sample_start": N + 1}], "behind them"),
    ({}, [{"core:sample_start": 5}, {"core:sample_start": 2}], "not in order"),
    ({}, [{"core:sample_start": 0, "core:header_bytes": 9999}], "behind them"),
    ({}, [{"core:sample_start": "0"}], "whole number"),
    ({}, [HUGE], "whole number"),
    ({}, [3], "list of objects"),
    ({}, {"a": 1}, "list of objects"),
]


@pytest.mark.parametrize(("top", "captures", "word"), REFUSED)
def test_what_cannot_be_read_is_refused_by_name(
    tmp_path: Path, top: dict[str, Any], captures: Any, word: str
) -> None:
    meta = put(tmp_path, SAMPLES.tobytes(), **{"captures": captures, **top})
    with pytest.raises(RecordingError, match=word) as told:
        open_recording(meta)
    assert "\n" not in str(told.value) and len(str(told.value)) < 250


@pytest.mark.parametrize(
    "text", ["", "junk", "[]", "{}", '{"global": 3}', "[" * 10_000, '{"global": {}', "\x00\xff"]
)
def test_descriptions_that_are_none(tmp_path: Path, text: str) -> None:
    meta = put(tmp_path, SAMPLES.tobytes())
    meta.write_text(text, encoding="latin-1")
    with pytest.raises(RecordingError, match="not a SigMF description"):
        open_recording(meta)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_description_or_refused(text: bytes) -> None:
    with pytest.raises(RecordingError):
        parse_description(text, "x")


def test_what_breaks_the_specification_is_what_the_sigmf_library_says(tmp_path: Path) -> None:
    """Many descriptions with changed values: a note here where the library refuses, and none elsewhere."""
    whole = json.loads(put(tmp_path, SAMPLES.tobytes()).read_text())
    whole["annotations"] = [{"core:sample_start": 3, "core:sample_count": 2}, {"core:sample_start": 9}]
    changer, seen = np.random.default_rng(1), set()
    for _ in range(60):
        text = mutated_json(json.dumps(whole).encode(), changer)
        try:
            notes = parse_description(text, "x").notes
        except RecordingError:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                validate(json.loads(text))
            refused = False
        except Exception:  # the library's own faults on odd values are refusals too
            refused = True
        assert any("specification" in note for note in notes) == refused, text
        seen.add(refused)
    assert seen == {True, False}
    whole["annotations"].reverse()
    assert "annotations are not in order" in parse_description(json.dumps(whole).encode(), "x").notes[0]


def test_a_recording_that_was_cut_or_changed_is_told(tmp_path: Path) -> None:
    """Its hash stands in its description, of the whole file, in an archive too; what is left is read."""
    data, meta = write_recording(tmp_path / "x", SAMPLES, 1e6, {})
    assert open_recording(meta).notes == ()
    data.write_bytes(data.read_bytes()[:800])
    (note,) = open_recording(meta).notes
    assert "x.sigmf-data was changed or cut" in note and len(open_recording(meta)) == 100
    archive = tmp_path / "y.sigmf"
    with tarfile.open(archive, "w") as tar:
        for path in (meta, data):
            tar.add(path, f"x/{path.name}")
    assert "y.sigmf was changed or cut" in open_recording(archive).notes[0]
    upper = put(tmp_path, SAMPLES.tobytes(), sha512=hashlib.sha512(SAMPLES.tobytes()).hexdigest().upper())
    assert not any("changed" in note for note in open_recording(upper).notes)


def test_missing_and_wrong_files(tmp_path: Path) -> None:
    for name in ("none", "none.cf32", "none.sigmf", "none.wav"):
        with pytest.raises(RecordingError, match="no such file"):
            open_recording(tmp_path / name)
    with pytest.raises(RecordingError, match="no name"):
        open_recording("")
    with pytest.raises(RecordingError, match="is a folder"):
        open_recording(tmp_path)
    meta = put(tmp_path, SAMPLES.tobytes())
    meta.unlink()
    with pytest.raises(RecordingError, match="no description"):
        open_recording(tmp_path / "x")
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(RecordingError, match="does not say what samples"):
        open_recording(tmp_path / "x.txt")
    for size in (0, 9):
        (tmp_path / "x.cf32").write_bytes(bytes(size))
        with pytest.raises(RecordingError, match=f"{size} bytes"):
            open_recording(tmp_path / "x.cf32")
    put(tmp_path, SAMPLES.tobytes())
    with pytest.raises(RecordingError, match="says 1e"):
        open_recording(tmp_path / "x", samp_rate=2e6)
    changed(tmp_path / "x.sigmf-meta", lambda m: m["global"].update({"core:metadata_only": True}))
    (tmp_path / "x.sigmf-data").unlink()
    with pytest.raises(RecordingError, match="no samples to read"):
        open_recording(tmp_path / "x")


# --- writing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["burst", "burst.sigmf-data", "burst.sigmf-meta", "b.u.r.s.t", "burst.cf32"])
def test_round_trip_by_any_name(tmp_path: Path, name: str) -> None:
    data, meta = write_recording(tmp_path / "new" / name, SAMPLES, 2e6, {"fingerprint": 7})
    for path in (tmp_path / "new" / name, data):
        back = open_recording(path)
        assert np.array_equal(back.samples, SAMPLES) and back.samp_rate == 2e6 and not back.notes
        assert back.extra == {"fingerprint": 7}
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted([data.name, meta.name])
    assert (data, meta) == recording_paths(tmp_path / "new" / name)


def test_todays_validator_has_nothing_to_say(tmp_path: Path) -> None:
    writer = RecordingWriter(
        tmp_path / "x", 1e6, center_freq_hz=2.45e9, description="a test", extra={"waveform": {"a": 1}}
    )
    writer.append(SAMPLES[:400])
    writer.annotate(300, 300, "M4SC frame")
    writer.annotate(10, 20, "M4SC frame")
    writer.annotate(5000, 20, "never recorded")
    writer.append(SAMPLES[400:])
    _, meta = writer.finish()  # type: ignore[misc]
    described = json.loads(meta.read_text())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        validate(described)
        sigmf.fromfile(str(meta))  # checks the SHA-512 too
    done = subprocess.run(
        [str(Path(sys.executable).with_name("sigmf_validate")), str(meta)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    marks = [(a["core:sample_start"], a["core:sample_count"]) for a in described["annotations"]]
    assert marks == [(10, 20), (300, 300)] and described["captures"][0]["core:frequency"] == 2.45e9


def test_until_it_is_finished_nothing_has_its_name(tmp_path: Path) -> None:
    write_recording(tmp_path / "x", SAMPLES[:10], 1e6, {})
    writer = RecordingWriter(tmp_path / "x", 1e6)
    writer.append(SAMPLES)
    assert len(open_recording(tmp_path / "x")) == 10  # the old one is whole
    writer.finish()
    assert np.array_equal(open_recording(tmp_path / "x").samples, SAMPLES)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_writer_never_used_leaves_nothing(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "x", 1e6)
    writer.append(SAMPLES[:0])
    assert writer.finish() is None and not list(tmp_path.iterdir())


def test_ctrl_c_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(self: RecordingWriter) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RecordingWriter, "finish", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_recording(tmp_path / "x", SAMPLES, 1e6, {})
    assert not list(tmp_path.iterdir())


def test_more_after_the_end_is_a_new_capture(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "x", 1e6)
    for part in (SAMPLES[:300], SAMPLES[300:]):
        writer.append(part)
        writer.finish()
        writer.finish()
    assert np.array_equal(open_recording(tmp_path / "x").samples, SAMPLES)
    described = json.loads((tmp_path / "x.sigmf-meta").read_text())
    assert [c["core:sample_start"] for c in described["captures"]] == [0, 300]
    sigmf.fromfile(str(tmp_path / "x.sigmf-meta"))
    assert len(list(tmp_path.iterdir())) == 2


class FullDisk:
    """A file that takes so many bytes and no more."""

    def __init__(self, stream: io.RawIOBase, room: int) -> None:
        self.stream, self.room = stream, room

    def write(self, data: Any) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = self.stream.write(bytes(data[: self.room]))
        self.room -= taken or 0
        return taken or 0

    def close(self) -> None:
        self.stream.close()


@pytest.mark.parametrize("room", [8 * 700 + 3, 8 * 100])
def test_a_full_disk_keeps_what_was_written(tmp_path: Path, room: int) -> None:
    writer = RecordingWriter(tmp_path / "x", 1e6)
    writer.annotate(0, 5000, "M4SC frame")
    writer.append(SAMPLES[:1])
    writer._file = FullDisk(writer._file, room - 8)  # type: ignore[arg-type,assignment]
    with pytest.raises(RecordingError, match=rf"No space left.*the {room // 8} samples") as told:
        writer.append(SAMPLES[1:])
    assert "\n" not in str(told.value)
    found = open_recording(tmp_path / "x")
    assert np.array_equal(found.samples, SAMPLES[: room // 8])
    sigmf.fromfile(str(tmp_path / "x.sigmf-meta"))
    writer.finish()
    with pytest.raises(RecordingError, match="broken off"):
        writer.append(SAMPLES)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a small disk")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(tmp_path)], check=False
    ).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(RecordingError, match="No space left on device") as told:
            write_recording(tmp_path / "x", np.tile(SAMPLES, 100), 1e6, {})
        kept = len(open_recording(tmp_path / "x"))
        assert kept > 20_000 and f"{kept} samples" in str(told.value)
        sigmf.fromfile(str(tmp_path / "x.sigmf-meta"))
        assert len(list(tmp_path.iterdir())) == 2
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_wrong_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "d.sigmf-data").mkdir()
    for name, word in (
        ("d", "cannot be written"),
        ("a.sigmf", "name of an archive"),
        ("none/x", "no such folder"),
    ):
        with pytest.raises(RecordingError, match=word):
            RecordingWriter(tmp_path / name, 1e6)
    with pytest.raises(RecordingError, match="cannot be made"):
        write_recording(tmp_path / "file" / "x", SAMPLES, 1e6, {})
    with pytest.raises(RecordingError, match="no samples"):
        write_recording(tmp_path / "x", SAMPLES[:0], 1e6, {})
    with pytest.raises(RecordingError, match="positive number"):
        RecordingWriter(tmp_path / "x", 0.0)
