"""The system as a user sees it: encode a message for a task, decode what was received."""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from m4sc.coding.reconstruction.codec import PictureCodec, load_codec
from m4sc.coding.torch_link.link import transmit
from m4sc.config import LATENTS, ModelConfig
from m4sc.encoders import ImageEncoder, SpeechEncoder
from m4sc.encoders.hearing import adapted_speech
from m4sc.message import Message
from m4sc.mllm.evidence import Evidence, log_likelihood, with_end
from m4sc.mllm.instruction import END
from m4sc.mllm.network import Network
from m4sc.phy.modulation.fsq import bytes_to_latents, latents_to_bytes
from m4sc.phy.modulation.payload import PayloadFormat, latents_as_sent
from m4sc.shipped import weights_folder
from m4sc.tasks import Task, get_task

_CLEAN_SNR_DB = 60.0
# what the parts of a picture with a spoken question are sent as
_PICTURE_TASK, _VOICE_TASK = "vqa", "transcribe"


@dataclass(frozen=True)
class Encoded:
    """What the transmitter sends.

    Attributes:
        latents: float32 (k, 2), I and Q of k symbols of unit mean power; held to the grid for "qam", at the
            values of their levels for "digital".
        task, modality: of the message.
        payload: "digital": what goes into error correction (``m4sc.phy.modulation.digital``), else empty.
    """

    latents: np.ndarray
    task: str
    modality: str
    payload: bytes = b""


@dataclass(frozen=True)
class Answer:
    """What the receiver says: text, a picture (uint8 (H, W, 3)) where one was sent, and the time taken."""

    text: str
    image: np.ndarray | None
    seconds: float


