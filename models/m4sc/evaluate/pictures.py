"""Pictures rebuilt: codecs of the transport at the same channel symbols, beside published figures.

Every picture crosses the transport's own frames with each block really decoded over its noisy symbols; a
lost one is grey. The bound `capacity` alone sends nothing: the best file of as many bits as the channel's
capacity.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.codecs.base import Budget, Codec, Received
from m4sc.codecs.fitted_picture import FittedPictureCodec
from m4sc.codecs.picture import ReconstructionCodec
from m4sc.codecs.rivals.deepjscc import DeepJsccCodec
from m4sc.codecs.rivals.picture_files import JPEG_XL, PictureFiles
from m4sc.coding.deepjscc.codec import load_deepjscc
from m4sc.coding.reconstruction.codec import load_codec
from m4sc.coding.reconstruction.size_field import SIZE_SYMBOLS
from m4sc.evaluate.crossing import cross
from m4sc.evaluate.metrics.bootstrap import bootstrap_interval
from m4sc.evaluate.metrics.image import MS_SSIM_SIDE, fitted_to, ms_ssim, psnr_db
from m4sc.evaluate.metrics.lpips import LPIPS_SIDE, Lpips
from m4sc.message import Message
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.shipped import weights_folder
from m4sc.tasks import get_task
from m4sc.transport.config import TransportConfig

SWIN_JSCC_DB = {
    1.0: {48: 26.43, 24: 28.35, 16: 29.54, 12: 30.35, 8: 31.41},
    4.0: {48: 27.65, 24: 29.73, 16: 31.09, 12: 31.98, 8: 33.19},
    7.0: {48: 28.49, 24: 30.79, 16: 32.27, 12: 33.34, 8: 34.76},
    10.0: {48: 29.04, 24: 31.55, 16: 33.17, 12: 34.41, 8: 36.05},
    13.0: {48: 29.38, 24: 32.05, 16: 33.80, 12: 35.19, 8: 37.05},
}
"""PSNR on Kodak in AWGN that SwinJSCC's authors give (one model for all), by Es/N0 in dB and inverse CBR."""
OURS, CAPACITY = "m4sc", "capacity"
_FILES = {
    "heic": PictureFiles("heic", chroma=420, squared=True),
    "avif": PictureFiles("avif", chroma=444, squared=True, speed=6),
    "webp": PictureFiles("webp"),
    "jpeg": PictureFiles("jpeg"),
    "jpeg2000": PictureFiles("jpeg2000"),
    JPEG_XL: PictureFiles(JPEG_XL),
}
DEEPJSCC, DEEPJSCC_2019 = "deepjscc", "deepjscc-2019"
SYSTEMS = (OURS, *_FILES, DEEPJSCC, DEEPJSCC_2019, CAPACITY)
"""Names; ``deepjscc=FOLDER`` is DeepJSCC with other weights than those shipped."""
USUAL = tuple(name for name in SYSTEMS if name not in (JPEG_XL, DEEPJSCC_2019))
"""Those that need nothing that is not installed with the project and know CBRs below 1/6."""


@dataclass(frozen=True)
class Row:
    """What came of one picture.

    Attributes:
        system, picture: names.
        cbr_inverse: reals of the picture over complex symbols that were allowed.
        snr_db: Es/N0.
        psnr_db: at most 100; of a lost picture that of grey.
        ms_ssim: None of pictures too small for it.
        symbols, allowed: complex symbols of all frames' payloads, and what the CBR allows.
        air_time_s: of all frames, everything counted; 0 of the bound.
        lost: nothing could be shown.
        fingerprint: of the codec's weights; 0 of one without.
        lpips: distance, 0 of equal pictures; None of small ones and where its weights are not there.
    """

    system: str
    picture: str
    cbr_inverse: int
    snr_db: float
    psnr_db: float
    ms_ssim: float | None
    symbols: int
    allowed: int
    air_time_s: float
    lost: bool
    fingerprint: int = 0
    lpips: float | None = None

    @property
    def key(self) -> tuple[str, int, str, int, float]:
        """What tells a row from others of one set of pictures."""
        return self.system, self.fingerprint, self.picture, self.cbr_inverse, self.snr_db


