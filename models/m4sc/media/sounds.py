"""Sound files of any rate, channels and common format to one form: float32 (n,) mono in -1..1 at 16 kHz.

libsndfile (soundfile) reads what it knows, FFmpeg (PyAV) the containers of phones and browsers, and FFmpeg's
resampler changes the rate. Both are read piece by piece, up to the bounds and no further.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from m4sc.media.kinds import read_file
from m4sc.media.limits import FILES, Limits, MessageError

SAMPLE_RATE_HZ = 16_000
SILENT = 1e-4
"""Peak, of 1, below which a sound is silence: 80 dB under full scale, below the noise of any microphone."""
_CANCELLED = 0.01  # of the channels' mean power, left in their mean: they cancel each other
_LOUDEST = 100.0  # a float sound above this holds integers, not samples in -1..1
_PIECE = 4096  # frames decoded at once; of a cut file at most so many are lost
_UNREADABLE = "the sound cannot be read; give WAV, FLAC, OGG, Opus, MP3 or M4A"
# first bytes (and where) of FFmpeg's demuxers; a format is never guessed, since some open other files
_DEMUXERS = (
    (4, b"ftyp", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"ID3", "mp3"),
    (0, b"OggS", "ogg"),
    (0, b"#!AMR", "amr"),
)
_ADTS, _ADTS_MASK = 0xFFF0, 0xFFF6  # raw AAC: twelve ones, any version bit, layer 0
_STREAMED = 0x7FFF_0000  # a WAV file written to a pipe has no length, or this or more


def read_sound(payload: bytes, limits: Limits = FILES) -> tuple[np.ndarray, tuple[str, ...]]:
    """A sound file's bytes to float32 (n,) mono at 16 kHz.

    Channels are averaged; where they cancel each other, the loudest is taken.

    Returns:
        The sound, and what a person should know of how it was read.

    Raises:
        MessageError: too long, broken, not a sound, or a rate or number of channels out of bounds.
    """
    limits.check_bytes(payload, "sound")
    try:
        return _read(payload, limits)
    except MessageError:
        raise
    except MemoryError as exc:
        raise MessageError("the sound is too large for this machine's memory") from exc
    except Exception as exc:  # the decoders raise whatever a broken file makes them stumble over
        raise MessageError(_UNREADABLE) from exc


def _read(payload: bytes, limits: Limits) -> tuple[np.ndarray, tuple[str, ...]]:
    """As :func:`read_sound`; a decoder's own errors pass."""
    rate, powers, mono, notes = _mixed(payload, limits, None)
    if mono.size == 0:
        raise MessageError("the sound has no samples; it is empty or cut off")
    power = float(np.mean(mono.astype(np.float64) ** 2))
    if len(powers) > 1 and power < _CANCELLED * powers.mean() and powers.max() > SILENT**2:
        loudest = int(np.argmax(powers))
        _, _, mono, _ = _mixed(payload, limits, loudest)
        notes.append(f"the sound's channels cancel each other; channel {loudest + 1} is sent alone")
    if not np.isfinite(mono).all():
        raise MessageError("the sound has NaN or infinite samples")
    peak = float(np.abs(mono).max())
    if peak > 1.0:  # a float file may be louder than full scale
        mono = mono / np.float32(peak)
    if peak < SILENT:
        notes.append("the sound is silent; nothing will be heard in it")
    return resample(mono, rate), tuple(notes)


def as_sound(value: Any, limits: Limits = FILES) -> np.ndarray:
    """A sound in any usual form to float32 (n,) mono.

    Args:
        value: a path, or an array at 16 kHz, (n,), (n, channels) or (channels, n): float in -1..1 or signed
            integers over their whole range.

    Raises:
        MessageError: another type or shape, no sample, not finite, or too long.
    """
    if isinstance(value, str | Path):
        return read_sound(read_file(value, limits), limits)[0]
    if isinstance(value, bytes | bytearray | memoryview):
        raise MessageError("a sound is samples or a path, not a file's bytes; use Message.from_bytes")
    try:
        samples = np.asarray(value)
    except Exception as exc:
        raise MessageError(f"a {type(value).__name__} is no sound; give samples at 16 kHz or a path") from exc
    if samples.dtype.kind not in "if":
        raise MessageError(f"a sound has float or signed integer samples, not {samples.dtype}")
    if samples.ndim == 2 and 0 < min(samples.shape) <= limits.channels:
        scale, axis = _full_scale(samples.dtype), int(np.argmin(samples.shape))
        samples = samples.mean(axis=axis, dtype=np.float64) / scale
    if samples.ndim != 1 or samples.size == 0:
        raise MessageError(f"a sound is a non-empty mono signal; got shape {samples.shape}")
    _check_length(samples.size / SAMPLE_RATE_HZ, limits)
    if not np.isfinite(samples).all():
        raise MessageError("the sound has NaN or infinite samples")
    sound = (samples / _full_scale(samples.dtype)).astype(np.float32, copy=False)
    if np.abs(sound).max() > _LOUDEST:
        raise MessageError(f"float samples of a sound lie in -1..1; the largest is {np.abs(sound).max():g}")
    return sound


