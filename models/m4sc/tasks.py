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
        scorer: ``exact``, ``cider``, ``wer``, ``similarity`` or ``psnr`` (see :mod:`m4sc.evaluate.metrics`).
        needs_question: the user's question replaces the instruction.
        max_new_tokens: longest answer (of each chunk, for texts).
        codec: modality whose channel codec is used when it is not the message's own: a transcription
            sends the words that the speech model heard as text latents.
        rate: complex symbols a token, of the rates that the modality's codec has; 0 for the most.
        latents: semantic latents that the transmitter's LLM sends, where it reads the message.
        system: name of the codec that carries the task (:mod:`m4sc.codecs`): ``semantic``, ``verbatim`` (the
            message's words themselves), ``spoken-question``, ``picture`` (the picture itself) or ``sound``.
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
    rate: int = 0
    latents: int = 16
    system: str = "semantic"

    @property
    def channel_codec(self) -> str:
        """Which channel codec carries the latents: the modality's own unless ``codec`` names another.

        Of a message of several parts ("image+speech") that of the first; a spoken question goes as text.
        """
        return self.codec or self.modality.split("+")[0]

    def told(self, instruction: str | None, look: bool = False) -> str | None:
        """What of an instruction the transmitter is told: a free question belongs to the receiver.

        The transmitter encodes for any question, unless it is to look where the instruction points.
        """
        return instruction if look or not self.needs_question else None

    @property
    def verbatim(self) -> bool:
        """Whether the answer is the message's words; a receiver that has the message itself needs no LLM."""
        return self.system == "verbatim"

    @property
    def gives_picture(self) -> bool:
        """Whether the answer is a picture, where no LLM has a part."""
        return self.system == "picture"


_ALL = (
    Task(
        "classify",
        1,
        "image",
        (
            "What is in the picture?",
            "Name the object.",
            "What does the image show?",
            "Classify the image.",
            "What is this?",
            "What is shown here?",
            "What object do you see in the picture?",
            "Say what the picture shows.",
            "Which kind of object is in the image?",
            "Identify the object.",
        ),
        ("Which object is this?", "What do you see?"),
        "exact",
        max_new_tokens=6,
        rate=4,
    ),
    Task(
        "caption",
        2,
        "image",
        (  # "describe the picture" belongs to mosaics
            "Write a caption.",
            "What is happening in the image?",
            "Give the picture a caption.",
            "What is going on in this photo?",
            "Write a sentence about the photo.",
            "Say in one sentence what happens here.",
            "Caption the picture.",
            "Tell what goes on in the scene.",
            "Write one sentence that describes the photo.",
        ),
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
        (
            "Which digits are spoken?",
            "Write the spoken digits.",
            "What number is said?",
            "What digits do you hear?",
            "Write down the digits.",
            "Give the digits that are said.",
            "List the spoken numbers.",
            "Which number does the speaker say?",
        ),
        ("Tell me the digits you hear.",),
        "wer",
        max_new_tokens=16,
    ),
    Task(
        "transcribe",
        6,
        "speech",
        (
            "Transcribe the speech.",
            "Write down what is said.",
            "Write what you hear.",
            "Give a transcript.",
            "What words are spoken?",
            "Type out the spoken words.",
            "Turn the speech into text.",
            "Note down what the person says.",
        ),
        ("What does the speaker say?",),
        "wer",
        max_new_tokens=40,
        codec="text",
        system="verbatim",
    ),
    Task(
        "text",
        7,
        "text",
        (
            "Repeat the text.",
            "Write the text again.",
            "Copy the text.",
            "Write out the text.",
            "What does the text say?",
            "Give back the same words.",
            "Reproduce the text exactly.",
            "Say the text again.",
        ),
        ("Give the text word for word.",),
        "similarity",
        max_new_tokens=40,
        system="verbatim",
    ),
    Task(
        "summarize",
        8,
        "text",
        (
            "Summarize the text in a sentence.",
            "Give a short summary.",
            "Write a summary.",
            "What is the text about?",
            "Say briefly what the text is about.",
            "Shorten the text to one sentence.",
            "Give the gist of the text.",
            "What is the main point of the text?",
        ),
        ("Sum up the text.", "Summarize this in a few words."),
        "similarity",
        max_new_tokens=28,
    ),
    Task(
        "spoken-question",
        10,
        "image+speech",
        ("Answer the spoken question.", "Answer what is asked."),
        ("Reply to the question you hear.",),
        "exact",
        max_new_tokens=8,
        system="spoken-question",
    ),
    Task(
        "text-question",
        11,
        "text",
        ("What is the text about?",),
        (),
        "exact",
        needs_question=True,
        max_new_tokens=8,
    ),
    Task(
        "sound",
        12,
        "speech",
        (
            "What sound is it?",
            "Name the sound.",
            "What can be heard?",
            "What do you hear?",
            "Which sound is this?",
            "Classify the sound.",
            "What makes this noise?",
            "Say what the recording holds.",
            "Identify the sound.",
        ),
        ("Tell me what makes this sound.", "What is heard in the clip?"),
        "exact",
        system="sound",
    ),
    Task(
        "reconstruct",
        9,
        "image",
        ("Reconstruct the picture.",),
        ("Show me the picture itself.",),
        "psnr",
        system="picture",
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
        f"unknown task number {task_id} in the header; this receiver knows "
        f"{', '.join(str(task.task_id) for task in TASKS.values())}"
    )
