"""Source codecs of the classical system."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from m4sc.codecs.source_coding import source_decode, source_encode
from m4sc.message import Message


def tone(seconds: float) -> np.ndarray:
    t = np.arange(int(16_000 * seconds)) / 16_000
    return (0.3 * np.sin(2 * np.pi * (200 * t + 60 * t**2))).astype(np.float32)


def test_a_picture_comes_back_alike_in_few_bytes() -> None:
    from skimage import data
    from skimage.metrics import peak_signal_noise_ratio

    picture = data.astronaut()[::2, ::2]
    coded = source_encode(Message("image", picture))
    assert len(coded) < 12_000
    assert peak_signal_noise_ratio(picture, source_decode(coded, "image").data) > 25.0


@pytest.mark.parametrize("seconds", [0.03, 0.5, 3.0])
def test_a_sound_keeps_its_length_and_shape(seconds: float) -> None:
    sound = tone(seconds)
    coded = source_encode(Message("speech", sound))
    back = source_decode(coded, "speech").data
    assert back.shape == sound.shape and back.dtype == np.float32
    if seconds >= 0.5:
        assert len(coded) < 4000 * seconds
        lags = [np.corrcoef(sound[400:-400], np.roll(back, lag)[400:-400])[0, 1] for lag in range(-4, 5)]
        assert max(lags) > 0.7


@given(st.text(min_size=1).filter(str.strip))
def test_text_comes_back_letter_for_letter(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return
    assert source_decode(source_encode(Message("text", text)), "text").data == text


def test_english_gets_shorter() -> None:
    text = "A classical link protects each bit and fails all at once when the noise is too strong. " * 2
    assert len(source_encode(Message("text", text))) < len(text) / 2


@pytest.mark.parametrize("modality", ["image", "speech", "text"])
@given(payload=st.binary(max_size=80))
def test_broken_bytes_are_one_sentence(modality: str, payload: bytes) -> None:
    try:
        source_decode(payload, modality)
    except ValueError as exc:
        assert str(exc) and "\n" not in str(exc)
