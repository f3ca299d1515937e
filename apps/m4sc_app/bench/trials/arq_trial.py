"""Messages over a channel that fades, with reports of the receiver and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from m4sc.codecs.base import Payload
from m4sc.phy.channel.fading import PathGains
from m4sc.phy.header.protection import get_protection
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.phy.receiver import BurstReceiver, ReceivedFrame
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig
from m4sc.transport.arq import REPORT_BYTES, ArqConfig, ArqSender, Combiner, Report
from m4sc.transport.assembler import Assembler
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, OutgoingFrame, to_frames
from m4sc.transport.message_header import HeardFrame, TransportHeader

_SILENCE = 200  # samples around a frame
_WAY_S = 0.005  # of a report back to the sender
_REST_S = 0.02  # between messages

Advance = Callable[[int], None]


@dataclass(frozen=True)
class FadingLink:
    """A channel whose mean SNR swings between 0 and 20 dB, with Rayleigh fading on top.

    Attributes:
        doppler_hz: of the fading.
        period_s: of the swing.
        report_loss: share of reports that are lost on their way.
        n_bytes: of a message.
    """

    doppler_hz: float = 5.0
    period_s: float = 20.0
    report_loss: float = 0.0
    n_bytes: int = 64


@dataclass(frozen=True)
class ArqFigures:
    """messages delivered right, of all; air_s: of their frames; report_air_s: of the reports, were each a
    frame on the air of its own; frames: sent; wrong: messages delivered with other bytes."""

    delivered: int
    messages: int
    air_s: float
    report_air_s: float
    frames: int
    wrong: int

    @property
    def lost(self) -> int:
        """Messages not delivered."""
        return self.messages - self.delivered


class _Air:
    """Frames to received frames, at a time."""

    def __init__(self, link: FadingLink, waveform: WaveformConfig, seed: int) -> None:
        self._link, self.waveform = link, waveform
        self._rng = np.random.default_rng(seed)
        self._gains = PathGains(np.ones(1), link.doppler_hz, np.random.default_rng([seed, 1]))
        self._receiver = BurstReceiver(waveform, diagnose=False)

    def send(self, frame: OutgoingFrame, now: float) -> list[ReceivedFrame]:
        burst = frame.modulate(self.waveform)
        times = now + np.arange(len(burst)) / self.waveform.samp_rate
        mean_db = 10.0 - 10.0 * np.cos(2 * np.pi * now / self._link.period_s)
        gain = self._gains(times[:: self.waveform.symbol_len])[0]  # a symbol is short against the fading
        gain = np.repeat(gain, self.waveform.symbol_len)[: len(burst)] * 10 ** (mean_db / 20)
        samples = np.pad(burst * gain, _SILENCE)
        noise = self._rng.standard_normal((len(samples), 2)) @ [1, 1j] / np.sqrt(2.0)
        samples = samples + noise_voltage(0.0, self.waveform) * noise
        return self._receiver.push(samples) + self._receiver.flush()


def _heard(frame: ReceivedFrame) -> HeardFrame:
    header = TransportHeader.join(frame.header, frame.message)
    return HeardFrame(header, frame.symbols, frame.noise_var, frame.snr_db, frame.cfo_hz)


class _Taker:
    """The receiver behind the demodulator: copies combined, frames to messages."""

    def __init__(self, waveform: WaveformConfig) -> None:
        self._combiner = Combiner(waveform.n_data_carriers)
        self._assembler = Assembler(waveform.n_data_carriers)

    def take(self, frame: ReceivedFrame, now: float) -> tuple[Report, list[bytes]]:
        """What it reports of a frame, and the messages that are whole by it."""
        heard = _heard(frame)
        combined = self._combiner.push(heard, now)
        if combined.symbols is None or combined.noise_var is None:
            return combined.report, []
        whole = replace(heard, symbols=combined.symbols, noise_var=combined.noise_var)
        found = [m.received.data for m in self._assembler.push(whole, now) if m.received is not None]
        return combined.report, found


def _message(number: int, n_bytes: int, seed: int) -> Payload:
    return Payload(1, "image", 0, None, np.random.default_rng([seed, number]).bytes(n_bytes))


def with_reports(
    link: FadingLink,
    messages: int,
    waveform: WaveformConfig,
    seed: int,
    config: ArqConfig | None = None,
    advance: Advance = lambda count: None,
) -> ArqFigures:
    """Each message until it is acknowledged."""
    air, rng = _Air(link, waveform, seed), np.random.default_rng([seed, 2])
    sender, taker = ArqSender(TransportConfig(waveform=waveform), config), _Taker(waveform)
    now = air_s = report_air_s = 0.0
    delivered = wrong = frames = 0
    for number in range(messages):
        sent = _message(number, link.n_bytes, seed)
        sender.offer(sent, Address(sequence=number & 0xFFFF))
        got: list[bytes] = []
        while len(sender):
            frame = sender.poll(now)
            if frame is None:
                now += 0.01
                continue
            frames, took = frames + 1, frame.air_time_s(waveform)
            for found in air.send(frame, now):
                report, data = taker.take(found, now)
                got += data
                report_air_s += _report_air_s(report.snr_db, waveform)
                if rng.random() >= link.report_loss:
                    sender.take(report)
            now, air_s = now + took + _WAY_S, air_s + took
        delivered += got == [sent.data]
        wrong += any(data != sent.data for data in got)
        now += _REST_S
        advance(1)
    return ArqFigures(delivered, messages, air_s, report_air_s, frames, wrong)


def _report_air_s(snr_db: float, waveform: WaveformConfig) -> float:
    """Of a report that is sent back as a frame, by a channel that is as good."""
    form = PayloadFormat(kind="digital", snr_db=snr_db, margin_db=3.0)
    report = Payload(1, "image", 0, None, bytes(REPORT_BYTES))
    (frame,) = to_frames(report, Address(), TransportConfig(form=form, waveform=waveform))
    return frame.air_time_s(waveform)


@dataclass(frozen=True)
class FixedScheme:
    """mcs: scheme; copies: of each frame, combined; protection: of headers; spacing_s: between copies."""

    mcs: int
    copies: int
    protection: int
    spacing_s: float = 0.05

    def frame(self, payload: Payload, address: Address, waveform: WaveformConfig) -> OutgoingFrame:
        """A short message's only frame."""
        form = PayloadFormat(kind="digital", mcs=self.mcs)
        config = TransportConfig(form=form, waveform=waveform, protection=self.protection)
        (frame,) = to_frames(payload, address, config)
        return replace(frame, protection=get_protection(self.protection))

    def air_s(self, n_bytes: int, waveform: WaveformConfig) -> float:
        """Of a message."""
        return self.copies * self.frame(_message(0, n_bytes, 0), Address(), waveform).air_time_s(waveform)


