"""What one user takes of a frame of several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from m4sc.codecs.base import Received
from m4sc.phy.modulation.digital import decode_transport, n_symbols
from m4sc.sharing.directory import (
    ByteFamily,
    Directory,
    DirectoryError,
    Member,
    SymbolFamily,
)
from m4sc.sharing.layout import Places, place_parts
from m4sc.sharing.split import PRIVATE

_ERASED = np.float32(np.inf)


class NotServedError(ValueError):
    """The frame has nothing for this user."""


class Opener(Protocol):
    """Undoes what a :class:`m4sc.sharing.group.Sealer` did."""

    def show(self, symbols: np.ndarray, noise_var: np.ndarray, nonce: int) -> tuple[np.ndarray, np.ndarray]:
        """Complex (n,) and noise variances, in order again."""

    def check(self, nonce: int) -> int:
        """16 bits that say which key it is."""

    def unlock(self, data: bytes, nonce: int) -> bytes | None:
        """Bytes as they were; None where the key is wrong or the bytes are not as they were sent."""


class Beside(Protocol):
    """What another task's public symbols say of one's own (:class:`m4sc.sharing.aside.Aside`)."""

    @property
    def task_ids(self) -> tuple[int, int]:
        """Numbers of the own task and of the other."""

    def joined(self, own: Received, other: Received) -> Received | None:
        """Own symbols with what the other's say of them; None where the two are of different sources."""


@dataclass(frozen=True)
class Delivered:
    """One user's message.

    Attributes:
        user_id, task_id: as the directory says.
        received: for the user's codec; None where nothing can be made of it.
        public_symbols, private_symbols: complex symbols that were for this user.
        aside: another task's public symbols said something of this user's own.
        private_lost: its own part did not arrive or is hidden: what is public is all there is.
        reason: what is missing and why, else empty.
    """

    user_id: int
    task_id: int
    received: Received | None
    public_symbols: int
    private_symbols: int
    private_lost: bool = False
    reason: str = ""
    aside: bool = False


@dataclass(frozen=True)
class Parts:
    """A frame whose directory was read.

    Attributes:
        directory: of its parts.
        places: where they stand.
        symbols, noise_var: complex64 and float32 (n,), of the whole payload.
    """

    directory: Directory
    places: Places
    symbols: np.ndarray
    noise_var: np.ndarray

    def take(self, user_id: int, opener: Opener | None = None, beside: Beside | None = None) -> Delivered:
        """A user's message: its public tokens and its own in order.

        opener: the user's key, where it has one. beside: what to learn of the message from another task's
        public symbols by; None for nothing.

        Raises:
            NotServedError: nothing is for that user.
        """
        public_at = member_at = 0
        for family in self.directory.families:
            size = _public_size(family)
            public = self.places.public[public_at : public_at + size]
            for member in family.members:
                if member.user_id == user_id:
                    own = self.places.private[member_at]
                    if isinstance(family, ByteFamily):
                        return self._bytes(family, member, public if size else own, opener)
                    taken = self._tokens(family, member, public, own, opener)
                    return taken if beside is None else self._with_aside(taken, beside)
                member_at += 1
            public_at += size
        raise NotServedError(f"the frame has nothing for user {user_id}")

    def _tokens(
        self,
        family: SymbolFamily,
        member: Member,
        public: np.ndarray,
        own: np.ndarray,
        opener: Opener | None,
    ) -> Delivered:
        unit = family.unit
        places = np.array(member.places)
        symbols = np.zeros((len(places), unit), np.complex64)
        noise_var = np.full((len(places), unit), _ERASED, np.float32)
        shared = places != PRIVATE
        symbols[shared] = self.symbols[public].reshape(-1, unit)[places[shared]]
        noise_var[shared] = self.noise_var[public].reshape(-1, unit)[places[shared]]
        y, n, reason = self.symbols[own], self.noise_var[own], self._closed(member, opener)
        if not reason and len(own) and not np.isfinite(n).any():
            reason = "its own part did not arrive"
        if not reason and len(own):
            if member.sealed:
                assert opener is not None and self.directory.nonce is not None
                y, n = opener.show(y, n, self.directory.nonce)
            symbols[~shared] = y.reshape(-1, unit)
            noise_var[~shared] = n.reshape(-1, unit)
        received = Received(symbols.ravel(), noise_var.ravel())
        used = len(set(places[shared].tolist())) * unit
        return Delivered(member.user_id, member.task_id, received, used, len(own), bool(reason), reason)

    def _with_aside(self, taken: Delivered, beside: Beside) -> Delivered:
        """A user's message and what the public messages of another task say of it."""
        own_task, other_task = beside.task_ids
        if taken.task_id != own_task or taken.received is None or taken.private_lost:
            return taken
        for task_id, other in self.public_messages():
            joined = beside.joined(taken.received, other) if task_id == other_task else None
            if joined is not None:  # those of one source and task are the same
                return replace(taken, received=joined, aside=True)
        return taken

    def public_messages(self) -> list[tuple[int, Received]]:
        """Task and symbols of each message of symbols that is public as a whole, each once."""
        found, at = dict[tuple[int, tuple[int, ...], int], Received](), 0
        for number, family in enumerate(self.directory.families):
            size = _public_size(family)
            public = self.places.public[at : at + size]
            at += size
            if not isinstance(family, SymbolFamily):
                continue
            for member in family.members:
                if PRIVATE not in member.places:
                    places = np.array(member.places)
                    rows = public.reshape(-1, family.unit)[places].ravel()
                    key = member.task_id, member.places, number
                    found.setdefault(key, Received(self.symbols[rows], self.noise_var[rows]))
        return [(task_id, received) for (task_id, _, _), received in found.items()]

    def _closed(self, member: Member, opener: Opener | None) -> str:
        """Why a member's own part cannot be opened; empty where it can."""
        if not member.sealed:
            return ""
        if opener is None:
            return "its own part is hidden and there is no key for it"
        if self.directory.nonce is None or opener.check(self.directory.nonce) != member.check:
            return "its own part is hidden and the key is not the one it was sent with"
        return ""

    def _bytes(
        self, family: ByteFamily, member: Member, place: np.ndarray, opener: Opener | None
    ) -> Delivered:
        data = decode_transport(self.symbols[place], self.noise_var[place], family.mcs, family.n_bytes)
        reason = "its bytes failed their check" if data is None else self._closed(member, opener)
        if member.sealed and not reason:
            assert opener is not None and data is not None and self.directory.nonce is not None
            data = opener.unlock(data, self.directory.nonce)
            reason = "" if data is not None else "its own part was changed on the way"
        data = None if reason else data
        alone = len(family.members) == 1
        sizes = (0, len(place)) if alone else (len(place), 0)
        received = None if data is None else Received(data=data)
        return Delivered(member.user_id, member.task_id, received, *sizes, alone and data is None, reason)


