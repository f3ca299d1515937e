"""Many short FFTs at once, compiled, for callers that are compiled themselves.

Stockham's autosort algorithm (Van Loan, "Computational Frameworks for the Fast Fourier Transform", SIAM 1992,
section 1.7) with radix 4 and 2, and the other prime factors of the length one by one. The batch is the
innermost axis, and real and imaginary parts are arrays of their own: every inner loop runs over contiguous
floats, which is what lets the compiler use vector instructions.
"""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import borrowing, vectorized


def roots_of_unity(length: int) -> np.ndarray:
    """Table that :func:`transform` takes for FFTs of `length`, complex64 (length,)."""
    return np.exp(-2j * np.pi * np.arange(length) / length).astype(np.complex64)


@vectorized
def transform(re, im, more_re, more_im, batch, roots):  # type: ignore[no-untyped-def]
    """Forward FFT, not scaled, along the first axis of arrays (length, batch), given flat.

    re, im: float32 (length * batch,); destroyed, as are the scratch arrays `more_re` and `more_im`.
    Returns two of the four arrays, which hold the result, (length, batch), flat.
    """
    if transformed(re, im, more_re, more_im, batch, roots):
        return more_re, more_im
    return re, im


@borrowing(vectorized)
def transformed(re, im, more_re, more_im, batch, roots):  # type: ignore[no-untyped-def]
    """As :func:`transform`, for a caller that borrows arrays: whether the result is in the scratch ones."""
    length, stride, there = len(roots), batch, False
    while length > 1:
        turn = roots[:: len(roots) // length]
        if there:
            radix = _pass(more_re, more_im, re, im, length, stride, turn)
        else:
            radix = _pass(re, im, more_re, more_im, length, stride, turn)
        there = not there
        stride *= radix
        length //= radix
    return there


@borrowing(vectorized)
def _pass(re, im, out_re, out_im, length, stride, turn):  # type: ignore[no-untyped-def]
    """One pass, of the radix that is returned."""
    radix = 4
    if length % 4 == 0:
        if stride == 1:
            _first_of_4(re, im, out_re, out_im, turn)
        else:
            _pass_of_4(re, im, out_re, out_im, stride, turn)
    elif length % 2 == 0:
        radix = 2
        _pass_of_2(re, im, out_re, out_im, stride, turn)
    else:
        radix = 3
        while length % radix:
            radix += 2
        _pass_of(radix, re, im, out_re, out_im, stride, turn)
    return radix


@borrowing(vectorized)
def _pass_of_4(re, im, out_re, out_im, stride, turn):  # type: ignore[no-untyped-def]
    part = len(turn) // 4
    for p in range(part):
        w1r, w1i, w2r, w2i = turn[p].real, turn[p].imag, turn[2 * p].real, turn[2 * p].imag
        w3r, w3i = turn[3 * p].real, turn[3 * p].imag
        a, b, c, d = stride * p, stride * (p + part), stride * (p + 2 * part), stride * (p + 3 * part)
        t = 4 * stride * p
        u, v, w = t + stride, t + 2 * stride, t + 3 * stride
        # Slices, not offsets in the loop: the compiler then sees that the parts are contiguous.
        ar, br, cr, dr = re[a : a + stride], re[b : b + stride], re[c : c + stride], re[d : d + stride]
        ai, bi, ci, di = im[a : a + stride], im[b : b + stride], im[c : c + stride], im[d : d + stride]
        tr, ur, vr, wr = out_re[t:u], out_re[u:v], out_re[v:w], out_re[w : w + stride]
        ti, ui, vi, wi = out_im[t:u], out_im[u:v], out_im[v:w], out_im[w : w + stride]
        for q in range(stride):
            even_r, even_i, odd_r, odd_i = ar[q] + cr[q], ai[q] + ci[q], br[q] + dr[q], bi[q] + di[q]
            left_r, left_i, right_r, right_i = ar[q] - cr[q], ai[q] - ci[q], bi[q] - di[q], dr[q] - br[q]
            tr[q], ti[q] = even_r + odd_r, even_i + odd_i
            r, i = left_r + right_r, left_i + right_i
            ur[q], ui[q] = w1r * r - w1i * i, w1r * i + w1i * r
            r, i = even_r - odd_r, even_i - odd_i
            vr[q], vi[q] = w2r * r - w2i * i, w2r * i + w2i * r
            r, i = left_r - right_r, left_i - right_i
            wr[q], wi[q] = w3r * r - w3i * i, w3r * i + w3i * r


@borrowing(vectorized)
def _first_of_4(re, im, out_re, out_im, turn):  # type: ignore[no-untyped-def]
    """The pass of a single FFT whose inner loop would have one turn: here the butterflies are the loop."""
    part = len(turn) // 4
    ar, br, cr, dr = re[:part], re[part : 2 * part], re[2 * part : 3 * part], re[3 * part : 4 * part]
    ai, bi, ci, di = im[:part], im[part : 2 * part], im[2 * part : 3 * part], im[3 * part : 4 * part]
    for p in range(part):
        w1r, w1i = turn[p].real, turn[p].imag
        w2r, w2i = w1r * w1r - w1i * w1i, 2 * w1r * w1i
        w3r, w3i = w1r * w2r - w1i * w2i, w1r * w2i + w1i * w2r
        even_r, even_i, odd_r, odd_i = ar[p] + cr[p], ai[p] + ci[p], br[p] + dr[p], bi[p] + di[p]
        left_r, left_i, right_r, right_i = ar[p] - cr[p], ai[p] - ci[p], bi[p] - di[p], dr[p] - br[p]
        out_re[4 * p], out_im[4 * p] = even_r + odd_r, even_i + odd_i
        r, i = left_r + right_r, left_i + right_i
        out_re[4 * p + 1], out_im[4 * p + 1] = w1r * r - w1i * i, w1r * i + w1i * r
        r, i = even_r - odd_r, even_i - odd_i
        out_re[4 * p + 2], out_im[4 * p + 2] = w2r * r - w2i * i, w2r * i + w2i * r
        r, i = left_r - right_r, left_i - right_i
        out_re[4 * p + 3], out_im[4 * p + 3] = w3r * r - w3i * i, w3r * i + w3i * r


@borrowing(vectorized)
def _pass_of_2(re, im, out_re, out_im, stride, turn):  # type: ignore[no-untyped-def]
    part = len(turn) // 2
    for p in range(part):
        wr, wi = turn[p].real, turn[p].imag
        a, b, t = stride * p, stride * (p + part), 2 * stride * p
        u = t + stride
        ar, br, ai, bi = re[a : a + stride], re[b : b + stride], im[a : a + stride], im[b : b + stride]
        tr, ur, ti, ui = out_re[t:u], out_re[u : u + stride], out_im[t:u], out_im[u : u + stride]
        for q in range(stride):
            r, i = ar[q] - br[q], ai[q] - bi[q]
            tr[q], ti[q] = ar[q] + br[q], ai[q] + bi[q]
            ur[q], ui[q] = wr * r - wi * i, wr * i + wi * r


@borrowing(vectorized)
def _pass_of(radix, re, im, out_re, out_im, stride, turn):  # type: ignore[no-untyped-def]
    length = len(turn)
    part = length // radix
    for p in range(part):
        for k in range(radix):
            to_re = out_re[stride * (radix * p + k) :][:stride]
            to_im = out_im[stride * (radix * p + k) :][:stride]
            to_re[:], to_im[:] = 0.0, 0.0
            for j in range(radix):
                w = turn[(k * (p + part * j)) % length]
                _add_product(to_re, to_im, re, im, stride * (p + part * j), w)


@borrowing(vectorized)
def _add_product(to_re, to_im, re, im, first, w):  # type: ignore[no-untyped-def]
    wr, wi = w.real, w.imag
    from_re, from_im = re[first : first + len(to_re)], im[first : first + len(to_re)]
    for q in range(len(to_re)):
        to_re[q] += wr * from_re[q] - wi * from_im[q]
        to_im[q] += wr * from_im[q] + wi * from_re[q]
