"""What a frame of several users says of its parts: who is served, with what, and where it stands.

A number "in short" takes 1 bit for 0, 3 for 1 and 2, 5 for 3 to 6, and so on
(:meth:`m4sc.sharing.bits.BitWriter.put_small`).

bits      field
   1      layout: 0 one part after another, 1 each user on carriers of its own
   1      user ids take 8 bits, else 16
   1      there is a nonce; then 64 bits of it
in short  families of symbols
in short  families of bytes

of a family of symbols
in short  tokens of its longest message, less one
in short  complex symbols of a token, less one
   1      one public token for each position; else a bit for each, then in short: how many others
in short  users less one, and of each
             1  id is the one after that before; else 8 or 16 bits
             1  task is that before; else 8 bits
             1  sealed; then 16 bits of check
             1  as many tokens as the one before, the first as the longest; else in short, less one
             2  how its places are told: 0 nothing public, 1 all public in order, 2 a bit for each
                position, 3 a number for each

of a family of bytes
in short  bytes, less one
   4      scheme
in short  users less one, and of each id, task and sealed as above
"""

from __future__ import annotations

from dataclasses import dataclass, field

from m4sc.sharing.bits import BitReader, BitWriter
from m4sc.sharing.split import PRIVATE

MAX_TOKENS, MAX_UNIT, MAX_BYTES = (1 << 7) - 1, (1 << 13) - 1, (1 << 12) - 1
MAX_USERS = 1 << 6
TDM, OFDMA = 0, 1
_NOTHING, _ALL, _MASK, _NUMBERS = range(4)


class DirectoryError(ValueError):
    """Bytes that are no directory."""


@dataclass(frozen=True)
class Member:
    """A user of a family.

    Attributes:
        user_id: 16 bits.
        task_id: 8 bits.
        places: of each of its tokens the public one that stands for it, or `PRIVATE`; empty in a family of
            bytes.
        sealed: its private part is hidden with the user's key.
        check: 16 bits by which the user sees that its key is the right one; 0 where nothing is sealed.
    """

    user_id: int
    task_id: int
    places: tuple[int, ...] = ()
    sealed: bool = False
    check: int = 0


@dataclass(frozen=True)
class SymbolFamily:
    """Users whose messages have tokens of as many symbols.

    Attributes:
        tokens: of the longest message.
        unit: complex symbols of a token.
        firsts: positions that have a public token, ascending.
        others: how many public tokens there are besides.
        members: the users.
    """

    tokens: int
    unit: int
    firsts: tuple[int, ...]
    others: int
    members: tuple[Member, ...]

    @property
    def n_public(self) -> int:
        """Complex symbols of the public tokens."""
        return self.unit * (len(self.firsts) + self.others)

    def n_private(self, member: Member) -> int:
        """Complex symbols of a user's own tokens."""
        return self.unit * member.places.count(PRIVATE)


@dataclass(frozen=True)
class ByteFamily:
    """Users who get the same bytes; of one user they are private.

    Attributes:
        n_bytes: of the transport block.
        mcs: scheme of modulation and coding.
        members: the users.
    """

    n_bytes: int
    mcs: int
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Directory:
    """Everything a receiver needs to find its parts.

    Attributes:
        layout: `TDM` or `OFDMA`.
        symbols, data: families.
        nonce: of the sealed parts; None where there are none.
    """

    layout: int = TDM
    symbols: tuple[SymbolFamily, ...] = field(default=())
    data: tuple[ByteFamily, ...] = field(default=())
    nonce: int | None = None

    @property
    def families(self) -> tuple[SymbolFamily | ByteFamily, ...]:
        """All of them, in the order of their parts."""
        return (*self.symbols, *self.data)

    @property
    def members(self) -> list[Member]:
        """All users, in the order of their private parts."""
        return [member for family in self.families for member in family.members]

    def pack(self) -> bytes:
        """To bytes; raises ValueError where a field does not fit."""
        out = BitWriter()
        names = _Names(8 if all(member.user_id < 256 for member in self.members) else 16)
        out.put(self.layout, 1)
        out.put(int(names.width == 8), 1)
        out.put(int(self.nonce is not None), 1)
        if self.nonce is not None:
            out.put(self.nonce, 64)
        for families in (self.symbols, self.data):
            if len(families) > MAX_USERS:
                raise ValueError(f"{len(families)} families are more than {MAX_USERS}")
            out.put_small(len(families))
        for family in self.symbols:
            _put_symbols(out, family, names)
        for block in self.data:
            _put_data(out, block, names)
        return out.bytes()

    @classmethod
    def unpack(cls, data: bytes) -> Directory:
        """Inverse of :meth:`pack`; raises DirectoryError."""
        try:
            bits = BitReader(data)
            layout, names = bits.take(1), _Names(8 if bits.take(1) else 16)
            nonce = bits.take(64) if bits.take(1) else None
            n_symbols, n_data = bits.take_small(MAX_USERS), bits.take_small(MAX_USERS)
            symbols = tuple(_take_symbols(bits, names) for _ in range(n_symbols))
            blocks = tuple(_take_data(bits, names) for _ in range(n_data))
            bits.finish()
        except ValueError as exc:
            raise DirectoryError(f"no directory of several users: {exc}") from exc
        return cls(layout, symbols, blocks, nonce)


