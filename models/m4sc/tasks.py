"""The tasks, as data: adding a task is adding one entry here."""

from __future__ import annotations

from dataclasses import dataclass


class UnknownTaskError(ValueError):
    """No task of that name."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: name on the command line.
        task_id: number in the frame header, 1 to 255; never reused.
        modality: of the message that is sent.
        instructions: wordings used in training; the first is the default.
        held_out: wordings never trained on, for evaluation.
        scorer: ``exact``, ``cider``, ``wer`` or ``similarity`` (see :mod:`m4sc.metrics`).
        needs_question: the user's question replaces the instruction.
        max_new_tokens: longest answer (of each chunk, for texts).
        codec: modality whose channel codec is used when it is not the message's own: a transcription
            sends the words that the speech model heard as text latents.
        rate: complex symbols a token, of the rates that the modality's codec has; 0 for the most.
        latents: semantic latents that the transmitter's LLM sends, where it reads the message.
        verbatim: the answer is the message's words; a receiver that has the message itself needs no LLM.
    """

    name: str
    task_id: int
    modality: str
    instructions: tuple[str, ...]
    held_out: tuple[str, ...]
    scorer: str
    needs_question: bool = False
    max_new_tokens: int = 24
    codec: str = ""
    verbatim: bool = False
    rate: int = 0
    latents: int = 16

    @property
    def channel_codec(self) -> str:
        """Which channel codec carries the latents: the modality's own unless ``codec`` names another."""
        return self.codec or self.modality


_ALL = (
    Task(
        "classify",
        1,
        "image",
        ("What is in the picture?", "Name the object.", "What does the image show?", "Classify the image."),
        ("Which object is this?", "What do you see?"),
        "exact",
        max_new_tokens=6,
        rate=4,
    ),
    Task(
        "caption",
        2,
        "image",
        ("Write a caption.", "What is happening in the image?"),  # "describe" belongs to mosaics
        ("Caption this photo.", "Describe the scene in a sentence."),
        "cider",
        max_new_tokens=24,
    ),
    Task(
        "mosaic",
        3,
        "image",
        ("What is at the top left?",),
        (),
        "exact",
        needs_question=True,
        max_new_tokens=8,
    ),
    Task(
        "vqa",
        4,
        "image",
        ("What is in the picture?",),
        (),
        "exact",
        needs_question=True,
        max_new_tokens=8,
    ),
    Task(
        "digits",
        5,
        "speech",
        ("Which digits are spoken?", "Write the spoken digits.", "What number is said?"),
        ("Tell me the digits you hear.",),
        "wer",
        max_new_tokens=16,
    ),
    Task(
        "transcribe",
        6,
        "speech",
        ("Transcribe the speech.", "Write down what is said."),
        ("What does the speaker say?",),
        "wer",
        max_new_tokens=40,
        codec="text",
        verbatim=True,
    ),
    Task(
        "text",
        7,
        "text",
        ("Repeat the text.", "Write the text again."),
        ("Give the text word for word.",),
        "similarity",
        max_new_tokens=40,
        verbatim=True,
    ),
    Task(
        "summarize",
        8,
        "text",
        ("Summarize the text in a sentence.", "Give a short summary."),
        ("Sum up the text.",),
        "similarity",
        max_new_tokens=28,
    ),
)

TASKS: dict[str, Task] = {task.name: task for task in _ALL}


def get_task(name: str) -> Task:
    """Task by name; raises UnknownTaskError naming the known ones."""
    if name not in TASKS:
        raise UnknownTaskError(f"unknown task '{name}'; known tasks: {', '.join(TASKS)}")
    return TASKS[name]


def task_by_id(task_id: int) -> Task:
    """Task by the number in a frame header; raises UnknownTaskError."""
    for task in TASKS.values():
        if task.task_id == task_id:
            return task
    raise UnknownTaskError(
        f"unknown task number {task_id} in the header; this receiver knows 1 to {len(TASKS)}"
    )
