"""The demo's points over one radio or two, and the second process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from m4sc_app.demo import second_process
from m4sc_app.demo.points import Point, RadioGoneError, run_points
from m4sc_app.demo.second_process import SecondRadio

POINTS = [
    Point(system, channel, snr_db, False, 3)
    for system in ("semantic", "classical")
    for channel in ("awgn", "fading")
    for snr_db in (10.0, 0.0)
]


class Radio:
    """Says what it was asked; takes a while, and fails where it is told to."""

    def __init__(self, fails: BaseException | None = None, after: int = 0, seconds: float = 0.02) -> None:
        self.asked: list[str] = []
        self.threads: set[int] = set()
        self.fails, self.after, self.seconds = fails, after, seconds

    def __call__(self, messages: Any, **point: Any) -> Any:
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        if self.fails is not None and len(self.asked) == self.after:
            raise self.fails
        self.asked.append(said(point))
        return [said(point)]


def said(point: dict[str, Any]) -> str:
    return "{system}, {channel}, {snr_db:g} dB, {seed}, {zero_latents}".format_map(point)


ALL = [[f"{point}, 3, False"] for point in POINTS]


class Watch:
    """Told how far the points are."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.most = 0

    def __call__(self, running: Any, done: int) -> None:
        self.done.append(done)
        self.most = max(self.most, len(running))


def test_one_radio_takes_the_points_in_their_order() -> None:
    radio, watch = Radio(), Watch()
    assert run_points(POINTS, (), lambda: radio, None, watch) == ALL
    assert [[one] for one in radio.asked] == ALL and radio.threads == {threading.get_ident()}
    assert watch.most == 1 and watch.done == sorted(watch.done) and watch.done[-1] == len(POINTS)


def test_two_radios_meet_and_nothing_is_done_twice() -> None:
    first, second, watch = Radio(), Radio(), Watch()
    assert run_points(POINTS, (), lambda: first, second, watch) == ALL
    assert first.asked + second.asked[::-1] == [one for (one,) in ALL]
    assert len(first.asked) > 1 and len(second.asked) > 1
    assert watch.most == 2 and watch.done == sorted(watch.done) and watch.done[-1] == len(POINTS)


def test_the_second_begins_while_the_first_still_opens() -> None:
    second = Radio()

    def opens() -> Radio:
        time.sleep(0.3)
        return Radio()

    assert run_points(POINTS, (), opens, second, Watch()) == ALL
    assert len(second.asked) == len(POINTS)  # all of them, meanwhile


@pytest.mark.parametrize(("after", "here", "there"), [(0, 0.0, 0.3), (2, 0.2, 0.02)])
def test_what_a_radio_that_is_gone_leaves_is_done_here(
    after: int, here: float, there: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """The point that it was at as well, even where the other one has nothing left to do by then."""
    first, second = Radio(seconds=here), Radio(RadioGoneError("it went"), after, there)
    assert run_points(POINTS, (), lambda: first, second, Watch()) == ALL
    assert len(second.asked) == after
    assert "it went" in capsys.readouterr().err


@pytest.mark.parametrize("whose", [0, 1])
def test_a_fault_of_either_radio_ends_it(whose: int) -> None:
    radios = [Radio(seconds=0.05), Radio(seconds=0.05)]
    radios[whose].fails = ValueError("no such model")
    with pytest.raises(ValueError, match="no such model"):
        run_points(POINTS, (), lambda: radios[0], radios[1], Watch())
    assert len(radios[0].asked) + len(radios[1].asked) < len(POINTS)


def test_an_interrupt_is_not_held_up_by_the_second_radio() -> None:
    slow, started = Radio(seconds=5.0), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_points(POINTS, (), lambda: Radio(KeyboardInterrupt()), slow, Watch())
    assert time.monotonic() - started < 3.0


@pytest.mark.parametrize(
    ("points", "cores", "free_gb", "expected"),
    [(12, 2, 8.0, True), (12, 1, 8.0, False), (2, 2, 8.0, False), (12, 2, 4.0, False)],
)
def test_a_second_process_needs_points_cores_and_memory(
    monkeypatch: pytest.MonkeyPatch, points: int, cores: int, free_gb: float, expected: bool
) -> None:
    import psutil

    class Memory:
        available = free_gb * 1e9

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert second_process.helps(points) is expected


def test_the_second_process_says_what_is_wrong_and_then_is_gone() -> None:
    radio = SecondRadio("/no/such/weights")
    try:
        with pytest.raises(ValueError, match="no/such/weights"):
            radio((), system="semantic", channel="awgn", snr_db=1.0, zero_latents=False, seed=1)
        with pytest.raises(RadioGoneError):
            radio((), system="semantic", channel="awgn", snr_db=1.0, zero_latents=False, seed=1)
    finally:
        radio.close()


_ENDED = """
import os, signal, sys
from m4sc_app.demo.second_process import SecondRadio
print(SecondRadio("/no/such/weights").process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_second_process_does_not_outlive_the_first() -> None:
    """Not even where the first one was killed and could not say so."""
    said = subprocess.run([sys.executable, "-c", _ENDED], capture_output=True, text=True, timeout=60)
    assert said.returncode == -signal.SIGKILL
    pid, until = int(said.stdout), time.monotonic() + 60
    while _runs(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