def read_parts(
    symbols: np.ndarray, noise_var: np.ndarray, mcs: int, directory_bytes: int, carriers: int
) -> Parts:
    """Read the directory of a frame's payload.

    Args:
        symbols, noise_var: complex64 and float32 (n,), as received.
        mcs, directory_bytes: as the header says.
        carriers: data carriers of the waveform.

    Raises:
        DirectoryError: it cannot be read, or does not fit the payload.
    """
    try:
        size = n_symbols(directory_bytes, mcs)
    except ValueError as exc:
        raise DirectoryError(f"the header's directory does not exist: {exc}") from exc
    if size > len(symbols):
        raise DirectoryError(f"a directory of {size} symbols in a payload of {len(symbols)}")
    place = place_parts(0, size, 0, (), carriers).directory
    data = decode_transport(symbols[place], noise_var[place], mcs, directory_bytes)
    if data is None:
        raise DirectoryError("the directory failed its check: who was served is not known")
    directory = Directory.unpack(data)
    families = directory.families
    try:
        public = sum(_public_size(family) for family in families)
        private = [_private_size(family, member) for family in families for member in family.members]
        places = place_parts(directory.layout, size, public, private, carriers)
    except ValueError as exc:  # no such scheme, no such bytes, too many users
        raise DirectoryError(f"the directory's parts do not exist: {exc}") from exc
    if places.n_symbols != len(symbols):
        raise DirectoryError(
            f"the directory's parts take {places.n_symbols} symbols; the payload has {len(symbols)}"
        )
    return Parts(directory, places, symbols, noise_var)


def _public_size(family: SymbolFamily | ByteFamily) -> int:
    if isinstance(family, SymbolFamily):
        return family.n_public
    return n_symbols(family.n_bytes, family.mcs) if len(family.members) > 1 else 0


def _private_size(family: SymbolFamily | ByteFamily, member: Member) -> int:
    if isinstance(family, SymbolFamily):
        return family.n_private(member)
    return n_symbols(family.n_bytes, family.mcs) if len(family.members) == 1 else 0
