"""Calls that another thread makes, in order."""

from __future__ import annotations

import threading

from gnuradio.m4sc.handover import Handover


def test_calls_are_made_in_order_and_none_is_lost_at_the_stop() -> None:
    made: list[int] = []
    handover = Handover(lambda exc: made.append(-1))
    handover.start()
    for number in range(500):
        handover.put(lambda number=number: made.append(number))
    handover.stop()
    assert made == list(range(500))


def test_one_that_fails_is_told_and_those_behind_it_are_made() -> None:
    told: list[Exception] = []
    made: list[int] = []
    handover = Handover(told.append)
    handover.start()
    handover.put(lambda: made.append(1 // 0))
    handover.put(lambda: made.append(2))
    assert handover.wait(0, 10.0)
    handover.stop()
    assert made == [2] and [type(exc) for exc in told] == [ZeroDivisionError]


def test_to_wait_is_to_wait_for_the_one_under_way_too() -> None:
    go, done = threading.Event(), threading.Event()

    def call() -> None:
        go.wait(10.0)
        done.set()

    handover = Handover(lambda exc: None)
    handover.start()
    handover.put(call)
    assert not handover.wait(0, 0.05) and handover.wait(1, 0.0)
    go.set()
    assert handover.wait(0, 10.0) and done.is_set()
    handover.stop()


def test_without_a_thread_calls_are_made_at_once_and_it_can_start_again() -> None:
    made: list[str] = []
    handover = Handover(lambda exc: None)
    handover.put(lambda: made.append(threading.current_thread().name))
    for _ in range(2):
        handover.start()
        handover.put(lambda: made.append(threading.current_thread().name))
        handover.stop()
    handover.put(lambda: made.append(threading.current_thread().name))
    own = threading.current_thread().name
    assert made[0] == made[3] == own and own not in made[1:3]


def test_calls_are_made_when_the_block_says_so_and_soon_where_it_does_not() -> None:
    made = threading.Event()
    handover = Handover(lambda exc: None)
    handover.start()
    handover.put(made.set)
    assert made.wait(10.0)
    made.clear()
    handover.put(made.set)
    handover.proceed()
    assert made.wait(10.0) and handover.wait(0, 10.0)
    handover.proceed()  # with nothing to do, this says nothing of the calls to come
    assert not handover._now
    handover.stop()
