"""What a channel carries, by which scheme and which header of symbols: found by sending random messages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from m4sc.codecs.base import Payload
from m4sc.codecs.text_code.code_book import effective_snr_db
from m4sc.evaluate.as_samples import hear_samples
from m4sc.evaluate.metrics.bootstrap import share_interval
from m4sc.evaluate.ways import SymbolWay, Way
from m4sc.phy.header.protection import PROTECTIONS
from m4sc.phy.modulation.mcs import MCS_TABLE
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, most_message_bytes, to_frames

DRAWS = 40
TOLERANCE = 0.025
"""Share of messages that a scheme may lose; where every scheme loses more, beyond the least of any."""
_SEED = 71_993  # of draws that no evaluation sees
_SYMBOLS = SymbolWay()
_AT_ONCE = 10  # draws that a way of frames takes together; divides `DRAWS`
_HEADERS, _LATENTS, _FINGERPRINT = 200, 64, 0xABCD  # messages of symbols
_SYMBOLS_HEARD = 192  # of a message whose noise is looked at
_MARGINS_DB = (-8.0, 2.0)  # of AWGN: schemes below carry less for nothing, those above carry nothing


@dataclass(frozen=True)
class Choice:
    """The scheme of a channel, an SNR and a size, and what it is known to lose.

    Attributes:
        mcs: its number.
        lost, draws: messages of random bytes that were lost, and sent.
    """

    mcs: int
    lost: int
    draws: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share that is lost."""
        return share_interval(self.lost, self.draws)


def best_scheme(channel: str, snr_db: float, n_bytes: int, way: Way = _SYMBOLS) -> int:
    """Number of the scheme that :func:`choose_scheme` finds."""
    return choose_scheme(channel, snr_db, n_bytes, way).mcs


def choose_scheme(channel: str, snr_db: float, n_bytes: int, way: Way = _SYMBOLS) -> Choice:
    """The fastest scheme that loses no more than `TOLERANCE` of its messages.

    Messages of random bytes, of the next larger of a few sizes, are sent with each scheme, the fastest first.
    Outage counts: a scheme that a fade breaks is one that loses. Where all lose more, it is the fastest of
    those within `TOLERANCE` of the least loss.

    Args:
        channel: of :mod:`m4sc.evaluate.channels`.
        snr_db: mean Es/N0, dB.
        n_bytes: of a message.
        way: by which they are sent.

    Raises:
        ValueError: unknown channel.
    """
    return _choose(channel, float(snr_db), size_of(n_bytes), way)


@dataclass(frozen=True)
class HeaderChoice:
    """The protection of symbols' headers on a channel and an SNR, and what it is known to lose.

    Attributes:
        index: its number.
        lost, draws: messages that were lost for their header, and sent.
    """

    index: int
    lost: int
    draws: int


def choose_protection(channel: str, snr_db: float) -> HeaderChoice:
    """The shortest protection of symbols' headers that loses no more than `TOLERANCE`, as samples through the
    whole receiver, which must find the preamble too.

    A sender that knows channel and SNR need not be as careful as one that does not
    (:func:`m4sc.transport.budget.analogue_protection`). Where all lose more, it is the one that loses least.

    Raises:
        ValueError: unknown channel.
    """
    return _choose_protection(channel, float(snr_db))


@lru_cache(maxsize=256)
def _choose_protection(channel: str, snr_db: float) -> HeaderChoice:
    found = []
    for protection in PROTECTIONS:
        lost = _headers_lost(channel, snr_db, protection.index)
        if lost <= int(TOLERANCE * _HEADERS):
            return HeaderChoice(protection.index, lost, _HEADERS)
        found.append((lost, protection.index))
    lost, index = min(found)
    return HeaderChoice(index, lost, _HEADERS)


def _headers_lost(channel: str, snr_db: float, protection: int) -> int:
    """Of `_HEADERS` messages of symbols those that do not arrive."""
    config = TransportConfig(PayloadFormat(snr_db=snr_db), protection=protection)
    lost = 0
    for draw in range(_HEADERS):
        rng = np.random.default_rng([_SEED, draw, 0])
        latents = rng.normal(scale=0.5**0.5, size=(_LATENTS, 2)).astype(np.float32)
        (frame,) = to_frames(Payload(1, "image", _FINGERPRINT, latents), Address(), config)
        lost += hear_samples(frame, channel, snr_db, rng, config.waveform) is None
    return lost


