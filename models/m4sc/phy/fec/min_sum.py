"""Layered normalised min-sum decoding of a lifted base graph.

Chen et al., "Reduced-Complexity Decoding of LDPC Codes", IEEE Trans. Commun. 53 (2005). The layers are the
rows of the base graph, whose Z checks share no bit. Every inner loop runs over Z contiguous floats without a
wrap and without a branch, which is what lets the compiler use vector instructions.
"""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import compiled


@compiled
def decode_layered(words, start, column, shift, scale, iterations):  # type: ignore[no-untyped-def]
    """Decode each word in place; a word is left as soon as all its checks hold.

    Args:
        words: float32 (blocks, columns, Z) LLRs, positive for 0; becomes the a-posteriori LLRs.
        start: int64 (rows + 1,), first edge of each row.
        column, shift: int64 (edges,), the circulants.
        scale: float32, of the messages.
        iterations: at most.

    Returns:
        int64 (blocks,): iterations done; `iterations` + 1 where a check still fails.
    """
    blocks, z = words.shape[0], words.shape[2]
    messages = np.empty((column.size, z), np.float32)
    least, second, sign = np.empty(z, np.float32), np.empty(z, np.float32), np.empty(z, np.float32)
    done = np.empty(blocks, np.int64)
    for block in range(blocks):
        word = words[block]
        messages[:] = 0.0
        done[block] = iterations + 1
        for iteration in range(1, iterations + 1):
            for row in range(start.size - 1):
                least[:], second[:], sign[:] = 1e30, 1e30, 1.0
                for edge in range(start[row], start[row + 1]):
                    line, message, cut = word[column[edge]], messages[edge], z - shift[edge]
                    _collect(line[shift[edge] :], message[:cut], least[:cut], second[:cut], sign[:cut])
                    _collect(line[: shift[edge]], message[cut:], least[cut:], second[cut:], sign[cut:])
                sign *= scale
                for edge in range(start[row], start[row + 1]):
                    line, message, cut = word[column[edge]], messages[edge], z - shift[edge]
                    _spread(line[shift[edge] :], message[:cut], least[:cut], second[:cut], sign[:cut])
                    _spread(line[: shift[edge]], message[cut:], least[cut:], second[cut:], sign[cut:])
            if _all_hold(word, start, column, shift, sign):
                done[block] = iteration
                break
    return done


@compiled
def _collect(line, message, least, second, sign):  # type: ignore[no-untyped-def]
    """Take the old message out of the bits' LLRs, note the two least sizes and the product of the signs."""
    for i in range(message.size):
        value = line[i] - message[i]
        message[i] = value
        size = abs(value)
        low = least[i]
        larger = low if size < low else size
        second[i] = larger if larger < second[i] else second[i]
        least[i] = size if size < low else low
        sign[i] = -sign[i] if value < 0 else sign[i]


@compiled
def _spread(line, message, least, second, sign):  # type: ignore[no-untyped-def]
    """Send each bit the least size of the others with the product of their signs."""
    for i in range(message.size):
        value = message[i]
        size = second[i] if abs(value) == least[i] else least[i]
        out = size * (-sign[i] if value < 0 else sign[i])
        message[i] = out
        line[i] = value + out


@compiled
def _all_hold(word, start, column, shift, sign):  # type: ignore[no-untyped-def]
    """True when the hard decisions meet every check; `sign`, float32 (Z,), is scratch."""
    z = word.shape[1]
    for row in range(start.size - 1):
        sign[:] = 1.0
        for edge in range(start[row], start[row + 1]):
            line, cut = word[column[edge]], z - shift[edge]
            _multiply_sign(line[shift[edge] :], sign[:cut])
            _multiply_sign(line[: shift[edge]], sign[cut:])
        if (sign < 0).any():
            return False
    return True


@compiled
def _multiply_sign(line, sign):  # type: ignore[no-untyped-def]
    for i in range(sign.size):
        sign[i] = -sign[i] if line[i] < 0 else sign[i]
