"""A source codec with LDPC and QAM at a given number of channel symbols, beside what others published.

CIFAR-10's small pictures are tiled into one large one, as others did, so that a codec's header counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from m4sc.codecs.base import Payload
from m4sc.codecs.rivals.picture_files import PictureFiles
from m4sc.evaluate.crossing import cross
from m4sc.evaluate.metrics.image import psnr_db
from m4sc.message import Message
from m4sc.phy.modulation.mcs import select_mcs
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, to_frames

SIDE = 32
PUBLISHED_DB = {
    (6, 0.0): 22.3, (6, 5.0): 25.4, (6, 10.0): 29.7, (6, 15.0): 32.8, (12, 0.0): 20.05, (12, 10.0): 25.43,
}  # fmt: skip
"""PSNR of BPG with 5G LDPC on tiled CIFAR-10 by the inverse of the CBR and Es/N0 in dB, as others plot it."""
_BLOCK_BYTES = 256  # the longest for which a scheme's SNR was measured; longer blocks need no more


@dataclass(frozen=True)
class Separation:
    """What came of one tiled picture.

    Attributes:
        cbr_inverse: source reals over complex channel symbols that were allowed.
        snr_db: Es/N0.
        quality, n_bytes, mcs: of the file and its scheme.
        symbols: complex symbols that were sent, CRCs and padding counted.
        allowed: symbols that the CBR allows.
        psnr_db: mean over the small pictures.
        lost: whether the whole was lost, and grey.
    """

    cbr_inverse: int
    snr_db: float
    quality: int
    n_bytes: int
    mcs: int
    symbols: int
    allowed: int
    psnr_db: float
    lost: bool


class Tiled:
    """Small pictures as one.

    Args:
        pictures: uint8 (n, 32, 32, 3); the largest square number of them is taken.
        form: of :class:`PictureFiles`.
        chroma: 420 or 444, of H.265.
    """

    def __init__(self, pictures: np.ndarray, form: str = "heic", chroma: int = 444) -> None:
        self.across = int(np.sqrt(len(pictures)))
        if self.across < 1:
            raise ValueError("no picture was given to tile")
        self.pictures = pictures[: self.across**2]
        rows = self.pictures.reshape(self.across, self.across, SIDE, SIDE, 3)
        self.whole = np.ascontiguousarray(rows.transpose(0, 2, 1, 3, 4).reshape(SIDE * self.across, -1, 3))
        self._coded = lru_cache(128)(self._code)
        self.form, self.chroma = form, chroma

    def _codec(self, quality: int) -> PictureFiles:
        return PictureFiles(self.form, max(self.whole.shape[:2]), quality, self.chroma, squared=True)

    def _code(self, quality: int) -> bytes:
        return self._codec(quality).source_encode(Message("image", self.whole))

    def send(self, cbr_inverse: int, snr_db: float, rng: np.random.Generator) -> Separation:
        """Send the file of the highest quality that fits the CBR, by the fastest scheme that the SNR carries.

        Raises:
            ValueError: even the lowest quality does not fit.
        """
        mcs = select_mcs(snr_db, n_bytes=_BLOCK_BYTES).index
        config = TransportConfig(PayloadFormat(snr_db=snr_db, mcs=mcs), interleave=False)
        allowed = self.whole.size // cbr_inverse

        def symbols(quality: int) -> int:
            frames = to_frames(Payload(1, "image", data=self._coded(quality)), Address(), config)
            return sum(len(frame.symbols) for frame in frames)

        low, high = 0, 100  # the highest quality that fits is at least `low`, below `high` + 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if symbols(middle) <= allowed else (low, middle - 1)
        if low == 0:
            raise ValueError(f"no quality of {self.form} fits {allowed} symbols at {snr_db:g} dB")
        data = self._coded(low)
        crossing = cross(Payload(1, "image", data=data), "awgn", snr_db, rng, config)
        seen = np.full_like(self.whole, 128)
        if crossing.received is not None:
            seen = np.asarray(self._codec(low).source_decode(crossing.received.data, "image").data)
        shown = seen.reshape(self.across, SIDE, self.across, SIDE, 3).transpose(0, 2, 1, 3, 4)
        parts = shown.reshape(-1, SIDE, SIDE, 3)
        mean = float(np.mean([psnr_db(a, b) for a, b in zip(parts, self.pictures, strict=True)]))
        return Separation(
            cbr_inverse,
            snr_db,
            low,
            len(data),
            mcs,
            crossing.symbols,
            allowed,
            mean,
            crossing.received is None,
        )
