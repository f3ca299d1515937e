"""Our LDPC decoder: throughput beside gr-fec's nearest code, SNR beside Sionna's as measured before."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_ALIST = "n_1800_k_0902_gap_28.alist"  # the longest matrix that GNU Radio brings
N, K = 1800, 902
_ITERATIONS = 50


@dataclass(frozen=True)
class DecoderSpeed:
    """mbps: information Mbit/s; wrong: share of wrong information bits."""

    mbps: float
    wrong: float


@dataclass(frozen=True)
class GapWork:
    """Every `stride`-th case; most information bits (millions) and most lost blocks at an SNR."""

    stride: int
    megabits: float
    errors: int


FULL_GAP = GapWork(1, 10.0, 100)
QUICK_GAP = GapWork(5, 1.0, 30)


def _received(bits: np.ndarray, snr_db: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """BPSK, bit 0 as +1, and the noise variance of a real sample at Es/N0 = snr_db (complex noise)."""
    variance = 0.5 * 10 ** (-snr_db / 10)
    return 1.0 - 2.0 * bits + rng.standard_normal(bits.shape) * np.sqrt(variance), variance


def our_decoder(blocks: int, snr_db: float, k: int = K, n: int = N) -> DecoderSpeed:
    """One thread, all blocks in one call."""
    from m4sc.phy.fec.ldpc import choose_base_graph, ldpc_code

    rng = np.random.default_rng(1)
    code = ldpc_code(k, n, 1, choose_base_graph(k, k / n))
    bits = rng.integers(2, size=(blocks, k), dtype=np.uint8)
    y, variance = _received(np.stack([code.encode(row) for row in bits]), snr_db, rng)
    llr = 2.0 * y / variance
    code.decode(llr, _ITERATIONS)  # compiled code, and memory that was touched before
    started = time.perf_counter()
    found = code.decode(llr, _ITERATIONS)
    seconds = time.perf_counter() - started
    return DecoderSpeed(blocks * k / seconds / 1e6, float(np.mean(found != bits)))


def gr_fec_decoder(blocks: int, snr_db: float) -> DecoderSpeed:
    """gr-fec's in a flowgraph of its own, on the all-zero code word.

    Raises:
        FileNotFoundError: GNU Radio's matrices are not installed.
    """
    from gnuradio import blocks as gr_blocks
    from gnuradio import fec, gr

    path = Path(gr.prefix()) / "share" / "gnuradio" / "fec" / "ldpc" / _ALIST
    if not path.is_file():
        raise FileNotFoundError(f"GNU Radio's matrix {_ALIST} is not installed")
    y, variance = _received(np.zeros(blocks * N), snr_db, np.random.default_rng(2))
    graph = gr.top_block("gr-fec", catch_exceptions=False)
    source = gr_blocks.vector_source_f((-y).astype(np.float32), False)  # there, bit 0 is -1
    block = fec.decoder(fec.ldpc_decoder.make(str(path), float(np.sqrt(variance)), _ITERATIONS), 4, 1)
    sink = gr_blocks.vector_sink_b()
    graph.connect(source, block, sink)
    started = time.perf_counter()
    graph.run()
    seconds = time.perf_counter() - started
    out = np.asarray(sink.data())
    return DecoderSpeed(len(out) / seconds / 1e6, float(np.mean(out != 0)))


def decoder_gap(work: GapWork, seed: int) -> tuple[float, str]:
    """Worst Es/N0 at 1 % block errors less that of Sionna's decoder, dB, and each case in words."""
    from m4sc_app.bench.trials.ldpc_gap import measure_gap, reference_cases

    cases = reference_cases()[:: work.stride]
    gaps = [measure_gap(case, work.megabits, work.errors, seed=seed) for case in cases]
    each = "; ".join(
        f"{g.case.modulation} {g.case.rate} k = {g.case.k}: {g.gap_db:+.3f} ({g.half_interval_db:.3f})"
        for g in gaps
    )
    return max(g.gap_db for g in gaps), f"worst of {len(gaps)}; dB (half of the 95 % interval): {each}"
