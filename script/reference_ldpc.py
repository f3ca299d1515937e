#!/usr/bin/env python3
"""Reference data for the LDPC code, made with Sionna (Apache-2.0) in an environment of its own.

Sionna needs numpy 2 and GNU Radio numpy 1, so this script imports nothing of the project:

    python3 -m venv /tmp/sionna && /tmp/sionna/bin/pip install torch==2.13.0
    /tmp/sionna/bin/pip install "numpy>=2.2" scipy h5py matplotlib importlib_resources
    /tmp/sionna/bin/pip install --no-deps sionna==2.2.0
    /tmp/sionna/bin/python script/reference_ldpc.py vectors tests/data/ldpc_vectors.npz
    /tmp/sionna/bin/python script/reference_ldpc.py snr apps/m4sc_app/bench/trials/sionna_snr.json

``vectors`` writes code words of Sionna's LDPC5GEncoder. ``snr`` measures, for its LDPC5GDecoder with all
defaults (sum-product "boxplus-phi", flooding, 20 iterations), the Es/N0 at which 1 % of the blocks are lost;
it adds to the file case by case and goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder

TARGET = 0.01
ITERATIONS = 20
K_VALUES = (256, 1024, 3840, 8448)
RATES = {"1/3": 1 / 3, "1/2": 1 / 2, "2/3": 2 / 3, "5/6": 5 / 6}
MODULATIONS = {"BPSK": 1, "QPSK": 2}
STEP_DB = {256: 0.25, 1024: 0.12, 3840: 0.06, 8448: 0.05}  # about a third of a decade of the error rate

# k, n, bits a symbol, base graph (0: Sionna chooses), redundancy version
VECTORS = (
    (256, 1280, 1, 0, 0),
    (256, 384, 2, 0, 0),
    (292, 594, 2, 0, 0),
    (293, 438, 6, 0, 0),
    (300, 900, 4, 2, 0),
    (560, 840, 4, 0, 0),
    (640, 1920, 2, 0, 0),
    (641, 1288, 8, 0, 0),
    (1024, 1152, 8, 0, 0),
    (1024, 5120, 1, 2, 0),
    (1024, 3072, 2, 1, 0),
    (2000, 3000, 6, 0, 0),
    (3824, 11472, 4, 0, 0),
    (3840, 5760, 6, 0, 0),
    (3840, 19200, 2, 2, 0),
    (4224, 4752, 8, 0, 0),
    (8424, 12640, 4, 0, 0),
    (8448, 9504, 8, 0, 0),
    (8448, 25344, 2, 0, 0),
    *((500, 1000, 2, 2, rv) for rv in range(4)),
    *((1000, 1500, 4, 1, rv) for rv in range(4)),
    *((2500, 5000, 6, 2, rv) for rv in range(4) if rv != 0),
    *((5000, 6000, 8, 1, rv) for rv in range(4)),
    *((8448, 12672, 6, 1, rv) for rv in range(4)),
)


def write_vectors(path: Path, seed: int) -> None:
    """Random information bits and their rate-matched, interleaved code words, packed eight to a byte."""
    rng = np.random.default_rng(seed)
    cases, bits, words = [], [], []
    for k, n, step, number, version in VECTORS:
        n = step * math.ceil(n / step)
        encoder = LDPC5GEncoder(k, n, step, f"bg{number}" if number else None)
        info = rng.integers(0, 2, k, dtype=np.uint8)
        word = encoder(torch.tensor(info[None], dtype=torch.float32), rv=[version])
        cases.append((k, n, step, int(encoder._bg[-1]), version, encoder.z))
        bits.append(np.packbits(info))
        words.append(np.packbits(word.numpy().astype(np.uint8).ravel()))
    np.savez_compressed(
        path, cases=np.array(cases, np.int32), bits=np.concatenate(bits), words=np.concatenate(words)
    )
    print(f"{len(cases)} code words in {path}, {path.stat().st_size} bytes")


class BlockErrors:
    """Counts lost blocks of one code, modulation and the default decoder in AWGN."""

    def __init__(self, k: int, n: int, bits_per_symbol: int, seed: int) -> None:
        self.k, self.n, self.bits = k, n, bits_per_symbol
        self.encoder = LDPC5GEncoder(k, n, bits_per_symbol)
        self.decoder = LDPC5GDecoder(self.encoder, num_iter=ITERATIONS)
        self.generator = torch.Generator().manual_seed(seed)
        self.batch = max(4, 60_000 // n)

    def count(self, snr_db: float, errors: int, blocks: int) -> tuple[int, int]:
        """Lost and sent blocks at Es/N0; ends after `errors` lost or `blocks` sent."""
        noise_var = 10 ** (-snr_db / 10)  # of the complex noise
        amplitude = 1 / math.sqrt(self.bits)  # of a bit on its real axis; Es = 1
        lost = sent = 0
        while lost < errors and sent < blocks:
            shape = (self.batch, self.k)
            info = torch.randint(0, 2, shape, generator=self.generator).float()
            x = amplitude * (1 - 2 * self.encoder(info))
            noise = torch.randn(x.shape, generator=self.generator)
            y = x + math.sqrt(noise_var / 2) * noise
            logits = -4 * amplitude * y / noise_var  # Sionna's are log p(1) / p(0)
            with torch.no_grad():
                lost += int((self.decoder(logits) != info).any(-1).sum())
            sent += self.batch
        return lost, sent


def _snr_at_target(points: list[tuple[float, int, int]]) -> tuple[float, float]:
    """Es/N0 at `TARGET`, log10 of the error rate interpolated, and half of its 95 % interval."""
    (a, lost_a, sent_a), (b, lost_b, sent_b) = points[-2:]
    y_a, y_b = (math.log10(max(lost, 0.5) / sent) for lost, sent in ((lost_a, sent_a), (lost_b, sent_b)))
    t = (y_a - math.log10(TARGET)) / (y_a - y_b)
    spread = [1 / (math.log(10) * math.sqrt(max(lost, 0.5))) for lost in (lost_a, lost_b)]
    sigma = math.hypot((1 - t) * spread[0], t * spread[1]) * (b - a) / (y_a - y_b)
    return a + t * (b - a), 1.96 * sigma


def _limit_db(rate: float, bits_per_symbol: int) -> float:
    """Es/N0 where Gaussian signalling on the modulation's axes carries the rate: the search starts there."""
    return 10 * math.log10((2 ** (2 * rate) - 1) * bits_per_symbol / 2)


