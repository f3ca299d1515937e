"""A user's own part, hidden with its key.

Analogue symbols are permuted and each is turned by a phase and perhaps mirrored, all from a ChaCha20
keystream, three times with a Fourier transform between. Without the transforms the magnitudes stay as they
are, in another order, and tell much of a picture (``m4sc bench multiuser --sets hidden``); with them each
symbol is a sum of all, turned at random. Bytes go through ChaCha20-Poly1305, which also tells that they were
changed. Total energy and number of the symbols, when they are sent and what is public stay visible.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from m4sc.small_file import read_small_text

KEY_BYTES = 32
_RESERVED = 1 << 20  # nonces that a start sets aside, so that the file is written seldom
_DATA, _CHECK = b"\x01\x00", b"\x02\x00"
_STAGES = tuple(bytes([0, stage]) for stage in range(3))  # of analogue symbols
_LEAST_POWER, _MOST_POWER = 0.05, 20.0  # of a part's symbols, as a receiver may take it to be


class KeyFileError(ValueError):
    """No keys, or nothing to use them with."""


def _ciphers() -> tuple[Any, Any, type[Exception]]:
    """Authenticated cipher, encryptor of a keystream, and what a wrong key raises."""
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    except ImportError as exc:
        raise KeyFileError("hidden parts need the package cryptography (python3-cryptography)") from exc

    def keystream(key: bytes, start: bytes) -> Any:
        return Cipher(algorithms.ChaCha20(key, start), None).encryptor()

    return ChaCha20Poly1305, keystream, InvalidTag


@dataclass(frozen=True)
class UserKey:
    """Hides and shows one user's own part.

    Attributes:
        user_id: 16 bits; enters the nonce, so that one key for two users repeats no keystream.
        key: 32 bytes.
    """

    user_id: int
    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes; got {len(self.key)}")

    def hide(self, symbols: np.ndarray, nonce: int) -> np.ndarray:
        """Complex (n,) to complex64 (n,), of the same energy."""
        if not len(symbols):
            return np.zeros(0, np.complex64)
        out = self.turned(symbols, nonce, _STAGES[0])
        for stage in _STAGES[1:]:
            out = self.turned(np.fft.fft(out, norm="ortho"), nonce, stage)
        return np.asarray(out, np.complex64)

    def show(self, symbols: np.ndarray, noise_var: np.ndarray, nonce: int) -> tuple[np.ndarray, np.ndarray]:
        """Inverse of :meth:`hide`, for received symbols and their noise variances.

        Each symbol was spread over all, so that noise on a few is noise on all. With weights
        w = P / (P + noise_var) of the linear MMSE estimate, for symbols of mean power P, and their mean m, an
        unbiased symbol has the noise variance P (1 - m) / m, the same for all.
        """
        if not len(symbols):
            return np.zeros(0, np.complex64), np.zeros(0, np.float32)
        power = _power(symbols, noise_var)
        weights = power / (power + noise_var.astype(np.float64))
        mean = float(weights.mean())
        if mean <= 0:
            return np.zeros(len(symbols), np.complex64), np.full(len(symbols), np.inf, np.float32)
        out: np.ndarray = np.where(weights > 0, symbols, 0) * (weights / mean)
        for stage in reversed(_STAGES[1:]):
            out = np.fft.ifft(self._turned_back(out, nonce, stage), norm="ortho")
        out = self._turned_back(out, nonce, _STAGES[0])
        return out.astype(np.complex64), np.full(len(out), power * (1 - mean) / mean, np.float32)

    def turned(self, symbols: np.ndarray, nonce: int, stage: bytes = _STAGES[0]) -> np.ndarray:
        """Permuted, mirrored and turned: complex (n,) to (n,). Magnitudes stay: hides too little alone."""
        order, mirrored, turn = self._pattern(len(symbols), nonce, stage)
        out: np.ndarray = (np.where(mirrored, symbols.conj(), symbols) * turn)[order]
        return out

    def _turned_back(self, symbols: np.ndarray, nonce: int, stage: bytes) -> np.ndarray:
        order, mirrored, turn = self._pattern(len(symbols), nonce, stage)
        out = np.empty(len(symbols), np.complex128)
        out[order] = symbols
        out *= turn.conj()
        return np.where(mirrored, out.conj(), out)

    def lock(self, data: bytes, nonce: int) -> bytes:
        """Bytes to as many and 16 more."""
        return _ciphers()[0](self.key).encrypt(self._nonce(nonce, _DATA), data, None)

    def unlock(self, data: bytes, nonce: int) -> bytes | None:
        """Inverse of :meth:`lock`; None where the key is wrong or the bytes were changed."""
        aead, _, invalid = _ciphers()
        try:
            return aead(self.key).decrypt(self._nonce(nonce, _DATA), data, None)
        except invalid:
            return None

    def _nonce(self, nonce: int, what: bytes) -> bytes:
        """12 bytes of user, kind and number."""
        return self.user_id.to_bytes(2, "big") + what + nonce.to_bytes(8, "big")

    def check(self, nonce: int) -> int:
        """16 bits that tell this key from others."""
        return int.from_bytes(self._stream(2, nonce, _CHECK), "big")

    def _stream(self, size: int, nonce: int, what: bytes) -> bytes:
        start = (0).to_bytes(4, "little") + self._nonce(nonce, what)
        return bytes(_ciphers()[1](self.key, start).update(bytes(size)))

    def _pattern(self, count: int, nonce: int, stage: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Order of the symbols, which are mirrored, and the phase that each is turned by."""
        words = np.frombuffer(self._stream(16 * count, nonce, stage), "<u8").reshape(count, 2)
        order = np.argsort(words[:, 0], kind="stable")
        mirrored = (words[:, 1] & np.uint64(1)).astype(bool)
        turn = np.exp(2j * np.pi * (words[:, 1] >> np.uint64(1)).astype(np.float64) / 2.0**63)
        return order, mirrored, turn


