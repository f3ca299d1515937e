"""A channel of few taps: those that noise explains are pruned.

Sparse Bayesian learning with MacKay's update of each tap's variance (Tipping, "Sparse Bayesian learning
and the relevance vector machine", JMLR 2001, eq. 16); the noise variance is known.
"""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import borrowing, compiled, reordered, vectorized

# Of a tap over its noise: one of noise alone has an exponential energy of mean 1, and the updates by
# themselves keep one of three such taps. The first round's taps are not judged: they hide each other.
_LEAST_ENERGY = 4.0


def tap_tables(
    places: np.ndarray, basis: np.ndarray, gram: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What :func:`sparse_channel` takes of observations at `places`, int: basis, complex64 (fft_len, taps);
    gram, complex128 (taps, taps); and the gram's eigenvalues and eigenvectors.
    """
    eigenvalues, vectors = np.linalg.eigh(gram)
    return places, basis, gram, np.maximum(eigenvalues, 0.0), np.ascontiguousarray(vectors)


@reordered
def equal_taps(eigenvalues, vectors, matched, ratio, mean, known):  # type: ignore[no-untyped-def]
    """The first round, in which all taps have the same power: diagonal in the gram's eigenvectors.

    ratio: that power over the noise's; mean, known: complex128 and float64 (taps,), for what is found.
    """
    taps = len(matched)
    into, share = np.zeros(taps, np.complex128), np.empty(taps)
    for j in range(taps):
        for m in range(taps):
            into[m] += np.conj(vectors[j, m]) * matched[j]
    for m in range(taps):
        share[m] = 1.0 / (1.0 + ratio * eigenvalues[m])
        into[m] *= share[m] * ratio
    for j in range(taps):
        total, spread = 0j, 0.0
        for m in range(taps):
            total += vectors[j, m] * into[m]
            spread += (vectors[j, m].real ** 2 + vectors[j, m].imag ** 2) * share[m]
        mean[j], known[j] = total, min(max(1.0 - spread, 1e-3), 1.0)


@compiled
def _update(gram, matched, noise_var, powers, scratch, mean, known):  # type: ignore[no-untyped-def]
    """Mean of the taps, and how far they are known, for powers of their own; scratch: three arrays."""
    lower, inverse, half = scratch
    taps = len(matched)
    root = np.sqrt(powers / noise_var)  # I + R G R has eigenvalues of at least 1
    for i in range(taps):
        for j in range(i + 1):
            total = root[i] * gram[i, j] * root[j]
            if i == j:
                total += 1.0
            for k in range(j):
                total -= lower[i, k] * np.conj(lower[j, k])
            lower[i, j] = np.sqrt(total.real) if i == j else total / lower[j, j]
    for j in range(taps):  # its triangle's inverse, column by column
        for i in range(j, taps):
            total = 1.0 + 0j if i == j else 0j
            for k in range(j, i):
                total -= lower[i, k] * inverse[k, j]
            inverse[i, j] = total / lower[i, i]
    for i in range(taps):
        half[i] = 0j
        for k in range(i + 1):
            half[i] += inverse[i, k] * root[k] * matched[k]
    for j in range(taps):
        total, spread = 0j, 0.0
        for i in range(j, taps):
            total += np.conj(inverse[i, j]) * half[i]
            spread += inverse[i, j].real ** 2 + inverse[i, j].imag ** 2
        mean[j] = root[j] * total
        known[j] = min(max(1.0 - spread, 1e-3), 1.0)


@compiled
def sparse_taps(gram, eigen, matched, noise_var, power, rounds):  # type: ignore[no-untyped-def]
    """Taps, complex128 (taps,), and how many of them the observations determine, between 0 and all.

    Args:
        gram: complex128 (taps, taps), A^H A of the observations y = A g + n.
        eigen: its eigenvalues, float64 (taps,), and eigenvectors, complex128 (taps, taps).
        matched: complex128 (taps,), A^H y.
        noise_var: complex variance of n.
        power: of a tap, to begin with.
        rounds: of updates; each costs two thirds of a cube of the taps.
    """
    taps = len(matched)
    powers, mean = np.full(taps, power + 1e-30), np.zeros(taps, np.complex128)
    lower, inverse = np.zeros((taps, taps), np.complex128), np.zeros((taps, taps), np.complex128)
    half, known = np.zeros(taps, np.complex128), np.zeros(taps)
    equal_taps(eigen[0], eigen[1], matched, powers[0] / noise_var, mean, known)
    for step in range(rounds):
        if step > 0:
            _update(gram, matched, noise_var, powers, (lower, inverse, half), mean, known)
        if step + 1 < rounds:
            most = 0.0
            for j in range(taps):
                energy = mean[j].real ** 2 + mean[j].imag ** 2
                powers[j] = energy / known[j]
                if step > 0 and energy * gram[j, j].real < _LEAST_ENERGY * noise_var:
                    powers[j] = 0.0
                most = max(most, powers[j])
            for j in range(taps):
                powers[j] = max(powers[j], 1e-12 * most + 1e-30)
    return mean, known.sum()


@compiled
def sparse_channel(sums, weight, training, noise_var, rounds):  # type: ignore[no-untyped-def]
    """Channel on every bin, complex64 (fft_len,), its taps as above, and the number that is determined.

    Args:
        sums: complex64 (fft_len,), sum of seen * conj(sent) over the observations of each bin.
        weight: float32 (fft_len,), sum of |sent|^2.
        training: of :func:`tap_tables`.
        noise_var: of an observation of unit power.
        rounds: as of :func:`sparse_taps`.
    """
    places, basis, gram, eigenvalues, vectors = training
    taps = basis.shape[1]
    matched, power = np.zeros(taps, np.complex128), 0.0
    for place in places:
        seen = np.complex128(sums[place])
        _add_matched(matched, basis, place, seen)
        power += (seen.real**2 + seen.imag**2) / weight[place] ** 2
    eigen = eigenvalues, vectors
    mean, determined = sparse_taps(gram, eigen, matched, noise_var, power / len(places), rounds)
    return _on_bins(basis, mean), determined


@borrowing(vectorized)
def _add_matched(matched, basis, place, seen):  # type: ignore[no-untyped-def]
    """Add conj(basis[place]) * seen; basis: complex64 (fft_len, taps)."""
    for j in range(len(matched)):
        matched[j] += np.conj(basis[place, j]) * seen


@reordered
def _on_bins(basis, mean):  # type: ignore[no-untyped-def]
    """Channel of taps `mean` on every bin, complex64 (fft_len,)."""
    h = np.zeros(basis.shape[0], np.complex64)
    for k in range(len(h)):
        total = 0j
        for j in range(len(mean)):
            total += basis[k, j] * mean[j]
        h[k] = total
    return h
