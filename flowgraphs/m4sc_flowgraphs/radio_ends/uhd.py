"""USRPs: what is asked of UHD, what it really did, and what went wrong while running."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from gnuradio import m4sc

from m4sc_flowgraphs.radio_ends.address import RadioEndError
from m4sc_flowgraphs.radio_ends.burst_shaper import BurstShaper
from m4sc_flowgraphs.radio_ends.chain import Chain, after
from m4sc_flowgraphs.radio_ends.end import Notify, ReceiveEnd, TransmitEnd


@dataclass(frozen=True)
class UhdOptions:
    """Options of ``uhd:ARGS``; ARGS are UHD's device arguments (``addr=192.168.10.2``, ``type=b200``).

    Attributes:
        freq: centre frequency, Hz; required.
        rate: samples a second.
        gain: dB.
        antenna: name of the connector, empty for the device's default.
        clock: clock source (``internal``, ``external``, ``gpsdo``), empty to leave it.
        time: time source, empty to leave it.
        master_clock_rate: Hz, 0 to leave it.
        subdev: front end, empty for the default.
        bandwidth: of the analogue filter, Hz, 0 to leave it.
        lo_offset: of the local oscillator from ``freq``, Hz: keeps its leakage off the carriers.
        max_rate_error_ppm: refused above this.
        level_dbfs: RMS level of the samples, dB below full scale.
        timed: time stamp on every burst.
        lead: of a time stamp over the device's clock, s.
    """

    freq: float
    rate: float = 1e6
    gain: float = 0.0
    antenna: str = ""
    clock: str = ""
    time: str = ""
    master_clock_rate: float = 0.0
    subdev: str = ""
    bandwidth: float = 0.0
    lo_offset: float = 0.0
    max_rate_error_ppm: float = 0.1
    level_dbfs: float = -13.0
    timed: bool = False
    lead: float = 0.02

    def __post_init__(self) -> None:
        if not (0 < self.freq < math.inf and 0 < self.rate < math.inf):
            raise ValueError(f"freq {self.freq:g} and rate {self.rate:g} must be above 0")
        if self.level_dbfs > 0:
            raise ValueError(f"level_dbfs is {self.level_dbfs:g}; full scale is 0, give -30 to -6")


def check_lo_offset(lo_offset_hz: float, waveform: Any) -> None:
    """Raise ValueError where the oscillator's leakage would fall on a carrier in use.

    Centre carrier 0 carries nothing, so an offset of 0 is as good as one beyond the outermost carrier.
    """
    carriers = (*waveform.occupied_carriers, *waveform.pilot_carriers)
    spacing = waveform.samp_rate / waveform.fft_len
    nearest = min(abs(lo_offset_hz / spacing - carrier) for carrier in carriers)
    inside = abs(lo_offset_hz) < (max(abs(c) for c in carriers) + 1) * spacing
    if inside and nearest < 0.75:
        edge = (max(abs(c) for c in carriers) + 1) * spacing
        raise ValueError(
            f"lo_offset {lo_offset_hz:g} Hz puts the oscillator's leakage on a carrier; "
            f"give 0 or at least {edge:.0f} Hz"
        )


class _Events(m4sc.usrp_events):
    """Tells the command line instead of a flowgraph's window."""

    def __init__(self, notify: Notify) -> None:
        m4sc.usrp_events.__init__(self)
        self._notify = notify

    def tell(self, kind: str, reason: str) -> None:
        """Hand a fault on."""
        self._notify(kind, reason)

    def stop(self) -> bool:
        """The command line shows the counts itself."""
        return True


class Watch(m4sc.usrp_watch):
    """As :class:`_Events`, of what is received."""

    def __init__(self, samp_rate: float, notify: Notify) -> None:
        m4sc.usrp_watch.__init__(self, samp_rate)
        self._notify = notify

    def tell(self, kind: str, reason: str) -> None:
        """Hand a fault on."""
        self._notify("overflow", reason)

    def stop(self) -> bool:
        """The command line shows the counts itself."""
        return True


def open_uhd_transmit(
    args: str, options: UhdOptions, waveform: Any, notify: Notify, uhd: Any = None
) -> TransmitEnd:
    """A USRP that sends length-tagged bursts.

    Raises:
        RadioEndError: no device, device busy, or a setting that it refuses.
    """
    uhd = _uhd() if uhd is None else uhd
    sink = _device(lambda: uhd.usrp_sink(_args(args, options), uhd.stream_args("fc32"), "packet_len"), args)
    waveform = _configure(sink, options, waveform, uhd)
    events = _Events(notify)
    counters = events.counters
    clock = (lambda: sink.get_time_now().get_real_secs()) if options.timed else None
    gain = 10.0 ** (options.level_dbfs / 20.0) / waveform_rms(waveform)
    shaper = BurstShaper(gain, 64, clock, options.lead, waveform.samp_rate)
    shaper.counters = counters  # one place for the end's counts
    counters.update(bursts=0, limited=0)
    block = Chain([shaper, sink], True)
    block.keep(events)
    block.msg_connect(sink, "async_msgs", events, "async_msgs")
    return TransmitEnd(block, waveform, "packet_len", 0, True, counters, after(0.5))


