"""Work of a stream block that another thread does, in order, while the block looks at the next samples."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

_JOIN_S = 5.0
_MOMENT_S = 3e-3  # that calls wait where the block does not say when


class Handover:
    """Calls, made one after another on a thread of its own.

    Calls that wait are made all at once, when the block says that it turns to compiled code, which runs
    without the GIL. Made before that, they would hold the GIL until the last of them, and the block would
    wait for it; each turn of the GIL between the two threads would cost more than a call.

    Before :meth:`start` and behind :meth:`stop` a call is made at once, on the caller's thread.

    Args:
        failed: called with what a call raised; the calls behind it are made all the same.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._changed = threading.Condition()
        self._calls: deque[Callable[[], None]] = deque()
        self._stopping = self._now = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        """Calls that are not made yet, the one under way included."""
        return len(self._calls)

    def put(self, *calls: Callable[[], None]) -> None:
        """Have calls made behind all before them: from :meth:`proceed` on, or a moment later."""
        if self._thread is None:
            for call in calls:
                self._make(call)
            return
        with self._changed:
            was_idle = not self._calls
            self._calls.extend(calls)
            if was_idle and calls:
                self._changed.notify_all()

    def wait(self, most: int, timeout: float) -> bool:
        """Whether no more than `most` calls are left, after up to `timeout` seconds."""
        if len(self._calls) <= most:
            return True
        self.proceed()
        with self._changed:
            return self._changed.wait_for(lambda: len(self._calls) <= most, timeout)

    def proceed(self) -> None:
        """The caller turns to compiled code, or waits: now is the time to make calls."""
        if self._calls and not self._now:
            with self._changed:
                self._now = True
                self._changed.notify_all()

    def start(self) -> None:
        """The flowgraph starts."""
        self._stopping = self._now = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The flowgraph stops: make what calls are left."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        thread.join(_JOIN_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._calls) or self._stopping)
                if not self._calls:
                    return
                self._changed.wait_for(lambda: self._now or self._stopping, _MOMENT_S)
                self._now = False
                calls = list(self._calls)  # they stay there until made: who waits for none waits for them too
            for call in calls:
                self._make(call)
            with self._changed:
                for _ in calls:
                    self._calls.popleft()
                self._changed.notify_all()

    def _make(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as exc:  # one odd frame must not cost those after it
            self._failed(exc)
