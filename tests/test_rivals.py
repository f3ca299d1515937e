"""Rivals' codecs: every message comes back as far as its codec promises, and broken bytes are told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.codecs.base import Budget, Received
from m4sc.codecs.rivals import codec2
from m4sc.codecs.rivals.answer_first import AnswerFirstCodec, IndexCodec, first_sentence
from m4sc.codecs.rivals.nearest import Known, Nearest, most_votes
from m4sc.codecs.rivals.picture_files import FORMATS, JPEG_XL, PictureFiles, has_jpeg_xl
from m4sc.codecs.rivals.sounds import SoundCoder
from m4sc.codecs.rivals.words import PLAIN, WordCoder, pack_five_bits, unpack_five_bits
from m4sc.message import Message, MessageError
from m4sc.tasks import get_task

HERE = [form for form in FORMATS if form != JPEG_XL or has_jpeg_xl()]


@pytest.mark.skipif(has_jpeg_xl(), reason="the package is there")
def test_a_format_that_is_not_installed_says_what_to_install() -> None:
    with pytest.raises(ValueError, match="pillow-jxl-plugin"):
        PictureFiles(JPEG_XL).source_encode(Message("image", smooth_picture(16, 16)))
    with pytest.raises(ValueError, match="pillow-jxl-plugin"):
        PictureFiles(JPEG_XL).source_decode(b"abc", "image")


def smooth_picture(height: int, width: int) -> np.ndarray:
    down, across = np.mgrid[0:height, 0:width] / max(height, width)
    return (255 * np.stack([down, across, 0.5 * (down + across)], -1)).astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("form", HERE)
@pytest.mark.parametrize("shape", [(32, 32), (45, 61), (7, 40)])
def test_pictures_come_back_in_their_size(form: str, shape: tuple[int, int]) -> None:
    codec, picture = PictureFiles(form, 64, 60), smooth_picture(*shape)
    data = codec.source_encode(Message("image", picture))
    back = np.asarray(codec.source_decode(data, "image").data)
    assert back.shape == picture.shape and psnr(back, picture) > 27


@pytest.mark.parametrize("form", HERE)
def test_quality_costs_bytes_and_side_bounds_the_picture(form: str) -> None:
    rng = np.random.default_rng(0)
    picture = np.clip(smooth_picture(96, 128) + rng.normal(0, 20, (96, 128, 3)), 0, 255).astype(np.uint8)
    low, high = (PictureFiles(form, 128, q).source_encode(Message("image", picture)) for q in (20, 45))
    assert len(low) < len(high)
    small = PictureFiles(form, 64, 45)
    back = small.source_decode(small.source_encode(Message("image", picture)), "image")
    assert np.asarray(back.data).shape == (48, 64, 3)


@pytest.mark.parametrize("form", HERE)
@settings(max_examples=20, deadline=None)
@given(data=st.binary(min_size=0, max_size=80))
def test_broken_pictures_are_told(form: str, data: bytes) -> None:
    with pytest.raises(ValueError):
        PictureFiles(form).source_decode(data, "image")


TEXTS = tuple(
    f"a {size} {animal} stands near the {place}."
    for size in ("red", "big", "old")
    for animal in ("dog", "cat", "cow", "fox")
    for place in ("tree", "house", "road", "river", "lake", "hill", "barn", "wall", "gate")
)


def is_lower_print(text: str) -> bool:
    return text == text.lower() and text.isprintable() and bool(text.strip())


@pytest.mark.parametrize("coder", PLAIN)
@settings(max_examples=40, deadline=None)
@given(
    text=st.text(min_size=1, max_size=60).filter(lambda t: t == t.lower() and t.isprintable() and t.strip())
)
def test_texts_come_back(coder: str, text: str) -> None:
    codec = WordCoder(coder, TEXTS)
    back = codec.source_decode(codec.source_encode(Message("text", text)), "text")
    assert str(back.data) == text


@given(text=st.text(alphabet=" abcxyz.,0Q", min_size=1, max_size=40))
def test_five_bits_a_character(text: str) -> None:
    packed = pack_five_bits(text)
    assert unpack_five_bits(packed) == text.lower()
    rare = sum(character in "0" for character in text)
    assert len(packed) == -(-(1 + 5 * len(text) + 8 * rare) // 8)


def test_a_dictionary_saves_bytes() -> None:
    text = Message("text", "a red fox stands near the barn.")
    assert len(WordCoder("zstd", TEXTS).source_encode(text)) < len(WordCoder("zstd").source_encode(text)) / 2


@pytest.mark.parametrize(("coder", "tolerance"), [("flac", 1e-4), ("opus", 0.2)])
def test_sounds_come_back(coder: str, tolerance: float) -> None:
    tone = (0.4 * np.sin(2 * np.pi * 300 * np.arange(16_000) / 16_000)).astype(np.float32)
    codec = SoundCoder(coder, 24_000)
    back = np.asarray(codec.source_decode(codec.source_encode(Message("speech", tone)), "speech").data)
    assert back.shape == tone.shape and np.sqrt(np.mean((back - tone) ** 2)) < tolerance
    with pytest.raises(ValueError):
        codec.source_decode(b"no sound", "speech")


@pytest.mark.skipif(not codec2.available(), reason="the library codec2 is not there")
def test_codec2_keeps_the_pitch_of_a_voice_at_3200_bits_a_second() -> None:
    place = np.arange(16_000) / 16_000
    voice = sum(0.2 / k * np.cos(2 * np.pi * 150 * k * place) for k in range(1, 20)).astype(np.float32)
    codec = SoundCoder("codec2")
    data = codec.source_encode(Message("speech", voice))
    assert len(data) == codec2.BITS_PER_S // 8
    back = np.asarray(codec.source_decode(data, "speech").data)
    assert back.shape == voice.shape
    spectrum = np.abs(np.fft.rfft(back[8_000:]))[: 8_000 // 4]
    near = [spectrum[75 * k - 4 : 75 * k + 5].max() for k in range(1, 8)]  # two hertz each
    between = [spectrum[75 * k + 30 : 75 * k + 45].max() for k in range(1, 8)]
    assert np.mean(near) > 3 * np.mean(between)
    for broken in (b"", b"abc"):
        with pytest.raises(MessageError, match="broken"):
            codec.source_decode(broken, "speech")


def test_opus_pays_for_its_rate() -> None:
    noise = Message("speech", np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32))
    low, high = (len(SoundCoder("opus", rate).source_encode(noise)) for rate in (8_000, 32_000))
    assert 2.5 * low < high


@pytest.mark.parametrize(
    "bad", [lambda: PictureFiles("bmp"), lambda: PictureFiles("webp", 8), lambda: PictureFiles("webp", 64, 0),
            lambda: WordCoder("zip"), lambda: SoundCoder("mp3"), lambda: SoundCoder("opus", 10)]
)  # fmt: skip
def test_settings_that_do_not_exist_are_refused(bad) -> None:
    with pytest.raises(ValueError):
        bad()


def test_the_answer_crosses_as_words_or_as_a_place() -> None:
    task = get_task("vqa")
    asked = []

    def answerer(message: Message, task: object, question: str | None) -> str:
        asked.append(question)
        return "dog"

    picture = Message("image", smooth_picture(32, 32))
    words = AnswerFirstCodec(answerer, WordCoder("five-bit"))
    payload = words.encode(picture, task, Budget(), "What is it?")
    assert asked == ["What is it?"] and len(payload.data) == 2
    assert words.decode(Received(data=payload.data), task).text == "dog"
    places = IndexCodec(answerer, ["cat", "dog", "cat"])
    payload = places.encode(picture, task, Budget(), None)
    assert payload.data == b"\x01" and places.decode(Received(data=b"\x01"), task).text == "dog"
    with pytest.raises(ValueError, match="none of 2"):
        places.decode(Received(data=b"\x05"), task)
    with pytest.raises(ValueError, match="both ends"):
        IndexCodec(answerer, ["cow"]).encode(picture, task, Budget(), None)


def test_first_sentence() -> None:
    task = get_task("summarize")
    assert first_sentence(Message("text", "A dog runs. It is wet."), task, None) == "A dog runs."
    assert first_sentence(Message("text", "no end"), task, None) == "no end"


def remembered(questions: tuple[str, ...] = ("", "", "", "")) -> Known:
    places = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    return Known(places, np.array([0, 1, 1, 2]), ("cat", "dog", "cow", "fox"), questions)


def test_the_nearest_of_training_answers_its_question() -> None:
    known = remembered(("what", "what", "how many", "what"))
    rival = Nearest(lambda message, task: np.array([0.0, 1.0], np.float32), known, 1, str.lower)
    assert rival.at(np.array([1.0, 0.1]), "What") == "cat"
    assert rival.at(np.array([1.0, 0.1]), "How many") == "cow"  # the only one asked so
    assert rival.at(np.array([1.0, 0.0]), "never asked") == "cat"
    assert rival(Message("image", smooth_picture(8, 8)), get_task("vqa"), "What") == "fox"
    with pytest.raises(ValueError, match="neighbour"):
        Nearest(rival.look, known, 0, str.lower)


@given(
    votes=st.lists(st.tuples(st.sampled_from("abc"), st.floats(-1, 1)), min_size=1, max_size=12),
)
def test_votes_are_summed_by_answer(votes: list[tuple[str, float]]) -> None:
    answers, near = zip(*votes, strict=True)
    won = most_votes(answers, np.array(near))
    totals = {a: sum(max(n, 1e-6) for b, n in votes if a == b) for a in answers}
    assert totals[won] == pytest.approx(max(totals.values()))
