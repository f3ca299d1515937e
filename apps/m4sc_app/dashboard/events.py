"""Events of the live page: kept for pages that are opened later, and held for one that reads slowly."""

from __future__ import annotations

from collections import deque
from typing import Any

_MEDIA = ("payload", "received", "picture")
_OTHER_BYTES = 64  # of a value that is neither text nor a list


def size_of(value: Any) -> int:
    """Memory that an event takes, estimated, bytes."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(_OTHER_BYTES + size_of(each) for each in value.values())
    if isinstance(value, list | tuple):
        return sum(map(size_of, value))
    return _OTHER_BYTES


def without_media(row: dict[str, Any]) -> dict[str, Any]:
    """The event alone, without its pictures and sounds."""
    return {name: value for name, value in row.items() if name not in _MEDIA}


class History:
    """The last events, bounded in number and memory; one that is large by itself is kept without its media.

    Args:
        most: events kept at most, >= 1.
        most_bytes: their memory at most.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._rows: deque[tuple[dict[str, Any], int]] = deque()
        self._most, self._most_bytes, self.n_bytes = most, most_bytes, 0

    def append(self, row: dict[str, Any]) -> None:
        """Keep an event; the oldest go where there is no room."""
        size = size_of(row)
        if size > self._most_bytes // 4:
            row = without_media(row)
            size = size_of(row)
        self._rows.append((row, size))
        self.n_bytes += size
        while len(self._rows) > self._most or self.n_bytes > self._most_bytes:
            self.n_bytes -= self._rows.popleft()[1]

    def rows(self) -> list[dict[str, Any]]:
        """What is kept, oldest first."""
        return [row for row, _ in self._rows]


class Backlog:
    """Events that wait for one page, bounded in number and memory; what finds no room is counted.

    Args:
        most: events held at most, >= 1.
        most_bytes: their memory at most.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._rows: deque[tuple[dict[str, Any], int]] = deque()
        self._most, self._most_bytes, self.n_bytes = most, most_bytes, 0
        self.lost = 0  # since last told

    def put(self, row: dict[str, Any]) -> None:
        """Hold an event; without its media, or not at all, where there is no room."""
        if self.n_bytes + size_of(row) > self._most_bytes:
            row = without_media(row)
        size = size_of(row)
        if len(self._rows) >= self._most or self.n_bytes + size > self._most_bytes:
            self.lost += 1
            return
        self._rows.append((row, size))
        self.n_bytes += size

    def take(self) -> dict[str, Any] | None:
        """The next event, None if there is none."""
        if not self._rows:
            return None
        row, size = self._rows.popleft()
        self.n_bytes -= size
        return row

    def take_lost(self) -> int:
        """How many found no room since the last call."""
        lost, self.lost = self.lost, 0
        return lost
