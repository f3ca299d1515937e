"""What happens to a payload between mapper and modulator, whatever its kind: interleaving, then spreading."""

from __future__ import annotations

import numpy as np

from m4sc.phy.modulation.interleaver import deinterleave, interleave
from m4sc.phy.modulation.precoder import precode, undo_precoding


def arrange(symbols: np.ndarray, n_carriers: int, interleaved: bool, precoded: bool) -> np.ndarray:
    """Message's symbols, complex (n,), as they are sent: complex64 (n,).

    With both, interleaving still spreads a token over time; over carriers the precoder does it already.
    """
    out = interleave(symbols, n_carriers) if interleaved else symbols
    return np.asarray(precode(out, n_carriers) if precoded else out, dtype=np.complex64)


def restore(
    symbols: np.ndarray, noise_var: np.ndarray, n_carriers: int, interleaved: bool, precoded: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of :func:`arrange` for received symbols, complex (n,), and noise variances, float (n,)."""
    if len(symbols) != len(noise_var):
        raise ValueError(f"{len(symbols)} symbols came with {len(noise_var)} noise variances")
    if precoded:
        symbols, noise_var = undo_precoding(symbols, noise_var, n_carriers)
    if interleaved:
        symbols, noise_var = deinterleave(symbols, n_carriers), deinterleave(noise_var, n_carriers)
    return np.asarray(symbols, np.complex64), np.asarray(noise_var, np.float32)
