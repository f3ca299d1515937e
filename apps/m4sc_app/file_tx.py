"""Messages into a recording, without GNU Radio."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from m4sc.codecs.base import Budget, Payload
from m4sc.codecs.classical import ClassicalCodec
from m4sc.message import Message
from m4sc.phy.modulation.payload import PayloadFormat, expected_snr_db
from m4sc.phy.waveform import WaveformConfig
from m4sc.recordings import RecordingError, RecordingWriter, recording_paths
from m4sc.tasks import get_task
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address as Route
from m4sc.transport.message_id import message_ids
from m4sc.transport.offline import Burst, to_bursts
from m4sc_flowgraphs.messages import OutgoingMessage
from m4sc_flowgraphs.radio_ends.address import Address, RadioEndError, read_options
from m4sc_flowgraphs.radio_ends.files import FileOptions
from m4sc_flowgraphs.radio_ends.sim import simulator, split_channel

from m4sc_app.link_options import Sending
from m4sc_app.link_view import LinkView
from m4sc_app.loading import load_model

_GAP_SAMPLES = 800  # silence before, between and after the bursts


class FileSender:
    """Encodes messages and writes their bursts, behind the simulated channel that the address names.

    Args:
        where: ``file:`` address.
        sending: what is wanted.
        waveform: of the bursts.
        view: gets the events, those of a station that sends.

    Raises:
        RadioEndError, RecordingError, ValueError: an option, a name or a format that cannot be.
    """

    def __init__(self, where: Address, sending: Sending, waveform: WaveformConfig, view: LinkView) -> None:
        s = self._sending = sending
        if not where.place:
            raise RadioEndError(
                "'file:' has no name; write file:NAME for NAME.sigmf-data and NAME.sigmf-meta"
            )
        rest, channel = split_channel(where)
        self._options = read_options(rest, FileOptions, channel=channel)
        self._channel = None if channel.is_clear else simulator(channel, waveform)
        form = PayloadFormat(s.payload_kind, s.qam_order, s.levels, s.mcs, expected_snr_db(s.snr_db))
        self._config = TransportConfig(form, waveform)
        self._place, self._view, self._waveform = where.place, view, waveform
        self._model: Any = None
        self._writer: RecordingWriter | None = None
        data, _ = recording_paths(where.place)
        try:
            data.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise RecordingError(f"cannot write {data} ({exc.strerror}); give another name") from exc
        self._open({})  # a name that cannot be is told before the model is loaded

    def run(self, messages: Iterator[OutgoingMessage], stopped: Callable[[], bool]) -> bool:
        """Send all, at most for the time given; True if the person stopped it.

        Raises:
            RecordingError: the disk is full; what was written is kept.
        """
        s, view = self._sending, self._view
        deadline = time.monotonic() + (s.seconds or float("inf"))
        if not s.classical:
            self._model = load_model(s.model)
        writer = self._open({} if s.classical else {"fingerprint": int(self._model.fingerprint)})
        numbers, next_sample, broken_off = message_ids(), 0, False
        view.say("ready", text=f"writing {writer.data}")
        try:
            for message in messages:
                if stopped() or time.monotonic() > deadline:
                    broken_off = stopped()
                    break
                self._silence(writer, max(_GAP_SAMPLES, next_sample - writer.n_samples))
                next_sample = writer.n_samples + int(s.interval_s * self._waveform.samp_rate)
                self._send(writer, message, next(numbers))
            if view.figures["sent"]:
                self._silence(writer, _GAP_SAMPLES)
                writer.finish()
        finally:
            writer.discard()
        paths = {"data": str(writer.data), "meta": str(writer.meta)} if view.figures["sent"] else {}
        view.summary(
            {"samples": writer.n_samples}, duration_s=writer.n_samples / self._waveform.samp_rate, **paths
        )
        if paths and not s.as_json:
            view.say(
                "written", text=f"{writer.data}, {writer.n_samples / self._waveform.samp_rate * 1e3:.1f} ms"
            )
        return broken_off

    def _send(self, writer: RecordingWriter, message: OutgoingMessage, number: int) -> None:
        s = self._sending
        known = {"sequence": number, "source_id": s.source_id}
        about = {"name": message.name or None, "task": message.task, "modality": message.modality}
        self._view.say("queued", sequence=number, **about)
        try:
            route = Route(number, s.source_id, max(0, s.user_id), s.user_id < 0)
            payload = self._encode(message)
            bursts = to_bursts(payload, route, self._config)
        except ValueError as exc:
            self._view.say("fault", **known, block="m4sc_file", fault="error", reason=str(exc))
            return
        if payload.looked_at is not None:
            self._view.say("looked", **known, looked_at=list(payload.looked_at), text=payload.look)
        for burst in bursts:
            self._write(writer, burst)
            header = burst.frame.header
            self._view.say(
                "sent",
                **known,
                segment=header.segment,
                n_segments=header.n_segments,
                air_time_s=burst.air_time_s,
                complex_symbols=len(burst.frame.symbols),
            )
            if header.segment + 1 < header.n_segments:
                self._silence(writer, _GAP_SAMPLES)

    def _encode(self, outgoing: OutgoingMessage) -> Payload:
        task = get_task(outgoing.task)
        message = Message.from_bytes(outgoing.payload, outgoing.modality)
        snr_db = self._sending.snr_db  # where nobody tells it, the codec thinks of every link
        if self._sending.classical:
            return ClassicalCodec().encode(message, task, Budget(snr_db=snr_db))
        instruction = task.told(outgoing.instruction, outgoing.look)
        more: dict[str, Any] = {} if outgoing.symbols is None else {"symbols": outgoing.symbols}
        if outgoing.look:
            more["look"] = True
        payload: Payload = self._model.encode(message, task.name, instruction, snr_db=snr_db, **more)
        return payload

    # --- samples ----------------------------------------------------------------------------------------

    def _open(self, more: dict[str, Any]) -> RecordingWriter:
        return RecordingWriter(
            self._place,
            float(self._waveform.samp_rate),
            center_freq_hz=self._options.freq,
            description=self._options.description,
            extra={"waveform": json.loads(self._waveform.to_json()), **more},
        )

    def _write(self, writer: RecordingWriter, burst: Burst) -> None:
        writer.annotate(writer.n_samples, len(burst.samples), "M4SC frame")
        self._append(writer, burst.samples)

    def _silence(self, writer: RecordingWriter, count: int) -> None:
        while count > 0:
            part = min(count, 1 << 20)
            self._append(writer, np.zeros(part, np.complex64))
            count -= part

    def _append(self, writer: RecordingWriter, samples: np.ndarray) -> None:
        heard = samples if self._channel is None else self._channel.process(samples)
        writer.append(np.asarray(heard, np.complex64))
