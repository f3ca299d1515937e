"""Every .grc compiles, with and without its displays, and runs to its end where it needs no radio."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from m4sc_flowgraphs.twin import FlowgraphError, build_twin, compile_grc, find_grc, headless, twin_of
from own_module import module_environment
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FLOWGRAPHS = ROOT / "flowgraphs"
pytestmark = pytest.mark.timeout(120)
GRAPHS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FLOWGRAPHS.glob("*.grc")}
ALONE = sorted(n for n in GRAPHS if not re.search("usrp|soapy|zmq|sigmf", n))
FAST = ["--repeat", "2", "--interval-s", "0"]
# an answer of the stand-in model: it names the brightness of a picture and the first word of a text
ANSWERS = {
    "m4sc_arq": ["classify", "ship"],
    "m4sc_asking": ["classify", "ship"],
    "m4sc_loopback": ["classify", "ship"],
    "m4sc_picture_question": ["mosaic", "What is at the top left? ship"],
    "m4sc_speech": ["digits", "seven"],
    "m4sc_text": ["text", "storm"],
    "m4sc_classical": ["classify", "ship"],
    "m4sc_side_by_side": ["classify", "ship"],
}
USERS = {  # what they are told, in all of two rounds
    "m4sc_multi_user": [
        ("caption", "ship"),
        ("vqa", "Is there a dog? ship"),
        ("vqa", "What animal is it? ship"),
    ],
    "m4sc_taking_turns": [("classify", "ship"), ("digits", "seven")],
}
OPTIONS = {"m4sc_text": ["--message", "storm ahead"]}


def run(script: Path, *options: str, seconds: float = 60.0, **environment: str) -> Any:
    """Run a script of companion's with the stand-in model, as GNU Radio's own interpreter does."""
    return subprocess.run(
        ["/usr/bin/python3", str(ROOT / "tests" / "run_flowgraph.py"), str(script), *options],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        cwd=script.parent if script.parent != FLOWGRAPHS else ROOT,
        env={
            **module_environment(),
            "PATH": "/usr/bin:/bin",
            "HOME": os.environ.get("HOME", "/tmp"),
            "OMP_NUM_THREADS": "1",
            **environment,
        },
    )


def answers_of(done: Any) -> list[tuple[str, str]]:
    """(task, text) of each printed answer; the run must have ended well."""
    assert done.returncode == 0 and "ended" in done.stdout, done.stdout + done.stderr
    return re.findall(r"^#\d+ (\w+) \(-?\d+\.\d dB, .*? s\): (.*)$", done.stdout, re.M)


def test_all_are_there_and_no_generated_line_is() -> None:
    assert len(GRAPHS) == 22 and not list(FLOWGRAPHS.glob("m4sc_*.py"))
    for name, graph in GRAPHS.items():
        radio = any(block["id"].startswith(("uhd_", "soapy_")) for block in graph["blocks"])
        assert radio == bool(re.search("usrp|soapy", name))
        assert graph["options"]["parameters"]["id"] == f"{name}_grc"


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_flowgraph_compiles_without_its_displays(name: str, tmp_path: Path) -> None:
    script = build_twin(FLOWGRAPHS / f"{name}.grc", tmp_path)
    text = script.read_text(encoding="utf-8")
    compile(text, str(script), "exec")
    assert script.name == f"{name}.py" and os.access(script, os.X_OK)
    assert "qtgui" not in text and "PyQt" not in text and f"run_twin(main, {name})" in text
    for block in GRAPHS[name]["blocks"]:
        if block["id"] == "parameter":
            assert f'"--{block["name"].replace("_", "-")}"' in text


def test_a_twin_is_made_once_and_again_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M4SC_HOME", str(tmp_path / "home"))
    grc = tmp_path / "mine.grc"
    shutil.copy(FLOWGRAPHS / "m4sc_text.grc", grc)
    script = twin_of(grc)
    made = script.stat().st_mtime_ns
    assert twin_of(grc) == script and script.stat().st_mtime_ns == made
    grc.write_text(grc.read_text().replace("Radio waves", "Sound waves"))
    assert twin_of(grc) != script and "Sound waves" in twin_of(grc).read_text()
    assert not list((tmp_path / "home").rglob(".*"))


@pytest.mark.parametrize("name", ["loopback", "m4sc_loopback", "m4sc_loopback.grc", "multi-user"])
def test_ours_are_found_by_name(name: str) -> None:
    assert find_grc(name).stem in ("m4sc_loopback", "m4sc_multi_user")


def test_what_is_no_flowgraph_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FlowgraphError, match=r"no flowgraph 'whale'.*loopback, multi_user"):
        find_grc("whale")
    for text in ("", "junk", "- a", "blocks: 3", "blocks: []\nconnections: []", "{"):
        (tmp_path / "x.grc").write_text(text)
        with pytest.raises(FlowgraphError, match=r"x\.grc"):
            build_twin(tmp_path / "x.grc", tmp_path)


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("M4SC_HOME", str(tmp_path / "file"))
    with pytest.raises(FlowgraphError, match="set M4SC_HOME"):
        twin_of(FLOWGRAPHS / "m4sc_text.grc")


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_flowgraph_compiles_with_its_displays(name: str, tmp_path: Path) -> None:
    script = compile_grc(FLOWGRAPHS / f"{name}.grc", tmp_path)
    compile(script.read_text(encoding="utf-8"), str(script), "exec")


def test_grcc_itself_compiles_the_loopback(tmp_path: Path) -> None:
    done = subprocess.run(
        ["grcc", "-o", str(tmp_path), str(FLOWGRAPHS / "m4sc_loopback.grc")],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and (tmp_path / "m4sc_loopback_grc.py").is_file(), done.stdout + done.stderr


def test_an_invalid_flowgraph_is_named(tmp_path: Path) -> None:
    text = (FLOWGRAPHS / "m4sc_text.grc").read_text().replace("task: task", "task: '\"sing\"'")
    (tmp_path / "broken.grc").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="Task: use classify"):
        compile_grc(tmp_path / "broken.grc", tmp_path)


def test_a_twin_keeps_all_but_the_displays() -> None:
    graph = yaml.safe_load((FLOWGRAPHS / "m4sc_loopback.grc").read_text())
    before = {block["name"] for block in graph["blocks"]}
    after = {block["name"]: block["id"] for block in headless(graph)["blocks"]}
    gone = {"view", "probe", "points", "constellation", "response", "spectrum"}
    assert before - set(after) == gone
    assert after["snr_now_db"] == "variable"


@pytest.mark.parametrize("name", [n for n in ALONE if n not in USERS])
def test_headless_twin_runs_to_its_end(name: str) -> None:
    heard = answers_of(run(FLOWGRAPHS / f"{name}.grc", *FAST, *OPTIONS.get(name, [])))
    task, text = ANSWERS[name]
    assert heard == [(task, text)] * (4 if name == "m4sc_side_by_side" else 2)


@pytest.mark.parametrize("name", sorted(USERS))
def test_each_user_gets_what_is_its_own(name: str) -> None:
    heard = answers_of(run(FLOWGRAPHS / f"{name}.grc", *FAST))
    assert sorted(heard) == sorted(USERS[name] * 2)


def test_a_user_whose_channel_is_all_noise_disturbs_nobody() -> None:
    heard = answers_of(run(FLOWGRAPHS / "m4sc_multi_user.grc", *FAST, "--snr-2-db", "-40"))
    assert sorted(heard) == sorted([one for one in USERS["m4sc_multi_user"] if "animal" not in one[1]] * 2)


def test_a_recording_is_replayed(tmp_path: Path) -> None:
    recording = str(tmp_path / "x.sigmf-meta")
    answers_of(
        run(FLOWGRAPHS / "m4sc_sigmf_record.grc", "--recording", recording, "--message", "harbour light")
    )
    heard = answers_of(run(FLOWGRAPHS / "m4sc_sigmf_replay.grc", "--recording", recording))
    assert heard == [("text", "harbour")]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", ["receiver", "transmitter"])
def test_two_processes_meet_over_zeromq_whichever_starts_first(first: str, tmp_path: Path) -> None:
    try:
        said, codes = two_processes(first, tmp_path / "once")
    except subprocess.TimeoutExpired:  # seen in one of some fifty runs, and not understood
        warnings.warn("two processes over ZeroMQ did not end within 240 s; tried once more", stacklevel=1)
        said, codes = two_processes(first, tmp_path / "again")
    assert codes == [0, 0]
    assert re.findall(r"\): (.*)", said["receiver"]) == ["dog"] * 3


def two_processes(first: str, folder: Path) -> tuple[dict[str, str], list[int]]:
    """What transmitter and receiver print, each in a process of its own, and their exit codes."""
    folder.mkdir()
    address = f"ipc://{folder}/radio"
    command = ["/usr/bin/python3", str(ROOT / "tests" / "run_flowgraph.py")]
    options = {"receiver": [], "transmitter": ["--message", "dog days", "--repeat", "3"]}
    processes = {}
    for end in sorted(options, key=lambda end: end != first):
        script = str(FLOWGRAPHS / f"m4sc_zmq_{end}.grc")
        processes[end] = subprocess.Popen(
            [*command, script, "--address", address, *options[end]],
            stdout=subprocess.PIPE, text=True,
            env={**module_environment(), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        )  # fmt: skip
    try:
        said = {end: process.communicate(timeout=240)[0] for end, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
    return said, [process.returncode for process in processes.values()]


def test_another_module_of_ours_beside_this_one_is_no_news(tmp_path: Path) -> None:
    others = tmp_path / "blocks"
    shutil.copytree(ROOT / "gr-m4sc" / "grc", others)
    done = subprocess.run(
        [
            "/usr/bin/python3",
            str(FLOWGRAPHS / "run.py"),
            "m4sc_sigmf_replay.grc",
            "--recording",
            "/nowhere/x",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            **module_environment(),
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),  # nothing is compiled yet
            "GRC_BLOCKS_PATH": str(others),
        },
    )
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("m4sc_text", ["--task", "sing"], "unknown task 'sing'"),
        ("m4sc_sigmf_replay", ["--recording", "/nowhere/x"], "no such file"),
        ("m4sc_speech", ["--message", "sample:whale.wav"], "no sample 'whale.wav'"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(name: str, options: list[str], sentence: str) -> None:
    done = subprocess.run(
        ["/usr/bin/python3", str(FLOWGRAPHS / "run.py"), f"{name}.grc", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**module_environment(), "PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/tmp")},
    )
    assert done.returncode == 2 and sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr


def test_the_command_runs_a_flowgraph_and_lists_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    from m4sc_app.cli import main

    assert main(["run", "text", "--help"]) == 0
    out = capsys.readouterr().out
    assert "usage: m4sc_text" in out and "--snr-db" in out and "Warning" not in out
    assert main(["run", "text", "--task", "sing"]) == 2
    assert capsys.readouterr().err.startswith("m4sc_text: unknown task 'sing'")
    assert main(["run", "whale"]) == 2
    assert "no flowgraph 'whale'" in capsys.readouterr().err


def test_a_full_disk_is_told_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from m4sc_flowgraphs.headless import run_twin

    class Block:
        fault = "x cannot be written any further"

    class TopBlock:
        def __init__(self) -> None:
            self.sink = Block()

    with pytest.raises(SystemExit) as ended:
        run_twin(lambda make: make(), TopBlock)
    assert ended.value.code == 2 and "any further" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("counts", "code"), [(((0, 3),), 2), (((0, 3), (1, 0)), 0), (((0, 0),), 0), (((2, 5),), 0), ((), 0)]
)
def test_faults_in_the_place_of_all_answers_are_no_success(
    counts: tuple[tuple[int, int], ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    from m4sc_flowgraphs.headless import run_twin

    class answer_sink:  # noqa: N801  as the block's class is named
        def __init__(self, received: int, faults: int) -> None:
            self.counters = {"received": received, "faults": faults}

    class TopBlock:
        def __init__(self) -> None:
            for number, each in enumerate(counts):
                setattr(self, f"answers_{number}", answer_sink(*each))

    with pytest.raises(SystemExit) as ended:
        run_twin(lambda make: make(), TopBlock)
    assert ended.value.code == code
    assert ("no message was answered" in capsys.readouterr().err) == (code == 2)


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt])
def test_an_interrupted_flowgraph_is_destroyed_before_the_process_ends(raised: type[BaseException]) -> None:
    from m4sc_flowgraphs.headless import run_twin

    class TopBlock:
        pass

    left: list[weakref.ref[TopBlock]] = []

    def main(make: Callable[..., Any]) -> None:
        tb = make()
        left.append(weakref.ref(tb))

        def handler() -> None:  # holds the flowgraph, as the generated one does
            _ = tb
            raise raised(0)

        handler()

    alive: list[bool] = []
    with pytest.raises(SystemExit) as ended:
        try:
            run_twin(main, TopBlock)
        finally:
            alive.append(left[0]() is not None)
    assert ended.value.code == 130
    assert alive == [False]


def test_what_is_wrong_with_options_keeps_its_exit_code() -> None:
    from m4sc_flowgraphs.headless import run_twin

    def main(make: Callable[..., Any]) -> None:
        sys.exit(2)

    with pytest.raises(SystemExit) as ended:
        run_twin(main, object)
    assert ended.value.code == 2


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A virtual X display."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="module")
def boxes(display: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[float]]]:
    """Where companion itself draws every block of every flowgraph, ports included."""
    done = subprocess.run(
        ["/usr/bin/python3", str(ROOT / "tests" / "companion_boxes.py"), *map(str, FLOWGRAPHS.glob("*.grc"))],
        capture_output=True, text=True, timeout=100, check=False,
        env={**module_environment(), "PATH": "/usr/bin:/bin", "DISPLAY": display,
             "HOME": str(tmp_path_factory.mktemp("home"))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def overlapping(boxes: dict[str, list[float]]) -> list[tuple[str, str]]:
    """Pairs of blocks of which one covers a part of the other; boxes are left, top, right, bottom."""
    return [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(boxes.items(), 2)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]


def test_an_overlap_is_found() -> None:
    assert overlapping({"a": [0, 0, 10, 10], "b": [9, 9, 20, 20], "c": [10, 0, 20, 9]}) == [("a", "b")]


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_blocks_do_not_lie_on_one_another(name: str, boxes: dict[str, dict[str, list[float]]]) -> None:
    placed = [block["name"] for block in GRAPHS[name]["blocks"]]
    assert set(placed) <= set(boxes[name]) and overlapping(boxes[name]) == []
    assert min(left for left, *_ in boxes[name].values()) >= 0


def grid_of(name: str) -> dict[str, tuple[int, int, int, int]]:
    """Row, column, rows and columns of each display of a window."""
    found = {}
    for block in GRAPHS[name]["blocks"]:
        hint = str(block["parameters"].get("gui_hint", ""))
        if hint:
            row, column, rows, columns = (int(part) for part in hint.split(","))
            found[block["name"]] = (row, column, rows, columns)
    return found


@pytest.mark.parametrize("name", sorted(name for name in GRAPHS if grid_of(name)))
def test_a_window_is_shared_out_by_what_it_shows(name: str) -> None:
    """No display covers another; sliders take a small part of the height; plots of a row are equally wide."""
    grid = grid_of(name)
    assert not overlapping({key: [c, r, c + w, r + h] for key, (r, c, h, w) in grid.items()})
    kinds = {block["name"]: block["id"] for block in GRAPHS[name]["blocks"]}
    height = max(r + h for r, _, h, _ in grid.values())
    for key, (_, _, rows, _) in grid.items():
        if kinds[key] == "variable_qtgui_range" and height > 1:
            assert rows / height <= 0.2, key
    plots = [grid[key] for key in grid if kinds[key].startswith("qtgui_")]
    for row in {r for r, *_ in plots}:
        assert len({w for r, _, _, w in plots if r == row}) == 1


def drawn(picture: Path, name: str) -> dict[str, int]:
    """Blue points of a window by its plot: lines and marks, and neither grid nor frame."""
    window = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    blue = (window[..., 2] > 200) & (window[..., :2] < 120).all(-1)
    grid, kinds = grid_of(name), {block["name"]: block["id"] for block in GRAPHS[name]["blocks"]}
    columns = max(column + width for _, column, _, width in grid.values())
    found = {}
    for key, (row, column, _, width) in grid.items():
        if kinds[key].startswith("qtgui_") and row == max(r for r, *_ in grid.values()):
            part = [len(blue[0]) * edge // columns for edge in (column, column + width)]
            found[key] = int(blue[len(blue) // 2 :, part[0] : part[1]].sum())
    return found


@pytest.mark.parametrize("name", ALONE)
def test_flowgraph_runs_to_its_end_with_its_displays(name: str, display: str, tmp_path: Path) -> None:
    script = compile_grc(FLOWGRAPHS / f"{name}.grc", tmp_path)
    picture = tmp_path / "window.png"
    done = run(script, *FAST, *OPTIONS.get(name, []), DISPLAY=display, PICTURE=str(picture))
    answers = {"m4sc_side_by_side": 4, **{graph: 2 * len(said) for graph, said in USERS.items()}}
    assert len(answers_of(done)) == answers.get(name, 2)
    plots = drawn(picture, name)
    # GNU Radio's vector sink draws ten times a second at most: of a run this short it may miss every frame
    certain = [points for key, points in plots.items() if not key.startswith("response")]
    assert certain and min(certain) > 50, plots


def test_a_recording_is_made_and_replayed_with_displays(display: str, tmp_path: Path) -> None:
    """Two windows, one after the other: both end by themselves and show something."""
    recording = ["--recording", str(tmp_path / "x.sigmf-meta")]
    for name, more in (("m4sc_sigmf_record", ["--message", "harbour light"]), ("m4sc_sigmf_replay", [])):
        script, picture = compile_grc(FLOWGRAPHS / f"{name}.grc", tmp_path), tmp_path / f"{name}.png"
        done = run(script, *recording, *more, DISPLAY=display, PICTURE=str(picture))
        heard = answers_of(done)
        assert picture.stat().st_size > 10_000
    assert heard == [("text", "harbour")]


def test_two_windows_meet_over_zeromq(display: str, tmp_path: Path) -> None:
    address = ["--address", f"ipc://{tmp_path}/radio"]
    options = {"receiver": [], "transmitter": ["--message", "dog days", "--repeat", "3"]}
    processes = {}
    for end, more in options.items():
        script = compile_grc(FLOWGRAPHS / f"m4sc_zmq_{end}.grc", tmp_path)
        processes[end] = subprocess.Popen(
            ["/usr/bin/python3", str(ROOT / "tests" / "run_flowgraph.py"), str(script), *address, *more],
            stdout=subprocess.PIPE, text=True, cwd=tmp_path,
            env={**module_environment(), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "DISPLAY": display,
                 "OMP_NUM_THREADS": "1", "PICTURE": str(tmp_path / f"{end}.png")},
        )  # fmt: skip
    try:
        said = {end: process.communicate(timeout=240)[0] for end, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
    assert [process.returncode for process in processes.values()] == [0, 0], said
    assert re.findall(r"\): (.*)", said["receiver"]) == ["dog"] * 3
    assert all((tmp_path / f"{end}.png").stat().st_size > 10_000 for end in options)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_loopback_runs_with_the_real_model() -> None:
    done = run(FLOWGRAPHS / "m4sc_loopback.grc", "--repeat", "1", seconds=500, MODEL="real")
    ((task, text),) = answers_of(done)
    assert (task, text) == ("classify", "cat")


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_a_note_says_what_flows_where(name: str) -> None:
    """It names every block that samples or messages pass, and none that is not there."""
    blocks = {block["name"]: block["id"] for block in GRAPHS[name]["blocks"]}
    assert blocks["flow"] == "note"
    comment = next(b for b in GRAPHS[name]["blocks"] if b["name"] == "flow")["parameters"]["comment"]
    words = set(re.findall(r"\w+", comment))
    joined = {end for link in GRAPHS[name]["connections"] for end in (link[0], link[2])}
    shown = {"view", "view_1", "view_2", "spectrum", "constellation", "response", "points", "answers", "log"}
    assert joined - shown <= words, sorted(joined - shown - words)
    assert {word for word in words if re.search(r"_[12]$|_(in|out)$", word)} <= set(blocks)
