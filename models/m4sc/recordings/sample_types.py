"""How samples lie in a file: the complex types of the SigMF specification 1.2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from m4sc.recordings.error import RecordingError

_NAME = re.compile(r"(?P<kind>[cr])(?P<number>f|i|u)(?P<bits>8|16|32|64)(_(?P<order>le|be))?")
_DEFINED = {"f32", "f64", "i8", "u8", "i16", "u16", "i32", "u32"}
_READ = "cf32_le, cf64_le, ci8, cu8, ci16_le, cu16_le, ci32_le, cu32_le or the same in _be"

# endings of bare files, as rtl_sdr, hackrf_transfer, SDR programs and GNU Radio name them
RAW_TYPES = {
    ".cf32": "cf32_le",
    ".fc32": "cf32_le",
    ".cfile": "cf32_le",
    ".cf64": "cf64_le",
    ".cs16": "ci16_le",
    ".sc16": "ci16_le",
    ".cs8": "ci8",
    ".sc8": "ci8",
    ".cu8": "cu8",
}
# endings that say "samples" and not which; the type has to be given
RAW_UNKNOWN = (".iq", ".raw", ".bin", ".dat")


@dataclass(frozen=True)
class SampleType:
    """A complex sample: two components one behind the other, real part first.

    Attributes:
        name: as SigMF writes it.
        component: of one of the two, byte order included.
    """

    name: str
    component: np.dtype[Any]

    @property
    def width(self) -> int:
        """Bytes of one sample."""
        return 2 * self.component.itemsize

    def to_complex(self, pairs: np.ndarray) -> np.ndarray:
        """Components (n, 2) as they lie -> complex64 (n,); integers become -1 to 1, as sigmf does."""
        values = np.ascontiguousarray(pairs, dtype=np.float32)
        if self.component.kind != "f":
            half = np.float32(2.0 ** (8 * self.component.itemsize - 1))
            values = (values - half if self.component.kind == "u" else values) / half
        return values.view(np.complex64)[:, 0]


def sample_type(name: object, where: str) -> SampleType:
    """The type of a ``core:datatype``; a missing byte order is read as little-endian.

    Args:
        name: what the description says.
        where: the file's name, for the message.

    Raises:
        RecordingError: no type of SigMF, or one of real samples.
    """
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    if found is None or found["number"] + found["bits"] not in _DEFINED:
        raise RecordingError(f"{where}: samples of type '{name}' are not read; convert them to {_READ}")
    if found["kind"] == "r":
        raise RecordingError(
            f"{where}: real samples ('{name}') are not read; a radio's samples are complex, such as cf32_le"
        )
    order = ">" if found["order"] == "be" else "<"
    return SampleType(found[0], np.dtype(f"{order}{found['number']}{int(found['bits']) // 8}"))
