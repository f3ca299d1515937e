"""What lies between the matrices of a language model's layer, compiled, for one new token a row.

Rows of a matrix product are given in two halves, coarse and fine (see :mod:`m4sc.mllm.decoding`): ``z`` of
float32 (2 n, width) holds the coarse parts of n rows, then their fine ones, ``scale`` of float32 (n,) what
both are to be multiplied with. A product ``y`` of float32 (2 n, width) is joined with the scale of its input.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from m4sc.phy.fec.compiled import reordered

_kernel = partial(reordered, error_model="numpy")  # a check of each divisor would keep loops from vector code
_LOG2_E, _LN2, _LN2_REST = np.float32(1.4426950408889634), np.float32(0.693359375), np.float32(-2.12194440e-4)
_C0, _C1, _C2, _C3, _C4, _C5 = (  # of (exp(r) - 1 - r) / r^2 on half of ln 2 (Moshier, Cephes, expf)
    np.float32(c)
    for c in (
        1.9875691500e-4,
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    )
)
LEVELS = 63  # 7 bits and no more: pairs of products fit 16 bits on processors without VNNI


@_kernel
def exp(x):  # type: ignore[no-untyped-def]
    """e^x of a float32 to 3e-7 of it, from e^-87 to e^88; loops over it become vector code."""
    x = min(max(x, np.float32(-87.0)), np.float32(88.0))
    whole = np.rint(x * _LOG2_E)
    r = x - whole * _LN2 - whole * _LN2_REST
    series = ((((_C0 * r + _C1) * r + _C2) * r + _C3) * r + _C4) * r + _C5
    power = (np.int32(whole) + np.int32(127)) << np.int32(23)  # the bits of 2^whole
    return (series * r * r + r + np.float32(1.0)) * np.int32(power).view(np.float32)


@_kernel
def _split(row, n, values, z):  # type: ignore[no-untyped-def]
    """Write float32 (width,) as row `row` of `n` in two halves; returns its scale."""
    bits = values.view(np.int32)  # of positive numbers they are as ordered, and compared as vectors
    largest = np.int32(0)
    for k in range(len(values)):
        largest = max(largest, bits[k] & np.int32(0x7FFFFFFF))
    top = max(np.int32(largest).view(np.float32), np.float32(1e-12))
    to_steps, level = np.float32(LEVELS) / top, np.float32(1.0 / LEVELS)
    for k in range(len(values)):
        steps = values[k] * to_steps
        whole = np.rint(steps)
        z[row, k] = whole * level
        z[n + row, k] = (steps - whole) * np.float32(2.0)
    return top


@_kernel
def join(y, scale):  # type: ignore[no-untyped-def]
    """Products of both halves to those of whole rows, float32 (2 n, width) to (n, width)."""
    n, fine = len(scale), np.float32(0.5 / LEVELS)
    out = np.empty((n, y.shape[1]), np.float32)
    for row in range(n):
        for k in range(y.shape[1]):
            out[row, k] = (y[row, k] + y[n + row, k] * fine) * scale[row]
    return out


@_kernel
def normalise(x, weight, eps, z, scale):  # type: ignore[no-untyped-def]
    """RMS norm of x, float32 (n, hidden), into z and scale."""
    values = np.empty(x.shape[1], np.float32)
    for row in range(len(x)):
        power = np.float32(0.0)
        for k in range(x.shape[1]):
            power += x[row, k] * x[row, k]
        gain = np.float32(1.0) / np.sqrt(power / np.float32(x.shape[1]) + np.float32(eps))
        for k in range(x.shape[1]):
            values[k] = x[row, k] * gain * weight[k]
        scale[row] = _split(row, len(x), values, z)


@_kernel
def add_normalise(x, y, weight, eps, z, scale):  # type: ignore[no-untyped-def]
    """Add a product to the residual stream x in place, then its RMS norm into z and scale."""
    n, fine = len(x), np.float32(0.5 / LEVELS)
    for row in range(n):
        for k in range(x.shape[1]):
            x[row, k] += (y[row, k] + y[n + row, k] * fine) * scale[row]
    normalise(x, weight, eps, z, scale)


@_kernel
def gate(y, z, scale):  # type: ignore[no-untyped-def]
    """silu(first half of y's columns) times the second, into z and scale."""
    n, width, fine = len(scale), y.shape[1] // 2, np.float32(0.5 / LEVELS)
    values, one = np.empty(width, np.float32), np.float32(1.0)
    for row in range(n):
        for k in range(width):
            values[k] = (y[row, k] + y[n + row, k] * fine) * scale[row]
        for k in range(width):
            up = (y[row, width + k] + y[n + row, width + k] * fine) * scale[row]
            values[k] = values[k] / (one + exp(-values[k])) * up
        scale[row] = _split(row, n, values, z)


@_kernel
def attend(y, bias, turns, keys, values, begins, end, first, z, scale):  # type: ignore[no-untyped-def]
    """Causal attention of one new token a row, whose key and value join the cache.

    Args:
        y: product for queries, keys and values, (2 n, (heads + 2 kv_heads) dim); bias: of its columns.
        turns: float32 (n, 2, dim / 2), cosine and sine of the rotary position.
        keys, values: float32 (n, kv_heads, most, dim).
        begins: int64 (n,), first place of each row that is no padding; end: place of the new token.
        first: what all rows read before, a pair of keys and values, float32 (kv_heads, places, dim).
        z, scale: take the result, (heads dim) wide.
    """
    n, kv_heads, dim, fine = len(keys), keys.shape[1], keys.shape[3], np.float32(0.5 / LEVELS)
    heads, half = y.shape[1] // dim - 2 * kv_heads, dim // 2
    first_keys, first_values = first
    before = first_keys.shape[1]
    own = np.empty((heads + 2 * kv_heads, dim), np.float32)
    seen, scores = np.empty((heads, dim), np.float32), np.empty(before + end + 1, np.float32)
    shrink = np.float32(1.0 / np.sqrt(dim))
    for row in range(n):
        for h in range(len(own)):
            for k in range(dim):
                at = h * dim + k
                own[h, k] = (y[row, at] + y[n + row, at] * fine) * scale[row] + bias[at]
        for h in range(heads + kv_heads):
            for k in range(half):
                a, b, cosine, sine = own[h, k], own[h, half + k], turns[row, 0, k], turns[row, 1, k]
                own[h, k], own[h, half + k] = a * cosine - b * sine, b * cosine + a * sine
        for g in range(kv_heads):
            keys[row, g, end] = own[heads + g]
            values[row, g, end] = own[heads + kv_heads + g]
        for h in range(heads):
            g = h * kv_heads // heads
            top = np.float32(-np.inf)
            for t in range(before):
                product = np.float32(0.0)
                for k in range(dim):
                    product += own[h, k] * first_keys[g, t, k]
                scores[t] = product * shrink
                top = max(top, scores[t])
            for t in range(begins[row], end + 1):
                product = np.float32(0.0)
                for k in range(dim):
                    product += own[h, k] * keys[row, g, t, k]
                scores[before + t] = product * shrink
                top = max(top, scores[before + t])
            total = np.float32(0.0)
            for t in range(before):
                scores[t] = exp(scores[t] - top)
            for t in range(before + begins[row], before + end + 1):
                scores[t] = exp(scores[t] - top)
            seen[h] = 0.0
            for t in range(before):
                share = scores[t]
                total += share
                for k in range(dim):
                    seen[h, k] += share * first_values[g, t, k]
            for t in range(begins[row], end + 1):
                share = scores[before + t]
                total += share
                for k in range(dim):
                    seen[h, k] += share * values[row, g, t, k]
            for k in range(dim):
                seen[h, k] /= total
        scale[row] = _split(row, n, seen.reshape(-1), z)