class SemanticSystem:
    """Semantic encoder and decoder around one set of weights, and a codec for pictures beside it."""

    def __init__(
        self,
        network: Network,
        fingerprint: int = 0,
        pictures: PictureCodec | None = None,
        listen: Path | None = None,
    ) -> None:
        """listen: folder of the adapter that hears words; None for the speech encoder's own."""
        self.network = network.eval()
        self.config: ModelConfig = network.config
        self.fingerprint = fingerprint
        self.pictures = pictures
        self.listen = listen

    @cached_property
    def image_encoder(self) -> ImageEncoder:
        """Loaded when the first picture comes."""
        c = self.config
        return ImageEncoder(c.vision, c.image_size, c.small_image_size, c.image_grid)

    @cached_property
    def speech_encoder(self) -> SpeechEncoder:
        """Loaded when the first sound comes."""
        c = self.config
        return SpeechEncoder(c.speech, c.speech_tokens_per_s, c.speech_max_tokens, self.listen)

    @torch.inference_mode()
    def encode(
        self,
        message: Message,
        task: str,
        instruction: str | None = None,
        snr_db: float | None = None,
        rate: int | None = None,
        latents: int | None = None,
        picture: bool = False,
        kind: str = "analog",
        qam_order: int = 256,
        levels: int = 16,
    ) -> Encoded:
        """Message and task to symbols, or to bytes.

        `snr_db` is accepted for transmitters that use it; this one sends the same symbols for every SNR.

        Args:
            message, task: what is sent, and for what.
            instruction: what the transmitter's LLM is asked for, where it reads the task's messages
                (``config.encode_tasks``); the task's own wording if None. The light path needs none.
            snr_db: see above.
            rate: of the light path: symbols a token, of ``config.rates(...)``; the task's own if None.
            latents: of the other: how many, of ``config.latent_counts``; the task's own if None.
            picture: of a task on a picture, send the picture itself too, in the same frame behind the task's
                symbols; the receiver's answer then has both.
            kind, qam_order, levels: of the payload, as of :class:`m4sc.phy.modulation.payload.PayloadFormat`.

        Raises:
            UnknownTaskError: no such task.
            ValueError: the message is of another modality, the weights were not trained for the task or the
                rate, no word was heard in a sound to transcribe, or no such payload.
        """
        form = PayloadFormat(kind, qam_order, levels)
        entry = self._check(task)
        if picture and entry.modality != "image":
            raise ValueError(f"task '{task}' takes {entry.modality}, so there is no picture to send with it")
        if message.modality != entry.modality:
            raise ValueError(f"task '{task}' takes {entry.modality}, but the message is {message.modality}")
        if entry.gives == "image":
            return _as_payload(self._picture_codec().encode(message.data), task, message.modality, form)
        codec = self.config.codec_of(entry)
        count = latents or entry.latents
        rate = rate or (codec != LATENTS and entry.rate) or self.config.symbols_per_token(codec)
        _check_choice(
            rate, self.config.rates(codec), f"symbols a token are no rate of these weights for {codec}"
        )
        if codec == LATENTS:
            _check_choice(count, self.config.latent_counts, "latents are no rate of these weights")
        if entry.asks_by_voice:
            most = self.config.symbols_per_token("image")  # the receiver knows where the words begin
            _check_choice(rate, (most,), "symbols a token do not fit a message of two parts")
            return _as_payload(self._picture_and_question(message), task, message.modality, form)
        features = self._features(message, entry)
        if codec == LATENTS:
            wording = instruction or entry.instructions[0]
            symbols = self.network.send_latents(entry.channel_codec, [features], [wording], count)
        else:
            mask = torch.ones(1, len(features), dtype=torch.bool)
            symbols = self.network.send(codec, features[None], mask, rate)
        sent = symbols.reshape(-1, 2).float().numpy()
        if picture:
            sent = np.concatenate([sent, self._picture_codec().encode(message.data)])
        return _as_payload(sent, task, message.modality, form)

    def _picture_and_question(self, message: Message) -> np.ndarray:
        """A picture's symbols, then those of the words that were heard: float32 (k, 2)."""
        picture, sound = message.data
        parts = [
            self.encode(Message("image", picture), _PICTURE_TASK),
            self.encode(Message("speech", sound), _VOICE_TASK),
        ]
        return np.concatenate([part.latents for part in parts])

    @torch.inference_mode()
    def decode(
        self, symbols: np.ndarray, noise_var: np.ndarray, task: str, instruction: str | None = None
    ) -> Answer:
        """Received symbols to an answer.

        Args:
            symbols: complex64 (k,), unbiased, as the equaliser gives them.
            noise_var: float32 (k,) complex noise variance of each symbol.
            task: as in the header.
            instruction: the receiver's question; the task's own wording if None.

        Raises:
            UnknownTaskError, ValueError: unknown task, lengths that do not fit, values that are not finite.
        """
        return self.decode_many([(symbols, noise_var)], task, [instruction])[0]

    def decode_bytes(self, payload: bytes, task: str, instruction: str | None = None) -> Answer:
        """What error correction recovered of a "digital" payload to an answer; see :meth:`decode`.

        Raises:
            UnknownTaskError, ValueError: as of :meth:`decode`, or bytes that no latents make.
        """
        latents, noise_var = bytes_to_latents(payload)
        return self.decode(latents[:, 0] + 1j * latents[:, 1], noise_var, task, instruction)

    @torch.inference_mode()
    def decode_many(
        self,
        received: Sequence[tuple[np.ndarray, np.ndarray]],
        task: str,
        instructions: Sequence[str | None],
    ) -> list[Answer]:
        """Several messages of one task in one batch.

        Args:
            received: pairs of symbols and noise variances, each as in :meth:`decode`.
            task, instructions: the task of all, the receiver's question of each.

        Raises:
            As :meth:`decode`; ``seconds`` of an answer is the batch's.
        """
        started = time.perf_counter()
        entry = self._check(task)
        if entry.asks_by_voice:
            return self._answer_questions(received, instructions)
        if entry.gives == "image":
            shown = self._picture_codec().decode_many(received)
            seconds = time.perf_counter() - started
            return [Answer("", picture, seconds) for picture in shown]
        pictures = [self._picture(*pair, entry) for pair in received]
        network, prompts, rows = self.network, list[Tensor](), list[Tensor]()
        pieces_of: list[int] = []
        for (symbols, noise_var), instruction in zip(received, instructions, strict=True):
            own = self._own_symbols(len(symbols), entry)
            y, n = self._tokens(symbols[:own], noise_var[:own], entry)
            size = self.config.text_chunk if entry.verbatim else len(y)
            latents = network.receive(self.config.codec_of(entry), y[None], n[None])[0].split(size)
            wording = instruction or entry.instructions[0]
            prompts += [network.llm.prompt(wording, piece) for piece in latents]
            if entry.verbatim:
                rows += self._evidence(y, n, size)
            pieces_of.append(len(latents))
        evidence = Evidence(None, rows) if entry.verbatim else None
        texts = iter(network.llm.generate(prompts, entry.max_new_tokens, evidence))
        seconds = time.perf_counter() - started
        return [
            Answer(" ".join(next(texts) for _ in range(count)).strip(), picture, seconds)
            for count, picture in zip(pieces_of, pictures, strict=True)
        ]

    def _answer_questions(
        self, received: Sequence[tuple[np.ndarray, np.ndarray]], instructions: Sequence[str | None]
    ) -> list[Answer]:
        """Read the question behind each picture, then ask it; a receiver's own question goes before it."""
        size = self.config.image_tokens * self.config.symbols_per_token("image")
        pictures = [(y[:size], n[:size]) for y, n in received]
        words = [(y[size:], n[size:]) for y, n in received]
        heard = self.decode_many(words, _VOICE_TASK, [None] * len(words))
        wordings = get_task("spoken-question")
        own = {*wordings.instructions, *wordings.held_out, None}
        asked = [h.text if given in own else given for h, given in zip(heard, instructions, strict=True)]
        answers = self.decode_many(pictures, _PICTURE_TASK, asked)
        return [replace(a, seconds=a.seconds + h.seconds) for a, h in zip(answers, heard, strict=True)]

    def _picture_codec(self) -> PictureCodec:
        if self.pictures is None:
            raise ValueError("there are no weights for pictures: train them with m4sc train reconstruct")
        return self.pictures

    def _own_symbols(self, count: int, task: Task) -> int:
        """Of `count` symbols those of the task itself; a picture's symbols may follow them."""
        if task.modality == "image" and self.pictures is not None:
            codec = self.config.codec_of(task)
            tokens = self.config.latent_counts if codec == LATENTS else (self.config.image_tokens,)
            possible = [rate * n for rate in self.config.rates(codec) for n in tokens]
            fitting = [own for own in possible if self.pictures.holds(count - own)]
            if count not in possible and fitting:
                return fitting[0]
        return count

    def _picture(self, symbols: np.ndarray, noise_var: np.ndarray, task: Task) -> np.ndarray | None:
        """The picture that came with a message, if one did."""
        own = self._own_symbols(len(symbols), task)
        if own == len(symbols):
            return None
        with contextlib.suppress(ValueError):  # its size cannot be read: the answer is still worth having
            return self._picture_codec().decode(symbols[own:], noise_var[own:])
        return None

    @cached_property
    def _code_book(self) -> Tensor:
        return self.network.code_book()

    def _evidence(self, y: Tensor, noise_var: Tensor, size: int) -> list[Tensor]:
        """Log-likelihoods of every token at each place of each piece of `size` tokens."""
        rows = log_likelihood(y, noise_var, self._code_book)
        return [with_end(part, self.network.llm.end_id) for part in rows.split(size)]

    def _tokens(self, symbols: np.ndarray, noise_var: np.ndarray, task: Task) -> tuple[Tensor, Tensor]:
        """Symbols by token, float (t, s, 2), and their noise variances, float (t, s)."""
        per_token = self._rate(len(symbols), task)
        codec = self.config.codec_of(task)
        tokens = self.config.image_tokens if codec == "image" else len(symbols) // per_token
        if (
            len(symbols) == 0
            or len(symbols) != per_token * tokens
            or len(symbols) != len(noise_var)
            or (codec == LATENTS and tokens not in self.config.latent_counts)
        ):
            raise ValueError(
                f"{len(symbols)} symbols with {len(noise_var)} noise variances do not make whole tokens of "
                f"{per_token} symbols; transmitter and receiver use different models"
            )
        if not (np.isfinite(symbols).all() and np.isfinite(noise_var).all()):
            raise ValueError("received symbols or noise variances are not finite")
        pairs = np.stack([np.real(symbols), np.imag(symbols)], axis=-1).astype(np.float32)
        n = np.array(noise_var, dtype=np.float32)
        return torch.from_numpy(pairs).reshape(-1, per_token, 2), torch.from_numpy(n).reshape(-1, per_token)

    def _rate(self, count: int, task: Task) -> int:
        """Symbols a token of a message of `count` symbols: the number of a picture's tokens is known."""
        codec = self.config.codec_of(task)
        if codec != "image":
            return self.config.symbols_per_token(codec)
        fitting = [rate for rate in self.config.image_rates if rate * self.config.image_tokens == count]
        return fitting[0] if fitting else self.config.image_symbols

    def answer_without_channel(self, message: Message, task: str, instruction: str | None = None) -> Answer:
        """The same model reading the message itself: its latents over a channel of 60 dB.

        Of a verbatim task (``text``, ``transcribe``) the words themselves, as the model reads or hears them,
        and of ``reconstruct`` the picture: a classical link that delivered the message must not lose them in
        the semantic codec.
        """
        entry = self._check(task)
        if entry.verbatim and message.modality == entry.modality:
            return Answer(self._words(message), None, 0.0)
        if entry.gives == "image" and message.modality == "image":
            return Answer("", np.asarray(message.data), 0.0)
        latents = self.encode(message, task, instruction).latents
        y, noise_var = transmit(
            torch.from_numpy(latents)[None, :, None], torch.tensor([_CLEAN_SNR_DB]), "awgn"
        )
        pairs = y.reshape(-1, 2).numpy()
        return self.decode(pairs[:, 0] + 1j * pairs[:, 1], noise_var.reshape(-1).numpy(), task, instruction)

    def _check(self, task: str) -> Task:
        entry = get_task(task)
        if entry.gives == "image":
            self._picture_codec()
        elif task not in self.config.tasks:
            raise ValueError(
                f"these weights were not trained for '{task}'; trained: {', '.join(self.config.tasks)}"
            )
        return entry

    def _features(self, message: Message, task: Task) -> Tensor:
        if task.modality == "image":
            return self.image_encoder([message.data])[0]
        if task.channel_codec == "speech":
            return self.speech_encoder(message.data)
        text = self._words(message)
        ids = [i for chunk in self.text_chunks(text) for i in chunk]
        return self.network.llm.embed_ids(ids)

    def _words(self, message: Message) -> str:
        text = str(
            message.data if message.modality == "text" else self.speech_encoder.transcribe(message.data)
        )
        if not text.strip():
            raise ValueError("no word was heard in the sound, so there is nothing to transcribe")
        return text

    def text_chunks(self, text: str) -> list[list[int]]:
        """Token numbers in chunks of ``text_chunk``; every chunk but the last is filled up with end marks."""
        llm, size = self.network.llm, self.config.text_chunk
        chunks: list[list[int]] = [[]]
        for word in text.split():
            ids = llm.token_ids(word)
            joined = llm.token_ids(" " + word) if chunks[-1] else ids
            if chunks[-1] and len(chunks[-1]) + len(joined) > size:
                chunks.append([])
                joined = ids
            chunks[-1] += joined[:size]
        end = llm.token_ids(END)
        return [chunk + end * (size - len(chunk)) for chunk in chunks[:-1]] + chunks[-1:]


