"""The waveform: gr-digital's OFDM parameters, its names and its defaults."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import numpy as np

from m4sc.json_fields import from_json

_OCCUPIED = (*range(-26, -21), *range(-20, -7), *range(-6, 0), *range(1, 7), *range(8, 21), *range(22, 27))
# Signs of the default sync words of digital.ofdm_tx on carriers -32 to 31, and of its pilot scrambler.
_SYNC1 = "0000000+0-0+0-0-0-0+0-0+0-0-0-0-0+0-0+0+0+0-0+0+0+0-0+0+0+000000"
_SYNC2 = "000000----++---+-+++++-----+--+-0+-+++-+++-++++-+---+-+----00000"
_PILOT_SIGNS = (
    "++++---+----++-+--++-++-++++++-+++-++--+++-+---+-+--+--+++++--++"
    "--+-+-++---++----+--+-++++-+-+-+-----+-++-+-+++--+---+++-------"
)


_PILOT_ROWS = 512
# Signs of the repetitions: Barker codes, so that a preamble found a repetition off is weaker.
COVERS = {
    1: (1,),
    2: (1, -1),
    3: (1, 1, -1),
    4: (1, 1, -1, 1),
    5: (1, 1, 1, -1, 1),
    7: (1, 1, 1, -1, -1, 1, -1),
}


def _signs(text: str, scale: float = 1.0) -> tuple[float, ...]:
    return tuple({"+": scale, "-": -scale, "0": 0.0}[char] for char in text)


@dataclass(frozen=True)
class WaveformConfig:
    """OFDM waveform.

    Attributes:
        fft_len: subcarriers, and samples of a symbol without its prefix.
        cp_len: samples of the cyclic prefix.
        occupied_carriers, pilot_carriers: signed carrier numbers, 0 is the centre. Without pilots the
            header alone shows carrier and clock offset, and no phase is followed behind it.
        pilot_symbols: one tuple an OFDM symbol, cycled; a value a pilot carrier.
        sync_word1, sync_word2: values on all carriers, lowest first (fftshift order).
        samp_rate: samples a second.
        max_payload_symbols: longest payload that a receiver accepts, complex data symbols.
        preamble_repeats: how often both sync words are sent before a packet of gr-digital's format; the
            repetitions' signs are a Barker code. A frame has as many as its protection says.
    """

    fft_len: int = 64
    cp_len: int = 16
    occupied_carriers: tuple[int, ...] = _OCCUPIED
    pilot_carriers: tuple[int, ...] = (-21, -7, 7, 21)
    pilot_symbols: tuple[tuple[float, ...], ...] = tuple((x, x, x, -x) for x in _signs(_PILOT_SIGNS))
    sync_word1: tuple[float, ...] = _signs(_SYNC1, 2**0.5)
    sync_word2: tuple[float, ...] = _signs(_SYNC2)
    samp_rate: float = 1e6
    max_payload_symbols: int = 20_000
    preamble_repeats: int = 1

    def __post_init__(self) -> None:
        used = (*self.occupied_carriers, *self.pilot_carriers)
        half = self.fft_len // 2
        if self.fft_len < 8 or self.fft_len % 2 or not 0 < self.cp_len <= self.fft_len:
            raise ValueError(
                f"fft_len {self.fft_len} must be even and cp_len {self.cp_len} within 1 to fft_len"
            )
        if (
            len(set(used)) != len(used)
            or not all(-half <= c < half for c in used)
            or not self.occupied_carriers
        ):
            raise ValueError(f"carriers must be distinct numbers from {-half} to {half - 1}")
        if len(self.sync_word1) != self.fft_len or len(self.sync_word2) != self.fft_len:
            raise ValueError(f"sync words must have fft_len = {self.fft_len} values")
        if any(len(row) != len(self.pilot_carriers) for row in self.pilot_symbols) or not self.pilot_symbols:
            raise ValueError(f"each row of pilot_symbols needs {len(self.pilot_carriers)} values")
        if self.preamble_repeats not in COVERS:
            raise ValueError(
                f"preamble_repeats {self.preamble_repeats} must be one of {', '.join(map(str, COVERS))}"
            )

    def __hash__(self) -> int:
        """Worked out once: tables are kept by waveform, and its tuples are long."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, field.name) for field in fields(self)))

    @property
    def symbol_len(self) -> int:
        """Samples of an OFDM symbol with its prefix."""
        return self.fft_len + self.cp_len

    @property
    def n_data_carriers(self) -> int:
        """Data symbols of an OFDM symbol."""
        return len(self.occupied_carriers)

    @cached_property
    def data_bins(self) -> np.ndarray:
        """FFT bins of the data carriers, int (n,)."""
        return np.array(self.occupied_carriers) % self.fft_len

    @cached_property
    def pilot_bins(self) -> np.ndarray:
        """FFT bins of the pilot carriers, int (n,)."""
        return np.array(self.pilot_carriers, int) % self.fft_len

    @cached_property
    def signed_carriers(self) -> np.ndarray:
        """Carrier number of each FFT bin, float64 (fft_len,): 0, 1, ..., -1."""
        return np.fft.fftfreq(self.fft_len) * self.fft_len

    def pilots(self, n_symbols: int) -> np.ndarray:
        """Pilot values of the first symbols after the preamble, float64 (n_symbols, pilots), read-only."""
        table = self._pilot_table
        if n_symbols > len(table):
            table = table[np.arange(n_symbols) % len(self.pilot_symbols)]
            table.setflags(write=False)
        return table[:n_symbols]

    @cached_property
    def _pilot_table(self) -> np.ndarray:
        """Whole cycles, more than most frames have symbols."""
        cycle = np.array(self.pilot_symbols, float)
        table = np.tile(cycle, (-(-_PILOT_ROWS // len(cycle)), 1))
        table.setflags(write=False)
        return table

    def sync_bins(self, word: int) -> np.ndarray:
        """Sync word 1 or 2 in FFT order, complex128 (fft_len,)."""
        return np.fft.ifftshift(np.array(self.sync_word1 if word == 1 else self.sync_word2)).astype(complex)

    @property
    def preamble_symbols(self) -> int:
        """OFDM symbols of the preamble."""
        return 2 * self.preamble_repeats

    @cached_property
    def preamble_bins(self) -> np.ndarray:
        """Both sync words as often as they are sent, in FFT order, complex128 (preamble symbols, fft_len)."""
        words = np.stack([self.sync_bins(1), self.sync_bins(2)])
        return np.concatenate([sign * words for sign in COVERS[self.preamble_repeats]])

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> WaveformConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        return from_json(cls, text, "the waveform")

    def fingerprint(self) -> int:
        """32-bit number that two ends compare."""
        return zlib.crc32(self.to_json().encode())