def measure_case(
    k: int, rate: str, modulation: str, max_blocks: int, errors: int, seed: int, start_db: float
) -> dict[str, object]:
    """Walk up in SNR from `start_db` until at most 1 % of the blocks are lost."""
    step, bits = STEP_DB[k], MODULATIONS[modulation]
    n = 2 * math.ceil(k / RATES[rate] / 2 - 1e-9)
    trial = BlockErrors(k, n, bits, seed)
    snr_db = start_db
    while (rough := trial.count(snr_db, 1000, 16))[0] > 0.15 * rough[1]:
        snr_db += step
    points: list[tuple[float, int, int]] = []
    while not points or points[-1][1] > TARGET * points[-1][2] or len(points) < 2:
        points.append((round(snr_db, 3), *trial.count(snr_db, errors, max_blocks)))
        if points[0][1] <= TARGET * points[0][2]:  # the rough search went past it
            points.clear()
            snr_db -= 3 * step
        snr_db += step
    found, half = _snr_at_target(points)
    return {
        "k": k,
        "n": n,
        "rate": rate,
        "modulation": modulation,
        "base_graph": int(trial.encoder._bg[-1]),
        "snr_db": round(found, 4),
        "half_interval_db": round(half, 4),
        "points": points,
    }


def measure_all(path: Path, megabits: float, errors: int, seed: int) -> None:
    """Every case that `path` lacks."""
    table = json.loads(path.read_text()) if path.exists() else {"cases": []}
    table |= {
        "command": f"script/reference_ldpc.py snr {path.name}, in several runs with other "
        "--megabits and --errors: each case's points say how much was sent",
        "decoder": f"sionna 2.2.0 LDPC5GDecoder, defaults (boxplus-phi, flooding), {ITERATIONS} iterations",
        "definition": "Es/N0 in dB per complex symbol, complex AWGN, where 1 % of the blocks have a wrong "
        "information bit; log10 of the error rate interpolated over the last two points",
        "points": "Es/N0 in dB, blocks lost, blocks sent",
        "half_interval_db": "half of the 95 % interval",
    }
    done = {(case["k"], case["rate"], case["modulation"]) for case in table["cases"]}
    for k in K_VALUES:
        for modulation in MODULATIONS:
            for rate in RATES:
                if (k, rate, modulation) in done:
                    continue
                blocks = int(min(8000, megabits * 1e6 / k))
                shorter = [c for c in table["cases"] if (c["rate"], c["modulation"]) == (rate, modulation)]
                start_db = _limit_db(RATES[rate], MODULATIONS[modulation])
                if shorter and k > 4000:  # many blocks cost minutes: no search where all are lost
                    start_db = max(start_db, shorter[-1]["snr_db"] - 0.2)
                table["cases"].append(measure_case(k, rate, modulation, blocks, errors, seed, start_db))
                lines = ",\n  ".join(json.dumps(case) for case in table["cases"])
                head = json.dumps({key: table[key] for key in table if key != "cases"}, indent=1)
                path.write_text(head[:-2] + f',\n "cases": [\n  {lines}\n ]\n}}\n')
                print(table["cases"][-1], flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("vectors", "snr"), help="code words, or SNRs of the decoder")
    parser.add_argument("path", type=Path, help="file to write (snr: to complete)")
    parser.add_argument("--seed", type=int, default=1, help="of bits and noise")
    parser.add_argument("--megabits", type=float, default=12.0, help="most information bits at an SNR")
    parser.add_argument("--errors", type=int, default=100, help="lost blocks that end an SNR")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.what == "vectors":
        write_vectors(args.path, args.seed)
    else:
        measure_all(args.path, args.megabits, args.errors, args.seed)


if __name__ == "__main__":
    main()
