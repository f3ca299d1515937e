"""Which modulation and coding scheme a channel carries best, found by sending; never on test messages."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from m4sc.codecs.base import Payload
from m4sc.evaluate.crossing import cross
from m4sc.phy.modulation.mcs import MCS_TABLE
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.transport.config import TransportConfig

DRAWS = 40
TOLERANCE = 0.025
"""Loss beyond the least that any scheme has which a shorter time on the air may cost."""
_SEED = 71_993  # of draws that no evaluation sees
_MARGINS_DB = (-8.0, 2.0)  # of AWGN: schemes below carry less for nothing, those above carry nothing


def best_scheme(channel: str, snr_db: float, n_bytes: int) -> int:
    """Number of the scheme of the least air time among those that lose no more than they must.

    Messages of random bytes, of the next larger of a few sizes, are sent with each scheme; those whose loss
    is within `TOLERANCE` of the least count. Outage counts: a scheme that a fade breaks is one that loses.

    Args:
        channel: of :mod:`m4sc.evaluate.channels`.
        snr_db: mean Es/N0, dB.
        n_bytes: of a message.

    Raises:
        ValueError: unknown channel.
    """
    return _best(channel, float(snr_db), 1 << max(1, n_bytes - 1).bit_length())


@lru_cache(maxsize=256)
def _best(channel: str, snr_db: float, n_bytes: int) -> int:
    found = []
    for mcs in MCS_TABLE:
        margin = mcs.required_snr_db(min(n_bytes, 256)) - snr_db
        if mcs.index and (margin > _MARGINS_DB[1] or (channel == "awgn" and margin < _MARGINS_DB[0])):
            continue
        config = TransportConfig(PayloadFormat(snr_db=snr_db, mcs=mcs.index), interleave=False)
        lost, air_time_s = 0, 0.0
        for draw in range(DRAWS):
            rng = np.random.default_rng([_SEED, draw, n_bytes])
            crossing = cross(Payload(1, "image", data=rng.bytes(n_bytes)), channel, snr_db, rng, config)
            lost, air_time_s = lost + (crossing.received is None), crossing.air_time_s
        found.append((lost / DRAWS, air_time_s, mcs.index))
    least = min(loss for loss, _, _ in found)
    return min((time, index) for loss, time, index in found if loss <= least + TOLERANCE)[1]
