"""A carrier that sweeps through the band: one line over carriers and OFDM symbols, with a known spectrum.

What a sweep (a linear chirp) puts on each cell follows from its slope, its place and its power. Three numbers
fitted to all cells of a frame say more of each than the cell's own energy, or its neighbours', does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from m4sc.phy.fec.compiled import compiled

_STEEPEST = 4.0  # carriers an OFDM symbol
_MOST_ROWS = 128  # OFDM symbols of a frame
_PLACES = 2  # of a carrier, in the search
_TRIED = 2  # lines of the search that are fitted
_LEAST_GAIN = 30.0  # of log likelihood: noise alone reached 14 in 1,500 frames
_COARSE, _FINER = 0.03, (3e-3, 3e-4)  # see `_Cells.loss`
_MOST_TRIES = 60  # of one fit
_PADDED = 16  # places of a carrier, in the template
_STEPS = 50  # templates for each carrier that is swept in a window
_LEAST = 1e-12

Places = tuple[np.ndarray, ...]  # rows and carriers of cells


class Sweep(NamedTuple):
    """slope: carriers an OFDM symbol; place: carrier number at row 0; power: of all its carriers together."""

    slope: float
    place: float
    power: float

    def levels(self, places: Places, carriers: int, window: float) -> np.ndarray:
        """Its energy in cells, float, of the shape of both `places` together.

        places: rows and carriers; carriers: of a spectrum; window: share of an OFDM symbol that one sees.
        """
        row, carrier = np.broadcast_arrays(*places)
        shape = _spectrum(self.slope * window, carriers)
        found = _levels(row.ravel(), carrier.ravel(), carriers, *self, shape)
        return np.asarray(found.reshape(row.shape))


@compiled
def _levels(row, carrier, carriers, slope, place, power, shape):  # type: ignore[no-untyped-def]
    """Of :meth:`Sweep.levels`, float64 (n,); row, carrier: int64 (n,); shape: that of :func:`_spectrum`."""
    found = np.empty(len(row))
    for i in range(len(row)):
        at = ((carrier[i] - place - slope * row[i]) % carriers) * _PADDED
        low = min(np.int64(at), _PADDED * carriers - 1)
        found[i] = power * ((low + 1 - at) * shape[low] + (at - low) * shape[low + 1])
    return found


@compiled
def _loss(energy, usual, blur, level):  # type: ignore[no-untyped-def]
    """Sum of energy over what is expected, and its logarithm: less log likelihood of exponential energies."""
    total = 0.0
    for i in range(len(energy)):
        expected = usual[i] + blur + level[i]
        total += energy[i] / expected + np.log(expected)
    return total


def find_sweep(
    energy: np.ndarray, usual: np.ndarray, ours: np.ndarray, window: float, near: Sweep | None = None
) -> Sweep | None:
    """The sweep that explains most of what cells have beyond the usual; None where none stands out, and in
    frames of more than `_MOST_ROWS`, over which the search would not be sure of the slope and take long.

    Args:
        energy: of each cell's error, float (rows, carriers), carriers by frequency.
        usual: what it is expected to be without a sweep.
        ours: bool (rows, carriers), cells that are looked at.
        window: share of an OFDM symbol that a spectrum sees.
        near: where it was found before; None to search all lines.
    """
    if len(energy) > _MOST_ROWS:
        return None
    cells = _Cells(energy[ours], usual[ours] + _LEAST, np.nonzero(ours), energy.shape, window)
    sweep = near
    if sweep is None:
        starts = [cells.fit(line, _COARSE) for line in _likely_lines(energy, usual, ours)]
        sweep = min(starts, key=lambda line: cells.loss(line, _COARSE))
        for blur in _FINER:
            sweep = cells.fit(sweep, blur)
    sweep = cells.fit(sweep, 0.0)
    return sweep if cells.gain(sweep) > _LEAST_GAIN else None


def _spectrum(swept: float, carriers: int) -> np.ndarray:
    """Energy at so many `_PADDED`-ths of a carrier behind a sweep's middle, of which the sum over carriers is
    1, float (carriers * _PADDED + 1,); swept: carriers during the window."""
    return _table(round(swept * _STEPS), carriers)


@lru_cache(maxsize=1024)
def _table(steps: int, carriers: int) -> np.ndarray:
    swept = steps / _STEPS
    time = (np.arange(carriers) - (carriers - 1) / 2) / carriers
    wave = np.exp(1j * np.pi * swept * time**2)
    found = np.abs(np.fft.fft(wave, carriers * _PADDED)) ** 2 / carriers**2
    return np.append(found, found[0])


def _likely_lines(energy: np.ndarray, usual: np.ndarray, ours: np.ndarray) -> list[Sweep]:
    """Lines over which most is beyond the usual, of every slope and place."""
    row, carrier = np.nonzero(ours)
    # by orders of magnitude: a strong sweep's own tails are far beyond the usual, too
    seen = np.log1p(energy[ours] / (usual[ours] + _LEAST))
    beyond = seen - seen.mean()
    rows, carriers = energy.shape
    slopes, size = np.arange(-_STEEPEST, _STEEPEST, 1.0 / max(rows, 2)), _PLACES * carriers
    shape = len(slopes), size
    sums, counts = np.empty(shape), np.empty(shape)
    for number, slope in enumerate(slopes):
        place = np.floor((carrier - slope * row) * _PLACES).astype(np.int64) % size
        sums[number] = np.bincount(place, beyond, size)
        counts[number] = np.bincount(place, minlength=size)
    near = [values + np.roll(values, 1, 1) + np.roll(values, -1, 1) for values in (sums, counts)]
    score = near[0] / np.sqrt(np.maximum(near[1], 1.0))
    found = []
    for _ in range(_TRIED):
        at = np.unravel_index(int(np.argmax(score)), shape)
        place, level = float(at[1] + 0.5) / _PLACES, near[0][at] / max(near[1][at], 1.0) + seen.mean()
        power = 2.0 * float(np.exp(level) * np.median(usual[ours]))  # about half of it lies on the line
        found.append(Sweep(float(slopes[at[0]]), place, power + _LEAST))
        low = max(at[0] - rows // 8, 0)
        score[low : at[0] + rows // 8 + 1, (at[1] + np.arange(-6, 7)) % size] = 0.0
    return found


class _Cells(NamedTuple):
    """energy, usual: float (n,); places: rows and carriers of them, int (n,) each; shape: rows and carriers
    of the frame; window: share of an OFDM symbol that a spectrum sees."""

    energy: np.ndarray
    usual: np.ndarray
    places: Places
    shape: tuple[int, ...]
    window: float

    def loss(self, sweep: Sweep, blur: float) -> float:
        """Less log likelihood of exponential energies; blur: share of the loudest that all cells have on top,
        without which a line a little aside of a strong sweep would be as bad as one far off."""
        shape = _spectrum(sweep.slope * self.window, self.shape[1])
        level = _levels(*self.places, self.shape[1], *sweep, shape)
        return float(_loss(self.energy, self.usual, blur * self.energy.max(), level))

    def gain(self, sweep: Sweep) -> float:
        """Log likelihood that it gains."""
        return self.loss(sweep._replace(power=0.0), 0.0) - self.loss(sweep, 0.0)

    def fit(self, start: Sweep, blur: float) -> Sweep:
        """The likeliest one near another."""
        middle = 0.5 * (self.shape[0] - 1)  # where slope and place can be told apart best

        def of(values: np.ndarray) -> Sweep:
            return Sweep(values[0], values[1] - values[0] * middle, float(np.exp(values[2])))

        first = np.array([start.slope, start.place + start.slope * middle, np.log(start.power)])
        steps = np.array([0.5 / self.shape[0], 0.25, 0.5])
        found = minimize(
            lambda values: self.loss(of(values), blur),
            first,
            method="Nelder-Mead",
            options={"initial_simplex": np.vstack([first, first + np.diag(steps)]), "maxfev": _MOST_TRIES},
        )
        return of(found.x)
