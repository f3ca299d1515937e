"""Payloads through the blocks: symbol mapper, frame transmitter, channel and frame receiver."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pmt
from gnuradio import gr, m4sc
from gnuradio.m4sc.frame_assembly import frame_of
from gnuradio.m4sc.pdu import done_pdu, is_done, make_pdu, read_pdu
from m4sc.codecs.base import Payload
from m4sc.evaluate.channels import check_symbol_channel
from m4sc.evaluate.crossing import Crossing, crossing_of, error_snr_db
from m4sc.evaluate.ways import RADIO
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, OutgoingFrame, to_frames

_GAP_SAMPLES = 800
_TIMEOUT_S = 120.0
_SOURCE = 1
_WINGS = 4  # samples


class _Frames(gr.basic_block):
    """Sink that keeps received frames until the end is told."""

    def __init__(self) -> None:
        gr.basic_block.__init__(self, "m4sc_frames", [], [])
        self.found: list[Any] = []
        self.done = threading.Event()
        self.message_port_register_in(pmt.intern("frames"))
        self.set_msg_handler(pmt.intern("frames"), self._accept)

    def _accept(self, message: Any) -> None:
        meta, payload = read_pdu(message)
        if is_done(meta):
            self.done.set()
        else:
            self.found.append(frame_of(meta, payload))


class FrameRadio(gr.top_block):
    """Payloads in, received frames out.

    Args:
        config: how messages are sent.
        channel: of :mod:`m4sc.evaluate.channels`; fading stands still for the whole run.
        snr_db: Es/N0 per data subcarrier, dB, for unit mean power gain.
        seed: of noise and fading.
        cfo_hz: carrier offset, Hz.
        response: complex (fft_len,), the channel on each bin in place of its own draw.
    """

    def __init__(
        self,
        config: TransportConfig,
        channel: str,
        snr_db: float,
        seed: int,
        cfo_hz: float = 500.0,
        response: np.ndarray | None = None,
    ) -> None:
        super().__init__("M4SC frames", catch_exceptions=True)
        form = config.form
        self.mapper = m4sc.symbol_mapper(
            form.kind, form.qam_order, interleave=config.interleave, precode=config.precode,
            waveform=config.waveform, levels=form.levels, mcs=form.mcs, snr_db=form.snr_db,
            margin_db=form.margin_db, segment_symbols=config.segment_symbols,
            segment_bytes=config.segment_bytes, protection=config.protection,
        )  # fmt: skip
        self.transmitter = m4sc.frame_transmitter(config.waveform, _GAP_SAMPLES)
        fading = "none" if channel == "awgn" else channel
        taps = None
        if response is not None:  # the block scales taps to unit energy
            taps, gain_db = _taps(response)
            fading, snr_db = "taps", snr_db + gain_db
        self.channel = m4sc.channel(
            snr_db, config.waveform, taps=taps, cfo_hz=cfo_hz, seed=seed, fading=fading
        )
        self.receiver = m4sc.frame_receiver(config.waveform)
        self.frames = _Frames()
        self.msg_connect(self.mapper, "symbols", self.transmitter, "symbols")
        self.connect(self.transmitter, self.channel, self.receiver)
        self.msg_connect(self.receiver, "symbols", self.frames, "frames")

    def send(self, payloads: Sequence[Payload]) -> list[list[Any]]:
        """Received frames of each payload, in the order in which they came; payload i has the number i.

        Raises:
            TimeoutError: the flowgraph did not end.
        """
        end = time.monotonic() + _TIMEOUT_S
        try:
            self.start()
            for sequence, payload in enumerate(payloads):
                if not self.mapper.put(_pdu(payload, sequence), max(0.0, end - time.monotonic())):
                    raise TimeoutError("the flowgraph takes no more payloads")
            self.mapper.put(done_pdu(), max(0.0, end - time.monotonic()))
            if not self.frames.done.wait(max(0.0, end - time.monotonic())):
                raise TimeoutError(f"the flowgraph did not end within {_TIMEOUT_S:.0f} s")
        finally:
            self.stop()
            self.wait()
        found: list[list[Any]] = [[] for _ in payloads]
        for frame in self.frames.found:
            if frame.header.source_id == _SOURCE and frame.header.sequence < len(payloads):
                found[frame.header.sequence].append(frame)
        return found


def _taps(response: np.ndarray) -> tuple[list[complex], float]:
    """Impulse response with the pulse's wings before its first path, and its energy in dB."""
    taps = np.roll(np.fft.ifft(response), _WINGS)
    return [complex(tap) for tap in taps], 10.0 * float(np.log10(np.sum(np.abs(taps) ** 2)))


def _pdu(payload: Payload, sequence: int) -> Any:
    meta = {
        "task_id": payload.task_id, "modality": payload.modality, "model_fingerprint": payload.fingerprint,
        "essential": payload.essential, "unit": payload.unit, "spread": payload.spread,
        "sequence": sequence, "source_id": _SOURCE, "public": True,
    }  # fmt: skip
    if payload.latents is None:
        return make_pdu(meta, np.frombuffer(payload.data, np.uint8))
    return make_pdu(meta, np.asarray(payload.latents, np.float32).reshape(-1))


@dataclass(frozen=True)
class RadioWay:
    """Flowgraphs: one for all messages of AWGN, one a message where the channel fades."""

    name: str = RADIO
    framed: bool = True

    def cross_all(
        self,
        payloads: Sequence[Payload],
        channel: str,
        snr_db: float,
        rngs: Sequence[np.random.Generator],
        configs: Sequence[TransportConfig],
    ) -> list[Crossing]:
        """As :meth:`m4sc.evaluate.ways.Way.cross_all`."""
        return self.cross_given(payloads, channel, snr_db, rngs, configs)

    def cross_given(
        self,
        payloads: Sequence[Payload],
        channel: str,
        snr_db: float,
        rngs: Sequence[np.random.Generator],
        configs: Sequence[TransportConfig],
        responses: np.ndarray | None = None,
    ) -> list[Crossing]:
        """The same under channels that are given, as of
        :meth:`m4sc.evaluate.link_way.LinkWay.cross_given`: fixed taps of the channel block.
        """
        check_symbol_channel(channel)
        runs: dict[Any, list[int]] = defaultdict(list)
        for i, config in enumerate(configs):
            runs[config if channel == "awgn" else (config, i)].append(i)
        found: dict[int, Crossing] = {}
        for members in runs.values():
            seed = int(rngs[members[0]].integers(1, 2**31))
            response = None if responses is None or channel == "awgn" else responses[members[0]]
            radio = FrameRadio(configs[members[0]], channel, snr_db, seed, response=response)
            heard = radio.send([payloads[i] for i in members])
            for sequence, (i, frames) in enumerate(zip(members, heard, strict=True)):
                sent = to_frames(payloads[i], Address(sequence, _SOURCE), configs[i])
                found[i] = crossing_of(sent, frames, configs[i].waveform, _error_snrs(sent, frames))
        return [found[i] for i in range(len(payloads))]


def _error_snrs(sent: Sequence[OutgoingFrame], heard: Sequence[Any]) -> list[float]:
    """SNR after the equaliser of each frame that was heard, dB."""
    by_segment = {frame.header.segment: frame.symbols for frame in sent}
    return [
        error_snr_db(by_segment[frame.header.segment], frame.symbols)
        for frame in heard
        if len(by_segment.get(frame.header.segment, ())) == len(frame.symbols)
    ]
