"""Successive cancellation list decoding of polar codes, with a CRC that chooses among the paths.

A code is a tree of nodes; those whose bits are all frozen, and those with one information bit in their
last place (repetitions), are decided at once. A path's arrays are kept by pointers: a copy of a path
shares them with its parent until the next step writes all paths' anew.
"""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import borrowing, compiled, reordered

FROZEN, REPETITION = 0, 1


def node_schedule(information: np.ndarray, length: int) -> np.ndarray:
    """Nodes in the order of decoding, int64 (nodes, 3): first place, stage (log2 of the size), kind.

    information: int (k,), places of u with information, ascending; length: of the mother code.
    """
    carries = np.zeros(length, bool)
    carries[information] = True
    found: list[tuple[int, int, int]] = []

    def visit(first: int, stage: int) -> None:
        size = 1 << stage
        part = carries[first : first + size]
        if not part.any():
            found.append((first, stage, FROZEN))
        elif not part[:-1].any():
            found.append((first, stage, REPETITION))
        else:
            visit(first, stage - 1)
            visit(first + size // 2, stage - 1)

    visit(0, length.bit_length() - 1)
    return np.array(found, np.int64)


@compiled
def decode_list(llr, schedule, k, paths, check_bits, polynomial):  # type: ignore[no-untyped-def]
    """Bits of the likeliest path whose CRC is right, uint8 (k,), and whether there is one.

    llr: float32 (length,), positive for 0; schedule: of :func:`node_schedule`; k: information bits, CRC last;
    paths: at most; check_bits, polynomial: the CRC, 0 bits for none.
    """
    length = len(llr)
    stages = 0
    while 1 << stages < length:
        stages += 1
    soft = np.empty((paths, 2 * length), np.float32)  # stage s at [2^s, 2^(s+1))
    left = np.zeros((paths, 2 * length), np.uint8)  # decided left halves, of the same places
    soft_row, left_row = np.zeros((paths, stages + 1), np.int64), np.zeros((paths, stages + 1), np.int64)
    bits, parents = np.zeros((k, paths), np.uint8), np.zeros((k, paths), np.int64)
    metric, split = np.zeros(paths, np.float32), np.empty(2 * paths, np.float32)
    decided, hold = np.zeros(paths, np.uint8), np.empty(length, np.uint8)
    kept, used = np.empty(2 * paths, np.int64), np.empty(paths, np.bool_)
    target = np.empty(paths, np.int64)
    active, count = 1, 0
    for node in range(len(schedule)):
        first, stage, kind = schedule[node]
        size = 1 << stage
        for path in range(active):
            _descend(llr, soft, left, soft_row, left_row, path, first, stage, stages)
        if kind == FROZEN:
            for path in range(active):
                values = llr if stage == stages else soft[path, size : 2 * size]
                metric[path] += _cost(values, np.float32(1.0))
                decided[path] = 0
        else:
            for path in range(active):
                values = llr if stage == stages else soft[path, size : 2 * size]
                split[path] = metric[path] + _cost(values, np.float32(1.0))
                split[active + path] = metric[path] + _cost(values, np.float32(-1.0))
            last = active
            active = _survivors(split, 2 * active, paths, kept)
            # a parent's first child takes its place, a second one that of a path that died
            used[:] = False
            for i in range(active):
                parent = kept[i] % last
                target[i] = -1
                if not used[parent]:
                    used[parent] = True
                    target[i] = parent
            free = 0
            for i in range(active):
                if target[i] < 0:
                    while used[free]:
                        free += 1
                    used[free] = True
                    target[i] = free
                    soft_row[free], left_row[free] = soft_row[kept[i] % last], left_row[kept[i] % last]
            for i in range(active):
                path = target[i]
                metric[path] = split[kept[i]]
                decided[path] = kept[i] // last
                bits[count, path], parents[count, path] = decided[path], kept[i] % last
            count += 1
        for path in range(active):
            hold[:size] = decided[path]
            _ascend(left, left_row, path, first, stage, stages, hold)
    return _choose(bits, parents, metric, active, k, check_bits, polynomial)


@compiled
def decode_clean(llr, information, check_bits, polynomial):  # type: ignore[no-untyped-def]
    """The same where no sign is wrong: bits, uint8 (k,), and whether the signs are a word whose CRC is right.

    It costs next to nothing beside :func:`decode_list`, which would find the same word.

    llr: float32 (length,); information: int64 (k,), places of u with information, ascending.
    """
    length = len(llr)
    word = np.empty(length, np.uint8)
    for i in range(length):
        word[i] = llr[i] < 0
    half = 1
    while half < length:  # the transform is its own inverse
        for first in range(0, length, 2 * half):
            low, high = word[first : first + half], word[first + half : first + 2 * half]
            for i in range(half):
                low[i] ^= high[i]
        half *= 2
    bits, ones = np.empty(len(information), np.uint8), 0
    for i in range(len(information)):
        bits[i] = word[information[i]]
        ones += bits[i]
    for i in range(length):
        ones -= word[i]
    # as many ones as there are in all: none in a frozen place
    return bits, ones == 0 and passes(bits, check_bits, polynomial)


@reordered
def _cost(values, sign):  # type: ignore[no-untyped-def]
    """What a path pays for values that are sign times positive: the sum of those that are not."""
    total = np.float32(0)
    for value in values:
        total += max(np.float32(0), -sign * value)
    return total


@compiled
def _descend(llr, soft, left, soft_row, left_row, path, first, stage, stages):  # type: ignore[no-untyped-def]
    """LLRs of a node at `first`, of size 2^stage, from those of its last common ancestor."""
    top = stages
    if first > 0:
        top = stage
        while first >> top & 1 == 0:
            top += 1
    above = top + 1
    if first > 0:
        size = 1 << top
        values = llr if above == stages else soft[soft_row[path, above], 2 * size : 4 * size]
        row = soft[path, size : 2 * size]
        known = left[left_row[path, top], size : 2 * size]
        _right(values, known, row, size)
        soft_row[path, top] = path
    for below in range(top - 1, stage - 1, -1):
        size = 1 << below
        values = llr if below + 1 == stages else soft[soft_row[path, below + 1], 2 * size : 4 * size]
        _left(values, soft[path, size : 2 * size], size)
        soft_row[path, below] = path


@compiled
def _left(values, out, size):  # type: ignore[no-untyped-def]
    for i in range(size):
        a, b = values[i], values[i + size]
        low = min(abs(a), abs(b))
        out[i] = low if (a < 0) == (b < 0) else -low


@compiled
def _right(values, known, out, size):  # type: ignore[no-untyped-def]
    for i in range(size):
        a, b = values[i], values[i + size]
        out[i] = b - a if known[i] else b + a


@compiled
def _ascend(left, left_row, path, first, stage, stages, hold):  # type: ignore[no-untyped-def]
    """Keep a node's decided bits, `hold` (2^stage first), as the left half of its ancestor."""
    while stage < stages and first >> stage & 1:
        size = 1 << stage
        known = left[left_row[path, stage], size : 2 * size]
        for i in range(size):
            hold[size + i] = hold[i]
            hold[i] ^= known[i]
        stage += 1
    if stage < stages:
        size = 1 << stage
        left[path, size : 2 * size] = hold[:size]
        left_row[path, stage] = path


@compiled
def _survivors(split, count, paths, kept):  # type: ignore[no-untyped-def]
    """The up to `paths` least of the first `count` costs, into `kept`; how many."""
    for i in range(count):
        place = i
        while place > 0 and split[kept[place - 1]] > split[i]:
            kept[place] = kept[place - 1]
            place -= 1
        kept[place] = i
    return min(count, paths)


@compiled
def _choose(bits, parents, metric, active, k, check_bits, polynomial):  # type: ignore[no-untyped-def]
    """The likeliest path with a right CRC, or the likeliest of all."""
    tried, best = np.zeros(active, np.bool_), np.zeros(k, np.uint8)
    found = np.empty(k, np.uint8)
    for attempt in range(active):
        path = -1
        for i in range(active):
            if not tried[i] and (path < 0 or metric[i] < metric[path]):
                path = i
        tried[path] = True
        for i in range(k - 1, -1, -1):
            found[i] = bits[i, path]
            path = parents[i, path]
        if passes(found, check_bits, polynomial):
            return found, True
        if attempt == 0:
            best[:] = found
    return best, check_bits == 0


@borrowing(compiled)
def passes(bits, check_bits, polynomial):  # type: ignore[no-untyped-def]
    """Whether the last `check_bits` of uint8 (n,) are the CRC of those before; True of no CRC."""
    if check_bits == 0:
        return True
    register, top, mask = 0, check_bits - 1, (1 << check_bits) - 1
    for bit in bits:  # a word with its CRC leaves no remainder
        feedback = register >> top ^ bit
        register = register << 1 & mask
        if feedback:
            register ^= polynomial
    return register == 0
