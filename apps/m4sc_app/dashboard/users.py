"""Several users behind the live page: one frame for all of them, each with a channel of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from m4sc.message import Message
from m4sc.tasks import get_task
from m4sc_flowgraphs.link_event import LinkEvent
from m4sc_flowgraphs.messages import OutgoingMessage
from m4sc_flowgraphs.radio_ends.sim import ChannelOptions, channel_block
from m4sc_flowgraphs.shared_station import SharedStation, StationUser

from m4sc_app.dashboard.link import SNR_RANGE_DB, LinkService, for_page
from m4sc_app.errors import UserError
from m4sc_app.multiuser.wishes import read_wish


def read_users(wishes: Sequence[str]) -> list[StationUser]:
    """Users of `--user` options, numbered from 1.

    Raises:
        UserError: of another form, out of range, or of tasks that take messages of different kinds.
    """
    users, kinds = list[StationUser](), set[str]()
    for number, wish in enumerate(wishes, 1):
        task, snr_db, question = read_wish(wish)
        users.append(StationUser(number, task.name, question or None, _checked(snr_db)))
        kinds.add(task.modality)
    if len(kinds) > 1:
        raise UserError(
            f"one message goes to all users of a page; these tasks take {' and '.join(sorted(kinds))}"
        )
    return users


def _checked(snr_db: Any) -> float:
    low, high = SNR_RANGE_DB
    number = isinstance(snr_db, int | float) and not isinstance(snr_db, bool)
    if not number or not math.isfinite(snr_db) or not low <= snr_db <= high:
        raise UserError(f"a user's SNR is {snr_db!r}; give {low:g} to {high:g} dB")
    return float(snr_db)


class UsersService(LinkService):
    """A station of several users in the place of the two systems; each user's SNR can be set.

    Args:
        address: ``sim:`` with options, of every user's channel; the SNR is each user's own.
        model: semantic system.
        users: at least one.
    """

    def __init__(self, address: str, model: Any, users: Sequence[StationUser]) -> None:
        super().__init__(address, model)
        if not self.simulated:
            raise UserError(f"several users have simulated channels; the address is {address}, give sim:")
        self._users = tuple(users)

    def _build(self, channel: ChannelOptions) -> dict[str, Any]:
        def channel_of(user: StationUser) -> Any:
            seed = channel.seed + user.user_id
            return channel_block(replace(channel, snr_db=user.snr_db, seed=seed), self._waveform)

        station = SharedStation(self._model, self._emit_as, self._users, channel_of, self._waveform)
        return {"users": station}

    def _settings(self) -> Any:
        return self.channel, self._users

    def state(self) -> dict[str, Any]:
        """As of a link, and ``users``: name, task, question and SNR of each."""
        shown = [{"name": user.name, **asdict(user)} for user in self._users]
        for user in shown:
            del user["key"]
        kind = get_task(self._users[0].task).modality
        return {**super().state(), "users": shown, "modality": kind}

    def _change(self, wanted: dict[str, Any]) -> None:
        """Also ``user`` with ``snr_db``, which is that user's; there is no SNR of all."""
        if "user" not in wanted:
            if "snr_db" in wanted:
                raise UserError("each user has an SNR of its own; give user and snr_db")
            super()._change(wanted)
            return
        numbers = {user.user_id: n for n, user in enumerate(self._users)}
        if set(wanted) != {"user", "snr_db"} or wanted["user"] not in numbers:
            raise UserError(f"give user, one of {', '.join(map(str, numbers))}, and snr_db; got {wanted}")
        n, snr_db = numbers[wanted["user"]], _checked(wanted["snr_db"])
        users = list(self._users)
        users[n] = replace(users[n], snr_db=snr_db)
        self._users = tuple(users)

    def _emit_as(self, system: str) -> Callable[[LinkEvent], None]:
        """All events of a user are the user's, whichever system its message came by."""
        return lambda event: self._tell({**for_page(event, system), "system": system})

    def _sendable(self, payload: bytes, task: str, instruction: str | None, name: str) -> OutgoingMessage:
        """Tasks and questions are the users' own."""
        modality = get_task(self._users[0].task).modality
        Message.from_bytes(payload, modality)
        return OutgoingMessage(payload, self._users[0].task, modality, None, name)
