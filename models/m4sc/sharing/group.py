"""Several users' payloads to one frame: directory, public part, each user's own part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from m4sc.codecs.base import Payload
from m4sc.phy.header.fields import PayloadKind
from m4sc.phy.header.protection import NORMAL, protection_for
from m4sc.phy.modulation.digital import encode_transport
from m4sc.phy.modulation.mcs import select_mcs
from m4sc.phy.waveform import WaveformConfig
from m4sc.sharing.directory import (
    MAX_BYTES,
    MAX_TOKENS,
    MAX_UNIT,
    MAX_USERS,
    TDM,
    ByteFamily,
    Directory,
    Member,
    SymbolFamily,
)
from m4sc.sharing.layout import place_parts
from m4sc.sharing.split import PRIVATE, Split, choose_split
from m4sc.transport.budget import FADING_MARGIN_DB
from m4sc.transport.frames import OutgoingFrame
from m4sc.transport.message_header import Modality, TransportHeader

_MOST_DIRECTORY = 255
_HEADER_MARGIN_DB = 4.0  # less than of one user's frame: a repeated preamble is lost more often at middle SNR
_POINT_UNIT = 8
TOLERANCE = 0.1


class TooManyUsersError(ValueError):
    """More users than a frame holds; ``fitting`` is how many of them do."""

    def __init__(self, asked: int, fitting: int, why: str) -> None:
        super().__init__(f"{asked} users do not fit one frame ({why}); the first {fitting} do")
        self.fitting = fitting


class Sealer(Protocol):
    """Hides a user's own part (:mod:`m4sc.sharing.privacy`)."""

    def hide(self, symbols: np.ndarray, nonce: int) -> np.ndarray:
        """Complex (n,) to complex (n,)."""

    def lock(self, data: bytes, nonce: int) -> bytes:
        """Bytes to longer bytes."""

    def check(self, nonce: int) -> int:
        """16 bits that say which key it is."""


@dataclass(frozen=True)
class Served:
    """A user and what is for it.

    Attributes:
        user_id: 16 bits, once in a frame.
        payload: of the user's codec.
        snr_db: mean Es/N0 that its receiver is expected to have, dB.
    """

    user_id: int
    payload: Payload
    snr_db: float = 10.0


@dataclass(frozen=True)
class SharingConfig:
    """How users share a frame.

    Attributes:
        tolerance: squared distance, over a token's mean energy, up to which a public token stands for a
            user's own; 0: only equal ones are shared, negative: nothing is.
        layout: :data:`m4sc.sharing.directory.TDM` or ``OFDMA``.
        margin_db: of the directory and of bytes, below the SNR of the weakest user who needs them, dB.
    """

    tolerance: float = TOLERANCE
    layout: int = TDM
    margin_db: float = FADING_MARGIN_DB


@dataclass(frozen=True)
class Group:
    """A frame of several users, and what became of each.

    Attributes:
        frame: to be modulated.
        directory: of its parts.
        private_symbols: of each user in order of the call, complex symbols for it alone.
        public_symbols: for two or more users.
        public_share: of all users' symbols those that public ones stand for, 0 to 1.
    """

    frame: OutgoingFrame
    directory: Directory
    private_symbols: tuple[int, ...]
    public_symbols: int
    public_share: float


@dataclass
class _Parts:
    """What a frame is made of, family by family; members in the order of their private parts."""

    symbols: list[SymbolFamily] = field(default_factory=list)
    data: list[ByteFamily] = field(default_factory=list)
    public: list[np.ndarray] = field(default_factory=list)
    private: list[np.ndarray] = field(default_factory=list)
    order: list[int] = field(default_factory=list)  # number of the user of each member
    shared: int = 0
    symbols_of_all: int = 0

    def count(self, shared: int, symbols: int) -> None:
        self.shared += shared
        self.symbols_of_all += symbols


def to_group(
    users: Sequence[Served],
    waveform: WaveformConfig,
    config: SharingConfig | None = None,
    *,
    sequence: int = 0,
    source_id: int = 0,
    sealers: Mapping[int, Sealer] | None = None,
    nonce: int | None = None,
) -> Group:
    """Make one frame of users' payloads.

    Directory, header and what is public are protected for the weakest user who needs them, bytes of one user
    for that user. Symbols need no scheme: every receiver makes of them what its own SNR allows.

    Args:
        users: whom to serve.
        waveform: of the link.
        config: how.
        sequence, source_id: of the header.
        sealers: keys of the users whose own part is hidden.
        nonce: 64 bits, never used before with these keys; needed where there are ``sealers``.

    Raises:
        TooManyUsersError: they do not fit.
        ValueError: no users, an id twice, payloads of different models, or one too long to share a frame.
    """
    config = SharingConfig() if config is None else config
    _check(users)
    if sealers and nonce is None:
        raise ValueError("sealed parts need a nonce that was never used before")
    try:
        return _group(users, waveform, config, (sequence, source_id), sealers or {}, nonce)
    except _FullError as full:
        raise TooManyUsersError(
            len(users),
            _fitting(users, waveform, config, (sequence, source_id), sealers or {}, nonce),
            str(full),
        ) from None


