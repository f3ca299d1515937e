"""Sounds as people have them: any rate, channels and format; what cannot be heard is told."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from m4sc.codecs.source_coding import source_decode, source_encode
from m4sc.media.sounds import is_silent
from m4sc.message import SAMPLE_RATE_HZ, Message, MessageError
from m4sc_app.bench.trials.sample_files import SOUND_FILES as FILES
from m4sc_app.bench.trials.sample_files import TONE_HZ, container_file, sound_file, stereo, tone


@pytest.mark.parametrize("case", FILES)
def test_a_sound_is_heard_at_its_pitch_and_length(case: str) -> None:
    message = Message.from_bytes(FILES[case](), "speech")
    sound = message.data
    assert sound.dtype == np.float32 and sound.ndim == 1
    assert abs(sound.size - SAMPLE_RATE_HZ) < 1700  # coders of phones pad to whole blocks
    middle = sound[4000:12000] * np.hanning(8000)
    spectrum = np.abs(np.fft.rfft(middle))
    assert abs(spectrum.argmax() * SAMPLE_RATE_HZ / 8000 - TONE_HZ) <= 2.0
    assert 0.4 < np.abs(sound[4000:12000]).max() < 0.6
    assert np.sum(spectrum[:200] ** 2) + np.sum(spectrum[260:] ** 2) < 0.01 * np.sum(spectrum**2)
    assert not message.notes


def test_nothing_above_half_the_rate_is_folded_back() -> None:
    """12 kHz is above what 16 kHz holds: it must vanish, not be heard as 4 kHz."""
    high = 0.5 * np.sin(2 * np.pi * 12_000 * np.arange(48_000) / 48_000)
    sound = Message.from_bytes(sound_file(high, 48_000, subtype="FLOAT"), "speech").data
    assert np.abs(sound[1000:-1000]).max() < 1e-3


def test_channels_that_cancel_each_other_are_noticed() -> None:
    message = Message.from_bytes(sound_file(stereo(16000) * [1, -1], 16000), "speech")
    assert np.abs(message.data).max() > 0.4
    assert "cancel" in message.notes[0]


def test_silence_is_noticed() -> None:
    message = Message.from_bytes(sound_file(np.zeros(16000), 16000), "speech")
    assert "silent" in message.notes[0] and is_silent(message.data)
    assert not is_silent(tone())


def test_nothing_is_heard_in_silence() -> None:
    """A speech model makes words of silence; it is not asked."""
    from m4sc.encoders.speech import SpeechEncoder

    encoder = SpeechEncoder.__new__(SpeechEncoder)  # no model is loaded
    assert encoder.transcribe(np.zeros(16000, np.float32)) == ""


def streamed() -> bytes:
    """A WAV file as a program writes it to a pipe: its length is not known."""
    whole = bytearray(sound_file(tone(), SAMPLE_RATE_HZ))
    whole[4:8] = whole[40:44] = struct.pack("<I", 0xFFFF_FFFF)
    return bytes(whole)


CUT = {
    "WAV": lambda: sound_file(tone(), SAMPLE_RATE_HZ)[:16000],
    "FLAC": lambda: sound_file(np.random.default_rng(1).normal(0, 0.1, 96000), 16000, "FLAC")[:60000],
    "Vorbis": lambda: sound_file(tone(16000, 9.0), 16000, "OGG")[:-2000],
}


@pytest.mark.parametrize("case", CUT)
def test_a_cut_file_is_told(case: str) -> None:
    message = Message.from_bytes(CUT[case](), "speech")
    assert message.data.size > 1000 and "cut off" in message.notes[0]


def test_a_file_of_unknown_length_is_not_cut() -> None:
    message = Message.from_bytes(streamed(), "speech")
    assert message.data.size == SAMPLE_RATE_HZ and not message.notes


def wav_header(rate: int, channels: int, claimed: int) -> bytes:
    head = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    data = bytes(channels * 2 * 8)
    return (
        b"RIFF" + struct.pack("<I", claimed + 36) + b"WAVEfmt " + struct.pack("<I", 16) + head
        + b"data" + struct.pack("<I", claimed) + data
    )  # fmt: skip


REFUSED = {
    "31 s": (sound_file(tone(8000, 31.0), 8000), "31 s"),
    "an hour": (sound_file(np.zeros(3600 * 8000, np.int16), 8000, "FLAC"), "s; at most 30"),
    "a high rate": (wav_header(2_000_000_000, 1, 16), "samples a second"),
    "a low rate": (wav_header(7, 1, 16), "samples a second"),
    "many channels": (wav_header(16000, 900, 900 * 16), "channels"),
    "no samples": (sound_file(np.zeros(0), 16000), "empty"),
    "not finite": (sound_file(np.full(99, np.nan), 16000, subtype="FLOAT"), "NaN"),
    "no sound": (b"words, not a sound", "cannot be read"),
    "nothing": (b"", "empty"),
    "an unknown codec": (
        container_file("webm", "libopus", 48000, "flt").replace(b"A_OPUS", b"A_NONE"),
        "cannot be read",
    ),
    "a list of other files": (b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "cannot be read"),
    "a script of other files": (b"ffconcat version 1.0\nfile /etc/hostname\n", "cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_sound_to_send_is_refused(case: str) -> None:
    payload, word = REFUSED[case]
    with pytest.raises(MessageError, match=word):
        Message.from_bytes(payload, "speech")


# --- in Python ---------------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[], Any]] = {
    "float64": lambda: tone().astype(np.float64),
    "int16": lambda: (tone() * 32768).round().astype(np.int16),
    "int32": lambda: (tone().astype(np.float64) * 2**31).round().astype(np.int32),
    "a column": lambda: tone()[:, None],
    "channels first": lambda: np.stack([tone()] * 2),
    "int16, channels last": lambda: np.stack([(tone() * 32768).round().astype(np.int16)] * 2, axis=1),
    "a list": lambda: tone().tolist(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_sound_in_python(form: str) -> None:
    sound = Message("speech", FORMS[form]()).data
    assert sound.dtype == np.float32 and np.abs(sound - tone()).max() < 1e-4


def test_a_path(tmp_path) -> None:
    (tmp_path / "a.wav").write_bytes(sound_file(tone(44100), 44100))
    assert abs(Message("speech", tmp_path / "a.wav").data.size - SAMPLE_RATE_HZ) <= 1


WRONG = {
    "bytes": (lambda: sound_file(tone(), 16000), "from_bytes"),
    "a picture": (lambda: np.zeros((48, 64, 3), np.float32), "mono"),
    "integers as float": (lambda: tone() * 32768, "-1..1"),
    "1e20": (lambda: tone() * 1e20, "-1..1"),
    "unsigned": (lambda: np.zeros(99, np.uint16), "uint16"),
    "complex": (lambda: np.zeros(99, np.complex64), "complex64"),
    "not finite": (lambda: np.full(99, np.inf), "infinite"),
    "none": (lambda: None, "object"),
}


@pytest.mark.parametrize("form", WRONG)
def test_what_is_no_sound_in_python(form: str) -> None:
    make, word = WRONG[form]
    with pytest.raises(MessageError, match=word):
        Message("speech", make())


# --- from the air ------------------------------------------------------------------------------------------

HOSTILE = {
    "a long sound": struct.pack("<IH", 2**32 - 1, 1) + struct.pack("<H", 1) + b"\xf8",
    "many packets": struct.pack("<IH", 16000, 65535) + (struct.pack("<H", 1) + b"\xf8") * 65535,
    "a cut packet": struct.pack("<IH", 16000, 1) + struct.pack("<H", 60000) + b"\xf8",
    "no packet": struct.pack("<IH", 16000, 0),
    "a header alone": b"\0\0",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_sounds_from_the_air(case: str) -> None:
    with pytest.raises(MessageError):
        source_decode(HOSTILE[case], "speech")


def test_what_the_classical_codec_sends_it_reads() -> None:
    for seconds in (0.05, 1.0, 30.0):
        sent = tone(seconds=seconds)
        assert source_decode(source_encode(Message("speech", sent)), "speech").data.size == sent.size
