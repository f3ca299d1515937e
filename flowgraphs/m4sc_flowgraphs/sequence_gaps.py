"""Lost messages, seen from the numbers of those that arrived."""

from __future__ import annotations

_NUMBERS = 0x10000


class SequenceGaps:
    """Counts the numbers missing between the messages of each source.

    The first message of a source starts its count; a number that lies behind (the transmitter was started
    again, or frames of the same message) counts nothing.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._last: dict[int, int] = {}

    def take(self, source_id: int, sequence: int) -> int:
        """Messages lost right before this one."""
        last = self._last.get(source_id)
        self._last[source_id] = sequence
        if last is None:
            return 0
        step = (sequence - last) % _NUMBERS
        missing = step - 1 if 0 < step < _NUMBERS // 2 else 0
        self.lost += missing
        return missing
