"""The whole way without GNU Radio: payloads to bursts of samples, samples to frames and messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from m4sc.codecs.base import Payload
from m4sc.phy.header.fields import HeaderError, PayloadKind
from m4sc.phy.receiver import BurstReceiver, Fault, ReceivedFrame
from m4sc.phy.waveform import WaveformConfig
from m4sc.sharing.receiving import Delivered, DirectoryError, NotServedError, Opener, read_parts
from m4sc.transport.assembler import Assembler, ReceivedMessage
from m4sc.transport.config import AssemblerConfig, TransportConfig
from m4sc.transport.frames import Address, OutgoingFrame, to_frames
from m4sc.transport.message_header import HeardFrame, TransportHeader, modality_of_task


@dataclass(frozen=True)
class Burst:
    """A frame as it goes on the air.

    Attributes:
        frame: header and symbols.
        samples: complex64 (n,); a data symbol has unit energy at an orthonormal FFT's output.
        air_time_s: seconds that the samples take.
    """

    frame: OutgoingFrame
    samples: np.ndarray
    air_time_s: float


def to_bursts(payload: Payload, address: Address, config: TransportConfig) -> list[Burst]:
    """A message's payload to its bursts, as many as it has frames.

    Raises:
        ValueError: as :func:`m4sc.transport.frames.to_frames`.
    """
    waveform = config.waveform
    return [
        Burst(frame, np.asarray(frame.modulate(waveform), np.complex64), frame.air_time_s(waveform))
        for frame in to_frames(payload, address, config)
    ]


@dataclass(frozen=True)
class Arrival:
    """What a stretch of samples brought.

    Attributes:
        frame: received, None where messages are closed without one.
        header: of the frame and its message, None where its message fields cannot be read.
        wanted: whether it is of the wanted transmitter and for this receiver.
        messages: that the frame completes or closes.
        reason: why the frame is none of a message, or what of it is missing, else empty.
    """

    frame: ReceivedFrame | None
    header: TransportHeader | None
    wanted: bool
    messages: tuple[ReceivedMessage, ...]
    reason: str = ""


class SampleReceiver:
    """Samples to frames and messages, on the clock of the samples themselves.

    A message that is not complete is closed when as many samples have gone by as its time-out takes on the
    air, however quickly they are read.

    Args:
        waveform: of both ends.
        user_id, source_id: this receiver and the wanted transmitter, -1 for any. Of frames of several users a
            receiver with a user id takes its own part.
        config: of the messages under way.
        key: the user's, where it has one.
    """

    def __init__(
        self,
        waveform: WaveformConfig,
        user_id: int = -1,
        source_id: int = -1,
        config: AssemblerConfig | None = None,
        key: Opener | None = None,
    ) -> None:
        self._key = key
        self.waveform, self._user_id, self._source_id = waveform, user_id, source_id
        self._receiver = BurstReceiver(waveform)
        self._assembler = Assembler(waveform.n_data_carriers, config)
        self._n_samples = 0

    @property
    def counters(self) -> dict[str, int]:
        """Counts of the receiver of bursts, and of messages."""
        return {**self._receiver.counters, **self._assembler.counters}

    @property
    def seconds(self) -> float:
        """How long the samples so far last."""
        return self._n_samples / self.waveform.samp_rate

    def push(self, samples: np.ndarray) -> list[Arrival]:
        """Take complex samples (n,), of any number; what they bring, in order."""
        found = self._arrivals(self._receiver.push(samples))
        self._n_samples += len(samples)
        closed = self._assembler.expire(self.seconds)
        return [*found, Arrival(None, None, True, tuple(closed))] if closed else found

    def flush(self) -> list[Arrival]:
        """No more samples come: the last frames, and the messages that are not complete."""
        found = self._arrivals(self._receiver.flush())
        closed = self._assembler.flush()
        return [*found, Arrival(None, None, True, tuple(closed))] if closed else found

    def take_faults(self) -> list[Fault]:
        """What could not be read of the samples since the last call, beyond a false alarm."""
        return [fault for fault in self._receiver.take_faults() if fault.strong]

    def _arrivals(self, frames: Iterable[ReceivedFrame]) -> list[Arrival]:
        return [self._arrival(frame) for frame in frames]

    def _arrival(self, frame: ReceivedFrame) -> Arrival:
        try:
            header = TransportHeader.join(frame.header, frame.message)
        except HeaderError as exc:
            return Arrival(frame, None, False, (), str(exc))
        mine = self._user_id < 0 or header.public or header.user_id == self._user_id
        if not mine or self._source_id not in (-1, header.source_id):
            return Arrival(frame, header, False, ())
        if header.payload_kind is PayloadKind.GROUP and self._user_id >= 0:
            return self._part(frame, header)
        heard = HeardFrame(header, frame.symbols, frame.noise_var, frame.snr_db, frame.cfo_hz)
        try:
            closed = self._assembler.push(heard, frame.start_sample / self.waveform.samp_rate)
        except ValueError as exc:  # lengths that contradict the header
            return Arrival(frame, header, True, (), str(exc))
        return Arrival(frame, header, True, tuple(closed))

    def _part(self, frame: ReceivedFrame, header: TransportHeader) -> Arrival:
        """This user's message of a frame of several."""
        size, carriers = header.payload_bytes, self.waveform.n_data_carriers
        try:
            parts = read_parts(frame.symbols, frame.noise_var, header.mcs, size, carriers)
            taken = parts.take(self._user_id, self._key)
        except NotServedError:
            return Arrival(frame, header, False, ())
        except DirectoryError as exc:
            return Arrival(frame, header, True, (), str(exc))
        own, lost = _header_of(header, taken), taken.received is None
        reason = taken.reason if lost else ""
        message = ReceivedMessage(own, taken.received, int(lost), 1, frame.snr_db, frame.cfo_hz, reason)
        return Arrival(frame, own, True, (message,), "" if lost else taken.reason)


def _header_of(header: TransportHeader, taken: Delivered) -> TransportHeader:
    """A user's message as if it had been sent alone."""
    digital = taken.received is None or bool(taken.received.data)
    own = replace(
        header,
        payload_kind=PayloadKind.DIGITAL if digital else PayloadKind.ANALOG,
        user_id=taken.user_id,
        task_id=taken.task_id,
        modality=modality_of_task(taken.task_id),
        public=False,
    )
    return replace(own, model_fingerprint=0, short=False) if digital else own
