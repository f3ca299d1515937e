"""A simulated radio channel: amplifier, fading, interference, a radio's faults, noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gnuradio import channels, gr
from gnuradio import filter as gr_filter

from .sample_stage import clock_stage, sample_stage

_SINUSOIDS = 16
_LEAST_TURN = 1e-6  # Doppler over sample rate below which gr-channels' single precision stands still


class channel(gr.hier_block2):  # noqa: N801
    """Simulated channel: complex samples in, complex samples out; tags pass.

    The first three samples of a stream are swallowed and its last eight held back (channel_model).

    In this order: Rapp amplifier, multipath and fading, interference bursts, sampling-clock offset, phase
    noise, carrier offset and white noise, IQ imbalance, drop-outs. What is not asked for costs nothing.
    ``m4sc.phy.channel.config.ChannelConfig`` is the same channel for samples without GNU Radio.

    SNR is Es/N0 per data subcarrier before fading: mean energy of a data symbol over the complex noise
    variance on that subcarrier at the receiver's FFT output, for a channel of unit mean power gain. Taps and
    path powers are scaled to that.

    Fixed taps, noise, carrier offset (channel_model), flat and whole-sample multipath fading (fading_model,
    selective_fading_model) and IQ imbalance (iqbal_gen) are gr-channels' own. Ours, from ``m4sc.phy``, are:

    - the sampling clock: gr-channels' resampler has eight taps and distorts what lies beyond a quarter of
      the sample rate, so that outer carriers lose SNR by the simulation;
    - TDL-A to TDL-E and fractional delays: selective_fading_model cuts a fractional path's pulse in front of
      the first tap and does not window it;
    - slow fading, below 1e-6 turns a sample, where the single-precision phases of fading_model stand still;
    - phase noise: phase_noise_gen filters white phase and has no linewidth, ours is a Wiener process;
    - amplifier (gr-channels has polynomials, no saturation), bursts and drop-outs: not in gr-channels.

    Counters (:attr:`counters`): ``dropouts`` and ``interference_bursts`` begun.

    Args:
        snr_db: dB; ``float('inf')`` for no noise.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default.
        taps: complex impulse response at the sample rate, scaled here to unit energy.
        cfo_hz: carrier frequency offset, Hz.
        sfo_ppm: by how much the receiver's sampling clock is slow, parts per million.
        doppler_hz: maximum Doppler shift of all fading, Hz.
        delays_samples: delays of the fading paths, samples.
        powers_db: mean powers of the fading paths, dB; scaled to a sum of one.
        seed: of noise, fading and everything else random.
        fading: ``auto`` (``paths`` if ``doppler_hz`` is above 0, else ``taps`` if there are any, else
            ``none``), ``none``, ``taps``, ``rayleigh`` or ``rician`` (flat), ``paths`` (Rayleigh paths),
            ``tdl-a`` to ``tdl-e`` (3GPP TR 38.901).
        rician_k_db: line of sight over scattered power, dB.
        delay_spread_s: RMS delay spread of a TDL profile, s.
        phase_noise_linewidth_hz: full 3 dB width of the oscillator's line, Hz.
        iq_gain_db, iq_phase_deg: imbalance of the receiver's branches.
        amplifier_backoff_db: input back-off against a frame's mean power, dB; ``float('inf')`` for none.
        amplifier_smoothness: Rapp's p, > 0.
        dropout_rate_hz, dropout_s: zeros instead of samples: mean number a second, mean duration.
        interference_rate_hz, interference_s, interference_db: bursts of white noise: mean number a second,
            mean duration, power over a data symbol's on its subcarrier.
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
        fading: str = "auto",
        rician_k_db: float = 6.0,
        delay_spread_s: float = 1.5e-6,
        phase_noise_linewidth_hz: float = 0.0,
        iq_gain_db: float = 0.0,
        iq_phase_deg: float = 0.0,
        amplifier_backoff_db: float = float("inf"),
        amplifier_smoothness: float = 3.0,
        dropout_rate_hz: float = 0.0,
        dropout_s: float = 1e-4,
        interference_rate_hz: float = 0.0,
        interference_s: float = 1e-3,
        interference_db: float = 0.0,
    ) -> None:
        signature = gr.io_signature(1, 1, gr.sizeof_gr_complex)
        gr.hier_block2.__init__(self, "m4sc_channel", signature, signature)
        from m4sc.phy.channel.config import ChannelConfig
        from m4sc.phy.waveform import WaveformConfig

        self.waveform = WaveformConfig() if waveform is None else waveform
        if fading == "auto":
            fading = "paths" if doppler_hz > 0 else "none" if taps is None else "taps"
        if fading == "taps" and taps is None:
            raise ValueError("fading is 'taps' and there are none; give taps")
        self.config = ChannelConfig(
            snr_db=snr_db,
            taps=(1.0,) if taps is None else tuple(complex(tap) for tap in taps),
            cfo_hz=cfo_hz,
            sfo_ppm=sfo_ppm,
            doppler_hz=doppler_hz,
            delays_samples=tuple(delays_samples),
            powers_db=tuple(powers_db),
            fading=fading,
            rician_k_db=rician_k_db,
            delay_spread_s=delay_spread_s,
            phase_noise_linewidth_hz=phase_noise_linewidth_hz,
            iq_gain_db=iq_gain_db,
            iq_phase_deg=iq_phase_deg,
            amplifier_backoff_db=amplifier_backoff_db,
            amplifier_smoothness=amplifier_smoothness,
            dropout_rate_hz=dropout_rate_hz,
            dropout_s=dropout_s,
            interference_rate_hz=interference_rate_hz,
            interference_s=interference_s,
            interference_db=interference_db,
        )
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._intervals: dict[str, Any] = {}
        self._blocks = [*self._on_the_air(), *self._in_the_receiver()]  # held: unnamed blocks may vanish
        self.connect(self, *self._blocks, self)

    @property
    def counters(self) -> dict[str, int]:
        """Interruptions that began so far."""
        return {name: intervals.begun for name, intervals in self._intervals.items()}

    def set_snr_db(self, snr_db: float) -> None:
        """Another SNR, dB; safe while running."""
        self.impairments.set_noise_voltage(self._noise_voltage(snr_db))

    def set_cfo_hz(self, cfo_hz: float) -> None:
        """Another carrier offset, Hz; safe while running."""
        self.impairments.set_frequency_offset(cfo_hz / self.waveform.samp_rate)

    def _child_rng(self) -> np.random.Generator:
        from m4sc.phy.channel.simulator import child_rng

        return child_rng(self._rng)

    def _on_the_air(self) -> list[Any]:
        """Amplifier, fading, interference."""
        from m4sc.phy.channel.simulator import Amplifier, interference_stage, mean_sample_power

        c, parts = self.config, []
        if c.amplifier_backoff_db < float("inf"):
            power = mean_sample_power(self.waveform)
            parts.append(sample_stage([Amplifier(c.amplifier_backoff_db, c.amplifier_smoothness, power)]))
        if c.fading != "none":
            parts.append(self._fading())
        interference = interference_stage(c, self.waveform.samp_rate, self._child_rng())
        if interference is not None:
            self._intervals["interference_bursts"] = getattr(interference, "intervals")  # noqa: B009
            parts.append(sample_stage([interference]))
        return parts

    def _fading(self) -> Any:
        """gr-channels' model where it is right, ours elsewhere."""
        from m4sc.phy.channel.simulator import fading_stage

        c = self.config
        turn = c.doppler_hz / self.waveform.samp_rate
        if c.fading == "taps":
            taps = np.array(c.taps, np.complex64)
            return gr_filter.fir_filter_ccc(1, (taps / np.linalg.norm(taps)).tolist())
        if turn >= _LEAST_TURN and c.fading in ("rayleigh", "rician"):
            k = 10.0 ** (c.rician_k_db / 10.0)
            return channels.fading_model(_SINUSOIDS, turn, c.fading == "rician", k, self._seed)
        whole = all(float(delay).is_integer() for delay in c.delays_samples)
        if turn >= _LEAST_TURN and c.fading == "paths" and whole:
            power = 10.0 ** (np.array(c.powers_db) / 10.0)
            amplitudes = np.sqrt(power / power.sum()).tolist()
            delays, length = [float(delay) for delay in c.delays_samples], int(max(c.delays_samples)) + 1
            return channels.selective_fading_model(
                _SINUSOIDS, turn, False, 1.0, self._seed, delays, amplitudes, length
            )
        return sample_stage([fading_stage(c, self.waveform.samp_rate, self._child_rng())])

    def _in_the_receiver(self) -> list[Any]:
        """Clock, oscillator, noise, mixer, drop-outs."""
        from m4sc.phy.channel.interruptions import DropOuts, Interruptions
        from m4sc.phy.channel.phase_noise import PhaseNoise
        from m4sc.phy.channel.resampler import ClockOffset

        c, rate, parts = self.config, self.waveform.samp_rate, []
        if c.sfo_ppm:
            parts.append(clock_stage(ClockOffset(c.sfo_ppm), c.sfo_ppm))
        if c.phase_noise_linewidth_hz:
            parts.append(sample_stage([PhaseNoise(c.phase_noise_linewidth_hz, rate, self._child_rng())]))
        self.impairments = channels.channel_model(
            noise_voltage=self._noise_voltage(c.snr_db),
            frequency_offset=c.cfo_hz / rate,
            epsilon=1.0,
            taps=[1.0],
            noise_seed=self._seed,
            block_tags=False,
        )
        parts.append(self.impairments)
        if c.iq_gain_db or c.iq_phase_deg:
            parts.append(channels.iqbal_gen(c.iq_gain_db, c.iq_phase_deg, 1))  # 1: the receiver's model
        if c.dropout_rate_hz:
            intervals = Interruptions(c.dropout_rate_hz, c.dropout_s, rate, self._child_rng())
            self._intervals["dropouts"] = intervals
            parts.append(sample_stage([DropOuts(intervals)]))
        return parts

    def _noise_voltage(self, snr_db: float) -> float:
        from m4sc.phy.snr import noise_voltage

        return 0.0 if np.isposinf(snr_db) else float(noise_voltage(snr_db, self.waveform))
