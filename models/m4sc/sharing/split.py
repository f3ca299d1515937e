"""Which tokens of several users' messages are sent once for all, and which for one user alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

PRIVATE, ABSENT = -1, -2


@dataclass(frozen=True)
class Split:
    """Messages of tokens of one size, divided.

    Attributes:
        public: complex64 (p, unit), tokens that are sent once: first those of a position, in order of the
            positions, then the others.
        firsts: positions of the first of them, ascending.
        places: int (n, t): which public token stands for a user's token, or `PRIVATE`; `ABSENT` behind the
            end of a message shorter than the longest.
        private: of each user complex64 (m, unit), its own tokens in order.
    """

    public: np.ndarray
    firsts: tuple[int, ...]
    places: np.ndarray
    private: tuple[np.ndarray, ...]

    @property
    def n_symbols(self) -> int:
        """Complex symbols of all parts."""
        return int(self.public.size + sum(part.size for part in self.private))

    @property
    def public_share(self) -> float:
        """Of all users' tokens those that a public token stands for, 0 to 1."""
        return self.n_shared / max(1, int(np.sum(self.places != ABSENT)))

    @property
    def n_shared(self) -> int:
        """How many of the users' tokens a public token stands for."""
        return int(np.sum(self.places >= 0))

    def places_of(self, user: int) -> tuple[int, ...]:
        """Places of a user's tokens."""
        return tuple(int(place) for place in self.places[user] if place != ABSENT)


def choose_split(messages: Sequence[np.ndarray], tolerance: float, overhead: Callable[[Split], int]) -> Split:
    """The split that takes the fewest symbols of those in which no token is farther off than the tolerance.

    Three are compared: nothing public, what agrees at the same position, and what agrees anywhere, which
    finds the parts of a picture that moved, but has to say where they went. Of two that take as many symbols
    the earlier is taken, which is the more exact.

    Args:
        messages: of each user complex (t, unit), as many tokens as it has.
        tolerance: squared distance of a token from the public one in its place, over the mean energy of a
            token, and times that of the tokens at its position over that mean: what the strongest tokens say
            counts most. 0 lets only equal ones be public, below 0 none is.
        overhead: symbols that it takes to tell a split to the receivers.
    """
    candidates = [split_tokens(messages, None)]
    if tolerance >= 0:
        candidates += [split_tokens(messages, tolerance, anywhere) for anywhere in (False, True)]
    return min(candidates, key=lambda split: split.n_symbols + overhead(split))


def split_tokens(messages: Sequence[np.ndarray], tolerance: float | None, anywhere: bool = True) -> Split:
    """Divide messages at one tolerance; None for nothing public.

    At each position the tokens that agree become their mean, scaled to their mean energy. Where `anywhere`,
    a token that is left joins the nearest public one, and those still left are grouped by likeness.
    """
    tokens, places = _aligned(messages)
    n, t, unit = tokens.shape
    public: list[np.ndarray] = []
    first, others = list[tuple[int, list[int]]](), list[tuple[list[tuple[int, int]], np.ndarray]]()
    if tolerance is not None and tokens.size:
        limits = tolerance * _worth(tokens, places) + 1e-12
        for position in range(t):
            left = np.flatnonzero(places[:, position] == PRIVATE).tolist()
            found = 0
            while len(group := _agreeing(tokens[left, position], limits[position])) > 1:
                members = [left[k] for k in group]
                if found == 0:
                    first.append((position, members))
                else:
                    others.append(([(u, position) for u in members], _mean(tokens[members, position])))
                left = [user for user in left if user not in members]
                found += 1
        for number, (position, members) in enumerate(first):
            public.append(_mean(tokens[members, position]))
            places[members, position] = number
        if not anywhere:
            others = []
        for cells, mean in others:
            _place(places, cells, len(public))
            public.append(mean)
        if anywhere:
            _join_nearest(tokens, places, public, limits)
            _group_by_likeness(tokens, places, public, limits)
    shared = np.array(public, np.complex64).reshape(-1, unit)
    own = tuple(np.asarray(tokens[u][places[u] == PRIVATE], np.complex64) for u in range(n))
    return Split(shared, tuple(position for position, _ in first), places, own)


