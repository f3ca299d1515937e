"""Transform precoder: the data of each OFDM symbol spread over its carriers.

Chosen by what ``m4sc bench papr`` prints: a DFT and a DFT behind chirp phases ("scramble") are equal within
0.2 dB, so the plain DFT is what ``precode`` means on the air. It lowers the peaks of QPSK and of a QAM grid
and does nothing for Gaussian latents, whose own peaks it hands through; so it is off by default.
"""

from __future__ import annotations

import numpy as np

PRECODERS = ("none", "dft", "scramble")


def _phases(size: int) -> np.ndarray:
    """Quadratic (chirp) phases, complex (size,), that undo the alignment of a plain DFT."""
    n = np.arange(size)
    return np.exp(1j * np.pi * n * n / size)


def _spread(block: np.ndarray, kind: str) -> np.ndarray:
    """Unitary transform of rows, complex (rows, size)."""
    turned = block * _phases(block.shape[1]) if kind == "scramble" else block
    return np.asarray(np.fft.fft(turned, axis=1, norm="ortho"))


def _despread(block: np.ndarray, kind: str) -> np.ndarray:
    back = np.fft.ifft(block, axis=1, norm="ortho")
    return np.asarray(back * np.conj(_phases(block.shape[1])) if kind == "scramble" else back)


def _blocks(values: np.ndarray, n_carriers: int) -> list[np.ndarray]:
    """Full OFDM symbols, (rows, n_carriers), and what is left, (1, rest)."""
    whole = len(values) // n_carriers * n_carriers
    parts = [values[:whole].reshape(-1, n_carriers), values[whole:].reshape(1, -1)]
    return [part for part in parts if part.size]


def _check(kind: str) -> None:
    if kind not in PRECODERS:
        raise ValueError(f"precoder '{kind}' is unknown; use one of {', '.join(PRECODERS)}")


def precode(symbols: np.ndarray, n_carriers: int, kind: str = "dft") -> np.ndarray:
    """Symbols, complex (n,), spread OFDM symbol by OFDM symbol; the last one over what it has."""
    _check(kind)
    if kind == "none":
        return symbols
    return np.concatenate([_spread(part, kind).ravel() for part in _blocks(symbols, n_carriers)]).astype(
        np.complex64
    )


def undo_precoding(
    symbols: np.ndarray, noise_var: np.ndarray, n_carriers: int, kind: str = "dft"
) -> tuple[np.ndarray, np.ndarray]:
    """Received symbols and their noise variances back in the message's domain.

    Carriers of unequal noise are first weighted as a linear MMSE receiver does, w_c = 1 / (1 + v_c); after
    the inverse transform each symbol is b = mean(w) of what was sent, plus noise and the other symbols'
    remains of power b (1 - b). Divided by b the symbols are unbiased, of variance (1 - b) / b: the harmonic
    mean that one faded carrier cannot spoil, where zero forcing leaves mean(v).

    Args:
        symbols: complex (n,), unbiased, as the equaliser hands them on.
        noise_var: float (n,), v.
        n_carriers: data carriers of an OFDM symbol.
        kind: as in :func:`precode`.

    Returns:
        complex64 (n,) and float32 (n,).

    Source: Falconer et al., IEEE Communications Magazine 40(4), 2002 (single-carrier MMSE equaliser).
    """
    _check(kind)
    if kind == "none":
        return symbols, noise_var
    out, variances = [], []
    for part, v in zip(_blocks(symbols, n_carriers), _blocks(noise_var, n_carriers), strict=True):
        weight = 1.0 / (1.0 + v.astype(float))
        bias = weight.mean(axis=1, keepdims=True)
        out.append((_despread(part * weight, kind) / bias).ravel())
        lost = (v * weight).mean(axis=1, keepdims=True)  # 1 - b, without its cancellation
        variances.append(np.broadcast_to(lost / bias, v.shape).ravel())
    return np.concatenate(out).astype(np.complex64), np.concatenate(variances).astype(np.float32)
