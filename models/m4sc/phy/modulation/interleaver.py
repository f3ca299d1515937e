"""Block interleaver over carriers and time, so that a faded carrier does not hit one token."""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np

_GOLDEN = 0.3819660112501051  # 2 - golden ratio: multiples of it spread evenly, however many are taken


def _coprime_step(size: int) -> int:
    """The step nearest to the golden section of `size` that visits every place."""
    wanted = _GOLDEN * size
    steps = [step for step in range(1, size + 1) if gcd(step, size) == 1]
    return min(steps, key=lambda step: abs(step - wanted))


@lru_cache(maxsize=64)
def permutation(n_symbols: int, n_carriers: int) -> np.ndarray:
    """Place on the air of each symbol of a message, int (n_symbols,).

    Symbol i goes to carrier (i step_c) mod C and OFDM symbol (floor(golden R (i mod C)) + floor(i / C)
    step_r) mod R, with R OFDM symbols of C carriers and steps coprime to both: neighbours of a token are
    about 0.38 of the band and of the frame apart. Places behind the end of a last, partly filled OFDM symbol
    are skipped (pruned), so that it is a permutation for any length. Place a is carrier a mod C of OFDM
    symbol a div C.

    Raises:
        ValueError: no symbols or no carriers.
    """
    if n_symbols < 1 or n_carriers < 1:
        raise ValueError(f"cannot interleave {n_symbols} symbols over {n_carriers} carriers")
    rows = -(-n_symbols // n_carriers)
    i = np.arange(rows * n_carriers)
    carrier = i * _coprime_step(n_carriers) % n_carriers
    shift = np.floor(_GOLDEN * rows * (i % n_carriers)).astype(np.int64)
    row = (shift + i // n_carriers * _coprime_step(rows)) % rows
    places = row * n_carriers + carrier
    places = places[places < n_symbols]
    places.flags.writeable = False
    return places


def interleave(values: np.ndarray, n_carriers: int) -> np.ndarray:
    """Values (n,) of a message in the order in which they are sent."""
    out = np.empty_like(values)
    out[permutation(len(values), n_carriers)] = values
    return out


def deinterleave(values: np.ndarray, n_carriers: int) -> np.ndarray:
    """Inverse of :func:`interleave`, for symbols and their noise variances alike."""
    return np.asarray(values[permutation(len(values), n_carriers)])
