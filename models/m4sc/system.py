"""The system as a user sees it: encode a message for a task, decode what was received."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.by_size import TASKS as SIZED_TASKS
from m4sc.codecs.by_size import BySizeCodec
from m4sc.codecs.gist import TASKS as GIST_TASKS
from m4sc.codecs.gist import GistCodec
from m4sc.codecs.picture import ReconstructionCodec, WithPicture
from m4sc.codecs.questions import TASKS as QUESTION_TASKS
from m4sc.codecs.questions import QuestionCodec, load_questions
from m4sc.codecs.reading import TASKS as READING_TASKS
from m4sc.codecs.reading import ReadingCodec, load_reading
from m4sc.codecs.semantic import SemanticCodec
from m4sc.codecs.sound import SoundCodec, load_sound
from m4sc.codecs.space import TASKS as SPACE_TASKS
from m4sc.codecs.space import SpaceCodec
from m4sc.codecs.spoken_question import SpokenQuestionCodec
from m4sc.codecs.text_code import TextCode
from m4sc.codecs.text_code.alphabet import Alphabet
from m4sc.codecs.text_code.prior import load_prior
from m4sc.codecs.text_code.tokenizer_file import tokenizer_of
from m4sc.codecs.trust import Trust, load_trust
from m4sc.codecs.verbatim import VerbatimCodec
from m4sc.coding.reconstruction.codec import PictureCodec, load_codec
from m4sc.config import ModelConfig
from m4sc.encoders.hearing import adapted_speech
from m4sc.encoders.senses import Senses
from m4sc.gaze.box import Box
from m4sc.gaze.second_look import SecondLook, load_second_look
from m4sc.message import Message
from m4sc.mllm.late import LateNetwork
from m4sc.mllm.network import Network
from m4sc.pretrained import resolve
from m4sc.questions.network import QuestionConfig
from m4sc.reading.network import Reader
from m4sc.shipped import companion, is_shipped, weights_folder
from m4sc.space.config import SpaceConfig
from m4sc.space.sentence_encoder import SentenceEncoder
from m4sc.space.system import SpaceSystem
from m4sc.tasks import Task, get_task
from m4sc.tensor_file import load_tensors

__all__ = ["Answer", "SemanticSystem", "load"]

# Systems with weights beside the language model's: what they are for, and the command that trains them.
_OWN_WEIGHTS = {"picture": ("pictures", "reconstruct"), "sound": ("sounds", "sound")}


class SemanticSystem:
    """The codecs of one set of weights; a task's entry names the one that carries it.

    Attributes:
        codecs: by name (``Task.system``).
        fingerprint: of configuration and weights of all.
    """

    def __init__(
        self,
        network: Network | LateNetwork,
        fingerprint: int = 0,
        pictures: PictureCodec | None = None,
        listen: Path | None = None,
        text_prior: Path | None = None,
        space: SpaceSystem | None = None,
        sounds: SoundCodec | None = None,
        questions: QuestionCodec | None = None,
        trust: Trust | None = None,
        sentences: SentenceEncoder | None = None,
        reader: Reader | None = None,
        second_look: SecondLook | None = None,
    ) -> None:
        """Build the codecs.

        Args:
            network: with trained weights; read when a task first needs it, if it is a late one.
            fingerprint: of configuration and weights of all.
            pictures: None where there are no weights for them.
            listen: folder of the adapter that hears words; None for the speech encoder's own.
            text_prior: file of the adapter that expects short messages; None for the language model's own
                belief. Only a receiver has use for it, so the ends need not share it.
            space: answers captions in the place of the language model; None where there are no weights.
            sounds: names sounds; None where there are no weights.
            questions: answers questions on pictures in the place of the language model; None where there are
                no weights.
            trust: confidence of the language model's answers (:mod:`m4sc.codecs.trust`). Only a receiver has
                use for it.
            sentences: chooses what is sent of a text to summarise; None for the language model's latents.
            reader: with `sentences` answers questions on texts in the place of the language model; None where
                there are no weights.
            second_look: finds the part of a picture that an instruction points at; None where there are no
                weights. Only a transmitter has use for it, so the ends need not share it.
        """
        late = network if isinstance(network, LateNetwork) else LateNetwork.of(network)
        self._network, self.config = late, late.config
        self.fingerprint = fingerprint
        self.second_look = second_look
        self.senses = Senses(late.config, listen)
        semantic = SemanticCodec(late, self.senses, fingerprint, trust)
        words = VerbatimCodec(partial(_text_code, late.config.llm, text_prior), self.senses, fingerprint)
        self.codecs: dict[str, Codec] = {
            "semantic": semantic,
            "verbatim": words,
            "spoken-question": SpokenQuestionCodec(semantic, words),
        }
        if sentences is not None:
            gist = GistCodec(words, sentences)
            self.codecs["gist"] = gist
            if reader is not None:
                self.codecs["reading"] = ReadingCodec(reader, gist, sentences, fingerprint)
        if pictures is not None:
            self.codecs["picture"] = ReconstructionCodec(pictures, fingerprint)
            self.codecs["with-picture"] = WithPicture(semantic, pictures)
        if space is not None:
            points = SpaceCodec(space, fingerprint)
            self.codecs["space"] = points if pictures is None else WithPicture(points, pictures)
            if second_look is not None and second_look.config.vision == space.config.vision:
                second_look.look_with = lambda: space.pictures.backbone  # loaded once for both
        if questions is not None:
            questions.fingerprint = fingerprint
            if space is not None and _look_alike(space.config, questions.config):
                questions.look_with = lambda: space.pictures  # a picture is looked at once for both
            sized = BySizeCodec(semantic, questions)
            self.codecs["questions"] = questions if pictures is None else WithPicture(questions, pictures)
            self.codecs["by-size"] = sized if pictures is None else WithPicture(sized, pictures)
        if sounds is not None:
            sounds.fingerprint = fingerprint
            self.codecs["sound"] = sounds

    @property
    def network(self) -> Network:
        """Projectors, channel codecs and language model; read when first asked for."""
        return self._network()

    def prepare(self, task: str | None = None) -> None:
        """Load now what else the first message waits for: of a task, or of all that these weights have.

        Raises:
            UnknownTaskError: no such task.
            ValueError: these weights have no codec for it.
        """
        for codec in self.codecs.values() if task is None else [self.codec(get_task(task))]:
            codec.prepare()

    def codec(self, task: Task) -> Codec:
        """The codec that carries a task.

        Raises:
            ValueError: these weights have none for it.
        """
        if task.system in _OWN_WEIGHTS and task.system not in self.codecs:
            what, command = _OWN_WEIGHTS[task.system]
            raise ValueError(f"there are no weights for {what}: train them with m4sc train {command}")
        if task.name in SPACE_TASKS and "space" in self.codecs:
            return self.codecs["space"]
        if task.name in QUESTION_TASKS and "questions" in self.codecs:
            return self.codecs["questions"]
        if task.name in GIST_TASKS and "gist" in self.codecs:
            return self.codecs["gist"]
        if task.name in READING_TASKS and "reading" in self.codecs:
            return self.codecs["reading"]
        if task.name in SIZED_TASKS and task.name in self.config.tasks and "by-size" in self.codecs:
            return self.codecs["by-size"]
        if task.system not in _OWN_WEIGHTS and task.name not in self.config.tasks:
            raise ValueError(
                f"these weights were not trained for '{task.name}'; trained: {', '.join(self.config.tasks)}"
            )
        if task.system == "semantic" and task.modality == "image":
            return self.codecs.get("with-picture", self.codecs["semantic"])
        return self.codecs[task.system]

    def encode(
        self,
        message: Message,
        task: str,
        instruction: str | None = None,
        snr_db: float | None = None,
        rate: int | None = None,
        latents: int | None = None,
        picture: bool = False,
        symbols: int | None = None,
        look: bool = False,
    ) -> Payload:
        """Message and task to a payload.

        Args:
            message, task: what is sent, and for what.
            instruction: what the transmitter's LLM is asked for, where it reads the task's messages
                (``config.encode_tasks``); the task's own wording if None. The light path needs none.
            snr_db, rate, latents, picture, symbols: see :class:`m4sc.codecs.base.Budget`.
            look: of a picture send what the instruction points at, in the place of the whole
                (:mod:`m4sc.gaze`); where it points at nothing the whole is sent.

        Raises:
            UnknownTaskError: no such task.
            ValueError: the message is of another modality, there is nothing to look for, the weights were not
                trained for the task or the rate, it takes more symbols than are allowed, or no word was heard
                in a sound to transcribe.
        """
        entry = get_task(task)
        codec = self.codec(entry)
        if picture and entry.modality != "image":
            raise ValueError(f"task '{task}' takes {entry.modality}, so there is no picture to send with it")
        if message.modality != entry.modality:
            raise ValueError(f"task '{task}' takes {entry.modality}, but the message is {message.modality}")
        if picture and "with-picture" not in self.codecs:
            raise ValueError("there are no weights for pictures: train them with m4sc train reconstruct")
        message, box = self._looked_at(message, instruction) if look else (message, None)
        budget = Budget(symbols, snr_db, picture, rate, latents)
        payload = codec.encode(message, entry, budget, instruction)
        _check_room(payload, budget, task)
        return payload if box is None else replace(payload, looked_at=box)

    def _looked_at(self, message: Message, instruction: str | None) -> tuple[Message, Box]:
        """A picture's part that an instruction points at, or all of it, and where it lies."""
        if message.modality != "image":
            raise ValueError(f"a second look takes a picture, but the message is {message.modality}")
        if instruction is None or not instruction.strip():
            raise ValueError("a second look needs an instruction that says where, such as the top left")
        if self.second_look is None:
            raise ValueError("there are no weights for a second look: train them with m4sc train gaze")
        part, box = self.second_look.part(np.asarray(message.data), instruction)
        return replace(message, data=part), box

    def decode(
        self,
        symbols: np.ndarray,
        noise_var: np.ndarray | float,
        task: str,
        instruction: str | None = None,
        min_confidence: float = 0.0,
    ) -> Answer:
        """Received symbols to an answer.

        Args:
            symbols: complex64 (k,), unbiased, as the equaliser gives them; or float (k, 2), I and Q.
            noise_var: float32 (k,) complex noise variance of each symbol, infinite where it did not arrive;
                or one for all.
            task: as in the header.
            instruction: the receiver's question; the task's own wording if None.
            min_confidence: an answer less sure than this is of no use; its words may be missing.

        Raises:
            UnknownTaskError, ValueError: unknown task, lengths that do not fit, values that are not finite.
        """
        return self.decode_many([(symbols, noise_var)], task, [instruction], min_confidence)[0]

    def decode_many(
        self,
        received: Sequence[tuple[np.ndarray, np.ndarray | float]],
        task: str,
        instructions: Sequence[str | None],
        min_confidence: float = 0.0,
    ) -> list[Answer]:
        """Several messages of one task in one batch.

        Args:
            received: pairs of symbols and noise variances, each as in :meth:`decode`.
            task, instructions: the task of all, the receiver's question of each.
            min_confidence: of all, as in :meth:`decode`.

        Raises:
            As :meth:`decode`; ``seconds`` of an answer is the batch's.
        """
        entry = get_task(task)
        parts = [_received(*pair, min_confidence) for pair in received]
        return self.codec(entry).decode_many(parts, entry, instructions)

    def more(self, task: str, sent: int, symbols: int | None = None, picture: bool = False) -> int | None:
        """``symbols`` for another copy of a message of which the receiver is not sure.

        Args:
            task: of the message.
            sent: symbols of its last copy.
            symbols, picture: that the first copy was encoded with, as in :meth:`encode`.

        Raises:
            UnknownTaskError, ValueError: as :meth:`codec`.
        """
        entry = get_task(task)
        return self.codec(entry).more(entry, sent, Budget(symbols, picture=picture)).symbols

    def combine(
        self, copies: Sequence[tuple[np.ndarray, np.ndarray | float]], task: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the copies of one message say together.

        Args:
            copies: at least one; symbols and noise variances of each, as in :meth:`decode`.
            task: of the message.

        Returns:
            Symbols, complex64 (k,), and noise variances, float32 (k,), for :meth:`decode`.

        Raises:
            UnknownTaskError, ValueError: as :meth:`decode`.
        """
        entry = get_task(task)
        together = self.codec(entry).combine([_received(*copy, 0.0) for copy in copies], entry)
        return together.symbols, together.noise_var

    def answer_without_channel(self, message: Message, task: str, instruction: str | None = None) -> Answer:
        """The same model reading the message itself, without its channel codec where there is a way.

        A classical link that delivered a message must not lose it in the semantic codec: see
        :meth:`m4sc.codecs.base.Codec.read` for what each codec does.

        Raises:
            UnknownTaskError, ValueError: as :meth:`encode`.
        """
        entry = get_task(task)
        codec = self.codec(entry)
        if message.modality != entry.modality:
            raise ValueError(f"task '{task}' takes {entry.modality}, but the message is {message.modality}")
        return codec.read(message, entry, instruction)

    def read(self, message: Message, task: Task, instruction: str | None) -> Answer:
        """As :meth:`answer_without_channel`, for a codec that delivers messages."""
        return self.answer_without_channel(message, task.name, instruction)

    def place(self, message: Message, task: Task) -> np.ndarray:
        """Where a message lies among others (:meth:`m4sc.codecs.base.Codec.place`); float32 (dim,)."""
        return self.codec(task).place(message, task)


def _text_code(llm: str, adapter: Path | None) -> TextCode:
    """The code of texts over a language model's tokens; the model itself is read when one is received."""
    folder = resolve(llm, "llm")
    alphabet = Alphabet(tokenizer_of(folder))
    return TextCode(alphabet, lambda: load_prior(folder, alphabet, adapter))


def _check_room(payload: Payload, budget: Budget, task: str) -> None:
    """Raise ValueError where a task's own symbols are more than the budget's."""
    if budget.symbols is None or budget.picture or payload.latents is None:
        return
    count = len(payload.latents)
    if count > budget.symbols:
        raise ValueError(
            f"task '{task}' sends {count} symbols for this message, but {budget.symbols} are allowed; "
            "allow more, or leave their number out"
        )


def _received(symbols: np.ndarray, noise_var: np.ndarray | float, min_confidence: float) -> Received:
    """What a caller hands in, as a codec takes it; raises ValueError for what is no such thing."""
    y = np.asarray(symbols)
    if y.ndim == 2 and y.shape[1] == 2 and not np.iscomplexobj(y):
        y = y[:, 0] + 1j * y[:, 1]
    if y.ndim != 1 or y.dtype.kind not in "cf":
        raise ValueError(f"received symbols are complex (k,) or float (k, 2); got {y.dtype} {y.shape}")
    n = np.asarray(noise_var, dtype=np.float32)
    n = np.full(len(y), n, np.float32) if n.ndim == 0 else n
    if (n < 0).any():
        raise ValueError("a noise variance is negative; give the complex noise variance of each symbol")
    return Received(y.astype(np.complex64), n, min_confidence=min_confidence)


def load(name_or_path: str = "default", adapted_hearing: bool = True) -> SemanticSystem:
    """Load a trained system; its fingerprint covers configuration and weights. The LLM runs in bfloat16.

    The language model of the shipped weights is read when a message first needs it
    (:meth:`SemanticSystem.prepare`): for captions, questions on photographs and sounds nobody does.

    Args:
        name_or_path: see :func:`weights_folder`.
        adapted_hearing: words of a sound by the adapter ``listen`` inside or beside the weights, or the
            shipped one; False for the speech backbone as it is. Only a transmitter hears.

    Raises:
        ValueError: no such weights, or weights that do not fit their configuration.
    """
    folder = weights_folder(name_or_path)
    text = (folder / "config.json").read_text(encoding="utf-8")
    network = LateNetwork(ModelConfig.from_json(text), partial(_served, folder, text))
    if is_shipped(folder):
        load_tensors(folder / "model.safetensors")  # whole, at least: the rest is known to fit
    else:
        network()  # does it fit its configuration?
    fingerprint = zlib.crc32((folder / "model.safetensors").read_bytes(), zlib.crc32(text.encode()))
    pictures = _load_pictures(folder)
    if pictures is not None:
        fingerprint = zlib.crc32(pictures.fingerprint.to_bytes(4, "big"), fingerprint)
    sound = companion(folder, "sound")
    sounds = None if sound is None else load_sound(sound)
    if sounds is not None:
        fingerprint = zlib.crc32(sounds.fingerprint.to_bytes(4, "big"), fingerprint)
    listen = companion(folder, "listen") if adapted_hearing else None
    if listen is not None and adapted_speech(listen) != network.config.speech.partition("+")[0]:
        listen = None  # made for another backbone
    space = _load_space(folder)
    if space is not None:
        fingerprint = zlib.crc32(space.fingerprint.to_bytes(4, "big"), fingerprint)
    asked = companion(folder, "questions")
    questions = None if asked is None else load_questions(asked)
    if questions is not None:
        fingerprint = zlib.crc32(questions.fingerprint.to_bytes(4, "big"), fingerprint)
    asked = companion(folder, "reading")
    reader, own = (None, 0) if asked is None else load_reading(asked)
    fingerprint = zlib.crc32(own.to_bytes(4, "big"), fingerprint) if reader is not None else fingerprint
    pointing = companion(folder, "gaze")
    sentences = SentenceEncoder()
    second_look = None if pointing is None else load_second_look(pointing, sentences)
    prior, trust = _text_prior(folder, network.config.llm), load_trust(folder)
    return SemanticSystem(
        network,
        fingerprint,
        pictures,
        listen,
        prior,
        space,
        sounds,
        questions,
        trust,
        sentences,
        reader,
        second_look,
    )


def _served(folder: Path, config: str) -> Network:
    """The network of a folder of weights, to be used and not to be trained."""
    network = Network(ModelConfig.from_json(config), torch.bfloat16, to_train=False)
    network.load_trained(folder)
    network.llm.serve()
    return network


def _load_pictures(folder: Path) -> PictureCodec | None:
    found = companion(folder, "reconstruct")
    return None if found is None else load_codec(found)


def _text_prior(folder: Path, llm: str) -> Path | None:
    """The adapter that expects short messages, if there is one for this language model."""
    found = companion(folder, "text-prior")
    if found is None or json.loads((found / "config.json").read_text(encoding="utf-8"))["llm"] != llm:
        return None
    return found / "model.safetensors"


def _load_space(folder: Path) -> SpaceSystem | None:
    found = companion(folder, "space")
    return None if found is None else SpaceSystem.load(found)


def _look_alike(space: SpaceConfig, questions: QuestionConfig) -> bool:
    """Whether both read the same features of a picture."""
    return (space.vision, space.things) == (questions.vision, questions.things)
