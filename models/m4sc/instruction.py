"""The one instruction template, known to both ends."""

from __future__ import annotations

# The model's own special token opens both parts, so that no text can imitate them.
TURN = "<|im_start|>"
END = "<|im_end|>"


def before_latents() -> str:
    """Text that stands before the received latents."""
    return TURN


def after_latents(instruction: str) -> str:
    """Text between the received latents and the answer.

    The instruction stands behind the latents, so that several questions about one message share what was
    computed for it.
    """
    return f"{TURN}{instruction.strip()}\n"


def answer_text(answer: str) -> str:
    """The answer as it is trained: with its end mark."""
    return f"{answer.strip()}{END}"


def before_message(instruction: str) -> str:
    """Text that the transmitter's LLM reads before a message's tokens."""
    return f"{TURN}{instruction.strip()}\n"
