"""Noise by carrier and OFDM symbol: what pilots, a decoded header, decisions and empty carriers say together.

The model is v[row, carrier] = c[carrier] + a[row] + local[row, carrier]: a carrier in the band, a burst over
all carriers, and what moves through both. Each is estimated by Fisher scoring for exponential energies (the
maximum-likelihood step of Fevotte, Bertin, Durrieu, "Nonnegative matrix factorization with the
Itakura-Saito divergence", Neural Computation 2009, for a sum of two profiles), and is kept only where noise
of one level does not explain it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from m4sc.phy.equalizer.kernels import grid_posterior
from m4sc.phy.equalizer.swept_carrier import Sweep, find_sweep

_ROUNDS, _FIRST_ROUNDS, _LOCAL_ROUNDS = 8, 2, 3
_HIT = 0.3  # of the cells where neighbours stand out, before a cell itself is looked at
_SURE = 2.0  # observations of the common level that an estimate of one carrier or row is mixed with
_FEW = 0.25  # of the carriers, whose levels say what the common one is
_TREND = 11  # OFDM symbols over which a slow change is averaged
_WHOLE, _FEW_ROWS = 0.9, 4  # share of carriers known in rows of words and header, and their number
_FEW_CELLS = 3  # of a row, that may tell without the empty ones
_LEAST = 1e-12


def most_by_chance(count: np.ndarray | float) -> np.ndarray:
    """A mean of `count` exponential energies of mean 1 is larger about once in 10^5 times."""
    count = np.maximum(count, 0.5)
    return np.asarray(1.0 + 4.3 / np.sqrt(count) + 6.0 / count)


@dataclass(frozen=True)
class Cells:
    """What was received, phases undone: OFDM symbols by carriers.

    Attributes:
        seen: complex (rows, carriers).
        h: complex (carriers,), the channel; 0 of an empty carrier.
        sent: complex (rows, carriers), 0 where `kind` is not `KNOWN`.
        kind: uint8 (rows, carriers), one of those below.
        levels: amplitudes of one dimension of a square grid, float (levels,).
        window: share of an OFDM symbol, prefix included, that a spectrum sees.
    """

    KNOWN, GRID, GAUSSIAN, NOTHING = 0, 1, 2, 3

    seen: np.ndarray
    h: np.ndarray
    sent: np.ndarray
    kind: np.ndarray
    levels: np.ndarray
    window: float = 1.0

    def energies(self, variance: np.ndarray, decide: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Energy of each cell's error, and what the symbol itself adds to that of an unknown one.

        A symbol of a grid counts with every point as probable as it is at `variance`, if to `decide`.
        """
        if not (decide and self._grid.any()):
            return self._error, self._own
        power, y = self._unbiased
        error = self._error.copy()
        error[self._grid] = power * grid_posterior(y, variance[self._grid] / power, self.levels)[0]
        return error, self._own

    def expected(self, variance: np.ndarray, decide: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Each cell's symbol, complex (rows, carriers), and its power, as they are probable at `variance`;
        0 where nothing is known of it.

        decide: whether symbols of a grid are.
        """
        sent, power = self.sent.astype(complex), np.abs(self.sent).astype(float) ** 2
        if not (decide and self._grid.any()):
            return sent, power
        gain, y = self._unbiased
        _, sent[self._grid], power[self._grid] = grid_posterior(y, variance[self._grid] / gain, self.levels)
        return sent, power

    # What does not hang on the variance, which changes from round to round:
    @cached_property
    def _error(self) -> np.ndarray:
        """Energy of each cell less what is known of it, float (rows, carriers)."""
        return np.asarray(np.abs(self.seen - self.h * self.sent) ** 2)

    @cached_property
    def _own(self) -> np.ndarray:
        """Energy of a Gaussian symbol itself, 0 elsewhere, float (rows, carriers)."""
        return np.where(self.kind == self.GAUSSIAN, np.abs(self.h) ** 2, 0.0).astype(float)

    @cached_property
    def _grid(self) -> np.ndarray:
        """Cells whose symbol lies on a grid, bool (rows, carriers)."""
        return np.asarray(self.kind == self.GRID)

    @cached_property
    def _unbiased(self) -> tuple[np.ndarray, np.ndarray]:
        """Of these cells the channel's power, and the symbol with its noise, complex (n,)."""
        power = np.broadcast_to(np.abs(self.h) ** 2, self.kind.shape)[self._grid] + _LEAST
        return power, (self.seen * np.conj(self.h))[self._grid] / power


class Levels(NamedTuple):
    """Noise variances of a frame, that add up.

    Attributes:
        of_carrier: float (carriers,).
        of_row: float (rows,).
        local: of what moves over the carriers, float (rows, carriers).
        sweep: what that is, if it is one.
    """

    of_carrier: np.ndarray
    of_row: np.ndarray
    local: np.ndarray
    sweep: Sweep | None

    @property
    def field(self) -> np.ndarray:
        """Of each cell, float (rows, carriers)."""
        return self.of_carrier + self.of_row[:, None] + self.local


def noise_field(
    cells: Cells, floor: float, inside: np.ndarray, decide: bool = True, sweep: Sweep | None = None
) -> Levels:
    """Noise variance of each cell.

    Args:
        cells: what was received.
        floor: variance to begin with.
        inside: bool (carriers,), those in use; the others are empty, and say only which rows are hit.
        decide: whether symbols of a grid are looked at too; much work.
        sweep: one that was found with earlier estimates of the channel.
    """
    rows, carriers = cells.seen.shape
    known = cells.kind == cells.KNOWN
    energy = np.where(known, cells.energies(np.full((rows, carriers), floor), decide=False)[0], np.nan)
    of_carrier = _typical_levels(energy, floor, inside)
    whole = np.mean(known[:, inside], axis=1) > _WHOLE
    if whole.sum() >= _FEW_ROWS:  # what hits pilots later is a burst's, not that of all carriers with a pilot
        of_carrier = np.minimum(of_carrier, _typical_levels(energy[whole], floor, inside))
    levels = _levels(cells, of_carrier, inside, decide, sweep)
    if levels.sweep and sweep is None:  # rows and decisions were looked at before it was known
        levels = _levels(cells, of_carrier, inside, decide, levels.sweep)
    return levels


def _levels(
    cells: Cells, of_carrier: np.ndarray, inside: np.ndarray, decide: bool, sweep: Sweep | None
) -> Levels:
    """All of them in turn, until a sweep is found that was not known; of_carrier: to begin with."""
    of_row, local, known_before = np.zeros(len(cells.seen)), np.zeros(cells.seen.shape), sweep is not None
    if sweep:
        local = _of_sweep(sweep, cells)
    for turn in range(_ROUNDS if decide else _FIRST_ROUNDS):
        # Decisions do not show noise that is far above what they were made with: begin without them.
        looks = decide and turn >= _FIRST_ROUNDS
        variance = of_carrier + of_row[:, None] + local
        energy, own = cells.energies(variance, looks)
        counts = (cells.kind != cells.NOTHING) & (looks | (cells.kind != cells.GRID))
        weight = counts / (own + variance) ** 2
        if looks:
            of_carrier = _carrier_levels(energy - own - of_row[:, None] - local, weight, variance, inside)
        alone = counts / (own + of_carrier + local) ** 2  # weights of a row that nothing hits
        excess = energy - own - of_carrier - local
        seen = _where_hit(excess, alone, inside)
        of_row = _row_levels(excess, weight * seen, alone * seen, variance)
        if turn % 2 and looks == decide:
            local, sweep = _what_moves(cells, of_carrier + of_row[:, None], inside, sweep, looks)
            if sweep and not known_before:
                break
    return Levels(of_carrier, of_row, local, sweep)


def _of_sweep(sweep: Sweep, cells: Cells) -> np.ndarray:
    """Its energy in each cell, float (rows, carriers)."""
    shape = cells.seen.shape
    return sweep.levels(np.indices(shape, sparse=True), shape[1], cells.window)


def _typical_levels(energy: np.ndarray, floor: float, inside: np.ndarray) -> np.ndarray:
    """Level of each carrier by the median of its known cells, which a burst or a sweep does not move.

    energy: float (rows, carriers), NaN where not known.
    """
    count = np.sum(np.isfinite(energy), axis=0)
    middle = np.maximum((count - 1) // 2, 0)
    seen = np.sort(energy, axis=0)[middle, np.arange(len(count))]  # NaN comes last
    seen = np.where(count > 0, seen, floor)
    levels = np.asarray(seen / np.log(2.0) + _LEAST)
    for some in (inside & (count > 0), ~inside & (count > 0)):
        if some.any():
            levels[some] = _shrunk(levels[some], 0.7 * count[some])
    return levels


def _carrier_levels(
    energy: np.ndarray, weight: np.ndarray, variance: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """Level of each carrier: the common one where the observations do not say otherwise."""
    total = weight.sum(axis=0)
    found = np.maximum((energy * weight).sum(axis=0) / np.maximum(total, _LEAST), _LEAST)
    count = (weight * variance**2).sum(axis=0)  # observations that these weights are worth
    levels = found.copy()
    for some in (inside, ~inside):
        some = some & (count > 0)
        if some.any():
            levels[some] = _shrunk(found[some], count[some])
    return levels


def _shrunk(found: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Levels of carriers, mixed with the common one as far as they differ no more than chance has it."""
    common = max(float(np.sort(found)[int(_FEW * len(found))]), _LEAST)
    bound = most_by_chance(count)
    for _ in range(4):
        usual = found < common * bound
        common = max(float((found * count)[usual].sum()) / max(float(count[usual].sum()), _LEAST), _LEAST)
    by_chance = np.mean(1.0 / np.maximum(count[usual], 0.5))
    spread = np.mean((found[usual] / common - 1.0) ** 2) - by_chance
    sure = np.where(usual, 1.0 / max(spread, 2e-3), _SURE)
    return np.asarray((sure * common + count * found) / (sure + count))


def _where_hit(excess: np.ndarray, alone: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Cells that tell of a row's burst, bool: another transmitter leaves the carriers empty that we do, and
    these say nothing of it then.
    """
    used, empty = (
        (excess * alone * part).sum(axis=1) / ((alone * part).sum(axis=1) + _LEAST)
        for part in (inside, ~inside)
    )
    count = (alone * inside > 0).sum(axis=1)
    spread = 1.0 / np.sqrt((alone * inside).sum(axis=1) + _LEAST)
    beside = (count >= _FEW_CELLS) & (used > 6.0 * spread) & (used > 4.0 * empty)
    return inside | ~beside[:, None]


def _row_levels(
    energy: np.ndarray, weight: np.ndarray, alone: np.ndarray, variance: np.ndarray
) -> np.ndarray:
    """What each row has on top: of a burst its own estimate, of slow changes a moving mean, or nothing."""
    total, count = alone.sum(axis=1) + _LEAST, (alone > 0).sum(axis=1)
    found = (energy * alone).sum(axis=1) / total
    hit = found > (3.0 + 4.0 / np.sqrt(np.maximum(count, 1.0))) / np.sqrt(total)
    usual = np.where(hit, 0.0, total)
    window = np.ones(min(_TREND, len(found)))
    near = np.convolve(usual, window, "same") + _LEAST
    slow = np.convolve(usual * found, window, "same") / near
    slow = np.where(slow > 2.5 / np.sqrt(near), slow, 0.0)
    own = (energy * weight).sum(axis=1) / (weight.sum(axis=1) + _LEAST)
    worth = (weight * variance**2).sum(axis=1)  # observations that these weights are worth
    own = (worth * own + _SURE * slow) / (worth + _SURE)
    return np.where(hit, np.maximum(own, 0.0), slow)


def _what_moves(
    cells: Cells, variance: np.ndarray, inside: np.ndarray, sweep: Sweep | None, decide: bool
) -> tuple[np.ndarray, Sweep | None]:
    """What cells have on top that neither a carrier nor a row has, float (rows, carriers), and the sweep that
    it is, if it is one.

    sweep: the one found before; decide: whether symbols of a grid are looked at: without them, sweeps alone
    are found.
    """
    ours = (cells.kind != cells.NOTHING) & (decide | (cells.kind != cells.GRID)) & inside
    swept = _of_sweep(sweep, cells) if sweep else np.zeros(variance.shape)
    energy, own = cells.energies(variance + swept, decide)
    out = None
    if sweep is None:
        out = _standing_out(np.where(ours, energy / (own + variance), 0.0), ours)
        if not out.any():
            return swept, None
    sweep = find_sweep(energy, own + variance, ours, cells.window, sweep)
    if sweep:
        return _of_sweep(sweep, cells), sweep
    if decide and out is not None:
        return _local(cells, variance, energy, own, out), None
    return np.zeros(variance.shape), None


def _standing_out(ratio: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Cells of ours that together with neighbours have more than chance gives, bool (rows, carriers).

    ratio: energy over what is expected, 0 of others' cells.
    """
    out, number = np.zeros(ratio.shape, bool), ours.astype(float)
    for boxed in (_beside, _around, lambda values: _beside(values.T).T):
        count = boxed(number)
        over = boxed(ratio) > most_by_chance(count) * np.maximum(count, 1.0)
        if over.any():
            out |= boxed(over.astype(float)) > 0
    return out & ours


def _local(
    cells: Cells, variance: np.ndarray, energy: np.ndarray, own: np.ndarray, out: np.ndarray
) -> np.ndarray:
    """What cells have on top where neighbours together stand out: of what moves over the carriers; else 0.

    float (rows, carriers): the level around a cell times the probability that it is hit itself.
    energy, own: of :meth:`Cells.energies` at this variance; out: bool (rows, carriers), where they do.
    """
    hit, level, base = out.astype(float), np.zeros(out.shape), own + variance
    excess = level
    for _ in range(_LOCAL_ROUNDS):
        louder, _ = cells.energies(variance + level)
        excess = np.maximum(louder - base, 0.0)
        level = _around(hit * excess) / (_around(hit) + _LEAST)
        odds = base / (base + level) * np.exp(np.minimum(energy / base - louder / (base + level), 50.0))
        hit = np.where(out, _HIT * odds / (_HIT * odds + 1.0 - _HIT), 0.0)
    # Beside a sweep's centre levels fall steeply: a cell's own energy says more than its neighbours' mean.
    # This is about the mean of a level of any order of magnitude up to theirs that has shown that energy.
    own_level = np.maximum(np.maximum(excess, variance), _LEAST)
    return np.asarray(hit * own_level * (0.5 + np.log1p(level / own_level)))


def _beside(values: np.ndarray) -> np.ndarray:
    """Sum of each cell and the two beside it in its row, float (rows, carriers)."""
    total = values.copy()
    total[:, 1:] += values[:, :-1]
    total[:, :-1] += values[:, 1:]
    return total


def _around(values: np.ndarray) -> np.ndarray:
    """Sum of each cell and the eight around it, float (rows, carriers)."""
    return _beside(_beside(values).T).T
