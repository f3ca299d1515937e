"""What a user learns of its own message from another task's symbols of the same source that are public.

The points that two tasks make of one picture are correlated. The receiver has the linear MMSE estimate of its
own symbols from the other task's, with the variance that is left, and takes it together with the symbols that
it received: side information at the decoder (Wyner and Ziv, 1976), in its Gaussian form. The transmitter does
nothing for it. That both are of one source the receiver finds out by itself: only then does the estimate
explain what it received better than no estimate does.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from m4sc.codecs.base import Received
from m4sc.json_fields import from_json
from m4sc.shipped import weights_folder
from m4sc.tasks import get_task

_RIDGE = 1e-3  # of the other symbols' covariance, whose units have a variance near 1/2
_NEVER = 1e6  # noise variance of a symbol that did not arrive
_LEAST_LEFT = 0.02  # of a symbol's variance that the estimate leaves at least: few pictures were fitted to
_EVIDENCE = 3.0  # log likelihood ratio from which two messages are of one source: twenty to one


@dataclass(frozen=True)
class AsideConfig:
    """Which tasks' symbols, and how many complex ones of each."""

    own: str = "caption"
    other: str = "vqa"
    own_symbols: int = 128
    other_symbols: int = 64

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)


@dataclass(frozen=True)
class Aside:
    """Second moments of two tasks' symbols of one source, I and Q as reals in turn.

    Attributes:
        config: of which tasks.
        own_mean, own_var: float64 (2 own,).
        other_mean, other_cov: float64 (2 other,) and (2 other, 2 other).
        cross: float64 (2 own, 2 other).
    """

    config: AsideConfig
    own_mean: np.ndarray
    own_var: np.ndarray
    other_mean: np.ndarray
    other_cov: np.ndarray
    cross: np.ndarray

    @property
    def task_ids(self) -> tuple[int, int]:
        """Numbers of the own task and of the other."""
        return get_task(self.config.own).task_id, get_task(self.config.other).task_id

    @classmethod
    def fit(cls, own: np.ndarray, other: np.ndarray, config: AsideConfig | None = None) -> Aside:
        """Of symbols as they are sent.

        Args:
            own, other: complex (n, own symbols) and (n, other symbols), of n sources.

        Raises:
            ValueError: other numbers of symbols than the configuration has, or too few sources.
        """
        config = AsideConfig() if config is None else config
        x, z = _reals(own), _reals(other)
        if x.shape[1] != 2 * config.own_symbols or z.shape[1] != 2 * config.other_symbols:
            raise ValueError(f"messages of {own.shape[1]} and {other.shape[1]} symbols do not fit {config}")
        if len(x) != len(z) or len(x) < z.shape[1]:
            raise ValueError(f"{len(x)} and {len(z)} messages; give as many of each, at least {z.shape[1]}")
        a, b = x - x.mean(0), z - z.mean(0)
        return cls(config, x.mean(0), (a**2).mean(0), z.mean(0), b.T @ b / len(b), a.T @ b / len(a))

    def estimate(self, other: Received) -> tuple[np.ndarray, np.ndarray]:
        """Own reals from the other task's received symbols: means and what variance is left, (2 own,)."""
        z, noise = _reals(other.symbols[None])[0], _noise(other)
        there = noise < _NEVER
        z = np.where(there, z, self.other_mean)
        cov = self.other_cov + np.diag(noise + _RIDGE)
        weights = np.linalg.solve(cov, self.cross.T)  # (2 other, 2 own)
        left = self.own_var - np.sum(self.cross * weights.T, axis=1)
        return self.own_mean + (z - self.other_mean) @ weights, np.maximum(left, _LEAST_LEFT * self.own_var)

    def joined(self, own: Received, other: Received) -> Received | None:
        """Own symbols with what the other's say of them; None where they are of two sources, or nobody knows.

        The result has the noise variances of symbols that would say as much.
        """
        c = self.config
        if len(own.symbols) != c.own_symbols or len(other.symbols) != c.other_symbols:
            return None
        (mean, left), y, noise = self.estimate(other), _reals(own.symbols[None])[0], _noise(own)
        if self._evidence(y, noise, mean, left) < _EVIDENCE:
            return None
        found = (left * y + noise * mean) / (left + noise)
        sure = left * noise / (left + noise)  # variance that is left of each real
        # as noise beside a prior of zero mean, which is what a decoder has
        equal = sure * self.own_var / np.maximum(self.own_var - sure, 1e-9 * self.own_var)
        of_symbol = equal.reshape(-1, 2).mean(axis=1)
        symbols = found * (1 + np.repeat(of_symbol, 2) / self.own_var)
        pairs = symbols.reshape(-1, 2)
        return Received(
            (pairs[:, 0] + 1j * pairs[:, 1]).astype(np.complex64),
            (2 * of_symbol).astype(np.float32),
            min_confidence=own.min_confidence,
        )

    def _evidence(self, y: np.ndarray, noise: np.ndarray, mean: np.ndarray, left: np.ndarray) -> float:
        """Log likelihood of received reals with the estimate less that without."""
        there = noise < _NEVER
        apart, near = (self.own_var + noise)[there], (left + noise)[there]
        without = np.log(apart) + (y - self.own_mean)[there] ** 2 / apart
        with_it = np.log(near) + (y - mean)[there] ** 2 / near
        return 0.5 * float(np.sum(without - with_it))


def _reals(symbols: np.ndarray) -> np.ndarray:
    """Complex (n, k) to float64 (n, 2 k)."""
    return np.stack([symbols.real, symbols.imag], -1).astype(np.float64).reshape(len(symbols), -1)


def _noise(received: Received) -> np.ndarray:
    """Noise variance of each real, bounded, float64 (2 k,)."""
    half = np.minimum(np.asarray(received.noise_var, np.float64) / 2, _NEVER)
    return np.repeat(np.maximum(half, 1e-9), 2)


_TENSORS = ("own_mean", "own_var", "other_mean", "other_cov", "cross")


def save_aside(aside: Aside, folder: Path) -> None:
    """Write ``model.safetensors`` and ``config.json``."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: np.ascontiguousarray(getattr(aside, name), np.float32) for name in _TENSORS}
    save_file(tensors, str(folder / "model.safetensors"))
    (folder / "config.json").write_text(aside.config.to_json() + "\n", encoding="utf-8")


def load_aside(folder: Path) -> Aside:
    """Inverse of :func:`save_aside`.

    Raises:
        ValueError: files that are none, or that do not fit one another.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    text = (folder / "config.json").read_text(encoding="utf-8")
    config = from_json(AsideConfig, text, "a configuration of symbols beside others")
    try:
        found = load_file(str(folder / "model.safetensors"))
    except SafetensorError as exc:
        raise ValueError(f"{folder} has a broken model.safetensors ({exc}); copy it again") from exc
    own, other = 2 * config.own_symbols, 2 * config.other_symbols
    shapes = ((own,), (own,), (other,), (other, other), (own, other))
    if {name: value.shape for name, value in found.items()} != dict(zip(_TENSORS, shapes, strict=True)):
        raise ValueError(f"the tensors of {folder} do not fit its configuration; copy it again")
    return Aside(config, *(found[name].astype(np.float64) for name in _TENSORS))


@lru_cache(1)
def shipped_aside() -> Aside | None:
    """What comes with the project; None where it does not."""
    try:
        return load_aside(weights_folder("aside"))
    except (ValueError, OSError):
        return None
