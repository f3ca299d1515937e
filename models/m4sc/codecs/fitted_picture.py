"""A picture's file, of the quality that fills the symbols that it may take."""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.rivals.picture_files import MOST_SIDE, PictureFiles
from m4sc.message import Message, MessageError
from m4sc.phy.modulation.mcs import select_mcs
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.tasks import Task
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import digital_symbols

CBR_INVERSE = 12
"""Reals of a picture over the symbols that it takes where no budget is told."""
SNR_DB = 10.0
"""Es/N0 that is expected where none is told."""
MARGIN_DB = 0.3
"""Above a scheme's threshold, where 1 % of the blocks are lost: a picture has many, and needs all."""
_REDUCTIONS = (1, 2, 4, 8)  # of the sides, where even the lowest quality takes too much
_QUALITIES = 100
_HEAD = struct.Struct(">HHB")  # height and width of the whole, and its reduction


class FittedPictureCodec(Codec):
    """Pictures of any size in any number of symbols; the error correction is the transport's.

    The transmitter knows the SNR that it was told and nothing else of the channel. Without an error in its
    blocks the picture is as it was fitted, with one it is lost.

    Args:
        files: source codec; its side and quality are set for each picture.
        transport: segments and waveform that the symbols are counted for.
    """

    name = "fitted-picture"

    def __init__(self, files: PictureFiles | None = None, transport: TransportConfig | None = None) -> None:
        self.files = replace(files or _FILES, side=MOST_SIDE)
        self.transport = transport or TransportConfig()
        self._kept: tuple[bytes, dict[tuple[int, int], bytes]] = (b"", {})  # the last picture and its files

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; raises ValueError where not even the smallest file fits."""
        picture = np.asarray(message.data)
        if message.modality != "image" or picture.ndim != 3 or 0 in picture.shape:
            raise ValueError(f"a picture is needed, but the message is {message.modality} {picture.shape}")
        if max(picture.shape[:2]) > MOST_SIDE:
            raise ValueError(f"a picture has at most {MOST_SIDE} pixels a side, not {picture.shape[:2]}")
        snr_db = SNR_DB if budget.snr_db is None else budget.snr_db
        allowed = max(1, picture.size // CBR_INVERSE) if budget.symbols is None else budget.symbols
        mcs = scheme_at(snr_db)
        data = self.fitted(picture, self._most_bytes(allowed, mcs))
        return Payload(task.task_id, "image", data=data, mcs=mcs)

    def fitted(self, picture: np.ndarray, most_bytes: int) -> bytes:
        """The best file of at most `most_bytes`; raises ValueError where there is none."""
        key = hashlib.sha256(picture.tobytes()).digest() + str(picture.shape).encode()
        files = self._kept[1] if self._kept[0] == key else {}
        self._kept = (key, files)
        for reduction in _REDUCTIONS:

            def coded(quality: int, reduction: int = reduction) -> bytes:
                if (reduction, quality) not in files:
                    files[reduction, quality] = self._coded(picture, reduction, quality)
                return files[reduction, quality]

            quality = highest(lambda q: len(coded(q)) <= most_bytes, _QUALITIES)
            if quality:
                return coded(quality)
        height, width = picture.shape[:2]
        raise ValueError(f"no file of {height} x {width} pixels fits {most_bytes} bytes; give more symbols")

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; raises ValueError for bytes that are no picture."""
        found = []
        for one in received:
            started = time.perf_counter()
            shown = picture_of(one.data, self.files)
            found.append(Answer("", shown, time.perf_counter() - started))
        return found

    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`: the picture is there already."""
        return Answer("", np.asarray(message.data), 0.0)

    def _most_bytes(self, symbols: int, mcs: int) -> int:
        """Bytes whose frames take no more than `symbols`; 0 where a single one takes more."""
        config = replace(self.transport, form=PayloadFormat(mcs=mcs))
        return highest(lambda n: digital_symbols(n, config) <= symbols, max(1, symbols))

    def _coded(self, picture: np.ndarray, reduction: int, quality: int) -> bytes:
        height, width = picture.shape[:2]
        small = picture
        if reduction > 1:
            size = (-(-width // reduction), -(-height // reduction))
            small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
        return _HEAD.pack(height, width, reduction) + replace(self.files, quality=quality).source_encode(
            Message("image", small)
        )


_FILES = PictureFiles("heic", side=MOST_SIDE, chroma=444, squared=True)


def is_fitted(data: bytes) -> bool:
    """Whether bytes begin as such a file does, and no WebP: with a height of at most `MOST_SIDE`."""
    return len(data) > _HEAD.size and _HEAD.unpack_from(data)[0] <= MOST_SIDE


def picture_of(data: bytes, files: PictureFiles = _FILES) -> np.ndarray:
    """The picture, uint8 (H, W, 3), of a file that :meth:`FittedPictureCodec.fitted` made.

    Raises:
        MessageError: the bytes are none.
    """
    if len(data) <= _HEAD.size:
        raise MessageError("the picture's bytes are too few; they are broken")
    height, width, reduction = _HEAD.unpack_from(data)
    if not (1 <= height <= MOST_SIDE and 1 <= width <= MOST_SIDE) or reduction not in _REDUCTIONS:
        raise MessageError("the picture's size is none that is sent; its bytes are broken")
    shown = np.asarray(files.source_decode(data[_HEAD.size :], "image").data)
    if shown.shape != (-(-height // reduction), -(-width // reduction), 3):
        raise MessageError("the picture has another size than its bytes say; they are broken")
    if reduction > 1:
        shown = np.asarray(Image.fromarray(shown).resize((width, height), Image.Resampling.BICUBIC))
    return shown


def scheme_at(snr_db: float) -> int:
    """Number of the fastest scheme that loses next to no block of a picture in AWGN of an SNR."""
    return select_mcs(snr_db, MARGIN_DB).index


def highest(fits: Callable[[int], bool], most: int) -> int:
    """The highest of 1 to `most` that fits, found as if all below one that fits did; 0 if 1 does not."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