def without_reports(
    link: FadingLink,
    scheme: FixedScheme,
    messages: int,
    waveform: WaveformConfig,
    seed: int,
    most_lost: int | None = None,
    advance: Advance = lambda count: None,
) -> ArqFigures:
    """Each message as often as the scheme has it, its copies combined; given up once `most_lost` are lost."""
    air, taker = _Air(link, waveform, seed), _Taker(waveform)
    now = air_s = 0.0
    delivered = wrong = frames = 0
    for number in range(messages):
        sent = _message(number, link.n_bytes, seed)
        frame, got = scheme.frame(sent, Address(sequence=number & 0xFFFF), waveform), list[bytes]()
        took = frame.air_time_s(waveform)
        for _ in range(scheme.copies):
            frames, air_s = frames + 1, air_s + took
            for found in air.send(frame, now) if not got else ():  # what comes after is not needed
                got += taker.take(found, now)[1]
            now += took + scheme.spacing_s
        delivered += got == [sent.data]
        wrong += any(data != sent.data for data in got)
        now += _REST_S
        advance(1)
        if most_lost is not None and number + 1 - delivered > most_lost:
            return ArqFigures(delivered, number + 1, air_s, 0.0, frames, wrong)
    return ArqFigures(delivered, messages, air_s, 0.0, frames, wrong)