def is_silent(samples: np.ndarray) -> bool:
    """Whether a sound, float (n,) in -1..1, holds nothing that could be heard."""
    return samples.size == 0 or float(np.abs(samples).max()) < SILENT


def resample(samples: np.ndarray, rate_hz: int, wanted_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """A mono sound, float32 (n,), at another rate by FFmpeg's resampler; its duration stays."""
    if rate_hz == wanted_hz:
        return samples.astype(np.float32, copy=False)
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=wanted_hz)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
    frame.sample_rate = rate_hz
    pieces = [done.to_ndarray()[0] for done in (*resampler.resample(frame), *resampler.resample(None))]
    count = max(1, round(samples.size * wanted_hz / rate_hz))
    out = np.concatenate([*pieces, np.zeros(count, np.float32)])[:count]
    return np.clip(out, -1.0, 1.0).astype(np.float32, copy=False)


def _full_scale(dtype: np.dtype) -> float:
    return float(-np.iinfo(dtype).min) if dtype.kind == "i" else 1.0


def _check_length(seconds: float, limits: Limits) -> None:
    if seconds > limits.sound_s:
        raise MessageError(
            f"the sound lasts {seconds:.0f} s; at most {limits.sound_s:g} s are sent as one message"
        )


def _mixed(
    payload: bytes, limits: Limits, channel: int | None
) -> tuple[int, np.ndarray, np.ndarray, list[str]]:
    """One pass over a file.

    Returns:
        Its rate in Hz; mean power of each channel; the mean of all or the chosen one, float32 (n,); notes.
    """
    reader = _Soundfile(payload) if _is_known_to_soundfile(payload) else _Container(payload)
    with reader:
        if not 1 <= reader.channels <= limits.channels:
            raise MessageError(
                f"the sound has {reader.channels} channels; at most {limits.channels} are read"
            )
        if not limits.low_rate_hz <= reader.rate <= limits.high_rate_hz:
            raise MessageError(
                f"the sound has {reader.rate:,} samples a second; {limits.low_rate_hz:,} to "
                f"{limits.high_rate_hz:,} are read"
            )
        pieces, powers, count = [], np.zeros(reader.channels), 0
        for piece in reader.pieces():  # float32 (n, channels)
            count += len(piece)
            _check_length(max(count, reader.claimed) / reader.rate, limits)
            with np.errstate(all="ignore"):  # what is not finite is told below
                powers += np.square(piece, dtype=np.float64).sum(axis=0)
            pieces.append(piece.mean(axis=1) if channel is None else piece[:, channel])
        notes = list(reader.faults(count))
    mono = np.concatenate(pieces).astype(np.float32, copy=False) if pieces else np.zeros(0, np.float32)
    return reader.rate, powers / max(1, count), mono, notes


def _is_known_to_soundfile(payload: bytes) -> bool:
    import soundfile

    if _is_mpeg(payload):  # its decoder in libsndfile prints on the terminal
        return False
    try:
        with soundfile.SoundFile(_Bytes(payload)):
            return True
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError):
        return False


class _Bytes(io.BytesIO):
    """A file whose broken lengths lead nowhere: soundfile prints the traceback of a seek before its start."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of a file; before the start it stays where it is."""
        base = (0, self.tell(), len(self.getbuffer()))[whence]
        return super().seek(base + offset) if base + offset >= 0 else self.tell()