class _FullError(Exception):
    """Why a frame does not hold it all."""


def _check(users: Sequence[Served]) -> None:
    if not users:
        raise ValueError("there is no user to serve")
    ids = [user.user_id for user in users]
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise ValueError(f"user {twice[0]} is there twice; ids tell receivers apart")
    if not all(0 <= i <= 0xFFFF for i in ids):
        raise ValueError(f"user ids are 0 to 65535; got {min(ids)} to {max(ids)}")
    if len({user.payload.fingerprint for user in users if user.payload.latents is not None}) > 1:
        raise ValueError("the users' payloads are of different models; one frame names one")
    for user in users:
        payload = user.payload
        long = len(payload.data) if payload.latents is None else len(payload.latents)
        most = MAX_BYTES - 16 if payload.latents is None else MAX_UNIT
        if long > most:
            what = "bytes" if payload.latents is None else "symbols"
            raise ValueError(
                f"user {user.user_id}: {long} {what} are too long to share a frame; send it alone"
            )


def _fitting(
    users: Sequence[Served],
    waveform: WaveformConfig,
    config: SharingConfig,
    head: tuple[int, int],
    sealers: Mapping[int, Sealer],
    nonce: int | None,
) -> int:
    """How many of the first users fit, by bisection."""
    low, high = 0, min(len(users), MAX_USERS)
    while low < high:
        middle = (low + high + 1) // 2
        try:
            _group(users[:middle], waveform, config, head, sealers, nonce)
            low = middle
        except _FullError:
            high = middle - 1
    return low


def _group(
    users: Sequence[Served],
    waveform: WaveformConfig,
    config: SharingConfig,
    head: tuple[int, int],
    sealers: Mapping[int, Sealer],
    nonce: int | None,
) -> Group:
    if len(users) > MAX_USERS:
        raise _FullError(f"at most {MAX_USERS} can be numbered")
    weakest = min(user.snr_db for user in users)
    parts = _parts(users, config, weakest, sealers, nonce)
    directory = Directory(config.layout, tuple(parts.symbols), tuple(parts.data))
    if any(member.sealed for member in directory.members):
        directory = replace(directory, nonce=nonce)
    try:
        packed = directory.pack()
    except ValueError as exc:
        raise _FullError(str(exc)) from None
    if len(packed) > _MOST_DIRECTORY:
        raise _FullError(f"they take {len(packed)} bytes of directory, of at most {_MOST_DIRECTORY}")
    mcs = select_mcs(weakest, config.margin_db, len(packed)).index
    told = encode_transport(packed, mcs)
    public = np.concatenate([np.zeros(0, np.complex64), *parts.public])
    sizes = [len(part) for part in parts.private]
    try:
        places = place_parts(config.layout, len(told), len(public), sizes, waveform.n_data_carriers)
    except ValueError as exc:
        raise _FullError(str(exc)) from None
    if places.n_symbols > waveform.max_payload_symbols:
        raise _FullError(f"{places.n_symbols} symbols, of at most {waveform.max_payload_symbols}")
    body = np.zeros(places.n_symbols, np.complex64)
    body[places.directory] = told
    body[places.public] = public
    for place, part in zip(places.private, parts.private, strict=True):
        body[place] = part
    fingerprint = next((u.payload.fingerprint for u in users if u.payload.latents is not None), 0)
    header = TransportHeader(
        PayloadKind.GROUP,
        len(body),
        head[0] & 0xFFFF,
        head[1],
        modality=Modality.TEXT,
        mcs=mcs,
        model_fingerprint=fingerprint,
        payload_bytes=len(packed),
    )
    protection = max(NORMAL, protection_for(weakest, _HEADER_MARGIN_DB), key=lambda one: one.index)
    own = dict(zip(parts.order, sizes, strict=True))
    return Group(
        OutgoingFrame(header, body, protection),
        directory,
        tuple(own[number] for number in range(len(users))),
        len(public),
        parts.shared / max(parts.symbols_of_all, 1),
    )


