"""From SNR to the noise of a channel model: the one place."""

from __future__ import annotations

from m4sc.phy.waveform import WaveformConfig


def noise_voltage(snr_db: float, waveform: WaveformConfig) -> float:
    """Noise amplitude of a time sample, E|n|^2 = noise_voltage^2, for Es/N0 = `snr_db` a data subcarrier.

    The modulator's transform is orthonormal and a data symbol has unit mean energy, so that the noise
    variance of a subcarrier equals that of a sample, whatever `waveform`'s FFT length and carrier plan.
    """
    del waveform  # an orthonormal FFT needs none of it; kept so that another scaling stays in this function
    return float(10.0 ** (-snr_db / 20.0))
