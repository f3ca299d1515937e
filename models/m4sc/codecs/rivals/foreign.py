"""Somebody else's encoder and decoder as a codec: two Python callables, or a Hugging Face audio codec.

An encoder takes a message's data (a picture uint8 (H, W, 3), a sound float32 (n,) at 16 kHz, a text) and
returns bytes, or the complex symbols of an analogue transmission. A decoder takes the bytes, or the received
symbols complex64 (k,) and the noise variance of each, float32 (k,), and returns data of the same form.
"""

from __future__ import annotations

import importlib
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.classical import Reader, read_decoded
from m4sc.message import Message
from m4sc.tasks import Task

HUGGING_FACE = "hf:"
FORM = r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*|hf:\S+"
"""Of a name: "package.module:function", or "hf:" and an id or folder."""
_LEAST_POWER = 1e-12

Function = Callable[..., Any]


class ForeignCodec(Codec):
    """A foreign pair.

    Args:
        reader: answers a task on a message that was delivered; None: the message itself is the answer.
        encode, decode: the pair, as the module says.
    """

    name = "foreign"

    def __init__(self, reader: Reader | None, encode: Function, decode: Function) -> None:
        self.reader, self._encode, self._decode = reader, encode, decode

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; symbols are scaled to unit mean power.

        Raises:
            ValueError: the encoder returns neither bytes nor finite complex symbols, or none.
        """
        coded = self._encode(message.data)
        if isinstance(coded, bytes | bytearray):
            if not coded:
                raise ValueError("the foreign encoder gave no bytes")
            return Payload(task.task_id, message.modality, data=bytes(coded))
        return Payload(task.task_id, message.modality, latents=_latents(coded))

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; an answer also has the decoded ``message``.

        Raises:
            ValueError: the decoder returns what is no message of the task's modality.
        """
        return [self._read(one, task, given) for one, given in zip(received, instructions, strict=True)]

    def _read(self, received: Received, task: Task, instruction: str | None) -> Answer:
        started = time.perf_counter()
        given = (received.data,) if received.data else (received.symbols, received.noise_var)
        data = self._decode(*given)
        message = Message(task.modality, data if isinstance(data, str) else _plain(data))
        return read_decoded(message, self.reader, task, instruction, started)


def foreign_pair(encoder: str, decoder: str) -> tuple[Function, Function]:
    """The callables of two names; a class is made without arguments, one object for both if it is one.

    Args:
        encoder, decoder: "package.module:function" (of the working folder, too), or both the same "hf:ID".

    Raises:
        ValueError: a name of another form, or that leads nowhere.
    """
    if encoder.startswith(HUGGING_FACE) or decoder.startswith(HUGGING_FACE):
        if encoder != decoder:
            raise ValueError(f"'{encoder}' and '{decoder}' are two models; give both the same hf:ID")
        codec = AudioTokens(encoder.removeprefix(HUGGING_FACE))
        return codec.encode, codec.decode
    found = _found(encoder)
    return found, found if decoder == encoder else _found(decoder)


def _found(name: str) -> Function:
    if not re.fullmatch(FORM, name):
        raise ValueError(f"'{name}' names no function; write package.module:function, or hf:ID")
    module, _, path = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        target: Any = importlib.import_module(module)
        for part in path.split("."):
            target = getattr(target, part)
    except (ImportError, AttributeError) as exc:
        raise ValueError(f"'{name}' cannot be imported: {exc}") from exc
    if isinstance(target, type):
        target = target()
    if not callable(target):
        raise ValueError(f"'{name}' is no function")
    return target  # type: ignore[no-any-return]


def _plain(data: Any) -> np.ndarray:
    """An array of the decoder's, which may be a tensor."""
    return np.asarray(data.detach().cpu() if hasattr(data, "detach") else data)


