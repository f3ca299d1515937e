"""The code itself: which symbols a token becomes behind all tokens before it.

A tree code with keyed random code words (spinal codes: Perry et al., SIGCOMM 2012). A 64-bit state takes up
token after token. At each place the state picks a permutation of one fixed book of pseudo-random words, and
the token's number, permuted, the word that is sent. So two texts that differ in one token have independent
symbols from there to the end, and every symbol protects all tokens before it. The receiver rates all tokens
of the vocabulary at a place with one product, whatever came before: only the permutation differs.

All arithmetic that decides a word is in integers, so that both ends agree to the bit on any processor.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from m4sc.codecs.text_code.kernels import fit, log_sum_exp

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_LEVELS = 32
_LEAST_NOISE = 0.01
"""Noise variance that is always there: of a channel better than 20 dB nobody needs to know how much."""


def mixed(values: np.ndarray) -> np.ndarray:
    """A hash of 64-bit numbers, uint64 in and out (the finaliser of splitmix64, Steele et al. 2014)."""
    z = np.asarray(values, np.uint64) + _ODD
    z = (z ^ (z >> np.uint64(30))) * _MIX[0]
    z = (z ^ (z >> np.uint64(27))) * _MIX[1]
    return z ^ (z >> np.uint64(31))


def following(states: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """States behind one more token each: uint64 (n,), integers (n,) to uint64 (n,)."""
    return mixed(np.asarray(states, np.uint64) ^ mixed(np.asarray(tokens).astype(np.uint64)))


def permutations(states: np.ndarray, size: int) -> np.ndarray:
    """Of each state its permutation of 0 .. size - 1: number v goes to ``(v ^ flip) * factor + shift``.

    Args:
        states: uint64 (n,).
        size: a power of two.

    Returns:
        uint32 (n, 3): flip, factor (odd), shift; the result is taken modulo `size`.
    """
    mask = np.uint64(size - 1)
    bits = mixed(states)
    parts = [bits & mask, (bits >> np.uint64(20)) & mask | np.uint64(1), (bits >> np.uint64(40)) & mask]
    return np.stack(parts, axis=-1).astype(np.uint32)


def words_of(states: np.ndarray, tokens: np.ndarray, size: int) -> np.ndarray:
    """Number in the book of each token behind its state: uint64 (n,), integers (n,) to int64 (n,)."""
    flip, factor, shift = permutations(states, size).astype(np.int64).T
    return ((np.asarray(tokens, np.int64) ^ flip) * factor + shift) & (size - 1)


@lru_cache(maxsize=4)
def code_book(size: int, width: int) -> np.ndarray:
    """Pseudo-random words of unit mean power, float32 (size, width, 2); a wider book begins with a narrower.

    Each real is one of 32 equally likely quantiles of a Gaussian, the input that fits every SNR.
    """
    levels = ndtri((np.arange(_LEVELS) + 0.5) / _LEVELS)
    levels = (levels / np.sqrt(2 * np.mean(levels**2))).astype(np.float32)
    number = np.arange(size, dtype=np.uint64)[:, None] << np.uint64(16) | np.arange(width, dtype=np.uint64)
    bits = mixed(number)
    return np.stack([levels[bits & np.uint64(31)], levels[(bits >> np.uint64(32)) & np.uint64(31)]], -1)


def gains(symbols: np.ndarray, noise_var: np.ndarray, size: int) -> np.ndarray:
    """What received symbols say for each word of the book, against a word drawn at random.

    ln p(y | word) - ln p(y), where p(y) is the mean over all words: over a book of random words the mean of
    its exponential is 1, whatever was received and whatever the noise really was.

    Args:
        symbols: complex64 (s,); noise_var: float32 (s,), infinite where nothing was received.
        size: words in the book.

    Returns:
        float32 (size,).
    """
    heard = np.isfinite(symbols) & np.isfinite(noise_var)
    if not heard.any():
        return np.zeros(size, np.float32)
    weight = np.zeros(len(symbols), np.float32)
    weight[heard] = 1.0 / (noise_var[heard] + _LEAST_NOISE)
    y = np.where(heard, symbols, 0.0).astype(np.complex64)
    linear = np.stack([y.real, y.imag], -1) * (2.0 * weight[:, None])
    found = np.empty(size, np.float32)
    fit(code_book(size, _book_width(len(symbols))), linear.astype(np.float32), weight, found)
    return found - np.float32(log_sum_exp(found, np.float32(30.0)) - np.log(size))


def most_gain(noise_var: np.ndarray, deviations: float = 3.0) -> float:
    """The most that symbols say for the word that was sent, in nats.

    A Gaussian symbol of unit power gains ln(1 + 1/n) on average, with a variance of 2 / (1 + n), where n is
    its noise variance: ln(1 + 1/n) + |y|^2 / (1 + n) - |y - x|^2 / n, both fractions of unit mean, and
    correlated by the noise that they share.

    Args:
        noise_var: float32 (s,), complex, infinite where nothing was received.
        deviations: how many standard deviations above the mean.
    """
    n = noise_var[np.isfinite(noise_var)].astype(np.float64) + _LEAST_NOISE
    return float(np.log1p(1 / n).sum() + deviations * np.sqrt((2 / (1 + n)).sum()))


def effective_snr_db(noise_var: np.ndarray) -> float:
    """Es/N0 of AWGN under which as many Gaussian symbols carry as much, dB: minus infinity of nothing.

    Args:
        noise_var: float32 (s,), complex, infinite where nothing was received.
    """
    n = np.maximum(noise_var.astype(np.float64), 1e-9)
    carried = np.mean(np.log1p(1 / n)) if n.size else 0.0
    return float(10 * np.log10(np.expm1(carried))) if carried > 0 else -np.inf


def symbols_of(words: np.ndarray, counts: np.ndarray, size: int) -> np.ndarray:
    """The first `counts` symbols of each word, one behind the other: float32 (sum of counts, 2)."""
    book = code_book(size, _book_width(int(np.max(counts))))
    return np.concatenate([book[word, :count] for word, count in zip(words, counts, strict=True)])


def _book_width(count: int) -> int:
    """Few widths, so that few books are made."""
    return next(width for width in (16, 64, 128) if count <= width)
