"""The size of a picture, as a digital block before its latents, readable at any SNR they are used at."""

from __future__ import annotations

import struct

import numpy as np

from m4sc.phy.modulation.digital import decode_transport, encode_transport, n_symbols

_FORMAT = struct.Struct(">HH")
_MCS = 0  # the most robust
SIZE_SYMBOLS = n_symbols(_FORMAT.size, _MCS)


def size_symbols(height: int, width: int) -> np.ndarray:
    """Height and width, 1 to 65535 pixels, as symbols of unit mean power, complex64 (`SIZE_SYMBOLS`,).

    Raises:
        ValueError: a side is out of range.
    """
    if not (1 <= height <= 65535 and 1 <= width <= 65535):
        raise ValueError(f"a picture of {height} x {width} pixels cannot be sent; sides are 1 to 65535")
    return encode_transport(_FORMAT.pack(height, width), _MCS).astype(np.complex64)


def read_size(symbols: np.ndarray, noise_var: np.ndarray) -> tuple[int, int]:
    """Inverse of :func:`size_symbols`: complex (`SIZE_SYMBOLS`,) and each one's complex noise variance.

    Raises:
        ValueError: the CRC says that the noise was too strong, or a side is 0.
    """
    data = decode_transport(symbols, np.maximum(noise_var, 1e-6), _MCS, _FORMAT.size)
    height, width = (0, 0) if data is None else _FORMAT.unpack(data)
    if not height or not width:
        raise ValueError("the size of the received picture cannot be read: too much noise")
    return int(height), int(width)
