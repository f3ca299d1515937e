"""One transmitter for several users, each behind a channel of its own, in one flowgraph."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gnuradio import gr, m4sc
from gnuradio.m4sc.pdu import make_pdu

from m4sc_flowgraphs.link_events import EventSink, LinkEvent
from m4sc_flowgraphs.messages import OutgoingMessage
from m4sc_flowgraphs.radio_ends.opening import GAP_SAMPLES
from m4sc_flowgraphs.station import end_within

ALL = "one frame"
_ROOM_S = 30.0  # a message waits for a place in the transmit chain
_WAIT_S = 0.5  # a frame waits for users whose message could not be read
_COUNTED = ("groups", "others", "lost", "private_lost")
Emit = Callable[[LinkEvent], None]


@dataclass(frozen=True)
class StationUser:
    """One user.

    Attributes:
        user_id: 0 to 65535.
        task, question: what it wants of each message; the task's own wording if None.
        snr_db: of its channel, Es/N0 per data subcarrier in dB, which the transmitter expects.
        key: 64 hex digits, empty for none.
    """

    user_id: int
    task: str
    question: str | None = None
    snr_db: float = 10.0
    key: str = ""

    @property
    def name(self) -> str:
        """For people."""
        return f"user {self.user_id}"


class SharedStation(gr.top_block):
    """Group encoder and transmitter, and for each user a channel and a receive chain.

    What a user's receiver reports of its SNR protects the frames that follow.

    Args:
        model: semantic system, or the name of one.
        emit_as: from a user's name, or `ALL`, to what is called with its events on threads of the scheduler.
        users: at least one, each id once.
        channel_of: from a user to the block of its channel.
        waveform: of the link.
        keys: file of keys of the users whose own parts are hidden; empty for none.
    """

    def __init__(
        self,
        model: Any,
        emit_as: Callable[[str], Emit],
        users: Sequence[StationUser],
        channel_of: Callable[[StationUser], Any],
        waveform: Any,
        keys: str = "",
    ) -> None:
        super().__init__("M4SC users", catch_exceptions=True)
        if not users or len({user.user_id for user in users}) < len(users):
            raise ValueError("a station of several users needs at least one, and each user's id once")
        self.handle_sigint = False  # the command line's own loop takes Ctrl-C
        self.users, self._emit_as, self._begun = tuple(users), emit_as, False
        self.encoder = m4sc.group_encoder(
            model, users=len(users), wait_s=_WAIT_S, keys=keys, waveform=waveform
        )
        self.transmitter = m4sc.frame_transmitter(waveform, GAP_SAMPLES, idle="wait")
        self.sink = EventSink(self._told, 0)
        self.msg_connect(self.encoder, "symbols", self.transmitter, "symbols")
        self.msg_connect(self.encoder, "symbols", self.sink, "events")  # what is public of each frame
        for block in (self.encoder, self.transmitter):
            self.msg_connect(block, "status", self.sink, "events")
        self._chains = [self._chain(model, user, channel_of(user), waveform) for user in self.users]

    def _chain(self, model: Any, user: StationUser, channel: Any, waveform: Any) -> tuple[Any, ...]:
        """Everything behind one user's antenna."""
        receiver = m4sc.frame_receiver(waveform, "wait")
        own = m4sc.group_decoder(user.user_id, user.key, waveform)
        decoder = m4sc.message_decoder(model, waveform=waveform, user_id=user.user_id)
        decoder.set_default_query(user.question)
        sink = EventSink(self._emit_as(user.name), 1)
        self.encoder.set_user_snr(user.user_id, user.snr_db)
        self.connect(self.transmitter, channel, receiver)
        self.msg_connect(receiver, "symbols", own, "symbols")
        self.msg_connect(own, "symbols", decoder, "symbols")
        self.msg_connect(own, "feedback", self.encoder, "feedback")
        self.msg_connect(decoder, "answers", sink, "events")
        for block in (receiver, own, decoder):
            self.msg_connect(block, "status", sink, "events")
        return channel, receiver, own, decoder, sink

    def _told(self, event: LinkEvent) -> None:
        """An event of the transmitter; what could not be sent to one user is that user's."""
        names = {user.user_id: user.name for user in self.users}
        self._emit_as(names.get(event.values.get("user_id", -1), ALL))(event)

    def begin(self) -> None:
        """Start the flowgraph."""
        self._begun = True
        self.start()

    def end(self, seconds: float = 10.0) -> bool:
        """Stop; False if a block did not end in time."""
        return end_within(self, seconds) if self._begun else True

    def send(self, message: OutgoingMessage, sequence: int) -> None:
        """Send a message to every user, for the user's own task; tells where there is no room for it."""
        for user in self.users:
            meta = {
                "user_id": user.user_id,
                "task": user.task,
                "modality": message.modality,
                "instruction": user.question,
                "sequence": sequence & 0xFFFF,
            }
            emit, values = self._emit_as(user.name), {"sequence": meta["sequence"], "task": user.task}
            known = {**values, "name": message.name or None, "modality": message.modality}
            emit(LinkEvent("queued", time.time(), known, {"payload": message.payload}))
            if not self.encoder.put(make_pdu(meta, message.payload), _ROOM_S):
                reason = f"the transmit chain had no room within {_ROOM_S:.0f} s, or was stopped"
                fault = {**values, "block": "m4sc_station", "fault": "dropped", "reason": reason}
                emit(LinkEvent("fault", time.time(), fault))

    def counters(self) -> dict[str, int]:
        """Frames made, and of each user what became of them."""
        found = {"frames": int(self.encoder.counters["frames"])}
        for user, (_, _, own, _, _) in zip(self.users, self._chains, strict=True):
            found |= {f"{user.name}, {name}": int(own.counters[name]) for name in _COUNTED}
        return found
