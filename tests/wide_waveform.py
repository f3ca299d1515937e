"""A waveform of twice the carriers of the default one, for tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from m4sc.phy.waveform import WaveformConfig

_DEFAULT = WaveformConfig()
TWICE = replace(
    _DEFAULT,
    fft_len=128,
    cp_len=20,
    sync_word1=tuple(np.kron(_DEFAULT.sync_word1, [1, 0])),
    sync_word2=tuple(np.kron(_DEFAULT.sync_word2, [1, 1])),
)
