"""A second process with a radio of its own: Python runs one flowgraph's blocks on one core.

The two processes are joined by a pair of sockets, which nobody else can reach, and speak in pickles. Run as a
module, with the number of its socket, it is the second process itself.
"""

from __future__ import annotations

import os
import pickle
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from m4sc_app.demo.link import Delivery, Radio, open_radio
from m4sc_app.demo.messages import DemoMessage
from m4sc_app.demo.points import RadioGoneError

_MEMORY_GB = 3.0
"""Free memory that a process takes with all its models, GB."""
_LEAST_POINTS = 4
"""With fewer, the second process would hardly have its models loaded before all is done."""


def helps(points: int) -> bool:
    """Whether a second process is worth starting: there are points, cores and memory for two."""
    import psutil

    room = psutil.virtual_memory().available / 1e9 >= 2 * _MEMORY_GB
    return points >= _LEAST_POINTS and _cores() >= 2 and room


def _cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class SecondRadio:
    """The radio of a second process, as one calls one's own.

    Attributes:
        process: that loads the model while this one does so too.
    """

    def __init__(self, model: str) -> None:
        """Start it; `model` as in :func:`m4sc_app.demo.link.open_radio`."""
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            # in a group of its own, a Ctrl-C at the terminal is not for it: this process ends it
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(number), model],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **_threads()},
                pass_fds=[number],
                process_group=0,
            )
        self._line = Connection(ours.detach())

    def __call__(self, messages: Sequence[DemoMessage], **point: Any) -> Sequence[Delivery]:
        """As :class:`m4sc_app.demo.link.Radio`.

        Raises:
            RadioGoneError: the process ended.
        """
        try:
            self._line.send((messages, point))
            well, found = self._line.recv()
        except (EOFError, OSError) as error:
            raise RadioGoneError(f"the second process ended ({error or 'no answer'})") from error
        if not well:
            raise found
        deliveries: Sequence[Delivery] = found
        return deliveries

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        self._line.close()


@contextmanager
def second_radio(model: str) -> Iterator[Radio]:
    """A :class:`SecondRadio` for a while, with half the cores for the arithmetic of each process."""
    radio = SecondRadio(model)
    try:
        import torch  # takes a second, in which the other process begins

        threads = torch.get_num_threads()
        torch.set_num_threads(_share(threads))
        try:
            yield radio
        finally:
            torch.set_num_threads(threads)
    finally:
        radio.close()


def _share(threads: int) -> int:
    return max(1, threads // 2)


def _threads() -> dict[str, str]:
    """Variables of the environment that give the second process its share of the cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(given) if given.isdecimal() else _cores()
    return {"OMP_NUM_THREADS": str(_share(cores))}


def serve(line: Connection, model: str) -> None:
    """Answer requests until the other process hangs up, or is no more: then this one ends at once."""
    asked: queue.SimpleQueue[tuple[Any, dict[str, Any]]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(line, asked), daemon=True).start()
    try:
        radio = open_radio(model)
    except Exception as error:
        asked.get()
        line.send((False, _sendable(error)))
        return
    while True:
        messages, point = asked.get()
        try:
            answer: tuple[bool, Any] = True, radio(messages, **point)
        except Exception as error:
            answer = False, _sendable(error)
        line.send(answer)


def _listen(line: Connection, asked: queue.SimpleQueue[tuple[Any, dict[str, Any]]]) -> None:
    try:
        while True:
            asked.put(line.recv())
    except (EOFError, OSError):
        os._exit(0)  # nobody waits for what is under way


def _sendable(error: Exception) -> Exception:
    """The error itself, or its words where it cannot travel."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), sys.argv[2])
