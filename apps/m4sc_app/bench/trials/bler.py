"""Block error rate of the digital payload in AWGN, and the SNR that each scheme needs."""

from __future__ import annotations

import numpy as np
from m4sc.phy.modulation.digital import decode_transport, encode_transport


def block_error_rate(mcs: int, snr_db: float, n_bytes: int, blocks: int, seed: int = 0) -> float:
    """Share of `blocks` transport blocks of `n_bytes` that are lost at Es/N0 `snr_db`."""
    rng = np.random.default_rng([seed, mcs, round(100 * snr_db) + 10_000])
    noise_var = 10.0 ** (-snr_db / 10)
    lost = 0
    for _ in range(blocks):
        data = rng.bytes(n_bytes)
        sent = encode_transport(data, mcs)
        noise = rng.standard_normal((2, sent.size)) * np.sqrt(noise_var / 2)
        received = sent + noise[0] + 1j * noise[1]
        lost += decode_transport(received, np.full(sent.size, noise_var), mcs, n_bytes) != data
    return lost / blocks


def required_snr_db(
    mcs: int, n_bytes: int = 256, blocks: int = 200, target: float = 0.01, step_db: float = 0.1, seed: int = 0
) -> float:
    """Least Es/N0, dB, on a grid of `step_db` at which at most `target` of the blocks are lost.

    Bisection between -10 and 35 dB: the curve falls within a fraction of a dB.
    """
    low, high = round(-10.0 / step_db), round(35.0 / step_db)
    while high - low > 1:
        middle = (low + high) // 2
        if block_error_rate(mcs, middle * step_db, n_bytes, blocks, seed) <= target:
            high = middle
        else:
            low = middle
    return round(high * step_db, 3)
