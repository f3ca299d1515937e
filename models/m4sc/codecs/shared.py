"""Several users' requests to payloads that have as much in common as they can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from m4sc.codecs.base import Payload
from m4sc.message import Message
from m4sc.sharing.group import Served, shape_of
from m4sc.tasks import get_task


class Encoder(Protocol):
    """What makes payloads: ``m4sc.system.SemanticSystem``."""

    def encode(
        self,
        message: Message,
        task: str,
        instruction: str | None = None,
        snr_db: float | None = None,
        rate: int | None = None,
    ) -> Payload:
        """Message and task to a payload."""


@dataclass(frozen=True)
class Request:
    """What one user wants.

    Attributes:
        user_id: 16 bits.
        message: that it is about; users of one source give the same object.
        task: by name.
        instruction: what the transmitter is asked for; the task's own wording if None.
        snr_db: mean Es/N0 of the user's receiver, dB.
    """

    user_id: int
    message: Message
    task: str
    instruction: str | None = None
    snr_db: float = 10.0


def encode_users(system: Encoder, requests: Sequence[Request]) -> list[Served]:
    """Encode each request by its task's own codec, those about one message at one rate.

    Tokens of one message are the same for every task that sends them, but not at two rates, whose energies
    differ. Where two requests about one message have as many tokens at different rates, the lower is encoded
    again at the higher: more than its task needs, and free, since the other user's are sent anyway. A message
    is encoded for the weakest of those who want it.

    Raises:
        UnknownTaskError: no such task.
        ValueError: as the codec, with the user's id.
    """
    weakest = dict[int, float]()  # of those who want a message: they share its symbols
    for request in requests:
        key = id(request.message)
        weakest[key] = min(request.snr_db, weakest.get(key, request.snr_db))
    made: dict[tuple[int, str, str | None, int | None], Payload] = {}

    def encoded(request: Request, rate: int | None = None) -> Served:
        key = id(request.message), request.task, request.instruction, rate
        if key not in made:
            made[key] = _encode(system, request, weakest[key[0]], rate)
        return Served(request.user_id, made[key], request.snr_db)

    served = [encoded(request) for request in requests]
    for number, request in enumerate(requests):
        rate = _highest_rate(requests, served, number)
        if rate is not None:
            served[number] = encoded(request, rate)
    return served


def _encode(system: Encoder, request: Request, snr_db: float, rate: int | None) -> Payload:
    get_task(request.task)
    try:
        more = {} if rate is None else {"rate": rate}
        return system.encode(request.message, request.task, request.instruction, snr_db=snr_db, **more)
    except ValueError as exc:
        raise ValueError(f"user {request.user_id}: {exc}") from exc


def _highest_rate(requests: Sequence[Request], served: Sequence[Served], number: int) -> int | None:
    """The rate at which a request's tokens are sent to others too; None where its own is as high."""
    payload = served[number].payload
    if payload.latents is None or payload.unit == 1:
        return None
    tokens, unit = shape_of(payload)
    rates = [unit]
    for other, theirs in zip(requests, served, strict=True):
        if other.message is requests[number].message and theirs.payload.unit > 1:
            count, rate = shape_of(theirs.payload)
            rates += [rate] if count == tokens > 1 else []
    return max(rates) if max(rates) > unit else None