class _Names:
    """Ids and tasks, of which those that follow on one another take one bit.

    Args:
        width: bits of an id, 8 or 16.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._user, self._task = 0, 0

    def put(self, out: BitWriter, member: Member) -> None:
        """Who it is, what it gets, and whether that is sealed."""
        follows, same = member.user_id == self._user + 1, member.task_id == self._task
        out.put(int(follows), 1)
        if not follows:
            out.put(member.user_id, self.width)
        out.put(int(same), 1)
        if not same:
            out.put(member.task_id, 8)
        out.put(int(member.sealed), 1)
        if member.sealed:
            out.put(member.check, 16)
        self._user, self._task = member.user_id, member.task_id

    def take(self, bits: BitReader) -> Member:
        """Inverse of :meth:`put`."""
        user = self._user + 1 if bits.take(1) else bits.take(self.width)
        if user > 0xFFFF:
            raise ValueError("a user id of more than 16 bits")
        task = self._task if bits.take(1) else bits.take(8)
        sealed = bits.take(1)
        self._user, self._task = user, task
        return Member(user, task, (), bool(sealed), bits.take(16) if sealed else 0)


def _put_symbols(out: BitWriter, family: SymbolFamily, names: _Names) -> None:
    if not (1 <= family.tokens <= MAX_TOKENS and 1 <= family.unit <= MAX_UNIT):
        raise ValueError(f"a message of {family.tokens} tokens of {family.unit} symbols")
    tokens = range(family.tokens)
    plain = family.firsts == tuple(tokens) and not family.others
    out.put_small(family.tokens - 1)
    out.put_small(family.unit - 1)
    out.put(int(plain), 1)
    if not plain:
        for position in tokens:
            out.put(int(position in family.firsts), 1)
        out.put_small(family.others)
    _put_count(out, family)
    first = {position: number for number, position in enumerate(family.firsts)}
    count, before = (len(family.firsts) + family.others).bit_length(), family.tokens
    for member in family.members:
        names.put(out, member)
        out.put(int(len(member.places) == before), 1)
        if len(member.places) != before:
            out.put_small(len(member.places) - 1)
        before = len(member.places)
        way = _way(member, first)
        out.put(way, 2)
        for place in member.places:
            if way == _MASK:
                out.put(int(place != PRIVATE), 1)
            elif way == _NUMBERS:
                out.put(place + 1, count)


def _way(member: Member, first: dict[int, int]) -> int:
    """How a member's places are told."""
    if not all(place in (PRIVATE, first.get(i)) for i, place in enumerate(member.places)):
        return _NUMBERS
    public = [place != PRIVATE for place in member.places]
    return _NOTHING if not any(public) else _ALL if all(public) else _MASK


def _take_symbols(bits: BitReader, names: _Names) -> SymbolFamily:
    tokens, unit = bits.take_small(MAX_TOKENS - 1) + 1, bits.take_small(MAX_UNIT - 1) + 1
    firsts, others = tuple(range(tokens)), 0
    if not bits.take(1):
        firsts = tuple(position for position in range(tokens) if bits.take(1))
        others = bits.take_small(MAX_TOKENS * MAX_USERS)
    first = {position: number for number, position in enumerate(firsts)}
    total, before = len(firsts) + others, tokens
    members = []
    for _ in range(bits.take_small(MAX_USERS - 1) + 1):
        member = names.take(bits)
        before = before if bits.take(1) else bits.take_small(tokens - 1) + 1
        way = bits.take(2)
        if way == _NOTHING:
            places = [PRIVATE] * before
        elif way == _NUMBERS:
            places = [bits.take(total.bit_length()) - 1 for _ in range(before)]
        else:
            wanted = [way == _ALL or bits.take(1) for _ in range(before)]
            places = [first[i] if on else PRIVATE for i, on in enumerate(wanted) if not on or i in first]
        if len(places) != before or max(places) >= total:
            raise ValueError("a public token that is not there")
        members.append(Member(member.user_id, member.task_id, tuple(places), member.sealed, member.check))
    return SymbolFamily(tokens, unit, firsts, others, tuple(members))


def _put_data(out: BitWriter, block: ByteFamily, names: _Names) -> None:
    if not 1 <= block.n_bytes <= MAX_BYTES:
        raise ValueError(f"a block of {block.n_bytes} bytes")
    out.put_small(block.n_bytes - 1)
    out.put(block.mcs, 4)
    _put_count(out, block)
    for member in block.members:
        names.put(out, member)


def _take_data(bits: BitReader, names: _Names) -> ByteFamily:
    n_bytes, mcs = bits.take_small(MAX_BYTES - 1) + 1, bits.take(4)
    count = bits.take_small(MAX_USERS - 1) + 1
    return ByteFamily(n_bytes, mcs, tuple(names.take(bits) for _ in range(count)))


def _put_count(out: BitWriter, family: SymbolFamily | ByteFamily) -> None:
    if not 1 <= len(family.members) <= MAX_USERS:
        raise ValueError(f"a family of {len(family.members)} users")
    out.put_small(len(family.members) - 1)
