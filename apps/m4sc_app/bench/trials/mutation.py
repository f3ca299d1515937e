"""Inputs changed at random; a decoder may read them, or refuse them in one sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

from m4sc_app.bench.trials.decoders import Inputs, Read

_HEAD = 64  # bytes: headers are short and hold the sizes, so half of all changes fall there
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 3, 2**31, 2**64, 10**400, 0.5, -1e308, 1e-308, float("nan"), float("inf"), "", "inf",
    "a" * 5000, "\0", [], {}, [[]], [1, "a", None], {"a": 1}, [0] * 3000, [[[[[[1]]]]]],
)  # fmt: skip
_OURS = ("m4sc", "m4sc_app", "m4sc_flowgraphs", "builtins", "json")


class DecoderError(AssertionError):
    """A decoder raised what is no refusal."""


def mutated(raw: bytes, rng: np.random.Generator) -> bytes:
    """An input with some of: bytes changed, a length field blown up, a piece cut out, doubled or cut off."""
    out = bytearray(raw)
    for _ in range(int(rng.integers(1, 6))):
        if not out:
            break
        place = int(rng.integers(0, min(len(out), _HEAD) if rng.random() < 0.5 else len(out)))
        kind, width = int(rng.integers(0, 6)), int(rng.integers(1, 9))
        if kind == 0:
            out[place] = int(rng.integers(0, 256))
        elif kind == 1:
            out[place] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            out[place : place + width] = bytes([int(rng.choice((0, 0x7F, 0x80, 0xFF)))] * width)
        elif kind == 3:
            del out[place : place + width * int(rng.integers(1, 20))]
        elif kind == 4:
            out[place:place] = out[place : place + width * int(rng.integers(1, 20))]
        else:
            del out[place:]
    return bytes(out)


def mutated_json(raw: bytes, rng: np.random.Generator) -> bytes:
    """A JSON object of which some values, however deep, are others; what is no JSON is mutated as bytes."""
    try:
        whole = json.loads(raw)
    except ValueError:
        return mutated(raw, rng)
    for _ in range(int(rng.integers(1, 4))):
        part = whole
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            if not keys:
                break
            key = keys[int(rng.integers(0, len(keys)))]
            if isinstance(part[key], dict | list) and rng.random() < 0.7:
                part = part[key]
                continue
            part[key] = deepcopy(_VALUES[int(rng.integers(0, len(_VALUES)))])
            break
    return json.dumps(whole).encode()


def decode(read: Read, payload: bytes) -> bool:
    """Give a decoder an input; returns whether it was read.

    Raises:
        DecoderError: it was neither read nor refused by a ValueError of ours.
    """
    try:
        read(payload)
    except ValueError as exc:  # MessageError, RecordingError, HeaderError are
        if not str(exc) or type(exc).__module__.split(".")[0] not in _OURS:
            raise DecoderError(f"{type(exc).__name__}: {exc}") from exc
        return False
    except Exception as exc:
        raise DecoderError(f"{type(exc).__name__}: {exc}") from exc
    return True


def feed(
    whole: Inputs,
    count: int,
    seed: int,
    before: Callable[[bytes], None] | None = None,
    after: Callable[[float], None] | None = None,
) -> int:
    """Feed a decoder with mutated inputs.

    Args:
        whole: the decoder with whole inputs (:data:`m4sc_app.bench.trials.decoders.DECODERS`).
        count: inputs.
        seed: of the mutations.
        before: gets each input before it is decoded.
        after: gets the processor time that it took, s; of a whole input first, which pays for imports, none.

    Returns:
        How many were read in spite of it.

    Raises:
        DecoderError: as :func:`decode`.
    """
    rng = np.random.default_rng(seed)
    for read, raw in whole:
        if not decode(read, raw):
            raise DecoderError(f"a whole input was refused, {raw[:16]!r}...")
    done = 0
    for _ in range(count):
        read, raw = whole[int(rng.integers(0, len(whole)))]
        is_json = raw.startswith(b"{") and rng.random() < 0.7
        payload = mutated_json(raw, rng) if is_json else mutated(raw, rng)
        if before is not None:
            before(payload)
        started = time.process_time()
        done += decode(read, payload)
        if after is not None:
            after(time.process_time() - started)
    return done
