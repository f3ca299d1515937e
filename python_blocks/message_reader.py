"""What both encoders do first: number a message, look up its task, read its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from m4sc.message import Message
    from m4sc.tasks import Task


class MessageReader:
    """Message PDUs to tasks and messages; those without a ``sequence`` get a running number."""

    def __init__(self) -> None:
        self._next = 0

    def read(self, meta: dict[str, Any], payload: np.ndarray) -> tuple[Task, Message]:
        """Task and message of a PDU; ``meta`` gets its ``sequence`` even where reading fails.

        Raises:
            ValueError: unknown task, broken bytes, or a message that is not of the task's modality.
        """
        from m4sc.message import Message
        from m4sc.tasks import get_task

        sequence = int(meta.get("sequence", self._next)) & 0xFFFF
        self._next = (sequence + 1) & 0xFFFF
        meta["sequence"] = sequence
        task = get_task(str(meta.get("task", "")))
        message = Message.from_bytes(payload.tobytes(), str(meta.get("modality", task.modality)))
        if message.modality != task.modality:
            raise ValueError(
                f"task '{task.name}' is about {task.modality}; the message is {message.modality}"
            )
        return task, message
