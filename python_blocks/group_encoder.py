"""Messages to several users: one frame for all of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pmt

from .message_reader import MessageReader
from .pdu import is_done, read_pdu
from .systems import find_system
from .worker import pdu_worker

LAYOUTS = ("tdm", "ofdma")
_KEPT_USERS = 4096


class group_encoder(pdu_worker):  # noqa: N801
    """Group encoder: message PDUs of several users in, one symbols PDU for all of them out.

    Ports: ``messages`` and ``feedback`` in, ``symbols`` and ``status`` out. In the place of message encoder
    and symbol mapper: what the users' messages have in common is sent once (:mod:`m4sc.sharing`).

    Reads of a message PDU what :class:`message_encoder` reads, and ``user_id`` (0 to 65535). A user's
    messages wait in order; a frame takes the first of each. It is made when ``users`` users wait, or
    ``wait_s`` after the first of them came, or ``queue_len`` messages of one user wait, so that users may
    join and leave at any time. Of more users than
    a frame holds the first go, the others with the next frame. A message that cannot be encoded is counted
    and reported with its user's id; the others go on. A ``feedback`` PDU has ``user_id`` and ``snr_db``, as
    that user's :class:`group_decoder` tells.

    The symbols PDU has ``payload_kind`` ``group``, ``sequence`` (the messages' own, where they have all the
    same one, else the next number), ``source_id``, ``mcs``, ``payload_bytes``,
    ``model_fingerprint``, ``protection``, and for people ``users``, ``public_symbols``, ``public_share``.

    Args:
        model: a loaded semantic system, or the name or folder of one.
        users: users whose messages make a frame without waiting longer, >= 1.
        wait_s: from a frame's first message until it goes without the missing ones, s, >= 0.
        snr_db: Es/N0 per data subcarrier that a user's receiver is expected to have, where no feedback or
            ``snr_db`` of its message tells, dB.
        tolerance: how far a public token may be from a user's own (``SharingConfig``); below 0 shares
            nothing, None for the chosen one.
        layout: ``tdm`` or ``ofdma``.
        keys: file of :class:`m4sc.sharing.privacy.KeyRing`; the own parts of the users who have a key there
            are hidden. Empty for none.
        source_id: of this transmitter, 0 to 255.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default.
        queue_len, on_error: see :class:`pdu_worker`.
        n_sources: message sources connected, >= 1: ``done`` goes on when so many have sent theirs.
    """

    def __init__(
        self,
        model: Any = "default",
        users: int = 2,
        wait_s: float = 0.5,
        snr_db: float = 10.0,
        tolerance: float | None = None,
        layout: str = "tdm",
        keys: str = "",
        source_id: int = 0,
        waveform: Any = None,
        queue_len: int = 16,
        on_error: str = "skip",
        n_sources: int = 1,
    ) -> None:
        super().__init__("m4sc_group_encoder", "messages", "symbols", queue_len, on_error)
        from m4sc.phy.waveform import WaveformConfig
        from m4sc.sharing.directory import OFDMA, TDM
        from m4sc.sharing.group import TOLERANCE, SharingConfig
        from m4sc.sharing.privacy import KeyRing
        from m4sc.transport.message_id import message_ids

        if users < 1 or wait_s < 0:
            raise ValueError(f"users is {users} and wait_s {wait_s}; give at least 1 and 0")
        if n_sources < 1:
            raise ValueError(f"n_sources is {n_sources}; give at least 1")
        if layout not in LAYOUTS:
            raise ValueError(f"layout is '{layout}'; use {' or '.join(map(repr, LAYOUTS))}")
        if not 0 <= source_id <= 0xFF:
            raise ValueError(f"source_id is {source_id}; give 0 to 255")
        how = {"tdm": TDM, "ofdma": OFDMA}[layout]
        self._config = SharingConfig(TOLERANCE if tolerance is None else float(tolerance), how)
        self._model, self._users, self._wait_s = model, int(users), float(wait_s)
        self._snr_db, self._source_id = float(snr_db), int(source_id)
        self._keys = KeyRing(Path(keys)) if keys else None
        self._waveform = WaveformConfig() if waveform is None else waveform
        self._most = int(queue_len)
        self._n_sources = self._open = int(n_sources)
        self._reader, self._numbers = MessageReader(), message_ids()
        self._waiting: dict[int, deque[Any]] = {}
        self._since = 0.0  # when the first of the users that wait came
        self._heard: dict[int, float] = {}
        self.counters.update(frames=0, refused=0)
        self.message_port_register_in(pmt.intern("feedback"))
        self.set_msg_handler(pmt.intern("feedback"), self._accept_feedback)

    def start(self) -> bool:
        """Wait for every source again; called by the scheduler."""
        self._open = self._n_sources
        return super().start()

    def handle(self, waiting: Any) -> None:
        """One PDU, or a source's ``done``, of which the last goes on."""
        if waiting.done:
            self._open -= 1
            if self._open > 0:
                return
        super().handle(waiting)

    def set_user_snr(self, user_id: int, snr_db: float) -> None:
        """Expect this of a user's receiver from now on, dB; safe while running."""
        while len(self._heard) >= _KEPT_USERS:
            self._heard.pop(next(iter(self._heard)), None)
        self._heard[int(user_id)] = float(snr_db)

    def _accept_feedback(self, message: Any) -> None:
        try:
            meta, _ = read_pdu(message)
            if not is_done(meta):
                snr_db = float(meta["snr_db"])
                if not np.isfinite(snr_db):
                    raise ValueError(f"snr_db is {snr_db}")
                self.set_user_snr(meta["user_id"], snr_db)
        except (KeyError, ValueError, TypeError, RuntimeError) as exc:
            self.counters["errors"] += 1
            self.report("error", f"feedback needs user_id and snr_db ({exc})")

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One message; yields a frame when enough users wait."""
        from m4sc.codecs.shared import Request

        if not 0 <= int(meta.get("user_id", -1)) <= 0xFFFF:
            raise ValueError("a message to one of several users needs its user_id, 0 to 65535")
        number = int(meta["sequence"]) & 0xFFFF if "sequence" in meta else None
        task, message = self._reader.read(meta, payload)
        user = int(meta["user_id"])
        instruction = task.told(meta.get("instruction"))
        snr_db = float(meta.get("snr_db", self._heard.get(user, self._snr_db)))
        request = Request(user, self._same(message, meta, payload), task.name, instruction, snr_db)
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.setdefault(user, deque()).append((request, bytes(payload), number))
        while len(self._waiting) >= self._users or len(self._waiting.get(user, ())) > self._most:
            yield from self._frame()

    def idle(self) -> Iterable[tuple[dict[str, Any], Any]]:
        """Frames whose time has come."""
        while self._waiting and time.monotonic() - self._since >= self._wait_s:
            yield from self._frame()

    def finish(self) -> None:
        """What waits goes before ``done``."""
        self._guarded({}, self._rest)

    def _rest(self) -> Iterable[tuple[dict[str, Any], Any]]:
        while self._waiting:
            yield from self._frame()

    def _same(self, message: Any, meta: dict[str, Any], payload: np.ndarray) -> Any:
        """The message, or the equal one that waits for another user: what is one source is encoded once."""
        data = bytes(payload)
        for queue in self._waiting.values():
            for request, other, _ in queue:
                if other == data and request.message.modality == message.modality:
                    return request.message
        return message

    def _frame(self) -> Iterable[tuple[dict[str, Any], Any]]:
        """One frame of the first message of each user, as many as it holds."""
        from m4sc.codecs.shared import encode_users
        from m4sc.sharing.group import TooManyUsersError

        heads = [queue[0][0] for queue in self._waiting.values()]
        system = find_system(self._model)
        served = []
        try:
            served = encode_users(system, heads)
        except ValueError:  # one of them; the others are served
            heads = [one for one in heads if self._can_be_encoded(system, one)]
            served = encode_users(system, heads) if heads else []
        if not served:
            return
        number = self._number([one.user_id for one in heads])
        try:
            made = self._group(served, number)
        except TooManyUsersError as exc:
            if not exc.fitting:
                self._refuse(heads[0].user_id, str(exc))
                return
            self.report("waiting", str(exc))
            heads, served = heads[: exc.fitting], served[: exc.fitting]
            made = self._group(served, number)
        except ValueError as exc:
            for one in heads:
                self._refuse(one.user_id, str(exc))
            return
        for one in heads:
            self._leave(one.user_id)
        self.counters["frames"] += 1
        yield self._meta(made, [one.user_id for one in heads]), made.frame.symbols

    def _number(self, users: list[int]) -> int:
        """Of the frame: of those users' messages, if they have one number."""
        numbers = {self._waiting[user][0][2] for user in users}
        only = numbers.pop() if len(numbers) == 1 else None
        return next(self._numbers) if only is None else int(only)

    def _group(self, served: list[Any], number: int) -> Any:
        from m4sc.sharing.group import to_group

        ring = self._keys
        sealers = {one.user_id: ring.get(one.user_id) for one in served if ring and one.user_id in ring.users}
        nonce = ring.nonce() if ring is not None and sealers else None
        return to_group(
            served,
            self._waveform,
            self._config,
            sequence=number,
            source_id=self._source_id,
            sealers=sealers,
            nonce=nonce,
        )

    def _can_be_encoded(self, system: Any, request: Any) -> bool:
        from m4sc.codecs.shared import encode_users

        try:
            encode_users(system, [request])
        except ValueError as exc:
            self._refuse(request.user_id, str(exc))
            return False
        return True

    def _refuse(self, user_id: int, reason: str) -> None:
        self.counters["refused"] += 1
        self.counters["errors"] += 1
        told = {"user_id": user_id, "sequence": self._waiting[user_id][0][2]}
        self._leave(user_id)
        self.report("error", reason, told)

    def _leave(self, user_id: int) -> None:
        """A user's first message is done with; those that wait on wait from now."""
        queue = self._waiting[user_id]
        queue.popleft()
        if not queue:
            del self._waiting[user_id]
        self._since = time.monotonic()

    def _meta(self, made: Any, users: list[int]) -> dict[str, Any]:
        header = made.frame.header
        return {
            "payload_kind": "group",
            "modality": header.modality.label,
            "sequence": header.sequence,
            "source_id": header.source_id,
            "mcs": header.mcs,
            "payload_bytes": header.payload_bytes,
            "model_fingerprint": header.model_fingerprint,
            "public": True,
            "protection": made.frame.protection.index,
            "users": len(users),
            "public_symbols": made.public_symbols,
            "public_share": made.public_share,
        }
