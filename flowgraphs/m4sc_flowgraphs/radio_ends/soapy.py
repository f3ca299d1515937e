"""Radios behind SoapySDR: RTL-SDR, HackRF, Pluto, LimeSDR."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import Any

from m4sc_flowgraphs.radio_ends.address import RadioEndError
from m4sc_flowgraphs.radio_ends.burst_shaper import BurstShaper
from m4sc_flowgraphs.radio_ends.chain import Chain, after
from m4sc_flowgraphs.radio_ends.end import Notify, ReceiveEnd, TransmitEnd
from m4sc_flowgraphs.radio_ends.uhd import Watch, waveform_rms


@dataclass(frozen=True)
class SoapyOptions:
    """Options of ``soapy:driver=NAME``.

    Attributes:
        freq: centre frequency, Hz; required.
        rate: samples a second.
        gain: dB.
        antenna: name, empty for the default.
        bandwidth: Hz, 0 to leave it.
        ppm: frequency correction, parts per million.
        max_rate_error_ppm: refused above this.
        level_dbfs: RMS level of the samples, dB below full scale.
        pad_samples: silence after each burst in a stream without burst support.
    """

    freq: float
    rate: float = 1e6
    gain: float = 20.0
    antenna: str = ""
    bandwidth: float = 0.0
    ppm: float = 0.0
    max_rate_error_ppm: float = 20.0
    level_dbfs: float = -13.0
    pad_samples: int = 400

    def __post_init__(self) -> None:
        if not (self.freq > 0 and self.rate > 0):
            raise ValueError(f"freq {self.freq:g} and rate {self.rate:g} must be above 0")


def open_soapy_transmit(
    args: str, options: SoapyOptions, waveform: Any, notify: Notify, soapy: Any = None
) -> TransmitEnd:
    """A Soapy device that sends length-tagged bursts.

    Raises:
        RadioEndError: no device, or a setting that it refuses.
    """
    sink, waveform = _open("sink", args, options, waveform, soapy)
    sink.set_length_tag_name("packet_len")
    gain = 10.0 ** (options.level_dbfs / 20.0) / waveform_rms(waveform)
    shaper = BurstShaper(gain, options.pad_samples)
    return TransmitEnd(
        Chain([shaper, sink], True), waveform, "packet_len", 0, True, shaper.counters, after(0.5)
    )


def open_soapy_receive(
    args: str, options: SoapyOptions, waveform: Any, notify: Notify, soapy: Any = None
) -> ReceiveEnd:
    """A Soapy device that receives; as :func:`open_soapy_transmit`."""
    source, waveform = _open("source", args, options, waveform, soapy)
    watch = Watch(waveform.samp_rate, notify)
    set_gain = lambda gain_db: source.set_gain(0, gain_db)  # noqa: E731
    return ReceiveEnd(Chain([source, watch], False), waveform, False, watch.counters, set_gain, True)


def _open(side: str, args: str, options: SoapyOptions, waveform: Any, soapy: Any) -> tuple[Any, Any]:
    if soapy is None:
        try:
            soapy = importlib.import_module("gnuradio.soapy")
        except ImportError as exc:
            raise RadioEndError("this GNU Radio has no Soapy; install gr-soapy (Debian: gnuradio)") from exc
    try:
        device = getattr(soapy, side)(args, "fc32", 1, "", "", [""], [""])
    except RuntimeError as exc:
        text = " ".join(str(exc).split())
        if "no match" in text:
            raise RadioEndError(
                f"no Soapy device answers to '{args}'; look at what SoapySDRUtil --find lists"
            ) from exc
        raise RadioEndError(f"the Soapy device '{args}' cannot be opened: {text[:160]}") from exc
    try:
        device.set_sample_rate(0, options.rate)
        actual = float(device.get_sample_rate(0))
        error_ppm = abs(actual / options.rate - 1.0) * 1e6
        if error_ppm > options.max_rate_error_ppm:
            raise RadioEndError(
                f"the device makes {actual:.3f} samples/s of the {options.rate:.3f} asked for "
                f"({error_ppm:.1f} ppm off); give another rate"
            )
        device.set_frequency(0, options.freq)
        if options.ppm:
            device.set_frequency_correction(0, options.ppm)
        if options.antenna:
            device.set_antenna(0, options.antenna)
        if options.bandwidth:
            device.set_bandwidth(0, options.bandwidth)
        device.set_gain(0, options.gain)
    except (RuntimeError, ValueError) as exc:
        if isinstance(exc, RadioEndError):
            raise
        raise RadioEndError(
            f"the Soapy device refuses a setting: {' '.join(str(exc).split())[:160]}"
        ) from exc
    return device, replace(waveform, samp_rate=actual)