def _power(symbols: np.ndarray, noise_var: np.ndarray) -> float:
    """Mean power of symbols without their noise, the clean ones counting most."""
    trust = 1.0 / (1.0 + noise_var.astype(np.float64)) ** 2
    there = trust > 0
    if not there.any():
        return 1.0
    excess = np.abs(symbols[there]) ** 2 - noise_var[there]
    return float(np.clip(np.average(excess, weights=trust[there]), _LEAST_POWER, _MOST_POWER))


class KeyRing:
    """Keys of users in a file that only its owner may read, and the nonces that were used with them.

    A start sets a range of nonces aside in the file before the first is used, and goes on behind it the next
    time: after a crash some are never used, but none is used twice.

    Args:
        path: of the file; made with the first key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: dict[int, bytes] = {}
        self._saved = self._next = self._limit = 0
        self._read()

    def _read(self) -> None:
        if not self.path.exists():
            return
        try:
            held = json.loads(read_small_text(self.path))
            self._keys = {int(user): bytes.fromhex(key) for user, key in held["keys"].items()}
            self._saved = int(held["next_nonce"])
            for user, key in self._keys.items():
                UserKey(user, key)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise KeyFileError(f"{self.path} holds no keys: make one with m4sc keys add") from exc

    @property
    def users(self) -> list[int]:
        """Who has a key."""
        return sorted(self._keys)

    def get(self, user_id: int) -> UserKey:
        """A user's key.

        Raises:
            KeyFileError: it has none.
        """
        if user_id not in self._keys:
            raise KeyFileError(f"{self.path} has no key for user {user_id}: make one with m4sc keys add")
        return UserKey(user_id, self._keys[user_id])

    def add(self, user_id: int, key: bytes | None = None) -> UserKey:
        """Keep a user's key, a new random one unless it is given.

        Raises:
            ValueError: the user has one already, or ids and key are out of range.
        """
        if not 0 <= user_id <= 0xFFFF:
            raise ValueError(f"user ids are 0 to 65535; got {user_id}")
        made = UserKey(user_id, secrets.token_bytes(KEY_BYTES) if key is None else key)
        with self._locked():
            if user_id in self._keys:
                raise ValueError(f"user {user_id} has a key already; remove it first")
            self._keys[user_id] = made.key
            self._write()
        return made

    def remove(self, user_id: int) -> None:
        """Forget a user's key; raises KeyFileError where it has none."""
        with self._locked():
            self.get(user_id)
            del self._keys[user_id]
            self._write()

    def nonce(self) -> int:
        """A number of 64 bits that was never given before, by this process or another."""
        if self._next >= self._limit:
            with self._locked():
                self._next, self._limit = self._saved, self._saved + _RESERVED
                self._saved = self._limit
                self._write()
        self._next += 1
        return self._next - 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The file as it is now, and nobody else changes it meanwhile."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            self._read()
            yield

    def _write(self) -> None:
        held = {
            "keys": {str(user): key.hex() for user, key in sorted(self._keys.items())},
            "next_nonce": self._saved,
        }
        scratch = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(held, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        scratch.replace(self.path)
