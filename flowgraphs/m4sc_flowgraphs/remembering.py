"""A system that is asked the same thing once: a demo sends the same messages over many channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from m4sc.codecs import source_coding


class RememberingSystem:
    """Wraps a semantic system; what it encodes and reads without a channel is kept, all else passes through.

    Both depend on their arguments alone.
    """

    def __init__(self, system: Any) -> None:
        self._system = system
        self._kept: dict[tuple[Any, ...], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def encode(self, message: Any, task: str, instruction: str | None = None, **budget: Any) -> Any:
        """As the system's; the same message, task, instruction and budget are encoded once."""
        key = ("encode", task, instruction, tuple(sorted(budget.items())), _data(message))
        if key not in self._kept:
            self._kept[key] = self._system.encode(message, task, instruction, **budget)
        return self._kept[key]

    def answer_without_channel(self, message: Any, task: str, instruction: str | None = None) -> Any:
        """As the system's; the same message, task and instruction are answered once."""
        key = ("answer", task, instruction, _data(message))
        if key not in self._kept:
            self._kept[key] = self._system.answer_without_channel(message, task, instruction)
        return self._kept[key]


class RememberingSource:
    """The classical system's source codec; what it makes of a message is kept, all else passes through."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], bytes] = {}

    def source_encode(self, message: Any) -> bytes:
        """As :func:`m4sc.codecs.source_coding.source_encode`; the same message is encoded once."""
        key = (message.modality, _data(message))
        if key not in self._kept:
            self._kept[key] = source_coding.source_encode(message)
        return self._kept[key]

    def source_decode(self, payload: bytes, modality: str) -> Any:
        """As :func:`m4sc.codecs.source_coding.source_decode`."""
        return source_coding.source_decode(payload, modality)


def _data(message: Any) -> tuple[Any, ...]:
    """What a message says, as a key."""
    parts = message.data if isinstance(message.data, tuple) else (message.data,)
    return tuple(
        part if isinstance(part, str) else (np.shape(part), np.asarray(part).tobytes()) for part in parts
    )
