"""What a frame of several users says of its parts: who is served, with what, and where it stands.

bits  field
   1  layout: 0 one part after another, 1 each user on carriers of its own
   1  user ids take 8 bits, else 16
   1  there is a nonce; then 64 bits of it
   6  families of symbols
   6  families of bytes

of a family of symbols
   7  tokens of a message
  13  complex symbols of a token
   1  one public token for each position; else a bit for each, then 12 bits: how many others
   6  users less one, and of each
         8 or 16  id
         8  task
         1  sealed; then 16 bits of check
         2  how its places are told: 0 nothing public, 1 all public in order, 2 a bit for each
            position, 3 a number for each

of a family of bytes
  12  bytes
   4  scheme
   6  users less one, and of each id, task and sealed as above
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
        places: of each token the public one that stands for it, or `PRIVATE`; empty in a family of bytes.
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
    """Users whose messages have as many tokens of as many symbols.

    Attributes:
        tokens: of a message.
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
        width = 8 if all(member.user_id < 256 for member in self.members) else 16
        out.put(self.layout, 1)
        out.put(int(width == 8), 1)
        out.put(int(self.nonce is not None), 1)
        if self.nonce is not None:
            out.put(self.nonce, 64)
        out.put(len(self.symbols), 6)
        out.put(len(self.data), 6)
        for family in self.symbols:
            _put_symbols(out, family, width)
        for block in self.data:
            out.put(block.n_bytes, 12)
            out.put(block.mcs, 4)
            out.put(len(block.members) - 1, 6)
            for member in block.members:
                _put_member(out, member, width)
        return out.bytes()

    @classmethod
    def unpack(cls, data: bytes) -> Directory:
        """Inverse of :meth:`pack`; raises DirectoryError."""
        try:
            bits = BitReader(data)
            layout, width = bits.take(1), 8 if bits.take(1) else 16
            nonce = bits.take(64) if bits.take(1) else None
            n_symbols, n_data = bits.take(6), bits.take(6)
            symbols = tuple(_take_symbols(bits, width) for _ in range(n_symbols))
            blocks = tuple(_take_data(bits, width) for _ in range(n_data))
            bits.finish()
        except ValueError as exc:
            raise DirectoryError(f"no directory of several users: {exc}") from exc
        return cls(layout, symbols, blocks, nonce)


def _put_member(out: BitWriter, member: Member, width: int) -> None:
    out.put(member.user_id, width)
    out.put(member.task_id, 8)
    out.put(int(member.sealed), 1)
    if member.sealed:
        out.put(member.check, 16)


def _take_member(bits: BitReader, width: int) -> Member:
    user_id, task_id, sealed = bits.take(width), bits.take(8), bits.take(1)
    return Member(user_id, task_id, (), bool(sealed), bits.take(16) if sealed else 0)


def _put_symbols(out: BitWriter, family: SymbolFamily, width: int) -> None:
    tokens = range(family.tokens)
    plain = family.firsts == tuple(tokens) and not family.others
    out.put(family.tokens, 7)
    out.put(family.unit, 13)
    out.put(int(plain), 1)
    if not plain:
        for position in tokens:
            out.put(int(position in family.firsts), 1)
        out.put(family.others, 12)
    out.put(len(family.members) - 1, 6)
    first = {position: number for number, position in enumerate(family.firsts)}
    count = (len(family.firsts) + family.others).bit_length()
    for member in family.members:
        _put_member(out, member, width)
        at_home = [place in (PRIVATE, first.get(i)) for i, place in enumerate(member.places)]
        public = [place != PRIVATE for place in member.places]
        way = _NOTHING if not any(public) else _ALL if all(public) else _MASK
        way = way if all(at_home) else _NUMBERS
        out.put(way, 2)
        for place in member.places:
            if way == _MASK:
                out.put(int(place != PRIVATE), 1)
            elif way == _NUMBERS:
                out.put(place + 1, count)


def _take_symbols(bits: BitReader, width: int) -> SymbolFamily:
    tokens, unit, plain = bits.take(7), bits.take(13), bits.take(1)
    if not tokens or not unit:
        raise ValueError("a message without symbols")
    firsts, others = tuple(range(tokens)), 0
    if not plain:
        firsts = tuple(position for position in range(tokens) if bits.take(1))
        others = bits.take(12)
    first = {position: number for number, position in enumerate(firsts)}
    total = len(firsts) + others
    members = []
    for _ in range(bits.take(6) + 1):
        member, way = _take_member(bits, width), bits.take(2)
        if way == _NOTHING:
            places = [PRIVATE] * tokens
        elif way == _NUMBERS:
            places = [bits.take(total.bit_length()) - 1 for _ in range(tokens)]
        else:
            wanted = [way == _ALL or bits.take(1) for _ in range(tokens)]
            places = [first[i] if on else PRIVATE for i, on in enumerate(wanted) if not on or i in first]
        if len(places) != tokens or max(places) >= total:
            raise ValueError("a public token that is not there")
        members.append(Member(member.user_id, member.task_id, tuple(places), member.sealed, member.check))
    return SymbolFamily(tokens, unit, firsts, others, tuple(members))


def _take_data(bits: BitReader, width: int) -> ByteFamily:
    n_bytes, mcs, count = bits.take(12), bits.take(4), bits.take(6) + 1
    return ByteFamily(n_bytes, mcs, tuple(_take_member(bits, width) for _ in range(count)))
