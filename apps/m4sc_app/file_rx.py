"""From a recording to answers, without GNU Radio."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from m4sc.codecs.base import Answer
from m4sc.phy.air_time import frame_samples
from m4sc.phy.receiver import ReceivedFrame
from m4sc.phy.waveform import WaveformConfig
from m4sc.recordings import RecordingWriter, open_recording
from m4sc.tasks import task_by_id
from m4sc.transport.answering import Answering, system_name
from m4sc.transport.assembler import ReceivedMessage
from m4sc.transport.offline import Arrival, SampleReceiver
from m4sc_flowgraphs.link_event import LinkEvent, private_lost
from m4sc_flowgraphs.radio_ends.address import Address, read_options, split_inverted
from m4sc_flowgraphs.radio_ends.files import FileOptions, recorded_waveform
from m4sc_flowgraphs.radio_ends.sim import simulator, split_channel
from m4sc_flowgraphs.sequence_gaps import SequenceGaps

from m4sc_app.link_options import Listening
from m4sc_app.link_view import LinkView
from m4sc_app.loading import load_model
from m4sc_app.patience import patience
from m4sc_app.pictures import Keeper

_CHUNK = 1 << 18  # samples pushed at a time


class FileListener:
    """Reads a recording and answers what is in it; the model is loaded with the first message.

    Args:
        where: ``file:`` address.
        options: what is wanted.
        waveform: where the recording names none.
        view: gets the events, those of a station that receives.

    Raises:
        RadioEndError, RecordingError, ValueError: what cannot be read, in one sentence.
    """

    def __init__(self, where: Address, options: Listening, waveform: WaveformConfig, view: LinkView) -> None:
        where, self._inverted = split_inverted(where)
        rest, channel = split_channel(where)
        chosen = read_options(rest, FileOptions, channel=channel)
        self._iq = open_recording(where.place, chosen.datatype or None, chosen.rate or None)
        self._options, self._view = options, view
        self.described = f"{self._iq.path.name} has {len(self._iq)} samples"
        waveform = recorded_waveform(self._iq, waveform, lambda kind, text: view.say(kind, text=text))
        self._channel = None if channel.is_clear else simulator(channel, waveform)
        self._receiver = SampleReceiver(waveform, options.user_id, options.source_id, key=options.key())
        self._answering = Answering(self._find_model, options.min_confidence)
        self._model: Any = None
        self._gaps, self._keeper = SequenceGaps(), Keeper(options.pictures)
        self._recorder: RecordingWriter | None = None
        if options.record is not None:
            extra = {"waveform": json.loads(waveform.to_json())}
            self._recorder = RecordingWriter(options.record, float(waveform.samp_rate), extra=extra)

    def run(self, stopped: Callable[[], bool]) -> bool:
        """Answer all, at most so many messages and for the time given; True if the person stopped it.

        Raises:
            RecordingError: what is read cannot be recorded any further.
        """
        self._view.say("ready", text=f"reading {self._iq.path}")
        deadline = time.monotonic() + (self._options.seconds or float("inf"))

        def is_over() -> bool:
            figures = self._view.figures
            enough = self._options.count and figures["answers"] + figures["faults"] >= self._options.count
            return bool(stopped() or enough or time.monotonic() > deadline)

        try:
            start = 0
            while start < len(self._iq) and not is_over():
                with patience(f"searching {len(self._iq)} samples for frames"):
                    arrivals = self._receiver.push(self._heard(start))
                self._take(arrivals, is_over)
                start += _CHUNK
            if start >= len(self._iq) and not is_over():
                self._take(self._receiver.flush(), is_over)
                self._tell_faults()
            if self._recorder is not None:
                self._recorder.finish()
        finally:
            if self._recorder is not None:
                self._recorder.discard()
        self._view.summary(self._receiver.counters)
        return stopped()

    def _heard(self, start: int) -> np.ndarray:
        samples = self._iq.read(start, _CHUNK)
        if self._inverted:
            samples = np.conj(samples)
        if self._channel is not None:
            samples = np.asarray(self._channel.process(samples), np.complex64)
        if self._recorder is not None:
            self._recorder.append(samples)
        return samples

    def _take(self, arrivals: list[Arrival], is_over: Callable[[], bool]) -> None:
        """Show the frames at once and answer their messages; after the end they are not answered any more."""
        self._tell_faults()
        for arrival in arrivals:
            if arrival.frame is not None:
                self._show_frame(arrival.frame, arrival)
        for arrival in arrivals:
            for message in arrival.messages:
                if is_over():
                    return
                self._answer(message)

    def _tell_faults(self) -> None:
        for fault in self._receiver.take_faults():
            how_much = {} if fault.figure is None else {"figure": fault.figure, "unit": fault.unit}
            self._view.say(
                "unread", what=fault.kind, start_sample=fault.sample, reason=fault.reason, **how_much
            )

    def _show_frame(self, frame: ReceivedFrame, arrival: Arrival) -> None:
        header = arrival.header
        if header is None:
            self._view.say(
                "unread", what="message", start_sample=int(frame.start_sample), reason=arrival.reason
            )
            return
        lost = self._gaps.take(header.source_id, header.sequence)
        self._view.tell_lost(lost, header.sequence)
        if self._recorder is not None:
            shape, announced = self._receiver.waveform, frame.header.announced
            length = frame_samples(len(frame.symbols), shape, frame.protection, announced)
            self._recorder.annotate(int(frame.start_sample), length, "M4SC frame")
        self._view.say(
            "frame",
            sequence=header.sequence,
            source_id=header.source_id,
            segment=header.segment,
            snr_db=float(frame.snr_db),
            cfo_hz=float(frame.cfo_hz),
            sfo_ppm=float(frame.sfo_ppm),
            start_sample=int(frame.start_sample),
            user_id=header.user_id,
            n_segments=header.n_segments,
            payload_kind=header.payload_kind.name.lower(),
            modality=header.modality.label,
            complex_symbols=int(frame.symbols.size),
            **({} if arrival.wanted else {"wanted": False}),
        )
        if arrival.reason and arrival.messages:
            known = {"sequence": header.sequence, "source_id": header.source_id}
            self._view.say("private_lost", **known, **private_lost(header.sequence, arrival.reason))
        elif arrival.reason:
            self._fault(header, "error", arrival.reason)

    # --- messages ---------------------------------------------------------------------------------------

    def _answer(self, message: ReceivedMessage) -> None:
        header, received = message.header, message.received
        if received is None:
            self._fault(header, "lost", message.reason)
            return
        started = time.monotonic()
        try:
            answer = self._answering.answer(message, self._options.query)
            task = task_by_id(header.task_id)
        except ValueError as exc:  # the messages after this one must still be answered
            self._fault(header, "error", str(exc))
            return
        symbols = {} if received.data else {"complex_symbols": int(received.symbols.size)}
        values = {
            "sequence": header.sequence,
            "source_id": header.source_id,
            "task": task.name,
            "modality": task.modality,
            "system": system_name(received),
            "instruction": self._options.query,
            "snr_db": message.snr_db,
            "cfo_hz": message.cfo_hz,
            "seconds": time.monotonic() - started,
            "confidence": answer.confidence,
            "verified": answer.verified,
            "n_segments": message.n_segments,
            "lost_segments": message.lost_segments,
            **symbols,
            "answer": answer.text if answer.image is None else answer.text or None,
        }
        event = LinkEvent("answer", time.time(), values, _picture(answer))
        self._view.show(self._keeper.keep(event))

    def _fault(self, header: Any, kind: str, reason: str) -> None:
        known = {"sequence": header.sequence, "source_id": header.source_id}
        self._view.say("fault", **known, block="m4sc_file", fault=kind, reason=reason)

    def _find_model(self) -> Any:
        if self._model is None:
            self._model = load_model(self._options.model)
        return self._model


def _picture(answer: Answer) -> dict[str, Any]:
    if answer.image is None:
        return {}
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.asarray(answer.image, np.uint8)).save(buffer, "PNG")
    return {"picture": buffer.getvalue()}