class _Soundfile:
    """A file that libsndfile reads."""

    def __init__(self, payload: bytes) -> None:
        import soundfile

        self._payload, self._file = payload, soundfile.SoundFile(_Bytes(payload))
        self.rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        self.claimed = int(self._file.frames) if self._file.format in ("WAV", "FLAC", "AIFF") else 0

    def __enter__(self) -> _Soundfile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def pieces(self) -> Iterator[np.ndarray]:
        """Samples, float32 (n, channels), until the end or the first broken place."""
        import soundfile

        while True:
            try:
                piece = self._file.read(_PIECE, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError):
                return
            if len(piece) == 0:
                return
            yield piece

    def faults(self, count: int) -> Iterator[str]:
        """What is wrong with a file of which `count` frames were read."""
        there = count / self.rate
        whole = max(self.claimed, _wav_frames(self._payload)) / self.rate
        if whole > there:
            yield f"the sound file is cut off: {there:.1f} of {whole:.1f} s are there"
        elif _is_cut_ogg(self._payload):
            yield f"the sound file is cut off after {there:.1f} s"


class _Container:
    """A file that FFmpeg reads, of the demuxers above."""

    def __init__(self, payload: bytes) -> None:
        import av

        self._error = av.error.FFmpegError
        try:
            self._file = cast(Any, av.open(io.BytesIO(payload), format=_demuxer(payload)))
        except (self._error, ValueError) as exc:
            raise MessageError(_UNREADABLE) from exc
        if not self._file.streams.audio:
            self._file.close()
            raise MessageError("the file has no sound in it")
        stream = self._file.streams.audio[0]
        if stream.codec_context is None:  # of a codec that this FFmpeg lacks, or none at all
            self._file.close()
            raise MessageError(_UNREADABLE)
        self.rate, self.channels = int(stream.rate or 0), int(stream.channels or 0)
        self._seconds = float((self._file.duration or 0) / 1e6)
        self.claimed = 0

    def __enter__(self) -> _Container:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def pieces(self) -> Iterator[np.ndarray]:
        """Samples, float32 (n, channels), until the end or the first broken place."""
        import av

        planar = av.AudioResampler(format="fltp")
        try:
            for frame in self._file.decode(audio=0):
                if frame.sample_rate != self.rate or frame.layout.nb_channels != self.channels:
                    raise MessageError("the sound changes its rate or channels on the way; convert it first")
                for piece in planar.resample(frame):
                    yield piece.to_ndarray().T
        except (self._error, ValueError) as exc:
            if isinstance(exc, MessageError):
                raise
            return

    def faults(self, count: int) -> Iterator[str]:
        """What is wrong with a file of which `count` frames were read."""
        there = count / self.rate
        if there < 0.9 * self._seconds:
            yield f"the sound file is cut off: {there:.1f} of {self._seconds:.1f} s are there"


def _is_mpeg(payload: bytes) -> bool:
    """Whether a file begins as MP3 or raw AAC does: with a tag, or eleven ones."""
    return payload[:3] == b"ID3" or int.from_bytes(payload[:2], "big") & 0xFFE0 == 0xFFE0


def _demuxer(payload: bytes) -> str:
    for place, mark, name in _DEMUXERS:
        if payload[place : place + len(mark)] == mark:
            return name
    if int.from_bytes(payload[:2], "big") & _ADTS_MASK == _ADTS:
        return "aac"
    if _is_mpeg(payload):
        return "mp3"
    raise MessageError(_UNREADABLE)


def _wav_frames(payload: bytes) -> int:
    """Frames that the header of a WAV file promises; 0 for another file or one written to a pipe."""
    if payload[:4] != b"RIFF" or payload[8:12] != b"WAVE":
        return 0
    place, frame_bytes = 12, 0
    while place + 8 <= len(payload):
        name, size = payload[place : place + 4], int.from_bytes(payload[place + 4 : place + 8], "little")
        if name == b"fmt ":
            frame_bytes = int.from_bytes(payload[place + 20 : place + 22], "little")
        if name == b"data":
            cut = size < _STREAMED and place + 8 + size > len(payload) + 1
            return size // frame_bytes if frame_bytes and cut else 0
        place += 8 + size + size % 2
    return 0


def _is_cut_ogg(payload: bytes) -> bool:
    """Whether the last page of an Ogg file (RFC 3533) is not marked as the end, or is not whole."""
    if payload[:4] != b"OggS":
        return False
    last = payload.rfind(b"OggS")
    page = payload[last:]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    return not page[5] & 4 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])
