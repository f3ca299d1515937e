"""Digital payload: bytes, CRC-16 or CRC-24A, code blocks with CRC-24B, 5G NR LDPC, QAM.

3GPP TS 38.212 clauses 5.1, 5.2.2 and 7.2. Where the bits do not divide by the blocks, zeros fill the last one
(the standard has only sizes that do), and every block has the same number of coded bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from m4sc.phy.fec import crc
from m4sc.phy.fec.ldpc import MAX_INFO_BITS, LdpcCode, choose_base_graph, ldpc_code
from m4sc.phy.modulation.mcs import get_mcs
from m4sc.phy.modulation.qam import map_bits, soft_demap

_LONG_BITS = 3824  # above it the transport block has the longer CRC (clause 7.2.1)


@dataclass(frozen=True)
class TransportFormat:
    """How a transport block is split.

    Attributes:
        check: CRC of the transport block.
        code: of each code block.
        blocks: number of code blocks; several have a CRC-24B each.
        padding: zero bits that fill the last one.
    """

    check: crc.Crc
    code: LdpcCode
    blocks: int
    padding: int

    @property
    def n_symbols(self) -> int:
        """Complex symbols of all blocks."""
        return self.blocks * self.code.n // self.code.bits_per_symbol


def transport_format(n_bytes: int, mcs: int) -> TransportFormat:
    """Code blocks of `n_bytes` sent with scheme `mcs`.

    Raises:
        ValueError: no bytes, or no such scheme.
    """
    if n_bytes < 1:
        raise ValueError("a transport block has at least one byte")
    scheme = get_mcs(mcs)
    number = choose_base_graph(8 * n_bytes, scheme.rate)
    check = crc.CRC24A if 8 * n_bytes > _LONG_BITS else crc.CRC16
    total, most = 8 * n_bytes + check.bits, MAX_INFO_BITS[number]
    blocks = 1 if total <= most else -(-total // (most - crc.CRC24B.bits))
    payload = -(-total // blocks)  # bits of a block before its own CRC
    k = payload + (crc.CRC24B.bits if blocks > 1 else 0)
    step = scheme.bits_per_symbol
    n = step * int(np.ceil(k / scheme.rate / step - 1e-9))
    return TransportFormat(check, ldpc_code(k, n, step, number), blocks, blocks * payload - total)


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
    bits = form.check.attach(np.unpackbits(np.frombuffer(data, np.uint8)))
    blocks = np.split(np.concatenate([bits, np.zeros(form.padding, np.uint8)]), form.blocks)
    if form.blocks > 1:
        blocks = [crc.CRC24B.attach(block) for block in blocks]
    coded = np.concatenate([form.code.encode(block) for block in blocks])
    return map_bits(coded, form.code.bits_per_symbol)


def decode_transport(
    symbols: np.ndarray, noise_var: np.ndarray, mcs: int, n_bytes: int, iterations: int = 20
) -> bytes | None:
    """Received symbols to bytes; None when a CRC fails, or where a block holds nothing at all.

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
    llr = soft_demap(symbols, noise_var, form.code.bits_per_symbol).reshape(form.blocks, -1)
    if not np.abs(llr).max(axis=1).all():  # silence would decode as zeros, whose CRC is right
        return None
    blocks = form.code.decode(llr, iterations)
    if form.blocks > 1:
        if not all(crc.CRC24B.passes(block) for block in blocks):
            return None
        blocks = blocks[:, : -crc.CRC24B.bits]
    bits = blocks.ravel()[: 8 * n_bytes + form.check.bits]
    return np.packbits(bits[: -form.check.bits]).tobytes() if form.check.passes(bits) else None
