"""Progress of a measurement, on stderr: results alone go to stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


class Meter:
    """Bars of the group under way and of its parts; bars show on a terminal only."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def __enter__(self) -> Meter:
        self._progress.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._progress.stop()

    @contextmanager
    def group(self, name: str) -> Iterator[None]:
        """A bar without an end for a whole group."""
        with self.track(f"measuring {name}", None):
            yield

    @contextmanager
    def track(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A bar; the function given takes what was done since its last call."""
        task = self._progress.add_task(name, total=total)
        try:
            yield lambda done: self._progress.advance(task, done)
        finally:
            self._progress.remove_task(task)
