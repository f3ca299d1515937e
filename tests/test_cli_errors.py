"""The command line: help, versions, and bad input as one sentence and exit code 2."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from m4sc_app.cli import main
from m4sc_app.errors import UserError, is_user_error, sentence
from PIL import Image


def refused(capsys, argv, *words):
    assert main([str(a) for a in argv]) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err and len(err.strip().splitlines()) == 1, err
    for word in words:
        assert word in err, err


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cat.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    return path


def test_help_is_quick_and_light(tmp_path):
    code = (
        "import sys; from m4sc_app.cli import main; c = main(['--help']);"
        "heavy = {'torch', 'gnuradio', 'numpy', 'matplotlib'} & sys.modules.keys(); sys.exit(c or len(heavy))"
    )
    start = time.monotonic()
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "demo" in run.stdout and "receive" in run.stdout
    assert time.monotonic() - start < 10  # far below on an idle machine; the import check is the sharp one


def test_the_package_is_a_command_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "m4sc_app", "--version"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0 and done.stdout.startswith("m4sc ")


def test_what_an_interrupted_library_raises_is_an_interruption() -> None:
    code = (
        "import os, signal, sys, m4sc_app.cli as cli, m4sc_app.task_list as tasks\n"
        "def broken(folder):\n"
        "    try: os.kill(os.getpid(), signal.SIGTERM); input()\n"
        "    except KeyboardInterrupt: raise TypeError('half of a thing')\n"
        "tasks.measured_scores = broken\n"
        "sys.argv = ['m4sc', 'tasks']\n"
        "sys.exit(cli.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (130, "m4sc: interrupted")


def test_version_and_command_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("m4sc ")
    for command in ("demo", "send", "receive"):
        assert main([command, "--help"]) == 0
        assert "Example" in capsys.readouterr().out


def test_usage_errors_exit_2(capsys):
    for argv in (["nonsense"], ["send"], ["demo", "--snr-db", "loud"]):
        assert main(argv) == 2
        assert "Traceback" not in capsys.readouterr().err


def test_unknown_task(capsys, picture, tmp_path):
    refused(capsys, ["send", picture, "--task", "sing", "--out", tmp_path / "o"], "sing", "caption")


def test_missing_broken_and_unsuitable_files(capsys, picture, tmp_path):
    out = ["--out", tmp_path / "o"]
    refused(capsys, ["send", tmp_path / "no.png", "--task", "caption", *out], "no such file")
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:40])
    refused(capsys, ["send", broken, "--task", "caption", *out], "broken.png")
    empty = tmp_path / "empty.txt"
    empty.write_text("  \n")
    refused(capsys, ["send", empty, "--task", "text", *out], "empty")
    sound = tmp_path / "s.wav"
    soundfile.write(sound, np.zeros(320_000), 8000)
    refused(capsys, ["send", sound, "--task", "digits", *out], "40 s", "30 s")
    refused(capsys, ["send", picture, "--task", "digits", *out], "takes speech, not image")
    refused(capsys, ["send", "--text", "x", "--task", "text"], "--out")
    refused(capsys, ["send", picture, "--task", "caption", *out, "--snr-db", "nan"], "finite")


def test_bad_demo_options(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("M4SC_HOME", str(tmp_path))
    refused(capsys, ["demo", "--channel", "pigeon"], "pigeon", "multipath")
    refused(capsys, ["demo", "--system", "magic"], "magic", "semantic")
    refused(capsys, ["demo", "--snr-db", "inf"], "number of dB")
    refused(capsys, ["demo", "--only", "dog"], "dog", "cat")


def test_debug_shows_the_traceback(capsys, tmp_path):
    assert main(["--debug", "receive", str(tmp_path / "none")]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_only_our_own_errors_count_as_the_users():
    with pytest.raises(ValueError) as foreign:
        int("x")
    assert not is_user_error(foreign.value)
    assert is_user_error(UserError("a\nb")) and sentence(UserError("a\nb")) == "a b"
    assert is_user_error(FileNotFoundError(2, "No such file", "x.png"))
    assert not is_user_error(KeyError("x"))


def test_gnu_radios_log_stays_out_of_what_json_prints() -> None:
    code = (
        "from m4sc_app.cli import main; main(['--version'])\n"
        "from gnuradio import m4sc; m4sc.frame_receiver().logger.warn('a warning')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "a warning" in done.stderr and "a warning" not in done.stdout


@pytest.mark.parametrize(
    ("given", "word"), [("vqa", "TASK=NUMBER"), ("dance=1", "dance"), ("vqa=-1", "vqa"), ("vqa=inf", "vqa")]
)
def test_train_refuses_shares_that_are_none(capsys, tmp_path, given, word):
    (tmp_path / "align").mkdir()
    refused(capsys, ["train", "instruct", "--data", tmp_path, "--out", tmp_path, "--shares", given], word)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_parts_are_imported_or_taken_down(by):
    kill = f"os.kill(os.getpid(), {int(by)})"
    importing = f"""
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "m4sc_app.cli":
            {kill}
sys.meta_path.insert(0, Finder())
"""
    ending = f"""
import atexit, types
sys.modules["m4sc_app.cli"] = types.SimpleNamespace(main=lambda: 7)
atexit.register(lambda: {kill})
"""
    for code, said, where in ((130, "m4sc: interrupted", importing), (7, "", ending)):
        lines = f"import os, signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n{where}"
        lines += "from m4sc_app.start import main\nsys.exit(main())"
        done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr.strip()) == (code, said)


def test_interrupted_in_a_finaliser():
    """Python shows such an exception as a traceback, and goes on."""
    code = """
import os, signal, sys, time
import m4sc_app.cli as cli, m4sc_app.task_list as tasks
class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
def slow(folder):
    Thing()
    time.sleep(30)
tasks.measured_scores = slow
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ['m4sc', 'tasks']
sys.exit(cli.main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130 and "Traceback" not in done.stderr
