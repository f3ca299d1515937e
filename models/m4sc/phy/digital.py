"""Digital payload: bytes, CRC-24A, code blocks with CRC-24B, 5G NR LDPC, QAM.

3GPP TS 38.212 clauses 5.1, 5.2.2 and 7.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from m4sc.phy.fec import crc
from m4sc.phy.fec.ldpc import MAX_INFO_BITS, LdpcCode, choose_base_graph, ldpc_code
from m4sc.phy.mcs import get_mcs
from m4sc.phy.qam import map_bits, soft_demap


@dataclass(frozen=True)
class TransportFormat:
    """How a transport block is split: its code blocks, and the zero bits that fill the last one."""

    codes: tuple[LdpcCode, ...]
    padding: int
    bits_per_symbol: int

    @property
    def n_symbols(self) -> int:
        """Complex symbols of all blocks."""
        return sum(code.n for code in self.codes) // self.bits_per_symbol


def transport_format(n_bytes: int, mcs: int) -> TransportFormat:
    """Code blocks of `n_bytes` sent with scheme `mcs`.

    Raises:
        ValueError: no bytes, or no such scheme.
    """
    if n_bytes < 1:
        raise ValueError("a transport block has at least one byte")
    scheme = get_mcs(mcs)
    number = choose_base_graph(8 * n_bytes, scheme.rate)
    total = 8 * n_bytes + crc.BITS
    blocks = 1
    if total > MAX_INFO_BITS[number]:
        blocks = -(-total // (MAX_INFO_BITS[number] - crc.BITS))
    payload = -(-total // blocks)  # bits of a block before its own CRC
    k = payload + (crc.BITS if blocks > 1 else 0)
    step = scheme.bits_per_symbol
    n = step * int(np.ceil(k / scheme.rate / step - 1e-9))
    padding = blocks * payload - total
    return TransportFormat((ldpc_code(k, n, step, number),) * blocks, padding, step)


def n_symbols(n_bytes: int, mcs: int) -> int:
    """Complex symbols that carry `n_bytes` with scheme `mcs`."""
    return transport_format(n_bytes, mcs).n_symbols


def most_bytes(mcs: int, max_symbols: int) -> int:
    """Most bytes of one transport block of scheme `mcs` in `max_symbols` symbols, at least 1."""
    scheme = get_mcs(mcs)
    size = max(1, int(max_symbols * scheme.bits_per_symbol * scheme.rate / 8))
    while size > 1 and n_symbols(size, mcs) > max_symbols:  # the CRCs take some
        size -= 1
    return size


def encode_transport(data: bytes, mcs: int) -> np.ndarray:
    """Bytes to symbols of unit mean energy, complex64 (n_symbols(len(data), mcs),)."""
    form = transport_format(len(data), mcs)
    bits = crc.attach(np.unpackbits(np.frombuffer(data, np.uint8)))
    blocks = np.split(np.concatenate([bits, np.zeros(form.padding, np.uint8)]), len(form.codes))
    if len(blocks) > 1:
        blocks = [crc.attach(block, crc.CRC24B) for block in blocks]
    coded = [code.encode(block) for code, block in zip(form.codes, blocks, strict=True)]
    return map_bits(np.concatenate(coded), form.bits_per_symbol)


def decode_transport(
    symbols: np.ndarray, noise_var: np.ndarray, mcs: int, n_bytes: int, iterations: int = 20
) -> bytes | None:
    """Received symbols to bytes; None when a CRC fails.

    Args:
        symbols: complex (n_symbols(n_bytes, mcs),), unbiased.
        noise_var: float, of the same length.
        mcs, n_bytes: as the header says.
        iterations: of the LDPC decoder, at most.

    Raises:
        ValueError: lengths that do not fit the scheme.
    """
    form = transport_format(n_bytes, mcs)
    if not len(symbols) == len(noise_var) == form.n_symbols:
        raise ValueError(
            f"{len(symbols)} symbols came where {n_bytes} bytes with scheme {mcs} take {form.n_symbols}"
        )
    llr = soft_demap(symbols, noise_var, form.bits_per_symbol)
    parts = np.split(llr, len(form.codes))
    blocks = [code.decode(part, iterations) for code, part in zip(form.codes, parts, strict=True)]
    if len(blocks) > 1:
        if not all(crc.passes(block, crc.CRC24B) for block in blocks):
            return None
        blocks = [block[: -crc.BITS] for block in blocks]
    bits = np.concatenate(blocks)[: 8 * n_bytes + crc.BITS]
    return np.packbits(bits[: -crc.BITS]).tobytes() if crc.passes(bits) else None