def _check_choice(value: int, allowed: tuple[int, ...], what: str) -> None:
    if value not in allowed:
        raise ValueError(f"{value} {what}; use one of {', '.join(map(str, allowed))}")


def _as_payload(latents: np.ndarray, task: str, modality: str, form: PayloadFormat) -> Encoded:
    """Latents, float32 (k, 2), as they are sent."""
    payload = latents_to_bytes(latents, form.levels) if form.kind == "digital" else b""
    return Encoded(latents_as_sent(latents, form), task, modality, payload)


def load(name_or_path: str = "default", adapted_hearing: bool = True) -> SemanticSystem:
    """Load a trained system; its fingerprint covers configuration and weights. The LLM runs in bfloat16.

    Args:
        name_or_path: see :func:`weights_folder`.
        adapted_hearing: words of a sound by the adapter ``listen`` inside or beside the weights, or the
            shipped one; False for the speech backbone as it is. Only a transmitter hears.

    Raises:
        ValueError: no such weights, or weights that do not fit their configuration.
    """
    folder = weights_folder(name_or_path)
    text = (folder / "config.json").read_text(encoding="utf-8")
    network = Network(ModelConfig.from_json(text), torch.bfloat16)
    network.load_trained(folder)
    network.llm.serve()
    fingerprint = zlib.crc32((folder / "model.safetensors").read_bytes(), zlib.crc32(text.encode()))
    pictures = _load_pictures(folder)
    if pictures is not None:
        fingerprint = zlib.crc32(pictures.fingerprint.to_bytes(4, "big"), fingerprint)
    listen = _companion(folder, "listen") if adapted_hearing else None
    if listen is not None and adapted_speech(listen) != network.config.speech.partition("+")[0]:
        listen = None  # made for another backbone
    return SemanticSystem(network, fingerprint, pictures, listen)


def _load_pictures(folder: Path) -> PictureCodec | None:
    found = _companion(folder, "reconstruct")
    return None if found is None else load_codec(found)


def _companion(folder: Path, name: str) -> Path | None:
    """Weights of another part inside or beside a folder of weights, else the shipped ones, if any."""
    for candidate in (str(folder / name), str(folder.parent / name), name):
        with contextlib.suppress(ValueError):
            return weights_folder(candidate)
    return None
