"""What one of several users wants, as the command line says it."""

from __future__ import annotations

from m4sc.tasks import Task, get_task

from m4sc_app.errors import UserError


def read_wish(text: str) -> tuple[Task, float, str]:
    """TASK@SNR or TASK@SNR:QUESTION to task, SNR in dB, and question, empty for the task's own.

    Raises:
        UserError: of another form. UnknownTaskError: no such task.
    """
    wish, _, question = text.partition(":")
    name, _, snr = wish.partition("@")
    task = get_task(name)
    try:
        return task, float(snr), question
    except ValueError:
        raise UserError(f"--user takes TASK@SNR or TASK@SNR:QUESTION; got '{text}'") from None
