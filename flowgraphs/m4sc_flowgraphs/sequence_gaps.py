"""Lost messages, seen from the numbers of those that arrived."""

from __future__ import annotations

_NUMBERS = 0x10000
_MOST = 512  # in a row that count as lost; a transmitter started again moves on by 1024 a second


class SequenceGaps:
    """Counts the numbers missing between the messages of each source.

    The first message of a source starts its count. A number that lies behind, or far ahead, counts nothing:
    frames of the same message, or a transmitter that was started again
    (:func:`m4sc.transport.message_id.message_ids`). One that was missing and comes after all, since it was
    asked for (:mod:`m4sc.transport.asking`), is lost no more.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._last: dict[int, int] = {}
        self._missing: dict[tuple[int, int], None] = {}  # in order

    def take(self, source_id: int, sequence: int) -> int:
        """Messages lost right before this one; -1 for one that was counted as lost."""
        if (source_id, sequence) in self._missing:
            del self._missing[source_id, sequence]
            self.lost -= 1
            return -1
        last = self._last.get(source_id)
        step = 0 if last is None else (sequence - last) % _NUMBERS
        if step <= _NUMBERS - _MOST:  # else a copy of one that is over
            self._last[source_id] = sequence
        missing = step - 1 if 0 < step <= _MOST + 1 else 0
        for number in range(sequence - missing, sequence):
            self._missing[source_id, number % _NUMBERS] = None
        while len(self._missing) > _MOST:
            del self._missing[next(iter(self._missing))]
        self.lost += missing
        return missing
