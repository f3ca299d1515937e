"""SNR that the LDPC decoder needs, beside Sionna's decoder as script/reference_ldpc.py measured it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from m4sc.phy.fec.ldpc import LdpcCode, ldpc_code
from m4sc.phy.modulation.qam import map_bits, soft_demap

TARGET_BLER = 0.01
_BITS_PER_SYMBOL = {"BPSK": 1, "QPSK": 2}
_MOST_BLOCKS = 8000  # at one SNR
_BATCH_BITS = 100_000


@dataclass(frozen=True)
class ReferenceCase:
    """One row of the table: a code, and the Es/N0 at which Sionna's decoder loses 1 % of the blocks.

    Attributes:
        k, n, rate, modulation, base_graph: the code.
        snr_db: Es/N0 of a complex symbol in complex AWGN.
        half_interval_db: half of the 95 % interval of `snr_db`.
        step_db: between the SNRs that were tried.
    """

    k: int
    n: int
    rate: str
    modulation: str
    base_graph: int
    snr_db: float
    half_interval_db: float
    step_db: float


@dataclass(frozen=True)
class Gap:
    """Our Es/N0 less the reference's, dB, and half of the 95 % interval of the difference."""

    case: ReferenceCase
    gap_db: float
    half_interval_db: float


def reference_cases() -> list[ReferenceCase]:
    """All cases of the table."""
    table = json.loads(Path(__file__).with_name("sionna_snr.json").read_text())
    cases = []
    for row in table["cases"]:
        points = row.pop("points")
        cases.append(ReferenceCase(**row, step_db=points[-1][0] - points[-2][0]))
    return cases


def count_lost(
    code: LdpcCode, snr_db: float, errors: int, blocks: int, iterations: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Blocks with a wrong information bit, and blocks sent, at Es/N0 in AWGN.

    Ends after `errors` lost blocks or `blocks` sent ones, in whole batches.
    """
    noise_var = 10 ** (-snr_db / 10)
    batch = max(4, _BATCH_BITS // code.n)
    lost = sent = 0
    while lost < errors and sent < blocks:
        bits = rng.integers(0, 2, (batch, code.k), dtype=np.uint8)
        x = map_bits(np.concatenate([code.encode(row) for row in bits]), code.bits_per_symbol)
        noise = rng.standard_normal((x.size, 2), dtype=np.float32).view(np.complex64)[:, 0]
        y = x + np.float32(np.sqrt(noise_var / 2)) * noise
        llr = soft_demap(y, np.full(y.size, noise_var), code.bits_per_symbol).reshape(batch, -1)
        lost += int((code.decode(llr, iterations) != bits).any(axis=1).sum())
        sent += batch
    return lost, sent


def measure_gap(
    case: ReferenceCase, megabits: float, errors: int = 100, iterations: int = 20, seed: int = 1
) -> Gap:
    """Our decoder on the work of `case`: up and down in its steps until 1 % is bracketed, then interpolated.

    Args:
        case: what to measure.
        megabits: most information bits at an SNR, millions.
        errors: lost blocks that end an SNR.
        iterations: of the decoder, at most.
        seed: of bits and noise.
    """
    code = ldpc_code(case.k, case.n, _BITS_PER_SYMBOL[case.modulation], case.base_graph)
    rng = np.random.default_rng([seed, case.k, case.n, code.bits_per_symbol])
    blocks = int(min(_MOST_BLOCKS, megabits * 1e6 / case.k))

    def bler(place: int) -> tuple[float, int]:
        lost, sent = count_lost(code, case.snr_db + place * case.step_db, errors, blocks, iterations, rng)
        return max(lost, 0.5) / sent, lost

    low, found = 0, {0: bler(0)}
    while found[low][0] <= TARGET_BLER:
        low -= 1
        found[low] = bler(low)
    while low + 1 not in found or found[low + 1][0] > TARGET_BLER:
        low += low + 1 in found
        found.setdefault(low + 1, bler(low + 1))
    y = [np.log10(found[place][0]) for place in (low, low + 1)]
    t = (y[0] - np.log10(TARGET_BLER)) / (y[0] - y[1])
    spread = [1 / (np.log(10) * np.sqrt(max(found[place][1], 0.5))) for place in (low, low + 1)]
    half = 1.96 * np.hypot((1 - t) * spread[0], t * spread[1]) * case.step_db / (y[0] - y[1])
    return Gap(case, float((low + t) * case.step_db), float(np.hypot(half, case.half_interval_db)))
