"""`m4sc bench broker`: what is counted; the processes themselves are those of test_broker and test_tx_rx."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from m4sc_app.bench.broker import Heard, Member, Plan, _check, figures
from m4sc_app.cli import main

SENT = list(range(65530, 65536)) + list(range(6))  # numbers wrap


def answers(*numbers: int) -> list[dict[str, Any]]:
    return [{"event": "answer", "sequence": number} for number in numbers]


def summary(**told: int) -> list[dict[str, Any]]:
    return [{"event": "summary", "lost": 0, "faults": 0, "unanswered": 0, **told}]


def test_of_a_late_user_only_what_came_after_its_first_answer_counts() -> None:
    assert Heard.of(answers(*SENT[4:]) + summary()).unaccounted(SENT) == 0
    assert Heard.of(summary()).unaccounted(SENT) == 0


def test_what_is_neither_answered_nor_told_is_found() -> None:
    gap = answers(*SENT[:3], *SENT[6:])
    assert Heard.of(gap + summary()).unaccounted(SENT) == 3
    assert Heard.of(gap + summary(lost=2, faults=1)).unaccounted(SENT) == 0
    assert Heard.of(answers(*SENT[:3]) + summary(unanswered=1)).unaccounted(SENT) == len(SENT) - 4


@given(st.sets(st.sampled_from(SENT), min_size=1), st.integers(0, 20))
def test_every_message_is_answered_or_told_or_not_accounted_for(known: set[int], told: int) -> None:
    heard = Heard.of(answers(*[n for n in SENT if n in known]) + summary(lost=told))
    first = min(SENT.index(n) for n in known)
    assert heard.unaccounted(SENT) == max(0, len(SENT) - first - len(known) - told)


def test_figures_of_a_run(tmp_path: Path) -> None:
    def member(name: str, events: list[dict[str, Any]], rss_mb: list[float]) -> Member:
        whole = "".join(json.dumps(event) + "\n" for event in events)
        (tmp_path / name).write_text(whole + '{"event": "ans')  # a line that is being written
        return Member(name, SimpleNamespace(), tmp_path / name, rss_mb)  # type: ignore[arg-type]

    sender = member("tx", [{"event": "sent", "sequence": n} for n in SENT], [100.0] * 10)
    ends = [{"event": "summary", "users": [{"overruns": 2}, {"overruns": 1}]}]
    passing = member("broker", ends, [50.0, 90.0, 90.0, 90.0, 91.0, 91.0])
    first = member("user 1", answers(*SENT) + summary(), [1000.0, 1000.0, 1000.0, 1000.0])
    second = member("user 2", answers(*SENT[6:8], *SENT[9:]) + summary(), [10.0, 800.0, 800.0, 805.0])
    found = figures(Plan(2, 60.0, 1.0, [10.0], 1, Path("x")), sender, passing, [first, second])
    values = {figure["name"]: figure["value"] for figure in found}
    assert values == {
        "broker_sent": 12,
        "broker_answered": 17,
        "broker_unaccounted": 1,
        "broker_rss_growth_mb": 5.0,
    }
    assert "queues: 3" in found[2]["detail"] and "user 2" in found[3]["detail"]


def test_a_process_that_ends_early_is_named(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(3)"]) as process:
        process.wait()
    with pytest.raises(ValueError, match="user 1 ended early, with exit code 3"):
        _check([Member("user 1", process, tmp_path / "none")])  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [["--users", "2", "--late", "2"], ["--minutes", "0"], ["--snr-db", "x"]])
def test_what_cannot_be_run_is_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "broker", *options]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
