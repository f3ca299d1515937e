"""What an encoder does first: number a message, look up its task, read its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from m4sc.message import Message
    from m4sc.tasks import Task


class MessageReader:
    """Message PDUs to tasks and messages.

    Those without a ``sequence`` get a running number that a restart does not repeat.
    """

    def __init__(self) -> None:
        self._numbers: Iterator[int] | None = None

    def read(self, meta: dict[str, Any], payload: np.ndarray) -> tuple[Task, Message]:
        """Task and message of a PDU; ``meta`` gets its ``sequence`` even where reading fails.

        Raises:
            ValueError: unknown task, broken bytes, or a message that is not of the task's modality.
        """
        from m4sc.message import Message
        from m4sc.tasks import get_task
        from m4sc.transport.message_id import message_ids

        if "sequence" not in meta:
            if self._numbers is None:
                self._numbers = message_ids()
            meta["sequence"] = next(self._numbers)
        meta["sequence"] = int(meta["sequence"]) & 0xFFFF
        task = get_task(str(meta.get("task", "")))
        message = Message.from_bytes(payload.tobytes(), str(meta.get("modality", task.modality)))
        if message.modality != task.modality:
            raise ValueError(
                f"task '{task.name}' is about {task.modality}; the message is {message.modality}"
            )
        return task, message
