"""A simulated radio channel: multipath, carrier and sampling offset, noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gnuradio import channels, gr
from gnuradio import filter as gr_filter

FADING = ("none", "rayleigh")


class channel(gr.hier_block2):  # noqa: N801
    """Simulated channel: complex samples in, complex samples out.

    Multipath by fixed ``taps`` or time-varying Rayleigh fading (gr-channels' selective_fading_model with
    delays and powers), then gr-channels' channel_model: carrier offset, sampling offset, complex white
    noise.

    SNR is Es/N0 per data subcarrier before fading: mean energy of a data symbol over the complex noise
    variance on that subcarrier at the receiver's FFT output, for a channel of unit mean power gain. Taps
    are scaled to that. Tags pass. gr-channels' resampler distorts what lies beyond a quarter of the sample
    rate as soon as ``sfo_ppm`` is not 0: outer carriers then lose SNR by the simulation, not by the offset.

    Args:
        snr_db: dB; ``float('inf')`` for no noise.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default.
        taps: complex impulse response at the sample rate, scaled here to unit energy; None for a flat
            channel.
        cfo_hz: carrier frequency offset, Hz.
        sfo_ppm: sampling frequency offset, parts per million.
        doppler_hz: above 0: Rayleigh fading of this maximum Doppler shift, Hz, instead of fixed ``taps``.
        delays_samples: delays of the fading paths, samples.
        powers_db: mean powers of the fading paths, dB; scaled to a sum of one.
        seed: of noise and fading.
    """

    def __init__(
        self,
        snr_db: float = 20.0,
        waveform: Any = None,
        taps: Sequence[complex] | None = None,
        cfo_hz: float = 0.0,
        sfo_ppm: float = 0.0,
        doppler_hz: float = 0.0,
        delays_samples: Sequence[float] = (0.0, 1.0, 3.0),
        powers_db: Sequence[float] = (0.0, -5.0, -10.0),
        seed: int = 1,
    ) -> None:
        signature = gr.io_signature(1, 1, gr.sizeof_gr_complex)
        gr.hier_block2.__init__(self, "m4sc_channel", signature, signature)
        from m4sc.phy.waveform import WaveformConfig

        self.waveform = WaveformConfig() if waveform is None else waveform
        self._seed = seed
        chain: list[Any] = [self]
        if doppler_hz > 0:
            self.fading = self._selective_fading(doppler_hz, delays_samples, powers_db)
            chain.append(self.fading)
        elif taps is not None:
            self.multipath = gr_filter.fir_filter_ccc(1, unit_energy(taps).tolist())
            chain.append(self.multipath)
        self.impairments = channels.channel_model(
            noise_voltage=self._noise_voltage(snr_db),
            frequency_offset=cfo_hz / self.waveform.samp_rate,
            epsilon=1.0 + sfo_ppm * 1e-6,
            taps=[1.0],
            noise_seed=seed,
            block_tags=False,
        )
        self.connect(*chain, self.impairments, self)

    def set_snr_db(self, snr_db: float) -> None:
        """Another SNR, dB; safe while running."""
        self.impairments.set_noise_voltage(self._noise_voltage(snr_db))

    def set_cfo_hz(self, cfo_hz: float) -> None:
        """Another carrier offset, Hz; safe while running."""
        self.impairments.set_frequency_offset(cfo_hz / self.waveform.samp_rate)

    def _noise_voltage(self, snr_db: float) -> float:
        from m4sc.phy.snr import noise_voltage

        return 0.0 if np.isposinf(snr_db) else float(noise_voltage(snr_db, self.waveform))

    def _selective_fading(
        self, doppler_hz: float, delays: Sequence[float], powers_db: Sequence[float]
    ) -> Any:
        if len(delays) != len(powers_db) or not len(delays):
            raise ValueError(f"{len(delays)} delays for {len(powers_db)} powers; give one power a path")
        power = 10.0 ** (np.asarray(powers_db, float) / 10.0)
        amplitudes = np.sqrt(power / power.sum())
        return channels.selective_fading_model(
            16, doppler_hz / self.waveform.samp_rate, False, 1.0, self._seed,
            [float(d) for d in delays], amplitudes.tolist(), int(max(delays)) + 8,
        )  # fmt: skip


def unit_energy(taps: Sequence[complex]) -> np.ndarray:
    """Taps scaled to unit energy, complex64; raises ValueError for an empty or silent channel."""
    array = np.asarray(taps, dtype=np.complex64).ravel()
    energy = float(np.sum(np.abs(array) ** 2))
    if array.size == 0 or not np.isfinite(energy) or energy <= 0:
        raise ValueError("taps hold no energy; give at least one finite tap that is not zero")
    return array / np.float32(np.sqrt(energy))
