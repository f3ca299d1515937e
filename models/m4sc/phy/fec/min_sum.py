"""Layered normalised min-sum decoding of a lifted base graph, in bytes.

Chen et al., "Reduced-Complexity Decoding of LDPC Codes", IEEE Trans. Commun. 53 (2005). The layers are the
rows of the base graph, whose Z checks share no bit. LLRs are bytes that saturate, so that a vector register
holds 32 of them; min-sum does not mind their scale (:func:`m4sc.phy.fec.soft_buffer.fill_words` chooses it).
Every inner loop runs over Z contiguous bytes without a wrap and without a branch: a column is kept turned as
the last check that wrote it had it, so that only reading it takes two pieces.
"""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import compiled
from m4sc.phy.fec.lanes import (
    exclusive_or,
    larger,
    saturated_difference,
    saturated_sum,
    smaller,
    where_equal,
    with_sign,
)

_U = np.uint64  # an index that is known not to be negative needs no look at the array's end
_Z = 384  # largest lifting size; the parts of a check's state are that far apart, known to the compiler
_SECOND, _SIGN, _LEAST_OUT, _SECOND_OUT, _LINE = _U(_Z), _U(2 * _Z), _U(3 * _Z), _U(4 * _Z), _U(5 * _Z)
_PARTS = 6
_SCALE_BITS = 7


@compiled
def decode_layered(words, start, column, shift, scale, iterations):  # type: ignore[no-untyped-def]
    """Decode each word in place; a word is left as soon as all its checks hold.

    Args:
        words: int8 (blocks, columns, Z) LLRs, -127 to 127, positive for 0; becomes the a-posteriori LLRs.
        start: int64 (rows + 1,), first edge of each row.
        column, shift: int64 (edges,), the circulants.
        scale: int32, of the messages, in 128ths.
        iterations: at most.

    Returns:
        int64 (blocks,): iterations done; `iterations` + 1 where a check still fails.
    """
    blocks, z = words.shape[0], _U(words.shape[2])
    flat = words.reshape(blocks, words.shape[1] * words.shape[2])
    messages, state = np.empty(column.size * words.shape[2], np.int8), np.zeros(_PARTS * _Z, np.int8)
    turned = np.empty(words.shape[1], np.uint64)
    done = np.empty(blocks, np.int64)
    for block in range(blocks):
        word = flat[block]
        messages[:] = 0
        turned[:] = 0
        done[block] = iterations + 1
        for iteration in range(1, iterations + 1):
            for row in range(start.size - 1):
                state[: 2 * _Z] = 127
                state[2 * _Z : 3 * _Z] = 0
                for edge in range(start[row], start[row + 1]):
                    line, by = _U(column[edge]) * z, _turn(_U(shift[edge]), turned[column[edge]], z)
                    _copy(word, line + by, state, _LINE, z - by)
                    _copy(word, line, state, _LINE + z - by, by)
                    _collect(messages, _U(edge) * z, state, z)
                _scale(state, z, scale)
                for edge in range(start[row], start[row + 1]):
                    _spread(word, _U(column[edge]) * z, messages, _U(edge) * z, state, z)
                    turned[column[edge]] = _U(shift[edge])
            if _all_hold(word, start, column, shift, turned, state, z):
                done[block] = iteration
                break
        for place in range(words.shape[1]):
            _turn_back(word, _U(place) * z, turned[place], state, z)
    return done


@compiled
def _turn(shift, turned, z):  # type: ignore[no-untyped-def]
    """How far a column that is turned already must be turned further."""
    return shift - turned if shift >= turned else shift + z - turned


@compiled
def _copy(source, first, target, place, count):  # type: ignore[no-untyped-def]
    for i in range(count):
        target[place + i] = source[first + i]


@compiled
def _collect(messages, place, state, z):  # type: ignore[no-untyped-def]
    """Take the old message out of the bits' LLRs, note the two least sizes and the product of the signs."""
    zero = np.int8(0)
    for i in range(z):
        value = saturated_difference(state[i + _LINE], messages[place + i])
        messages[place + i] = value
        size = larger(value, saturated_difference(zero, value))
        low = state[i]
        state[i + _SECOND] = smaller(state[i + _SECOND], larger(size, low))
        state[i] = smaller(low, size)
        state[i + _SIGN] = exclusive_or(state[i + _SIGN], value)


@compiled
def _scale(state, z, scale):  # type: ignore[no-untyped-def]
    for i in range(z):
        state[i + _LEAST_OUT] = (np.int32(state[i]) * scale + (1 << _SCALE_BITS - 1)) >> _SCALE_BITS
        state[i + _SECOND_OUT] = (
            np.int32(state[i + _SECOND]) * scale + (1 << _SCALE_BITS - 1)
        ) >> _SCALE_BITS


@compiled
def _spread(word, line, messages, place, state, z):  # type: ignore[no-untyped-def]
    """Send each bit the least size of the others with the product of their signs."""
    zero = np.int8(0)
    for i in range(z):
        value = messages[place + i]
        size = larger(value, saturated_difference(zero, value))
        least = where_equal(size, state[i], state[i + _SECOND_OUT], state[i + _LEAST_OUT])
        out = with_sign(least, exclusive_or(state[i + _SIGN], value))
        messages[place + i] = out
        word[line + i] = saturated_sum(value, out)


@compiled
def _all_hold(word, start, column, shift, turned, state, z):  # type: ignore[no-untyped-def]
    """True when the hard decisions meet every check."""
    for row in range(start.size - 1):
        state[:_Z] = 0
        for edge in range(start[row], start[row + 1]):
            line, by = _U(column[edge]) * z, _turn(_U(shift[edge]), turned[column[edge]], z)
            _xor(word, line + by, state, _U(0), z - by)
            _xor(word, line, state, z - by, by)
        least = np.int8(0)
        for i in range(z):
            least = smaller(least, state[i])
        if least < 0:
            return False
    return True


@compiled
def _xor(word, first, state, place, count):  # type: ignore[no-untyped-def]
    for i in range(count):
        state[place + i] = exclusive_or(state[place + i], word[first + i])


@compiled
def _turn_back(word, line, turned, state, z):  # type: ignore[no-untyped-def]
    """A column in its own order again."""
    _copy(word, line, state, _LINE, z)
    _copy(state, _LINE, word, line + turned, z - turned)
    _copy(state, _LINE + z - turned, word, line, turned)
