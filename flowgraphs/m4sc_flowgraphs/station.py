"""A station on the air: transmit chain, receive chain, or both, around exchangeable radio ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pmt
from gnuradio import gr, m4sc
from gnuradio.m4sc.frame_transmitter import DONE_TAG
from gnuradio.m4sc.pdu import done_pdu, make_pdu
from m4sc.phy.air_time import frame_samples

from m4sc_flowgraphs.link_events import EventSink, LinkEvent
from m4sc_flowgraphs.messages import OutgoingMessage
from m4sc_flowgraphs.radio_ends import ReceiveEnd, TransmitEnd
from m4sc_flowgraphs.radio_ends.opening import GAP_SAMPLES
from m4sc_flowgraphs.way_back import open_listener, open_reports

Emit = Callable[[LinkEvent], None]
_LINGER_S = 1.5  # of a transmitter that has sent all: a receiver asks again after one
_ROOM_S = 30.0  # a message waits for a place in the transmit chain


@dataclass(frozen=True)
class StationConfig:
    """What a station sends and asks.

    Attributes:
        classical: send by source codec, LDPC and QAM instead of semantic latents.
        payload_kind, qam_order, levels: of semantic frames, as of ``gnuradio.m4sc.symbol_mapper``.
        snr_db: of the link, dB, told to the encoders; the scheme of digital payloads is chosen by it. None
            where unknown: encoders think of every link, and the scheme is that for 15 dB
            unless the codec chose one.
        mcs: scheme of digital payloads, -1: the best for ``snr_db``.
        source_id: in the header of what is sent.
        query: the receiver's question for every message, None for the task's own wording.
        user_id: for whom messages are sent, -1 for every receiver; who receives them, -1 for anybody's.
        wanted_source_id: the transmitter to listen to, -1 for any.
        min_confidence: below it an answer is replaced by "not sure"; 0 for never.
        key: of the user who receives, as of ``gnuradio.m4sc.group_decoder``; empty for none.
        reports: ``zmq://HOST:PORT`` where the receiver tells its transmitter what it has and asks for more;
            it listens there. Messages of bytes are then sent until they are acknowledged. Empty for no way
            back.
        ask_below: an answer less sure than this is asked about; 0 for never. With a ``channel`` there is a
            way back in any case.
    """

    classical: bool = False
    payload_kind: str = "analog"
    qam_order: int = 256
    snr_db: float | None = None
    mcs: int = -1
    source_id: int = 0
    query: str | None = None
    levels: int = 16
    user_id: int = -1
    wanted_source_id: int = -1
    min_confidence: float = 0.0
    key: str = ""
    reports: str = ""
    ask_below: float = 0.0


class LastSample(gr.sync_block):
    """Passes samples; ``passed`` is set once the tag ``m4sc_done`` has gone by."""

    def __init__(self) -> None:
        gr.sync_block.__init__(self, "m4sc_last_sample", [np.complex64], [np.complex64])
        self.passed = threading.Event()

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Copy."""
        samples = input_items[0]
        output_items[0][:] = samples
        if self.get_tags_in_window(0, 0, len(samples), pmt.intern(DONE_TAG)):
            self.passed.set()
        return len(samples)


def end_within(top_block: Any, seconds: float) -> bool:
    """Stop a top block; False if one of its blocks did not end in time."""
    top_block.stop()
    waiter = threading.Thread(target=top_block.wait, name=f"{top_block.name()}_end", daemon=True)
    waiter.start()
    waiter.join(seconds)
    return not waiter.is_alive()


