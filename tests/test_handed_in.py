"""`m4sc bench handed-in`, a little of each figure; and which test covers which kind of what is handed in.

The kinds of the issue "handed in", and where each right value is a test:

======  ================================================================================================
kind    tests
======  ================================================================================================
A1      test_tx_rx.py, qa_flow_control.py (ends with frames undecoded, by signal, by --count), stops here
A2      test_recordings.py, test_cli_iq.py (full disk, files whole or not at all), stops here
A3      qa_ends.py, qa_pdu_worker.py (a top block started twice, lock and unlock)
A4      test_machines.py, test_radio_ends.py (ZeroMQ), test_phy_strangers.py (other waveform and rate)
A5      test_cases_fuzz.py, test_cases_pictures.py, test_cases_sounds.py, test_cases_texts.py
A6      test_dashboard.py, qa_pdu_worker.py
B7      test_cases_pictures.py
B8      test_cases_sounds.py
B9      test_cases_texts.py, texts here
B10     test_recordings.py, test_cli_iq.py
B11     test_cases_named.py, test_dashboard.py
B12     test_decoding.py, test_cases_pictures.py, test_cases_sounds.py
C13     test_cases_files.py, test_cli_errors.py
C14     test_cases_files.py
C15     test_cases_files.py, times of the bench
C16     test_report.py, test_grc_flowgraphs.py, test_docs.py
C17     test_doctor.py (weights, licences, cards), test_docs.py
======  ================================================================================================
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from flow import wait_until
from m4sc_app.bench.trials import stop_trial
from m4sc_app.bench.trials.stop_trial import Command
from m4sc_app.bench.trials.text_trial import random_text, text_trial
from m4sc_app.cli import main

KINDS = [f"{letter}{number}" for letter, numbers in zip("ABC", ((1, 6), (7, 12), (13, 17)), strict=True)
         for number in range(numbers[0], numbers[1] + 1)]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_tests(kind: str) -> None:
    """The list above names files that are there."""
    row = next(line for line in str(__doc__).splitlines() if line.startswith(f"{kind} "))
    files = re.findall(r"\w+\.py", row)
    assert files or "here" in row
    assert all((Path(__file__).parent / name).is_file() for name in files), files


class Careless:
    """Loses what looks like a special token, and keeps the rest."""

    def numbers(self, text: str) -> list[int]:
        return [ord(letter) for letter in re.sub(r"<\|\w+\|>", "", text)]

    def text(self, tokens: list[int]) -> str:
        return "".join(map(chr, tokens))


class Whole(Careless):
    def numbers(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]


def test_a_text_that_is_changed_is_counted() -> None:
    wrong, example = text_trial(300, 1, Careless())
    assert 0 < wrong < 300 and "<|" in example
    assert text_trial(300, 1, Whole()) == (0, "")


def test_texts_are_of_all_of_unicode_and_none_is_blank() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    texts = [random_text(rng) for _ in range(300)]
    assert all(text.strip() for text in texts)
    assert max(ord(letter) for text in texts for letter in text) > 0x10000
    assert any("<|im_end|>" in text for text in texts)


def python(program: str, within_s: float = 1.5) -> Command:
    return Command((program,), within_s)


@pytest.mark.parametrize(
    ("program", "wrong"),
    [
        ("import time, sys\ntry: time.sleep(20)\nexcept KeyboardInterrupt: sys.exit(130)", ""),
        ("import time\ntime.sleep(20)", "Traceback"),
        ("import time\nopen('x.part', 'w').close()\ntime.sleep(20)", "x.part"),
        ("import time, sys\ntry: time.sleep(20)\nexcept KeyboardInterrupt: sys.exit(7)", "exit code 7"),
    ],
)
def test_a_stop_that_goes_wrong_is_counted(
    program: str, wrong: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    ready = tmp_path / "ready"
    started = (  # SIGINT too: a shell in the background has its children ignore it
        "import signal, time, sys\n"
        "for by in (signal.SIGINT, signal.SIGTERM): signal.signal(by, signal.default_int_handler)\n"
        f"open({str(ready)!r}, 'w').close()\n{program}"
    )
    if wrong == "x.part":
        started = started.replace("time.sleep(20)", "\ntry: time.sleep(20)\nexcept KeyboardInterrupt: pass")

    def until_ready(_: float) -> None:
        assert wait_until(ready.exists, 30.0)
        ready.unlink()
        time.sleep(0.5)

    monkeypatch.setattr(stop_trial, "_line", lambda argv, folder: [sys.executable, "-S", "-c", *argv])
    monkeypatch.setitem(stop_trial.COMMANDS, "made up", Command((started,), 3.0))
    monkeypatch.setattr(stop_trial, "time", SimpleNamespace(sleep=until_ready))
    found = stop_trial.stop_trial("made up", 1, 1)
    assert found.runs == 2 and found.wrong == (2 if wrong else 0)
    assert wrong in found.first and (not wrong or found.first.startswith("SIGINT"))


def test_the_command_prints_figures(capsys: pytest.CaptureFixture[str]) -> None:
    argv = [
        "bench",
        "handed-in",
        "--only",
        "mutations",
        "--decoder",
        "a header of tags",
        "--inputs",
        "40",
        "--json",
    ]
    assert main(argv) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["config"]["inputs"] == 40
    assert [row["value"] for row in told["figures"]] == [0] and "40 inputs" in told["figures"][0]["detail"]


def test_an_unknown_figure_is_a_mistake() -> None:
    assert main(["bench", "handed-in", "--only", "luck"]) == 2
    assert main(["bench", "handed-in", "--decoder", "luck"]) == 2
