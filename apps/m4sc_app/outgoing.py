"""What a person names on the command line, as messages to send."""

from __future__ import annotations

import importlib
import io
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from m4sc.message import SAMPLE_RATE_HZ, Message, is_pair, modality_of, read_file
from m4sc.tasks import Task, get_task
from m4sc_flowgraphs.messages import OutgoingMessage

from m4sc_app.errors import MissingPartError, UserError

DEFAULT_TASKS = {
    "image": "caption",
    "speech": "transcribe",
    "text": "text",
    "image+speech": "spoken-question",
}


def outgoing_messages(
    entries: list[str], task: str | None, instruction: str | None
) -> Iterator[OutgoingMessage]:
    """Messages of the entries, read and checked one by one.

    An entry is a file, a picture and a spoken question (``cat.jpg+question.wav``), a folder (its files of the
    task's modality, by name), ``-`` (each line of standard input), ``mic:SECONDS``, ``camera:`` or
    ``camera:NUMBER``, or a text.

    Args:
        entries: as given.
        task: name of the task of all, None for the usual one of each modality.
        instruction: what is asked of all, None for the task's own wording.

    Raises:
        UserError: no such file, a folder without one, a modality that is not the task's.
        MessageError, UnknownTaskError: broken bytes, no such task.
    """
    chosen = None if task is None else get_task(task)
    for entry in entries:
        for name, modality, payload in _contents(entry, chosen):
            kind = get_task(DEFAULT_TASKS[modality]) if chosen is None else chosen
            if kind.modality != modality:
                raise UserError(f"{name}: task '{kind.name}' takes {kind.modality}, not {modality}")
            Message.from_bytes(payload, modality)  # broken bytes are named now, not by the encoder later
            yield OutgoingMessage(payload, kind.name, modality, instruction, name)


def _contents(entry: str, task: Task | None) -> Iterator[tuple[str, str, bytes]]:
    """Name, modality and bytes of everything behind an entry."""
    if entry == "-":
        for line in sys.stdin:
            if line.strip():
                yield line.strip()[:40], "text", line.strip().encode()
    elif entry.startswith("mic:"):
        yield "microphone", "speech", _microphone(entry.removeprefix("mic:"))
    elif entry.startswith("camera:"):
        yield "camera", "image", _camera(entry.removeprefix("camera:"))
    elif _is_path(entry):
        path = Path(entry)
        if is_pair(path):
            yield path.name, "image+speech", read_file(path)
            return
        if not path.exists():
            raise UserError(f"no such file or folder: {entry}")
        for file in _files(path, task) if path.is_dir() else [path]:
            yield file.name, modality_of(file), file.read_bytes()
    else:
        yield entry[:40], "text", entry.encode()


def _is_path(entry: str) -> bool:
    """Whether an entry means a file: it exists, or looks like one and not like a sentence."""
    if len(entry) < 1024 and Path(entry).exists():
        return True
    looks = "/" in entry or Path(entry).suffix.lower() in (".png", ".jpg", ".jpeg", ".wav", ".flac", ".txt")
    return looks and " " not in entry


def _files(folder: Path, task: Task | None) -> list[Path]:
    found = []
    for file in sorted(folder.iterdir()):
        try:
            if file.is_file() and (task is None or modality_of(file) == task.modality):
                modality_of(file)
                found.append(file)
        except ValueError:  # another kind of file
            continue
    if not found:
        wanted = "pictures, sounds or texts" if task is None else f"{task.modality} files"
        raise UserError(f"{folder} holds no {wanted}; give another folder or --task")
    return found


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
