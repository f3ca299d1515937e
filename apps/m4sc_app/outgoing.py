"""What a person names on the command line, as messages to send."""

from __future__ import annotations

import importlib
import io
import sys
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from m4sc.media import kinds
from m4sc.media.entries import TEXT, Handed, check_path, file_message, text_message
from m4sc.media.limits import FILES
from m4sc.media.texts import read_text
from m4sc.message import SAMPLE_RATE_HZ, Message, MessageError
from m4sc.tasks import Task, get_task
from m4sc_flowgraphs.messages import OutgoingMessage

from m4sc_app.errors import MissingPartError, UserError, sentence

DEFAULT_TASKS = {
    "image": "caption",
    "speech": "transcribe",
    "text": "text",
    "image+speech": "spoken-question",
}


def tell_person(line: str) -> None:
    """A line on standard error, where results are not."""
    print(f"m4sc: {line}", file=sys.stderr, flush=True)


def outgoing_messages(
    entries: Sequence[str],
    task: str | None,
    instruction: str | None,
    tell: Callable[[str], None] = tell_person,
) -> Iterator[OutgoingMessage]:
    """Messages of the entries, read and checked one by one.

    An entry is a file, a picture and a spoken question (``cat.jpg+question.wav``), a folder (its files of the
    task's modality, by name; a broken one is told and the rest sent), ``-`` (each line of standard input),
    ``mic:SECONDS``, ``camera:`` or ``camera:NUMBER``, or ``text:WORDS``. Anything else is a mistake.

    Args:
        entries: as given.
        task: name of the task of all, None for the usual one of each modality.
        instruction: what is asked of all, None for the task's own wording.
        tell: gets what a person should know, a line each.

    Raises:
        UserError: a folder without a file to send, a modality that is not the task's.
        MessageError, UnknownTaskError: no such file, broken bytes, no such task.
    """
    chosen = None if task is None else get_task(task)
    for entry in entries:
        if kinds.exists(entry) and Path(entry).is_dir():
            yield from _folder(Path(entry), chosen, instruction, tell)
        else:
            for handed in _contents(entry):
                yield _outgoing(handed, chosen, instruction, tell)


def _outgoing(
    handed: Handed, task: Task | None, instruction: str | None, tell: Callable[[str], None]
) -> OutgoingMessage:
    """A message that can be sent: broken bytes are named now, not by the encoder later."""
    kind = get_task(DEFAULT_TASKS[handed.modality]) if task is None else task
    if kind.modality != handed.modality:
        raise UserError(f"{handed.name}: task '{kind.name}' takes {kind.modality}, not {handed.modality}")
    try:
        message = Message.from_bytes(handed.payload, handed.modality)
    except MessageError as exc:
        raise MessageError(f"{handed.name}: {exc}") from exc
    for note in message.notes:
        tell(f"{handed.name}: {note}")
    return OutgoingMessage(handed.payload, kind.name, handed.modality, instruction, handed.name)


def _contents(entry: str) -> Iterator[Handed]:
    """Everything behind an entry that is no folder."""
    if entry == "-":
        yield from _standard_input()
    elif entry.startswith("mic:"):
        yield Handed("microphone", "speech", _microphone(entry.removeprefix("mic:")))
    elif entry.startswith("camera:"):
        yield Handed("camera", "image", _camera(entry.removeprefix("camera:")))
    elif entry.startswith(TEXT):
        yield text_message(entry.removeprefix(TEXT))
    else:
        check_path(entry)
        yield file_message(entry)


def _standard_input() -> Iterator[Handed]:
    """Each line that has a word: bytes of any encoding where they can be had."""
    stream = getattr(sys.stdin, "buffer", sys.stdin)
    while line := stream.readline(FILES.text_bytes + 1):
        text = read_text(line)[0] if isinstance(line, bytes) and line.strip() else line
        if line.strip():
            yield text_message(str(text).removesuffix("\n").removesuffix("\r"))


def _folder(
    folder: Path, task: Task | None, instruction: str | None, tell: Callable[[str], None]
) -> Iterator[OutgoingMessage]:
    """The files of a folder that are messages of the task's modality; the broken ones are told."""
    found = sent = 0
    for file in sorted(folder.iterdir()):
        modality = kinds.SUFFIX_MODALITY.get(file.suffix.lower())
        if not file.is_file() or modality is None or (task is not None and modality != task.modality):
            continue
        found += 1
        try:
            message = _outgoing(file_message(file), task, instruction, tell)
        except (MessageError, OSError) as exc:
            tell(f"{sentence(exc)}; it is not sent")
            continue
        sent += 1
        yield message
    if not found:
        wanted = "pictures, sounds or texts" if task is None else f"{task.modality} files"
        raise UserError(f"{folder} holds no {wanted}; give another folder or --task")
    if not sent:
        raise UserError(f"none of the {found} files in {folder} can be sent")


def _microphone(seconds: str) -> bytes:
    """So many seconds of the default microphone, WAV of 16 bit at 16 kHz."""
    try:
        duration = float(seconds)
    except ValueError:
        duration = 0.0
    if not 0.1 <= duration <= 30.0:
        raise UserError(f"'mic:{seconds}' needs 0.1 to 30 seconds; write mic:3")
    try:
        sounddevice = importlib.import_module("sounddevice")
    except (ImportError, OSError) as exc:
        raise MissingPartError(
            "the microphone needs the package sounddevice; pip install sounddevice and libportaudio2"
        ) from exc
    try:
        sound = sounddevice.rec(
            int(duration * SAMPLE_RATE_HZ),
            samplerate=SAMPLE_RATE_HZ,
            channels=1,
            dtype="int16",
            blocking=True,
        )
    except sounddevice.PortAudioError as exc:
        raise UserError(f"no microphone can be read ({exc}); send a .wav file instead") from exc
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(np.ascontiguousarray(sound).tobytes())
    return buffer.getvalue()


def _camera(number: str) -> bytes:
    """One frame of a camera, PNG."""
    if number and not number.isdigit():
        raise UserError(f"'camera:{number}' needs a number; write camera:0")
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as exc:
        raise MissingPartError(
            "the camera needs the package opencv-python-headless; install it with pip"
        ) from exc
    camera = cv2.VideoCapture(int(number or 0))
    ok, frame = camera.read()
    camera.release()
    if not ok:
        raise UserError(f"camera {number or 0} gives no picture; send a picture file instead")
    return bytes(cv2.imencode(".png", frame)[1])