def assured_snr_db(channel: str, snr_db: float, way: Way = _SYMBOLS) -> float:
    """What a sender of symbols may reckon with who knows channel and SNR, as a rival's scheme does.

    The Es/N0 of AWGN, dB, under which symbols carry as much as of all but `TOLERANCE` of 200 random messages:
    in AWGN the SNR itself, in fading what is left in all but the deepest fades.

    Raises:
        ValueError: unknown channel.
    """
    return float(snr_db) if channel == "awgn" else _assured(channel, float(snr_db), way)


@lru_cache(maxsize=256)
def _assured(channel: str, snr_db: float, way: Way) -> float:
    rngs = [np.random.default_rng([_SEED, draw, 1]) for draw in range(_HEADERS)]
    config = TransportConfig(PayloadFormat(snr_db=snr_db), interleave=way.framed)
    payloads = [
        Payload(
            1, "image", _FINGERPRINT, rng.normal(scale=0.5**0.5, size=(_SYMBOLS_HEARD, 2)).astype(np.float32)
        )
        for rng in rngs
    ]
    crossings = way.cross_all(payloads, channel, snr_db, rngs, [config] * len(rngs))
    heard = [c.received.noise_var for c in crossings if c.received is not None]  # others: no rate helps them
    found = sorted(effective_snr_db(noise_var) for noise_var in heard)
    return found[int(TOLERANCE * len(found))] if found else -np.inf


def size_of(n_bytes: int) -> int:
    """The size that a message of n bytes counts as: the next power of two, or all that frames can number."""
    most = max(most_message_bytes(mcs.index, TransportConfig()) for mcs in MCS_TABLE)
    return max(n_bytes, min(1 << max(1, n_bytes - 1).bit_length(), most))


@lru_cache(maxsize=256)
def _choose(channel: str, snr_db: float, n_bytes: int, way: Way) -> Choice:
    schemes = _candidates(channel, snr_db, n_bytes)
    allowed = int(TOLERANCE * DRAWS)
    for mcs in schemes:
        lost = _lost(channel, snr_db, n_bytes, mcs, allowed, way)
        if lost <= allowed:
            return Choice(mcs, lost, DRAWS)
    found: list[tuple[int, int]] = []
    for mcs in reversed(schemes):  # the most robust first, so that hopeless ones end early
        most = min((lost for lost, _ in found), default=DRAWS) + allowed
        found.append((_lost(channel, snr_db, n_bytes, mcs, most, way), mcs))
    least = min(lost for lost, _ in found)
    lost, mcs = next(one for one in reversed(found) if one[0] <= least + allowed)
    return Choice(mcs, lost, DRAWS)


def _candidates(channel: str, snr_db: float, n_bytes: int) -> list[int]:
    """Numbers of the schemes that may do, the fastest first; the slowest that carries so much is among them.

    Raises:
        ValueError: no scheme can.
    """
    able = [mcs for mcs in MCS_TABLE if n_bytes <= most_message_bytes(mcs.index, TransportConfig())]
    if not able:
        raise ValueError(f"a message of {n_bytes} bytes takes more frames than can be numbered")
    found = []
    for mcs in able:
        margin = mcs.required_snr_db(min(n_bytes, 256)) - snr_db
        if mcs is not able[0] and (
            margin > _MARGINS_DB[1] or (channel == "awgn" and margin < _MARGINS_DB[0])
        ):
            continue
        found.append((mcs.bits_per_symbol * mcs.rate, mcs.index))
    return [index for _, index in sorted(found, reverse=True)]


def _lost(channel: str, snr_db: float, n_bytes: int, mcs: int, most: int, way: Way) -> int:
    """Of `DRAWS` messages those that are lost; counting ends when they are more than `most`."""
    config = TransportConfig(PayloadFormat(snr_db=snr_db, mcs=mcs), interleave=way.framed)
    lost, step = 0, _AT_ONCE if way.framed else 1
    for start in range(0, DRAWS, step):
        draws = range(start, start + step)
        rngs = [np.random.default_rng([_SEED, draw, n_bytes]) for draw in draws]
        payloads = [Payload(1, "image", data=rng.bytes(n_bytes)) for rng in rngs]
        crossings = way.cross_all(payloads, channel, snr_db, rngs, [config] * step)
        lost += sum(crossing.received is None for crossing in crossings)
        if lost > most:
            break
    return lost
