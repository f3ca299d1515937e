"""Files and terminals that are not as they should be: one sentence and exit code 2, no defect in m4sc."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from child import child_env
from m4sc.coding.reconstruction.config import ReconstructionConfig
from m4sc.config import ModelConfig
from m4sc.encoders.hearing.config import HearingConfig
from m4sc.mllm.network import Network
from m4sc.pretrained.cache import convert_once
from m4sc.quiet import quiet_loading
from m4sc.shipped import weights_folder
from m4sc.tasks import TASKS
from m4sc_app import task_list
from m4sc_app.cli import main
from m4sc_app.task_list import measured_scores
from tiny_model import tiny_config, write_tiny_llm

CAT = Path(__file__).parent.parent / "python_blocks" / "samples" / "cat.jpg"


def run(*argv: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "m4sc_app", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload]


# --- weights of the user's ----------------------------------------------------------------------------------

CONFIGS = {
    "a list": "[]",
    "nothing in it": "{}",
    "a word": '"default"',
    "no JSON": "{",
    "nothing": "",
    "nested without end": "[" * 100_000,
    "a number as text": '{"lora_rank": "16"}',
    "a fraction for a whole": '{"image_grid": 4.5}',
    "a list for a number": '{"lora_rank": [16]}',
    "a number for a list": '{"tasks": 3}',
    "numbers in a list of names": '{"tasks": [1, 2]}',
    "null": '{"llm": null}',
    "an unknown key": '{"colour": "red"}',
    "no rank": '{"lora_rank": 0}',
    "another layer": '{"projector": "magic"}',
}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Small weights that load."""
    torch.manual_seed(0)
    folder = tmp_path / "weights"
    Network(tiny_config(write_tiny_llm(tmp_path / "llm"))).save(folder)
    return folder


def sending(weights: Path, tmp_path: Path) -> list[str]:
    (tmp_path / "a.txt").write_text("a cat")
    return [
        "send",
        str(tmp_path / "a.txt"),
        "--task",
        "text",
        "--out",
        str(tmp_path / "o"),
        "--model",
        str(weights),
    ]