def fingerprint_of(codec: Codec) -> int:
    """32 bits of a codec's weights; 0 where it has none."""
    if isinstance(codec, ReconstructionCodec | DeepJsccCodec):
        return codec.pictures.fingerprint
    return 0


def codec_of(system: str) -> Codec:
    """A system's codec.

    Raises:
        ValueError: no such system, or no weights for it.
    """
    if system in (OURS, CAPACITY):
        return ReconstructionCodec(load_codec(weights_folder("reconstruct")))
    if system in _FILES:
        return FittedPictureCodec(_FILES[system])
    name, _, folder = system.partition("=")
    if name in (DEEPJSCC, DEEPJSCC_2019):
        return DeepJsccCodec(load_deepjscc(weights_folder(folder or name)))
    raise ValueError(f"system '{system}' is unknown; use one of {', '.join(SYSTEMS)}")


def send(
    system: str,
    codec: Codec,
    name: str,
    picture: np.ndarray,
    cbr_inverse: int,
    snr_db: float,
    seed: int = 0,
    lpips: Lpips | None = None,
) -> Row:
    """One picture through AWGN; the transmitter is told the SNR and nothing else.

    Args:
        system, codec: its name, and :func:`codec_of` it.
        name, picture: uint8 (H, W, 3).
        cbr_inverse, snr_db: of the point.
        seed: of the noise; each picture and point has its own, the same for all systems.
        lpips: to be measured too.
    """
    allowed = picture.size // cbr_inverse
    if system == CAPACITY:
        assert isinstance(codec, ReconstructionCodec)
        shown = _at_capacity(codec.files, picture, allowed, snr_db)
        symbols, air_time_s = allowed, 0.0
    else:
        # DeepJSCC's own symbols are all of the CBR's, as published: its field for the size comes on top
        more = SIZE_SYMBOLS + 1 if isinstance(codec, DeepJsccCodec) else 0
        task, budget = get_task("reconstruct"), Budget(allowed + more, snr_db)
        rng = np.random.default_rng(
            [seed, cbr_inverse, round(100 * snr_db) & 0xFFFF, zlib.crc32(name.encode())]
        )
        try:
            payload = codec.encode(Message("image", picture), task, budget)
        except ValueError:  # nothing fits: nothing is sent
            shown, symbols, air_time_s = None, 0, 0.0
        else:
            config = TransportConfig(PayloadFormat(snr_db=snr_db), interleave=False)
            crossing = cross(payload, "awgn", snr_db, rng, config)
            symbols, air_time_s = crossing.symbols, crossing.air_time_s
            shown = _shown(codec, crossing.received)
    seen = fitted_to(shown, picture)
    like = ms_ssim(seen, picture) if min(picture.shape[:2]) > MS_SSIM_SIDE else None
    found = psnr_db(seen, picture)
    apart = lpips(seen, picture) if lpips is not None and _is_for_lpips(picture) else None
    lost, weights = shown is None, fingerprint_of(codec)
    return Row(
        system, name, cbr_inverse, snr_db, found, like, symbols, allowed, air_time_s, lost, weights, apart
    )


def _is_for_lpips(picture: np.ndarray) -> bool:
    return min(picture.shape[:2]) >= LPIPS_SIDE


def _shown(codec: Codec, received: Received | None) -> np.ndarray | None:
    if received is None:
        return None
    try:
        return codec.decode(received, get_task("reconstruct")).image
    except ValueError:
        return None


def _at_capacity(
    codec: FittedPictureCodec, picture: np.ndarray, symbols: int, snr_db: float
) -> np.ndarray | None:
    """The picture of the best file of log2(1 + SNR) bits a symbol."""
    most = int(symbols * math.log2(1 + 10 ** (snr_db / 10)) / 8)
    try:
        data = codec.fitted(picture, most)
    except ValueError:
        return None
    return codec.decode(Received(data=data), get_task("reconstruct")).image


