"""A picture with a spoken question: one message of two files, sent as picture and words, answered by both."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from m4sc.codecs import source_coding as classical
from m4sc.codecs.semantic import SemanticCodec
from m4sc.codecs.verbatim import VerbatimCodec
from m4sc.data.example import Example
from m4sc.data.spoken_questions import spoken_question_examples
from m4sc.message import Message, MessageError, is_pair, join_files, modality_of, split_files
from m4sc.mllm.network import Network
from m4sc.phy.header.fields import PayloadKind
from m4sc.system import Answer, SemanticSystem
from m4sc.transport.message_header import Modality, TransportHeader
from m4sc_app.outgoing import outgoing_messages
from PIL import Image
from tiny_model import tiny_config, write_tiny_llm


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    picture, sound = tmp_path / "cat.png", tmp_path / "question.wav"
    Image.fromarray(np.full((12, 16, 3), 90, np.uint8)).save(picture)
    soundfile.write(sound, 0.1 * np.sin(np.arange(16_000) * 0.1), 16_000)
    return picture, sound


@pytest.fixture
def message(files: tuple[Path, Path]) -> Message:
    return Message.from_file(f"{files[0]}+{files[1]}")


def test_two_files_are_one_message(files: tuple[Path, Path], message: Message, tmp_path: Path) -> None:
    both = f"{files[0]}+{files[1]}"
    assert is_pair(both) and modality_of(both) == message.modality == "image+speech"
    picture, sound = message.data
    assert picture.shape == (12, 16, 3) and sound.shape == (16_000,)
    again = Message.from_bytes(join_files(*(f.read_bytes() for f in files)), "image+speech")
    assert np.array_equal(again.data[0], picture) and np.array_equal(again.data[1], sound)
    (sent,) = outgoing_messages([both], None, None)
    assert (sent.task, sent.modality) == ("spoken-question", "image+speech")
    odd = tmp_path / "a.png+b.wav"
    odd.write_bytes(files[1].read_bytes())
    assert modality_of(odd) == "speech"  # the file's own name


def test_what_is_no_pair_is_named(files: tuple[Path, Path]) -> None:
    with pytest.raises(MessageError, match=r"no such file.*none\.wav"):
        Message.from_file(f"{files[0]}+none.wav")
    assert not is_pair("cat.png+dog.png") and not is_pair("1+1")
    for broken in (b"", b"\0\0\0\x05abc", b"\0\0\0\0abcdef", files[0].read_bytes()):
        with pytest.raises(MessageError, match=r"PICTURE\+SOUND"):
            split_files(broken)


def test_header_and_classical_codec_carry_the_modality(message: Message) -> None:
    header = TransportHeader(PayloadKind.ANALOG, 4, modality=Modality.of("image+speech"), task_id=10)
    assert TransportHeader.join(*header.split()).modality.label == "image+speech"
    assert [Modality.of(modality.label) for modality in Modality] == list(Modality)
    with pytest.raises(ValueError, match="use image, speech, text"):
        Modality.of("smell")
    decoded = classical.source_decode(classical.source_encode(message), "image+speech")
    assert decoded.data[0].shape == (12, 16, 3) and decoded.data[1].shape == (16_000,)


def test_examples_say_the_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def speak(utterance):
        said.append(utterance.sentence)
        return np.zeros(1600, np.float32)

    monkeypatch.setattr("m4sc.data.espeak.speak", speak)
    picture = np.zeros((4, 4, 3), np.uint8)
    asked = [Example("q", "image", "mosaic", "What is at the top?", ("cat",), "2x2-position", picture, "m")]
    (example,) = spoken_question_examples(asked, tmp_path, seed=1)
    shown, sound = example.load()
    assert said == ["What is at the top?"] and shown is picture and sound.shape == (1600,)
    assert example.answers == ("cat",) and example.kind == "2x2-position"
    assert "top" not in example.instruction  # the words are told by voice alone


class Ears:
    """A speech encoder that hears one sentence."""

    def transcribe(self, samples: np.ndarray) -> str:
        return "is it red?"


class Eyes:
    def __call__(self, pictures: list[np.ndarray]) -> object:
        import torch

        return torch.zeros(len(pictures), 16, 12)


def test_receiver_reads_the_words_and_asks_them(
    tmp_path: Path, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network(tiny_config(write_tiny_llm(tmp_path)))
    network.config = replace(network.config, tasks=("vqa", "transcribe", "spoken-question"))
    system = SemanticSystem(network)
    system.senses.__dict__.update(
        speech_encoder=Ears(), image_encoder=Eyes()
    )  # in place of the cached properties
    latents = system.encode(message, "spoken-question").latents
    words = len("is it red?") * network.config.text_symbols
    assert latents.shape == (16 * network.config.image_symbols + words, 2)
    with pytest.raises(ValueError, match="two parts"):
        system.encode(message, "spoken-question", rate=2)
    asked: list[tuple[str, int, list[str | None]]] = []
    real = SemanticCodec.decode_many

    def read(self, received, task, instructions):
        asked.append((task.name, len(received[0].symbols), list(instructions)))
        return [Answer("is it red?", None, 0.1)]

    def ask(self, received, task, instructions):
        asked.append((task.name, len(received[0].symbols), list(instructions)))
        return real(self, received, task, instructions)

    monkeypatch.setattr(VerbatimCodec, "decode_many", read)
    monkeypatch.setattr(SemanticCodec, "decode_many", ask)
    symbols = (latents[:, 0] + 1j * latents[:, 1]).astype(np.complex64)
    answer = system.decode(symbols, np.full(len(symbols), 0.1, np.float32), "spoken-question")
    assert isinstance(answer.text, str) and answer.seconds >= 0.1
    assert asked == [("transcribe", words, [None]), ("vqa", 128, ["is it red?"])]


def test_sound_file_of_another_rate_is_resampled(files: tuple[Path, Path]) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(800), 8_000, format="WAV")
    message = Message.from_bytes(join_files(files[0].read_bytes(), buffer.getvalue()), "image+speech")
    assert message.data[1].shape == (1600,)
