"""Lost messages, seen from the numbers of those that arrived."""

from __future__ import annotations

_NUMBERS = 0x10000
_MOST = 512  # in a row that count as lost; a transmitter started again moves on by 1024 a second


class SequenceGaps:
    """Counts the numbers missing between the messages of each source.

    The first message of a source starts its count. A number that lies behind, or far ahead, counts nothing:
    frames of the same message, or a transmitter that was started again
    (:func:`m4sc.transport.message_id.message_ids`).
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
        missing = step - 1 if 0 < step <= _MOST + 1 else 0
        self.lost += missing
        return missing