def open_uhd_receive(
    args: str, options: UhdOptions, waveform: Any, notify: Notify, uhd: Any = None
) -> ReceiveEnd:
    """A USRP that receives; as :func:`open_uhd_transmit`."""
    uhd = _uhd() if uhd is None else uhd
    source = _device(lambda: uhd.usrp_source(_args(args, options), uhd.stream_args("fc32")), args)
    waveform = _configure(source, options, waveform, uhd)
    watch = Watch(waveform.samp_rate, notify)
    return ReceiveEnd(Chain([source, watch], False), waveform, False, watch.counters, source.set_gain, True)


def waveform_rms(waveform: Any) -> float:
    """RMS of a burst's samples: each carrier in use has unit energy under an orthonormal transform."""
    used = len(waveform.occupied_carriers) + len(waveform.pilot_carriers)
    return math.sqrt(used / waveform.fft_len)


def _uhd() -> Any:
    try:
        from gnuradio import uhd
    except ImportError as exc:
        raise RadioEndError("this GNU Radio has no UHD; install gr-uhd (Debian: gnuradio holds it)") from exc
    return uhd


def _args(args: str, options: UhdOptions) -> str:
    rate = f"master_clock_rate={options.master_clock_rate:.0f}" if options.master_clock_rate else ""
    return ",".join(filter(None, (args, rate)))


def _device(make: Any, args: str) -> Any:
    """Open a device; UHD's errors as one sentence."""
    try:
        return make()
    except RuntimeError as exc:
        text = " ".join(str(exc).split())
        if "No devices found" in text:
            raise RadioEndError(
                f"no USRP answers to '{args}'; look at what uhd_find_devices lists, its power and its cable"
            ) from exc
        if any(word in text.lower() for word in ("busy", "claimed", "in use", "someone")):
            raise RadioEndError(f"the USRP '{args}' is in use by another program; end that first") from exc
        raise RadioEndError(f"the USRP '{args}' cannot be opened: {text[:160]}") from exc


def _configure(device: Any, options: UhdOptions, waveform: Any, uhd: Any) -> Any:
    """Set everything, read back what matters; returns the waveform at the rate the device really has."""
    waveform = replace(waveform, samp_rate=options.rate)
    try:
        check_lo_offset(options.lo_offset, waveform)
        if options.clock:
            _choice("clock", options.clock, device.get_clock_sources(0))
            device.set_clock_source(options.clock, 0)
        if options.time:
            _choice("time", options.time, device.get_time_sources(0))
            device.set_time_source(options.time, 0)
        if options.subdev:
            device.set_subdev_spec(options.subdev, 0)
        device.set_samp_rate(options.rate)
        actual = float(device.get_samp_rate())
        error_ppm = abs(actual / options.rate - 1.0) * 1e6
        if error_ppm > options.max_rate_error_ppm:
            raise RadioEndError(
                f"the device makes {actual:.3f} samples/s of the {options.rate:.3f} asked for "
                f"({error_ppm:.1f} ppm off); give a rate that divides its clock of "
                f"{device.get_clock_rate():.0f} Hz"
            )
        device.set_center_freq(uhd.tune_request(options.freq, options.lo_offset), 0)
        got = float(device.get_center_freq(0))
        if abs(got - options.freq) > 10e3:
            raise RadioEndError(f"the device tunes to {got:.0f} Hz, not {options.freq:.0f}; see its range")
        device.set_gain(options.gain, 0)
        if options.antenna:
            _choice("antenna", options.antenna, device.get_antennas(0))
            device.set_antenna(options.antenna, 0)
        if options.bandwidth:
            device.set_bandwidth(options.bandwidth, 0)
    except RadioEndError:
        raise
    except (RuntimeError, ValueError, IndexError) as exc:
        raise RadioEndError(f"the USRP refuses a setting: {' '.join(str(exc).split())[:160]}") from exc
    return replace(waveform, samp_rate=actual)


def _choice(name: str, given: str, allowed: Any) -> None:
    known = list(allowed)
    if given not in known:
        raise RadioEndError(f"{name} '{given}' is not one of this device's: {', '.join(known)}")