def _parts(
    users: Sequence[Served],
    config: SharingConfig,
    weakest: float,
    sealers: Mapping[int, Sealer],
    nonce: int | None,
) -> _Parts:
    """Divide users into families of like messages, and each family's content into public and private."""
    units, same = dict[int, list[int]](), dict[tuple[bytes, int], list[int]]()
    for number, user in enumerate(users):
        if user.payload.latents is not None:
            units.setdefault(shape_of(user.payload)[1], []).append(number)
        else:  # sealed bytes are one user's, whatever others get
            alone = number if user.user_id in sealers else -1
            same.setdefault((user.payload.data, alone), []).append(number)
    found, bits = _Parts(), _directory_rate(weakest - config.margin_db)
    for unit, numbers in units.items():
        family, split = _shared(users, numbers, unit, config.tolerance, bits, sealers, nonce)
        found.symbols.append(family)
        found.public.append(split.public.ravel())
        for number, part in zip(numbers, split.private, strict=True):
            found.private.append(_hidden(part.ravel(), users[number], sealers, nonce))
            found.order.append(number)
        found.count(unit * split.n_shared, unit * sum(len(split.places_of(k)) for k in range(len(numbers))))
    for numbers in same.values():
        block, sent = _block(users, numbers, config, sealers, nonce)
        found.data.append(block)
        alike = len(numbers) > 1
        if alike:
            found.public.append(sent)
        for number in numbers:
            found.private.append(np.zeros(0, np.complex64) if alike else sent)
            found.order.append(number)
        found.count(len(sent) * len(numbers) if alike else 0, len(sent) * len(numbers))
    return found


def _shared(
    users: Sequence[Served],
    numbers: Sequence[int],
    unit: int,
    tolerance: float,
    bits: float,
    sealers: Mapping[int, Sealer],
    nonce: int | None,
) -> tuple[SymbolFamily, Split]:
    """Split messages of tokens of one size; a bit of the directory costs 1 / `bits` symbols."""
    messages = [users[number].payload.symbols.reshape(-1, unit) for number in numbers]

    def overhead(split: Split) -> int:
        family = _family(users, numbers, unit, split, sealers, nonce)
        return round(8 * len(Directory(symbols=(family,)).pack()) / bits)

    split = choose_split(messages, tolerance, overhead)
    return _family(users, numbers, unit, split, sealers, nonce), split


def shape_of(payload: Payload) -> tuple[int, int]:
    """Tokens of a payload of symbols and complex symbols of each; one token where it has no such parts.

    The symbols of a point have no tokens of their own; they are compared by eights, of which the first say
    most, so that a shorter message of the same point has its symbols in common with a longer one.
    """
    assert payload.latents is not None
    count, unit = len(payload.latents), payload.unit
    if unit == 1:
        unit = _POINT_UNIT
    if unit < 2 or count % unit or not 1 <= count // unit <= MAX_TOKENS or payload.essential:
        return 1, count
    return count // unit, unit


def _directory_rate(snr_db: float) -> float:
    """Bits that a symbol of the directory carries."""
    scheme = select_mcs(snr_db, 0.0, 32)
    return scheme.bits_per_symbol * scheme.rate


def _family(
    users: Sequence[Served],
    numbers: Sequence[int],
    unit: int,
    split: Split,
    sealers: Mapping[int, Sealer],
    nonce: int | None,
) -> SymbolFamily:
    members = []
    for k, number in enumerate(numbers):
        user, places = users[number], split.places_of(k)
        sealer = sealers.get(user.user_id) if PRIVATE in places else None
        members.append(Member(user.user_id, user.payload.task_id, places, *_seal(sealer, nonce)))
    others = len(split.public) - len(split.firsts)
    return SymbolFamily(split.places.shape[1], unit, split.firsts, others, tuple(members))


def _seal(sealer: Sealer | None, nonce: int | None) -> tuple[bool, int]:
    """Whether a part is sealed, and its key's check."""
    if sealer is None:
        return False, 0
    assert nonce is not None
    return True, sealer.check(nonce)


def _block(
    users: Sequence[Served],
    numbers: Sequence[int],
    config: SharingConfig,
    sealers: Mapping[int, Sealer],
    nonce: int | None,
) -> tuple[ByteFamily, np.ndarray]:
    """Users who get the same bytes, and the symbols that carry them."""
    chosen = [users[number] for number in numbers]
    data, sealer = chosen[0].payload.data, sealers.get(chosen[0].user_id)
    if sealer is not None:
        assert nonce is not None
        data = sealer.lock(data, nonce)
    mcs = select_mcs(min(user.snr_db for user in chosen), config.margin_db, len(data)).index
    members = tuple(Member(user.user_id, user.payload.task_id, (), *_seal(sealer, nonce)) for user in chosen)
    return ByteFamily(len(data), mcs, members), encode_transport(data, mcs)


def _hidden(part: np.ndarray, user: Served, sealers: Mapping[int, Sealer], nonce: int | None) -> np.ndarray:
    sealer = sealers.get(user.user_id)
    if sealer is None or not len(part):
        return part
    assert nonce is not None
    return np.asarray(sealer.hide(part, nonce), np.complex64)
