"""Sentences spoken by espeak-ng in many voices, speeds and pitches, kept as FLAC in a folder."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from m4sc.data.example import SPEECH_RATE_HZ, Example
from m4sc.data.fsdd import DIGIT_WORDS
from m4sc.data.wordings import pick, wordings_of
from m4sc.media.limits import Limits
from m4sc.media.sounds import read_sound

_LONG = Limits(sound_s=600.0)

VOICES = tuple(
    f"{language}+{variant}"
    for language in ("en-us", "en-gb")
    for variant in ("m1", "m3", "m7", "f1", "f2", "f4")
)


@dataclass(frozen=True)
class Utterance:
    """speed: words a minute; pitch: 0 to 99; noise_db: signal over white noise in dB, None for none."""

    sentence: str
    voice: str
    speed: int
    pitch: int
    noise_db: float | None = None
    seed: int = 0

    def key(self) -> str:
        """Hash that names the cached file."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:20]


def speak(utterance: Utterance) -> np.ndarray:
    """Return the utterance, float32 (n,) at 16 kHz, peak 0.7 before noise.

    Raises:
        FileNotFoundError: espeak-ng is not installed.
        ValueError: espeak-ng gave no sound.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise FileNotFoundError("espeak-ng is not installed: apt-get install espeak-ng")
    command = [
        program,
        "--stdout",
        "-v",
        utterance.voice,
        "-s",
        str(utterance.speed),
        "-p",
        str(utterance.pitch),
    ]
    done = subprocess.run(  # the text goes by stdin, so that no sentence is taken for an option
        command, input=utterance.sentence.encode(), capture_output=True, check=False, timeout=60
    )
    if done.returncode or not done.stdout:
        raise ValueError(f"espeak-ng could not say it: {done.stderr.decode(errors='replace').strip()}")
    samples = read_sound(done.stdout, _LONG)[0].astype(np.float64)
    samples *= 0.7 / max(float(np.max(np.abs(samples), initial=0.0)), 1e-9)
    if utterance.noise_db is not None:
        rng = np.random.default_rng(utterance.seed)
        power = float(np.mean(samples**2)) * 10 ** (-utterance.noise_db / 10)
        samples = samples + rng.normal(scale=np.sqrt(power), size=len(samples))
    return np.clip(samples, -1.0, 1.0).astype(np.float32)


@dataclass(frozen=True)
class CachedUtterance:
    """Loads an utterance when called, from `cache_dir` if it was spoken before."""

    utterance: Utterance
    cache_dir: Path

    def __call__(self) -> np.ndarray:
        """Return float32 (n,) at 16 kHz; the same on the first and on later calls (16 bits a sample)."""
        path = self.cache_dir / f"{self.utterance.key()}.flac"
        if not path.exists():
            self.cache_dir.mkdir(parents=True, exist_ok=True)
            buffer = io.BytesIO()
            soundfile.write(buffer, speak(self.utterance), SPEECH_RATE_HZ, format="FLAC", subtype="PCM_16")
            # a name of its own: several threads may want one utterance
            with tempfile.NamedTemporaryFile(dir=self.cache_dir, suffix=".tmp", delete=False) as temporary:
                temporary.write(buffer.getvalue())
            Path(temporary.name).chmod(0o644)  # other users of the cache read it too
            Path(temporary.name).replace(path)
        return read_sound(path.read_bytes(), _LONG)[0]


def spoken_examples(
    sentences: Sequence[str],
    cache_dir: Path,
    *,
    task: str = "transcribe",
    noisy_share: float = 0.5,
    wording: str = "seen",
    seed: int = 0,
) -> list[Example]:
    """One example a sentence, which is the answer; voice, speed, pitch and noise (10 to 30 dB) are drawn.

    Take `sentences` from the split that the examples are for; `task` is "transcribe", or "digits" for
    spelt numbers.
    """
    rng = np.random.default_rng(seed)
    choices = wordings_of(task, wording)
    examples = []
    for i, sentence in enumerate(sentences):
        voice = pick(VOICES, rng)
        speed, pitch = int(rng.integers(120, 200)), int(rng.integers(25, 75))
        noise_db = round(float(rng.uniform(10, 30)), 1) if rng.random() < noisy_share else None
        utterance = Utterance(sentence, voice, speed, pitch, noise_db, seed=int(rng.integers(2**31)))
        examples.append(
            Example(
                id=f"espeak-{task}-{seed}-{i}",
                modality="speech",
                task=task,
                instruction=pick(choices, rng),
                answers=(sentence,),
                kind="noisy" if noise_db is not None else "clean",
                source=CachedUtterance(utterance, Path(cache_dir)),
                media_id=f"espeak-{utterance.key()}",
                wording=wording,
            )
        )
    return examples


def digit_sentences(count: int, *, lengths: tuple[int, int] = (1, 5), seed: int = 0) -> list[str]:
    """Random numbers as a person spells them: "seven three one"."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(lengths[0], lengths[1] + 1, count)
    return [" ".join(DIGIT_WORDS[int(d)] for d in rng.integers(10, size=size)) for size in sizes]
