"""Decoding of LLRs that come in pieces of any length."""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.ldpc import LdpcCode


class LdpcStream:
    """Collects LLRs and decodes the blocks that are whole.

    Args:
        code: of every block.
        iterations: of the decoder, at most.
    """

    def __init__(self, code: LdpcCode, iterations: int = 20) -> None:
        self.code, self.iterations = code, iterations
        self._waiting: list[np.ndarray] = []
        self._count = 0

    @property
    def waiting(self) -> int:
        """LLRs of the block that is not whole yet."""
        return self._count

    def push(self, llr: np.ndarray) -> np.ndarray:
        """LLRs, float (any,), to the information bits of the blocks they complete, uint8 (blocks, k)."""
        if llr.ndim != 1:
            raise ValueError(f"a stream takes LLRs in one dimension, not of shape {llr.shape}")
        self._waiting.append(np.array(llr, np.float32))  # a copy: the caller may use its buffer again
        self._count += llr.size
        blocks = self._count // self.code.n
        if not blocks:
            return np.empty((0, self.code.k), np.uint8)
        everything = np.concatenate(self._waiting)
        used = blocks * self.code.n
        self._waiting, self._count = [everything[used:]], everything.size - used
        return self.code.decode(everything[:used].reshape(blocks, -1), self.iterations)