def refused(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    assert main(argv) == 2
    err = capsys.readouterr().err.strip()
    assert err.startswith("m4sc: ") and len(err.splitlines()) == 1 and "defect" not in err
    return err


@pytest.mark.parametrize("case", CONFIGS)
def test_a_broken_configuration_of_weights(
    case: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (weights / "config.json").write_text(CONFIGS[case])
    refused(capsys, sending(weights, tmp_path))


@pytest.mark.parametrize("config", [ModelConfig, HearingConfig, ReconstructionConfig])
def test_every_configuration_refuses_them_and_reads_what_it_wrote(config: type) -> None:
    for text in list(CONFIGS.values())[:6]:
        with pytest.raises(ValueError, match="configuration"):
            config.from_json(text)  # type: ignore[attr-defined]
    assert config.from_json(config().to_json()) == config()  # type: ignore[attr-defined]


DAMAGE = {
    "cut in the middle": lambda raw: raw[: len(raw) // 2],
    "cut in its header": lambda raw: raw[:20],
    "empty": lambda raw: b"",
    "another file": lambda raw: b"\x89PNG\r\n\x1a\n" * 99,
    "a header of a huge length": lambda raw: b"\xff" * 8 + raw[8:],
}


@pytest.mark.parametrize("case", DAMAGE)
def test_broken_tensors(case: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = weights / "model.safetensors"
    path.write_bytes(DAMAGE[case](path.read_bytes()))
    assert "model.safetensors" in refused(capsys, sending(weights, tmp_path))


def test_tensors_of_another_shape(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = json.loads((weights / "config.json").read_text())
    (weights / "config.json").write_text(json.dumps({**config, "codec_hidden": 24}))
    assert "do not fit" in refused(capsys, sending(weights, tmp_path))


def test_whole_weights_are_read(weights: Path) -> None:
    config = ModelConfig.from_json((weights / "config.json").read_text())
    Network(config).load_trained(weights)


# --- outputs ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_output_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "m4sc_app", "tasks"], stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=60,
        )  # fmt: skip
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "cannot be written" in done.stderr


@pytest.mark.parametrize("argv", ["tasks", "tasks --json", "--help", "--version"])
def test_a_reader_that_has_enough_is_no_fault(argv: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m m4sc_app {argv}"
    shell = f"{command} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert done.stderr == "" and done.stdout.strip() in ("0", "141")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str) -> None:
    shell = f"{shlex.quote(sys.executable)} -m m4sc_app tasks {closed}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == ""


def test_what_a_terminal_cannot_show_is_replaced() -> None:
    code = (
        "import sys\nfrom m4sc_app.cli import app, main\n"
        "@app.command()\ndef speak():\n    print('na\\u00efve \\U0001f600')\n"
        "sys.exit(main(['speak']))"
    )
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0 and done.stdout == "na?ve ?\n" and done.stderr == ""


def test_a_name_that_a_terminal_cannot_show() -> None:
    done = run("send", "\u00e4\U0001f600.png", "--task", "caption", "--out", "x",
               env={**os.environ, "PYTHONIOENCODING": "ascii"})  # fmt: skip
    assert done.returncode == 2 and "no such file" in done.stderr and "Traceback" not in done.stderr


# --- a cache that several users share -----------------------------------------------------------------------


def test_a_conversion_can_be_read_by_every_user(tmp_path: Path) -> None:
    def convert(folder: Path) -> None:
        (folder / "inner").mkdir(mode=0o700)
        for name in ("model.safetensors", "inner/config.json"):
            (folder / name).write_text("x")
            (folder / name).chmod(0o600)  # as some libraries write

    target = convert_once(tmp_path / "home" / "model", "a" * 64, 1, convert)
    for path in (target, *target.rglob("*")):
        wanted = 0o755 if path.is_dir() else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs another user")
def test_a_second_user_finds_it_whole(tmp_path: Path) -> None:
    target = convert_once(
        tmp_path / "home" / "model", "a" * 64, 1, lambda folder: (folder / "m").touch(0o600)
    )
    for parent in target.parents:
        if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(0o755)
    reading = [
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "cat",
        str(target / "m"),
        f"{target}/conversion.json",
    ]
    assert subprocess.run(reading, capture_output=True, timeout=30).returncode == 0


# --- quiet and quick ----------------------------------------------------------------------------------------


def test_loading_shows_no_bars_and_no_warnings_of_others(tmp_path: Path) -> None:
    write_tiny_llm(tmp_path / "llm")
    code = (
        "import sys\nfrom m4sc.mllm.llm import LanguageModel\nfrom tiny_model import tiny_config\n"
        "LanguageModel(tiny_config(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "llm")],
        capture_output=True,
        text=True,
        timeout=120,
        env=child_env(),
    )
    assert done.returncode == 0 and done.stdout == "" and done.stderr == ""


def test_only_warnings_of_the_future_are_hidden_and_only_inside() -> None:
    from transformers.utils import logging

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet_loading():
            warnings.warn("soon", FutureWarning, stacklevel=1)
            warnings.warn("now", UserWarning, stacklevel=1)
            assert not logging.is_progress_bar_enabled()
        warnings.warn("soon", FutureWarning, stacklevel=1)
    assert [str(w.message) for w in seen] == ["now", "soon"]
    assert logging.is_progress_bar_enabled()


@pytest.mark.parametrize("command", ["", "demo", "send", "tx", "tasks", "bench", "bench phy", "doctor"])
def test_h_is_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "-h"]) == 0
    assert "Usage" in capsys.readouterr().out


def test_tasks_says_what_each_takes_and_which_are_weak(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--json"]) == 0
    rows = {row["task"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(TASKS)
    assert all(rows[name]["takes"] == task.modality for name, task in TASKS.items())
    scores = measured_scores(weights_folder("default"))
    assert scores and all(rows[name]["weak"] == scores[name].weak for name in scores)
    config = json.loads((weights_folder("default") / "config.json").read_text())
    assert all(rows[name]["trained"] for name in (*config["tasks"], "sound", "reconstruct"))
    assert main(["tasks"]) == 0
    told = capsys.readouterr().out
    assert told.count("WEAK") == sum(score.weak for score in scores.values())
    for task, card in task_list._CARDS.items():
        assert (f"{task:16} figures: card of the weights '{card}'" in told) == (task not in scores)
        assert (weights_folder(card) / "README.md").is_file()


@pytest.mark.parametrize("argv", [["--help"], ["tasks"], ["tx", "-h"]])
def test_a_light_command_imports_only_what_it_needs(argv: list[str]) -> None:
    code = (
        f"import sys; from m4sc_app.cli import main; c = main({argv!r});"
        "heavy = {'torch', 'gnuradio', 'numpy', 'matplotlib', 'PIL', 'av', 'scipy'} & sys.modules.keys();"
        "sys.exit(str(heavy) if c or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
