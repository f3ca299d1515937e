"""The demo's messages: real photographs, a synthesised sentence and a paragraph, with references.

The photographs ship inside scikit-image's wheel. The references were written by hand, looking at the
pictures, before any system answered.
"""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from m4sc.media.pictures import as_picture
from m4sc.media.sounds import SAMPLE_RATE_HZ, read_sound

from m4sc_app.errors import MissingPartError, UserError

LONGEST_SIDE = 384  # pixels; both systems send the same reduced picture

SENTENCE = "The small boat came back to the harbour before the storm."
DIGITS = "seven three one four"
PARAGRAPH = (
    "Radio waves carry messages through the air, but every channel adds noise. "
    "A classical link protects each bit and fails all at once when the noise is too strong. "
    "A semantic link sends what the message means and loses detail little by little."
)


@dataclass(frozen=True)
class DemoMessage:
    """One message of the set.

    Attributes:
        name: short, unique.
        modality: ``"image"``, ``"speech"`` or ``"text"``.
        task: name of a task in :mod:`m4sc.tasks`.
        instruction: what the receiver is asked, None for the task's own wording.
        payload: the file's bytes: PNG, WAV at 16 kHz, or UTF-8.
        references: answers that count as right, or human captions, transcripts, summaries.
        source: where it comes from.
    """

    name: str
    modality: str
    task: str
    instruction: str | None
    payload: bytes
    references: tuple[str, ...]
    source: str

    @property
    def mime(self) -> str:
        """MIME type of the payload."""
        return {"image": "image/png", "speech": "audio/wav", "text": "text/plain"}[self.modality]


_PHOTOS: tuple[tuple[str, str, str, str | None, tuple[str, ...]], ...] = (
    ("cat", "chelsea.png", "classify", None, ("cat",)),
    (
        "astronaut",
        "astronaut.png",
        "caption",
        None,
        (
            "a smiling woman in an orange space suit stands in front of a flag",
            "an astronaut in an orange suit holds her helmet beside a model of the space shuttle",
            "portrait of a woman astronaut in front of an american flag and a model shuttle",
        ),
    ),
    (
        "coffee",
        "coffee.png",
        "caption",
        None,
        (
            "a cup of coffee on a red saucer with a spoon on a wooden table",
            "an espresso in a red and white cup stands on a table",
            "a small cup of coffee with a spoon on a saucer",
        ),
    ),
    (
        "rocket",
        "rocket.jpg",
        "caption",
        None,
        (
            "a rocket stands on the launch pad at dusk",
            "a white rocket between tall towers with bright lights at night",
            "a rocket is ready for launch under a dark blue sky",
        ),
    ),
    (
        "motorcycle",
        "motorcycle_left.png",
        "caption",
        None,
        (
            "a motorcycle is parked in a garage",
            "a motorbike stands inside a workshop beside shelves",
            "a parked motorcycle in a cluttered garage",
        ),
    ),
    ("question", "motorcycle_left.png", "vqa", "What vehicle is this?", ("motorcycle", "motorbike")),
    ("yes-no", "astronaut.png", "vqa", "Is there a flag in the picture?", ("yes",)),
)

_MOSAIC = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")


def message_set(cache_dir: Path) -> tuple[DemoMessage, ...]:
    """All messages; sounds are synthesised once into ``cache_dir``.

    Raises:
        MissingPartError: scikit-image's pictures or espeak-ng are not installed.
    """
    photos = tuple(
        DemoMessage(name, "image", task, instruction, _png(_photo(file)), refs, f"scikit-image, {file}")
        for name, file, task, instruction, refs in _PHOTOS
    )
    return (
        *photos,
        DemoMessage(
            "mosaic",
            "image",
            "mosaic",
            "What is at the top left?",
            _png(mosaic([_photo(file) for file in _MOSAIC])),
            ("cat",),
            "scikit-image, four photographs",
        ),
        DemoMessage(
            "sentence", "speech", "transcribe", None, spoken(SENTENCE, cache_dir), (SENTENCE,), "espeak-ng"
        ),
        DemoMessage("digits", "speech", "digits", None, spoken(DIGITS, cache_dir), (DIGITS,), "espeak-ng"),
        DemoMessage(
            "paragraph", "text", "text", None, PARAGRAPH.encode(), (PARAGRAPH,), "written for this demo"
        ),
    )


def select(messages: tuple[DemoMessage, ...], only: list[str] | None) -> tuple[DemoMessage, ...]:
    """The named messages, or all.

    Raises:
        UserError: a name is not in the set.
    """
    if not only:
        return messages
    known = [message.name for message in messages]
    for name in only:
        if name not in known:
            raise UserError(f"no message '{name}' in the demo; choose from {', '.join(known)}")
    return tuple(message for message in messages if message.name in only)


def mosaic(pictures: list[np.ndarray], tile: int = 160) -> np.ndarray:
    """Four pictures (H, W, 3) uint8, square-cropped, as one (2 tile, 2 tile, 3) picture in reading order."""
    from PIL import Image, ImageOps

    if len(pictures) != 4:
        raise UserError(f"a mosaic has four pictures; got {len(pictures)}")
    tiles = [np.asarray(ImageOps.fit(Image.fromarray(p), (tile, tile))) for p in pictures]
    return np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])


def spoken(sentence: str, cache_dir: Path) -> bytes:
    """WAV bytes (16 kHz, mono, 16 bit) of ``sentence`` spoken by espeak-ng, cached by its text.

    Raises:
        MissingPartError: espeak-ng is not installed or fails.
    """
    import hashlib

    import soundfile

    path = cache_dir / f"espeak-{hashlib.sha256(sentence.encode()).hexdigest()[:16]}.wav"
    if path.is_file():
        return path.read_bytes()
    command = ["espeak-ng", "-v", "en-us", "-s", "145", "--stdout", sentence]
    try:
        run = subprocess.run(command, capture_output=True, check=True, timeout=20)
    except FileNotFoundError as exc:
        raise MissingPartError("espeak-ng is missing; install it with: apt-get install espeak-ng") from exc
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
        raise MissingPartError(f"espeak-ng could not speak the demo's sentence: {exc}") from exc
    samples, _ = read_sound(run.stdout)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1, 1), SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    cache_dir.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(buffer.getvalue())
    partial.replace(path)
    return buffer.getvalue()


@cache
def _photo(file: str) -> np.ndarray:
    try:
        import skimage.data
    except ImportError as exc:
        raise MissingPartError("scikit-image is missing; run script/bootstrap") from exc
    from PIL import Image

    path = Path(skimage.data.__file__).parent / file
    if not path.is_file():
        raise MissingPartError(f"this scikit-image ships no {file}; script/bootstrap installs one that does")
    rgb = Image.fromarray(as_picture(path))
    rgb.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return np.asarray(rgb)


def _png(picture: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