class Station(gr.top_block):
    """The flowgraph behind ``m4sc tx``, ``m4sc rx`` and the live page.

    Args:
        model: semantic system, or the name of one.
        emit: called with every event, on threads of the scheduler; must not block.
        transmit: end to send to, None to receive only.
        receive: end to receive from, None to send only.
        channel: block between transmit and receive chain of this process, instead of both ends.
        config: what is sent and asked.
        waveform: for ``channel``; ends bring their own.
        recorder: block with one complex input that gets what is received too.
    """

    def __init__(
        self,
        model: Any,
        emit: Emit,
        transmit: TransmitEnd | None = None,
        receive: ReceiveEnd | None = None,
        channel: Any = None,
        config: StationConfig | None = None,
        waveform: Any = None,
        recorder: Any = None,
    ) -> None:
        super().__init__("M4SC station", catch_exceptions=True)
        if channel is None and transmit is None and receive is None:
            raise ValueError("a station needs a transmit end, a receive end or a channel")
        self.config = StationConfig() if config is None else config
        self.handle_sigint = False  # the command line's own loop takes Ctrl-C
        self._emit, self._begun = emit, False
        receives = receive is not None or channel is not None
        self.sink = EventSink(emit, int(receives))
        if transmit is not None or channel is not None:
            self._build_transmitter(model, transmit, waveform)
        if receives:
            self._build_receiver(model, receive, waveform)
        if channel is not None:
            self.channel = channel
            self.connect(self.transmitter, self.channel, self.receiver)
            self.msg_connect(self.decoder, "requests", self.encoder, "requests")
        if transmit is not None:
            self.transmit_end = transmit
            self.last_sample = LastSample()
            self.connect(self.transmitter, self.last_sample, transmit.block)
        if receive is not None:
            self.receive_end = receive
            self.connect(receive.block, self.receiver)
            if recorder is not None:
                self.recorder = recorder
                self.connect(receive.block, recorder)
                self._emit = self.sink.emit = self._annotating(emit, receive.waveform)

    # --- chains -----------------------------------------------------------------------------------------

    def _build_transmitter(self, model: Any, end: TransmitEnd | None, waveform: Any) -> None:
        c = self.config
        gap = GAP_SAMPLES if end is None else end.gap_samples
        idle = "zeros" if end is not None and end.real_time and not _bursty(end) else "wait"
        self.transmitter = m4sc.frame_transmitter(
            waveform if end is None else end.waveform,
            gap,
            idle=idle,
            packet_len_key="" if end is None else end.length_tag,
        )
        shape = waveform if end is None else end.waveform
        system = "classical" if c.classical else "semantic"
        linger_s = _LINGER_S if c.reports or c.ask_below else 0.0
        self.encoder = m4sc.message_encoder(model, system, c.snr_db, linger_s=linger_s)
        if c.reports and (c.classical or c.payload_kind == "digital"):
            self.mapper = m4sc.arq_mapper(levels=c.levels, waveform=shape)
        else:
            self.mapper = m4sc.symbol_mapper(
                c.payload_kind,
                c.qam_order,
                waveform=shape,
                levels=c.levels,
                mcs=c.mcs,
                snr_db=c.snr_db,
            )
        if c.reports:
            self._hear_back(c.reports)
        self.msg_connect(self.encoder, "payload", self.mapper, "payload")
        self.msg_connect(self.mapper, "symbols", self.transmitter, "symbols")
        for block in (self.encoder, self.mapper, self.transmitter):
            self.msg_connect(block, "status", self.sink, "events")

    def _hear_back(self, address: str) -> None:
        """What the receiver at the address tells, to those whom it concerns."""
        self.back = open_listener(address)
        self.msg_connect(self.back, "out", self.encoder, "requests")
        if isinstance(self.mapper, m4sc.arq_mapper):
            self.msg_connect(self.back, "out", self.mapper, "reports")

    def _build_receiver(self, model: Any, end: ReceiveEnd | None, waveform: Any) -> None:
        shape = waveform if end is None else end.waveform
        on_full = "drop" if end is not None and end.real_time else "wait"
        self.receiver = m4sc.frame_receiver(shape, on_full)
        c = self.config
        self.decoder = m4sc.message_decoder(
            model,
            waveform=shape,
            user_id=c.user_id,
            source_id=c.wanted_source_id,
            min_confidence=c.min_confidence,
            ask_below=c.ask_below,
        )
        self.decoder.set_default_query(c.query)
        last = self.receiver
        if c.user_id >= 0:
            self.own = m4sc.group_decoder(c.user_id, c.key, shape)
            self.msg_connect(last, "symbols", self.own, "symbols")
            self.msg_connect(self.own, "status", self.sink, "events")
            last = self.own
        if c.reports:
            self.combiner, self.back = m4sc.arq_combiner(waveform=shape), open_reports(c.reports)
            self.msg_connect(last, "symbols", self.combiner, "symbols")
            self.msg_connect(self.combiner, "reports", self.back, "in")
            self.msg_connect(self.combiner, "status", self.sink, "events")
            self.msg_connect(self.decoder, "requests", self.back, "in")
            last = self.combiner
        self.msg_connect(last, "symbols", self.decoder, "symbols")
        self.msg_connect(self.decoder, "answers", self.sink, "events")
        for block in (self.receiver, self.decoder):
            self.msg_connect(block, "status", self.sink, "events")

    def _annotating(self, emit: Emit, waveform: Any) -> Emit:
        """``emit`` that also marks each received frame in the recording."""

        def both(event: LinkEvent) -> None:
            if event.kind == "frame" and "start_sample" in event.values:
                length = frame_samples(int(event.values["complex_symbols"]), waveform)
                self.recorder.annotate(int(event.values["start_sample"]), length, "M4SC frame")
            emit(event)

        return both

    # --- running ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the flowgraph."""
        self._begun = True
        self.start()

    def has_ended(self) -> bool:
        """Whether everything that was to happen has: the recording is read, the last burst has left."""
        if hasattr(self, "decoder"):
            return self.sink.done.is_set()
        return self.last_sample.passed.is_set() and self.transmit_end.drained()

    def end(self, seconds: float = 10.0) -> bool:
        """Stop; False if a block did not end in time."""
        if not self._begun:
            return True
        return end_within(self, seconds)

    def send(self, message: OutgoingMessage, sequence: int) -> None:
        """Put a message into the transmit chain; waits for a place there, and tells if there is none."""
        if message.instruction is not None and hasattr(self, "decoder"):
            self.decoder.set_query(self.config.source_id, sequence, message.instruction)
        meta = {
            "task": message.task,
            "modality": message.modality,
            "instruction": message.instruction,
            "sequence": sequence & 0xFFFF,
            "source_id": self.config.source_id,
            "user_id": max(0, self.config.user_id),
            "public": self.config.user_id < 0,
            "name": message.name or None,
        }
        if message.symbols is not None:
            meta["symbols"] = message.symbols
        if message.look:
            meta["look"] = True
        values = {key: meta[key] for key in ("sequence", "name", "task", "modality")}
        self._emit(LinkEvent("queued", time.time(), values, {"payload": message.payload}))
        if not self.encoder.put(make_pdu(meta, message.payload), _ROOM_S):
            reason = f"the transmit chain had no room within {_ROOM_S:.0f} s, or was stopped"
            fault = {
                "sequence": meta["sequence"],
                "block": "m4sc_station",
                "fault": "dropped",
                "reason": reason,
            }
            self._emit(LinkEvent("fault", time.time(), fault))

    def finish_sending(self) -> None:
        """No more messages: the transmit chain ends after what it holds."""
        self.encoder.put(done_pdu())

    def counters(self) -> dict[str, int]:
        """Counts of the radio blocks and ends, those of one name together."""
        total: dict[str, int] = {}
        for holder in ("transmit_end", "receive_end", "receiver"):
            for name, count in getattr(getattr(self, holder, None), "counters", {}).items():
                total[name] = total.get(name, 0) + int(count)
        if hasattr(self, "decoder"):
            total["others"] = int(self.decoder.counters["others"])  # frames that are not for this receiver
        return total


def _bursty(end: TransmitEnd) -> bool:
    """Whether the end makes its own silence between bursts."""
    return end.gap_samples == 0