def _latents(coded: Any) -> np.ndarray:
    """float32 (k, 2) of unit mean power, of complex (k,) or real (k, 2)."""
    symbols = _plain(coded)
    if np.iscomplexobj(symbols):
        symbols = np.stack([symbols.reshape(-1).real, symbols.reshape(-1).imag], -1)
    if symbols.ndim != 2 or symbols.shape[1] != 2 or not len(symbols) or symbols.dtype.kind not in "fiu":
        raise ValueError(
            f"the foreign encoder gave {symbols.dtype} {symbols.shape}; give bytes, complex (k,) or "
            "float (k, 2)"
        )
    power = float(np.mean(np.sum(symbols.astype(np.float64) ** 2, -1)))
    if not np.isfinite(power) or power < _LEAST_POWER:
        raise ValueError("the foreign encoder's symbols are not finite, or all zero")
    return (symbols / power**0.5).astype(np.float32)


class AudioTokens:
    """A neural audio codec of Hugging Face (DAC, Mimi, EnCodec): its codes, each in as few bits as do.

    Args:
        name: id, of the local cache where the network is not there, or folder.

    Raises:
        ValueError: no such model, or one without ``encode`` and ``decode`` of audio codes.
    """

    def __init__(self, name: str) -> None:
        from transformers import AutoModel

        try:
            self._model: Any = AutoModel.from_pretrained(name).eval()
        except (OSError, ValueError) as exc:
            raise ValueError(f"'{HUGGING_FACE}{name}' cannot be loaded: {str(exc).splitlines()[0]}") from exc
        if not (hasattr(self._model, "encode") and hasattr(self._model, "decode")):
            raise ValueError(
                f"'{HUGGING_FACE}{name}' is a {type(self._model).__name__}, which has no encode and "
                "decode; give an audio codec such as DAC, Mimi or EnCodec, or a pair of Python functions"
            )
        self._rate = int(self._model.config.sampling_rate)
        self._bits = int(self._model.config.codebook_size - 1).bit_length()

    def encode(self, sound: np.ndarray) -> bytes:
        """Two bytes of samples (of 160), one of codebooks, then the codes; sound: float32 (n,) at 16 kHz."""
        import torch

        values = torch.from_numpy(_resampled(sound, 16_000, self._rate)).reshape(1, 1, -1)
        with torch.inference_mode():
            codes = self._model.encode(values).audio_codes
        codes = codes.reshape(codes.shape[-2:]).numpy()  # (codebooks, frames)
        bits = (codes.reshape(-1, 1) >> np.arange(self._bits)) & 1
        head = min(0xFFFF, -(-len(sound) // 160)).to_bytes(2, "big") + bytes([len(codes)])
        return head + np.packbits(bits.astype(np.uint8)).tobytes()

    def decode(self, data: bytes) -> np.ndarray:
        """Inverse of :meth:`encode`, float32 (n,) at 16 kHz; raises ValueError for other bytes."""
        import torch

        books = data[2] if len(data) > 3 else 0
        bits = np.unpackbits(np.frombuffer(data[3:], np.uint8))
        frames = len(bits) // (self._bits * books) if books else 0
        if not frames:
            raise ValueError(f"{len(data)} bytes are no audio codes")
        codes = bits[: frames * books * self._bits].reshape(-1, self._bits) @ (1 << np.arange(self._bits))
        shaped = torch.from_numpy(codes.astype(np.int64)).reshape(1, books, frames)
        with torch.inference_mode():
            if type(self._model).__name__ == "EncodecModel":
                values = self._model.decode(shaped[None], [None]).audio_values
            else:
                values = self._model.decode(audio_codes=shaped).audio_values
        sound = _resampled(values.reshape(-1).float().numpy(), self._rate, 16_000)
        return np.clip(sound[: 160 * int.from_bytes(data[:2], "big")], -1.0, 1.0)


def _resampled(sound: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    from math import gcd

    from scipy.signal import resample_poly

    if rate == wanted:
        return np.asarray(sound, np.float32)
    common = gcd(rate, wanted)
    return np.asarray(resample_poly(sound, wanted // common, rate // common), np.float32)
