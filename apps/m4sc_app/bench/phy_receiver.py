"""Groups of `m4sc bench phy`: clocks that are off, whether a receiver says what is wrong, and its reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

from m4sc_app.bench.meter import Meter

_CLOCK_SYMBOLS = 4000  # data symbols of a frame: 84 OFDM symbols
_CHANNELS = (
    ("AWGN 5 dB", 5.0, ""),
    ("AWGN 15 dB", 15.0, ""),
    ("AWGN 25 dB", 25.0, ""),
    ("TDL-A 20 dB", 20.0, "A"),
    ("TDL-C 20 dB", 20.0, "C"),
)
_CLOCKS_PPM = (0.0, 50.0, 100.0, 200.0, 500.0)
_LOST_CLOCK_PPM = 1500.0  # more than is followed
_SNRS = (10.0, 15.0, 20.0, 25.0)
_PATHS = ("", "A", "C", "E")
_NAMED = 0.9  # of the streams with a fault


class ReceiverWork(Protocol):
    """How much is done."""

    @property
    def clock_frames(self) -> int:
        """Frames a clock and channel."""

    @property
    def staged(self) -> int:
        """Streams a fault."""

    @property
    def clean_frames(self) -> int:
        """Frames without a fault."""

    @property
    def messages(self) -> int:
        """Messages over a fading channel."""


def figure(name: str, value: float, unit: str, detail: str) -> dict[str, Any]:
    """A row of the bench."""
    return {"name": name, "value": value, "unit": unit, "detail": detail}


def clock(meter: Meter, work: ReceiverWork, seed: int) -> Iterator[dict[str, Any]]:
    """What a sampling clock that is off costs a long frame, what is told of it, and what is refused."""
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials.equalizer_loss import EqualizerTrial, equalizer_loss

    waveform = WaveformConfig()
    for ppm in (*_CLOCKS_PPM, _LOST_CLOCK_PPM):
        found = []
        with meter.track(f"frames at {ppm:g} ppm", len(_CHANNELS)) as advance:
            for number, (name, snr_db, profile) in enumerate(_CHANNELS):
                sign = 1 - 2 * (number % 2)
                trial = EqualizerTrial(snr_db, 0.3, sign * ppm, profile, 1.0, _CLOCK_SYMBOLS)
                found.append((name, equalizer_loss(trial, work.clock_frames, waveform, seed)))
                advance(1)
        each = "; ".join(
            f"{name}: {one.loss_db:.2f}, told {one.noise_var_db:+.2f}, {one.lost} lost "
            f"({one.refused} refused)"
            for name, one in found
        )
        frames = sum(one.frames for _, one in found)
        detail = f"{_CLOCK_SYMBOLS} symbols a frame, {work.clock_frames} frames each: {each}"
        if ppm == _LOST_CLOCK_PPM:
            share = 100.0 * sum(one.refused for _, one in found) / frames
            yield figure("clock_refused_pct", share, "%", f"at {ppm:g} ppm; {detail}")
            continue
        worst = max(one.loss_db for _, one in found)
        what = "error over that of a receiver that knows the channel, dB, worst of"
        yield figure(f"clock_loss_{ppm:g}ppm_db", worst, "dB", f"{what}: {detail}")
        told = max((one.noise_var_db for _, one in found), key=abs)
        yield figure(f"clock_told_{ppm:g}ppm_db", told, "dB", "|error|^2 over told, worst of the same")


def diagnosis(meter: Meter, work: ReceiverWork, seed: int) -> Iterator[dict[str, Any]]:
    """Faults staged one at a time, and frames without any."""
    import numpy as np
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials.diagnosis_trial import FAULTS, Conditions, clean_stream, diagnose, named

    waveform, right, alone, each = WaveformConfig(), 0, 0, []
    conditions = [Conditions(snr, profile) for snr in _SNRS for profile in _PATHS]
    with meter.track("staged faults", len(FAULTS)) as advance:
        for fault in FAULTS:
            found = diagnose(
                fault, [conditions[i % len(conditions)] for i in range(work.staged)], waveform, seed
            )
            right += found["right"] == work.staged
            alone += found["alone"] == work.staged
            others = {k: n for k, n in found.items() if k not in ("right", "alone", fault.cause)}
            beside = "".join(f", {name} {count}" for name, count in others.items())
            each.append(f"{fault.cause} {found['right']}{beside}")
            advance(1)
    detail = (
        f"of {len(FAULTS)} faults named in {_NAMED:.0%} of {work.staged} streams of frames or more (10 to "
        f"25 dB, one path, TDL-A, C, E); how often: {'; '.join(each)}; {alone} faults with no other cause "
        "named beside them as often"
    )
    yield figure("diagnosis_named", right, "faults", detail)
    frames = false = received = 0
    causes: list[str] = []
    with meter.track("clean frames", work.clean_frames) as advance:
        while frames < work.clean_frames:
            rng = np.random.default_rng([seed, frames, 99])
            condition = conditions[frames // 8 % len(conditions)]
            said, count = named(clean_stream(condition, waveform, rng), waveform)
            frames, received, false = frames + 8, received + count, false + bool(said)
            causes += said
            advance(8)
    detail = f"streams of 8 frames in which a cause was named, of {frames} clean frames; {received} received"
    yield figure("diagnosis_false", false, "streams", f"{detail}; {', '.join(causes) or 'none'}")


def arq(meter: Meter, work: ReceiverWork, seed: int) -> Iterator[dict[str, Any]]:
    """Reports, combining and adaptation in a fading channel, beside fixed schemes with repetitions."""
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials.arq_trial import FadingLink, FixedScheme, with_reports, without_reports

    waveform, link, count = WaveformConfig(), FadingLink(), work.messages
    what = (
        f"of {count} messages of {link.n_bytes} bytes; Rayleigh fading, {link.doppler_hz:g} Hz of Doppler, "
        "mean SNR 0 to 20 dB"
    )
    with meter.track("messages with reports", count) as advance:
        found = with_reports(link, count, waveform, seed, advance=advance)
    with meter.track("the same, reports lost", count) as advance:
        shaky = with_reports(replace(link, report_loss=0.1), count, waveform, seed, advance=advance)
    detail = f"{what}; {found.frames} frames; {shaky.lost} lost where one report in ten is lost"
    yield figure("arq_lost", max(found.lost, shaky.lost), "messages", f"{detail}; {found.wrong} wrong")
    schemes = [
        FixedScheme(mcs, copies, protection, spacing)
        for mcs in range(8)
        for copies in (1, 2, 3, 4, 5, 6, 8)
        for protection in (0, 1, 2, 3)
        for spacing in (0.05, 0.2)
    ]
    schemes.sort(key=lambda scheme: scheme.air_s(link.n_bytes, waveform))
    with meter.track("fixed schemes", None) as advance:
        for scheme in schemes:
            fixed = without_reports(link, scheme, count, waveform, seed, (count - 1) // 100, advance)
            if fixed.messages == count and fixed.lost < 0.01 * count:
                break
    ours, theirs = 1e3 * found.air_s / count, 1e3 * fixed.air_s / count
    detail = (
        f"{ours:.2f} ms a message, {1e3 * shaky.air_s / count:.2f} where one report in ten is lost; "
        f"{theirs:.2f} the best of {len(schemes)} fixed schemes that loses less than 1 % ({fixed.lost}): "
        f"scheme {scheme.mcs}, {scheme.copies} copies {scheme.spacing_s:g} s apart and combined, protection "
        f"{scheme.protection}; reports by a way of their own, as frames on the air they would add "
        f"{1e3 * found.report_air_s / count:.2f} ms; {what}"
    )
    yield figure("arq_air_time", ours / theirs, "x", detail)