def _aligned(messages: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Messages as complex (n, t, unit), the shorter ones filled with zeros, and their places, int (n, t)."""
    counts = [len(message) for message in messages]
    tokens = np.zeros((len(messages), max(counts), messages[0].shape[1]), np.complex128)
    places = np.full(tokens.shape[:2], ABSENT)
    for user, message in enumerate(messages):
        tokens[user, : counts[user]] = message
        places[user, : counts[user]] = PRIVATE
    return tokens, places


def _worth(tokens: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Squared distance that does the harm of one of mean energy at a position, float (t,).

    A codec gives a component of variance v the amplitude v^1/4 (:mod:`m4sc.space.channel_codec`): an error of
    a symbol of energy v^1/2 moves what is decoded by as much energy times v^1/2.
    """
    energy = np.sum(np.abs(tokens) ** 2, axis=-1)
    there = places != ABSENT
    mean = float(energy[there].mean())
    at = energy.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    worth: np.ndarray = mean**2 / np.maximum(at, 1e-3 * mean + 1e-12)
    return worth


def _place(places: np.ndarray, cells: list[tuple[int, int]], number: int) -> None:
    for user, position in cells:
        places[user, position] = number


def _mean(members: np.ndarray) -> np.ndarray:
    """Mean of tokens (m, unit), scaled to their mean energy."""
    mean: np.ndarray = members.mean(axis=0)
    energy = float(np.mean(np.sum(np.abs(members) ** 2, axis=-1)))
    own = float(np.sum(np.abs(mean) ** 2))
    return mean * np.sqrt(energy / own) if own > 0 else mean


def _distance(members: np.ndarray, token: np.ndarray) -> np.ndarray:
    return np.asarray(np.sum(np.abs(members - token) ** 2, axis=-1))


def _agreeing(members: np.ndarray, limit: float) -> list[int]:
    """Of tokens (m, unit) those left when the farthest from the mean goes until all are within the limit."""
    pairs = _distance(members[:, None], members[None])
    near = (pairs <= 4 * limit).sum(axis=1) > 1  # two of one group are at most twice as far apart as from it
    kept = np.flatnonzero(near).tolist()
    while len(kept) > 1:
        far = _distance(members[kept], _mean(members[kept]))
        if far.max() <= limit:
            return kept
        kept.pop(int(far.argmax()))
    return []


def _join_nearest(
    tokens: np.ndarray, places: np.ndarray, public: list[np.ndarray], limits: np.ndarray
) -> None:
    """Let each token that is left join a public one within its position's limit."""
    if not public:
        return
    known = np.array(public)
    for user, position in np.argwhere(places == PRIVATE):
        far = _distance(known, tokens[user, position])
        if far.min() <= limits[position]:
            places[user, position] = int(far.argmin())


def _group_by_likeness(
    tokens: np.ndarray, places: np.ndarray, public: list[np.ndarray], limits: np.ndarray
) -> None:
    """Make public tokens of those left that are like others left, at whatever position."""
    left = [(int(u), int(p)) for u, p in np.argwhere(places == PRIVATE)]
    while len(left) > 1:
        values = np.array([tokens[cell] for cell in left])
        near = np.flatnonzero(_distance(values, values[0]) <= 4 * limits[left[0][1]])
        limit = float(min(limits[left[k][1]] for k in near))  # of one group at most twice as far as from it
        group = [int(near[k]) for k in _agreeing(values[near], limit)]
        if group:
            _place(places, [left[k] for k in group], len(public))
            public.append(_mean(values[group]))
        left = [cell for k, cell in enumerate(left) if k not in group and k != 0]
