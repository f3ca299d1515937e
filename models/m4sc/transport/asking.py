"""More on request: a receiver that is not sure of an answer asks for another copy of the message.

Incremental redundancy for semantics: the copies of a message are combined by its codec, symbol by symbol
where they are the same (Chase, "Code combining", IEEE Trans. Commun. 33(5), 1985), and where symbols are
nested the next copy has twice as many, so that it brings new ones too. Frames of symbols have no check; what
is asked about is the confidence of the answer, or that a text's own check failed, and only while the air may
be to blame. A number that a sender left out is a message of which nothing was heard, and is asked for too.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from m4sc.codecs.base import Answer, Received
from m4sc.codecs.combining import effective_snr_db
from m4sc.transport.assembler import ReceivedMessage

_FORM = struct.Struct(">BHHB")  # source, user, sequence, copies
REQUEST_BYTES = _FORM.size + 4
_MOST_COPIES = 255

Key = tuple[int, int, int]
Combine = Callable[[Sequence[Received], ReceivedMessage], Received]
T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What a receiver asks for.

    Attributes:
        source_id, user_id, sequence: of the message.
        copies: that it has, 0 to 255; 0 of a message of which it heard nothing.
    """

    source_id: int
    user_id: int
    sequence: int
    copies: int

    @property
    def key(self) -> Key:
        """Whose message it is."""
        return self.source_id, self.user_id, self.sequence

    def to_bytes(self) -> bytes:
        """`REQUEST_BYTES` bytes, their CRC-32 included."""
        data = _FORM.pack(*self.key, self.copies)
        return data + zlib.crc32(data).to_bytes(4, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> Request:
        """Inverse of :meth:`to_bytes`; raises ValueError for bytes that are no request."""
        if len(data) != REQUEST_BYTES or zlib.crc32(data[:-4]).to_bytes(4, "big") != data[-4:]:
            raise ValueError(f"{len(data)} bytes are no request: it has {REQUEST_BYTES}, with a CRC-32")
        return cls(*_FORM.unpack(data[:-4]))


# --- receiver -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AskingConfig:
    """When a receiver asks, and how long it waits.

    Attributes:
        below: an answer less sure than this, 0 to 1, is asked about, or one whose check failed; 0 for never.
        copies: of a message at most, 2 to 255; then the answer stands as it is.
        enough_snr_db: of the copies together, Es/N0 of the AWGN that carries as much, dB: from there on the
            air is not to blame, and nothing is asked: tasks on points lose little at more than 3 dB.
        timeout_s: until a copy that did not come is asked for again, s; each time counts as a copy.
        messages: that wait for a copy, at most.
        gap: numbers left out between two messages of a sender at most that are asked for; where it is wider
            the sender has begun anew.
    """

    below: float = 0.0
    copies: int = 4
    enough_snr_db: float = 3.0
    timeout_s: float = 1.0
    messages: int = 64
    gap: int = 4

    def __post_init__(self) -> None:
        if not 0.0 <= self.below <= 1.0:
            raise ValueError(f"ask_below is {self.below}; give 0 to 1")
        if not 2 <= self.copies <= _MOST_COPIES:
            raise ValueError(f"{self.copies} copies of a message; give 2 to {_MOST_COPIES}")
        if not self.timeout_s > 0 or self.messages < 1 or self.gap < 0:
            raise ValueError("timeout_s must be above 0, messages at least 1, and gap 0 or more")


@dataclass
class _Unsure:
    """A message that waits: its copies, what it would say, what was asked, and until when, s."""

    message: ReceivedMessage
    copies: list[Received]
    answer: Answer
    asked: int
    until: float


@dataclass
class _Missed:
    """A message of which nothing was heard.

    Attributes:
        asked: how often it was asked for.
        until: when is waited, s.
        is_given_up: it is asked for no more; what comes then is known to be asked for.
    """

    asked: int
    until: float
    is_given_up: bool = False


@dataclass(frozen=True)
class Told:
    """An answer that stands: of what, and how many copies it took."""

    message: ReceivedMessage
    answer: Answer
    copies: int


@dataclass(frozen=True)
class Outcome:
    """What to do now: answers to tell, requests to send."""

    told: tuple[Told, ...] = ()
    requests: tuple[Request, ...] = ()


class Asking:
    """Holds back answers that are not sure, and asks for more of their messages.

    Only analogue messages of one frame are asked for: of bytes a check tells (:mod:`m4sc.transport.arq`),
    and frames of longer messages that come again are taken for repeated ones.

    Counters: ``asked`` (requests), ``improved`` (answers told from more than one copy), ``unheard`` (requests
    after which no copy came in time), ``unsure`` (answers that were asked about and are not sure yet),
    ``late`` (copies of what was told already), ``missed`` (numbers left out, which were asked for).

    Attributes:
        late_s: that copies may be late in all, s.

    Args:
        config: when to ask.
        combine: what a message's copies say together.
        answer: the answer to a message.
    """

    def __init__(
        self, config: AskingConfig, combine: Combine, answer: Callable[[ReceivedMessage], Answer]
    ) -> None:
        self.config, self._combine, self._answer = config, combine, answer
        self.counters: Counter[str] = Counter(asked=0, improved=0, unheard=0, unsure=0, late=0, missed=0)
        # copies that were asked for one after another, each in vain, may come one after another as well
        self.late_s = config.copies * config.timeout_s
        self._waiting: OrderedDict[Key, _Unsure] = OrderedDict()
        self._missed: OrderedDict[Key, _Missed] = OrderedDict()
        self._newest: OrderedDict[tuple[int, int], int] = OrderedDict()  # number, by source and user
        self._done: OrderedDict[Key, tuple[ReceivedMessage, float]] = OrderedDict()  # asked about, until

    def __len__(self) -> int:
        """Messages that wait for a copy."""
        return len(self._waiting)

    def push(self, message: ReceivedMessage, now: float) -> Outcome:
        """A message that came, with a payload, at time `now`, s.

        Raises:
            ValueError: as answering does; a message that waits is kept.
        """
        received, key = message.received, _key(message)
        if received is None:
            raise ValueError(message.reason)
        if self._is_late(message, now):
            self.counters["late"] += 1
            return Outcome()
        leaves_out, asked = self._note_left_out(key, now)
        before = self._waiting.get(key)
        other: tuple[Told, ...] = ()
        if before is not None and _same(before.message, message):
            copies = [*before.copies, received]
            message = replace(message, received=self._combine(copies, message))
            one = _Unsure(message, copies, self._answer(message), max(before.asked, len(copies)), now)
        else:
            one = _Unsure(message, [received], self._answer(message), max(1, asked), now)
            other = () if before is None else (self._give_up(key, now),)
        missed = self._missed_again(now) if leaves_out else ()
        return _together([Outcome((), missed), Outcome(other), self._judged(one, now)])

    def expire(self, now: float, grace_s: float = 0.0) -> Outcome:
        """Ask again for what did not come; what was asked for often enough is told as it is.

        grace_s: that is waited longer, s: what came may not have been read yet.
        """
        late = [key for key, one in self._waiting.items() if one.until + grace_s <= now]
        self.counters["unheard"] += len(late)
        found = []
        for key in late:
            one = self._waiting[key]
            found.append(self._judged(replace(one, asked=one.asked + 1), now))
        return _together([*found, Outcome((), self._missed_again(now, grace_s))])

    def flush(self) -> Outcome:
        """Nothing more will come: tell all that waits."""
        told = Outcome(tuple(self._give_up(key, 0.0) for key in list(self._waiting)))
        self._done.clear()
        self._missed.clear()
        return told

    def _note_left_out(self, key: Key, now: float) -> tuple[bool, int]:
        """Whether messages between a sender's newest and this one are to be asked for; how often this was."""
        own = self._missed.pop(key, None)
        asked = 0 if own is None else own.asked
        who, number = key[:2], key[2]
        newest = self._newest.get(who)
        ahead = 0 if newest is None else (number - newest) & 0xFFFF
        if newest is None or 0 < ahead <= 0x7FFF:
            self._newest[who] = number
            self._newest.move_to_end(who)
        while len(self._newest) > self.config.messages:
            self._newest.popitem(last=False)
        if not self.config.below or not 1 < ahead <= self.config.gap + 1:
            return False, asked
        keys = [(*who, (number - back) & 0xFFFF) for back in range(ahead - 1, 0, -1)]
        self.counters["missed"] += len(keys)
        for one in keys:
            self._missed[one] = _Missed(0, now)
        while len(self._missed) > self.config.messages:
            self._missed.popitem(last=False)
        return True, asked

    def _missed_again(self, now: float, grace_s: float = 0.0) -> tuple[Request, ...]:
        """Ask for what nothing was heard of, once more where nothing came."""
        most, asked = self.config.copies - 1, []
        for key, one in [(key, one) for key, one in self._missed.items() if one.until + grace_s <= now]:
            if one.is_given_up:
                del self._missed[key]
                continue
            self.counters["unheard"] += one.asked > 0
            one.is_given_up = one.asked >= most
            one.until = now + (self.late_s if one.is_given_up else self.config.timeout_s)
            if not one.is_given_up:
                one.asked += 1
                asked.append(Request(*key, 0))
        self.counters["asked"] += len(asked)
        return tuple(asked)

    def _judged(self, one: _Unsure, now: float) -> Outcome:
        """Ask, or tell."""
        key = _key(one.message)
        if not self._is_worth_asking(one):
            self._waiting.pop(key, None)
            return Outcome((self._told(one, now),))
        one.until = now + self.config.timeout_s
        self._waiting[key] = one
        self._waiting.move_to_end(key)
        self.counters["asked"] += 1
        request = Request(*key, min(one.asked, _MOST_COPIES))
        if len(self._waiting) <= self.config.messages:
            return Outcome((), (request,))
        return Outcome((self._give_up(next(iter(self._waiting)), now),), (request,))

    def _is_worth_asking(self, one: _Unsure) -> bool:
        received = one.message.received
        assert received is not None  # what is lost is never judged
        if one.asked >= self.config.copies or received.data or one.message.n_segments > 1:
            return False
        return self._is_unsure(one.answer) and effective_snr_db(received) < self.config.enough_snr_db

    def _is_unsure(self, answer: Answer) -> bool:
        if answer.verified is not None:
            return self.config.below > 0 and not answer.verified
        return answer.confidence is not None and answer.confidence < self.config.below

    def _is_late(self, message: ReceivedMessage, now: float) -> bool:
        """Whether a message was told, and this is the copy that was asked for and came too late."""
        while self._done and next(iter(self._done.values()))[1] <= now:
            self._done.popitem(last=False)
        done = self._done.get(_key(message))
        return done is not None and _same(done[0], message)

    def _give_up(self, key: Key, now: float) -> Told:
        """What waits for a copy is told as it is."""
        one = self._waiting.pop(key)
        return self._told(replace(one, asked=one.asked + 1), now)

    def _told(self, one: _Unsure, now: float) -> Told:
        if one.asked > 1:
            self.counters["unsure"] += self._is_unsure(one.answer)
            self._done[_key(one.message)] = one.message, now + self.late_s
            self._done.move_to_end(_key(one.message))
            while len(self._done) > self.config.messages:
                self._done.popitem(last=False)
        self.counters["improved"] += len(one.copies) > 1
        return Told(one.message, one.answer, len(one.copies))


def _together(found: Sequence[Outcome]) -> Outcome:
    return Outcome(
        tuple(told for one in found for told in one.told),
        tuple(request for one in found for request in one.requests),
    )


def _key(message: ReceivedMessage) -> Key:
    header = message.header
    return header.source_id, header.user_id, header.sequence


def _same(first: ReceivedMessage, other: ReceivedMessage) -> bool:
    """Whether two messages of one number can be copies."""
    return (
        first.header.task_id == other.header.task_id
        and first.header.modality == other.header.modality
        and first.header.model_fingerprint == other.header.model_fingerprint
        and other.n_segments == 1
        and other.received is not None
        and not other.received.data
    )


# --- sender ---------------------------------------------------------------------------------------------


@dataclass
class _Sent(Generic[T]):
    message: T
    symbols: int
    size: int
    copies: int = 1


@dataclass
class Sent(Generic[T]):
    """The last messages of a sender, for those who ask for more.

    Attributes:
        messages: kept at most.
        copies: of a message at most, whatever is asked.
        max_bytes: of all messages kept; one alone that is larger is not kept.
    """

    messages: int = 64
    copies: int = 8
    max_bytes: int = 1 << 26
    _kept: OrderedDict[Key, _Sent[T]] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        if self.messages < 0 or self.copies < 1:
            raise ValueError("kept messages must be 0 or more, and copies 1 or more")

    def keep(self, key: Key, message: T, symbols: int, size: int = 0) -> None:
        """Remember a message of `size` bytes that is sent with so many symbols for the first time."""
        self._kept.pop(key, None)
        if size > self.max_bytes:
            return
        self._kept[key] = _Sent(message, symbols, size)
        while len(self._kept) > self.messages or (
            sum(sent.size for sent in self._kept.values()) > self.max_bytes
        ):
            self._kept.popitem(last=False)

    def find(self, request: Request) -> tuple[T, int]:
        """Message and symbols of its last copy.

        Raises:
            ValueError: the message is not kept, or has been sent often enough.
        """
        sent = self._kept.get(request.key)
        if sent is None:
            raise ValueError(f"more of message {request.sequence} was asked for, which is not kept")
        if sent.copies >= self.copies:
            raise ValueError(f"message {request.sequence} was sent {sent.copies} times; no more")
        return sent.message, sent.symbols

    def again(self, request: Request, symbols: int) -> None:
        """Another copy is sent, with so many symbols."""
        sent = self._kept[request.key]
        sent.copies, sent.symbols = sent.copies + 1, symbols
