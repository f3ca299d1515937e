"""How a link ended, for the person (one sentence) and for a script (an exit code)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from m4sc_app.errors import EXIT_INTERRUPTED, EXIT_OK, UserError

if TYPE_CHECKING:
    from m4sc_app.link_view import LinkView


def exit_code(view: LinkView, receives: bool, stopped: bool, endless: bool = False, hint: str = "") -> int:
    """The exit code of a link that has ended.

    Args:
        view: that saw all its events.
        receives: whether answers are what was wanted; otherwise frames sent.
        stopped: by Ctrl-C or SIGTERM. What had come through by then and was wanted without end is success.
        endless: whether being stopped is how it was to end.
        hint: for a link on which nothing came.

    Raises:
        UserError: nothing was sent, nothing was received, or nothing of it could be answered.
    """
    figures = view.figures
    done = figures["answers"] if receives else figures["sent"]
    if stopped:
        return EXIT_OK if done and endless and not figures["unanswered"] else EXIT_INTERRUPTED
    if done:
        return EXIT_OK
    why = f": {view.first_fault}" if view.first_fault else f"; {hint}" if hint else ""
    if not receives:
        raise UserError(f"nothing was sent{why}")
    if not figures["frames"]:
        raise UserError(f"no frame was received{why}")
    raise UserError(f"none of the {figures['frames']} frames received could be answered{why}")


def summary_sentence(figures: dict[str, Any], air_time_s: float, sends: bool, receives: bool) -> str:
    """What came of the link, for a person."""
    parts = []
    if sends:
        parts.append(
            f"{_count(figures['messages_sent'], 'message')} sent, {air_time_s * 1e3:.1f} ms on the air"
        )
    if receives:
        parts.append(f"{_count(figures['answers'], 'message')} answered")
    if figures["lost"]:
        parts.append(f"{_count(figures['lost'], 'message')} lost")
    if figures["faults"]:
        parts.append(f"{figures['faults']} not {'answered' if receives else 'sent'}, as told above")
    if figures["unanswered"]:
        parts.append(f"{_count(figures['unanswered'], 'frame')} not answered before the end")
    return "; ".join(parts) + "."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