def measure(
    systems: Sequence[str],
    pictures: Sequence[tuple[str, np.ndarray]],
    points: Sequence[tuple[int, float]],
    kept: Path | None = None,
    seed: int = 0,
    lpips: Lpips | None = None,
) -> Iterator[Row]:
    """Rows of all systems, pictures and points, picture by picture: its files are made once.

    Args:
        systems: of `SYSTEMS`.
        pictures: names and uint8 (H, W, 3).
        points: inverses of the CBR and Es/N0 in dB.
        kept: file of rows that is added to; what stands in it is not measured again, unless it lacks the
            LPIPS that is asked for. None: no file.
        seed: of the noise.
        lpips: to be measured too.
    """
    done = {} if kept is None else {row.key: row for row in read_rows(kept)}
    codecs = {system: codec_of(system) for system in systems}
    if CAPACITY in codecs and OURS in codecs:
        codecs[CAPACITY] = codecs[OURS]  # the same files
    for name, picture in pictures:
        for system, codec in codecs.items():
            for cbr_inverse, snr_db in points:
                row = done.get((system, fingerprint_of(codec), name, cbr_inverse, snr_db))
                lacking = lpips is not None and _is_for_lpips(picture)
                if row is None or (lacking and row.lpips is None):
                    row = send(system, codec, name, picture, cbr_inverse, snr_db, seed, lpips)
                    if kept is not None:
                        with kept.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(asdict(row)) + "\n")
                yield row


def read_rows(path: Path) -> list[Row]:
    """Rows of a file; none where there is none. A last line that a kill cut off is taken away.

    Raises:
        ValueError: a line that is no row; names it.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    rows = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            rows.append(Row(**json.loads(line)))
        except (ValueError, TypeError) as exc:
            raise ValueError(f"{path}, line {number}: this is no row of `m4sc bench pictures`") from exc
    return rows


@dataclass(frozen=True)
class Mean:
    """Of a system at a point.

    Attributes:
        system, cbr_inverse, snr_db: of the rows.
        n, lost: pictures, and those that were lost.
        psnr_db, interval_db: mean PSNR and its 95 % interval over pictures.
        ms_ssim: mean; None of small pictures.
        lpips: mean; None where any of the rows lacks it.
        used: symbols over those allowed.
        air_time_s: mean.
        swin_jscc_db: published for this point, if it is.
    """

    system: str
    cbr_inverse: int
    snr_db: float
    n: int
    lost: int
    psnr_db: float
    interval_db: tuple[float, float]
    ms_ssim: float | None
    lpips: float | None
    used: float
    air_time_s: float
    swin_jscc_db: float | None

    def as_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)


def means(rows: Sequence[Row]) -> list[Mean]:
    """Of each system and point, in the order of their first rows."""
    groups: dict[tuple[str, int, float], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.system, row.cbr_inverse, row.snr_db), []).append(row)
    found = []
    for (system, cbr_inverse, snr_db), own in groups.items():
        psnr = np.array([row.psnr_db for row in own])
        alike = [row.ms_ssim for row in own if row.ms_ssim is not None]
        apart = [row.lpips for row in own if row.lpips is not None]
        found.append(
            Mean(
                system,
                cbr_inverse,
                snr_db,
                len(own),
                sum(row.lost for row in own),
                float(psnr.mean()),
                bootstrap_interval(psnr),
                float(np.mean(alike)) if alike else None,
                float(np.mean(apart)) if len(apart) == len(own) else None,
                float(np.mean([row.symbols / row.allowed for row in own])),
                float(np.mean([row.air_time_s for row in own])),
                SWIN_JSCC_DB.get(snr_db, {}).get(cbr_inverse),
            )
        )
    return found
