"""Mutated inputs for every decoder: read, or refused in a sentence, in bounded memory and time.

`m4sc bench handed-in --only mutations` feeds each with 100,000 in a process of its own.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from m4sc.message import Message
from m4sc_app.bench.trials.decoders import DECODERS, Inputs
from m4sc_app.bench.trials.mutation import DecoderError, decode, feed, mutated, mutated_json
from m4sc_app.bench.trials.mutation_trial import MOST_BYTES, MOST_S, mutation_trial
from m4sc_app.bench.trials.sample_files import PICTURE_KINDS, picture_file
from PIL import Image
from test_cases_pictures import memory_taken


@cache
def inputs(decoder: str) -> Inputs:
    return DECODERS[decoder]()


@pytest.mark.parametrize("decoder", DECODERS)
def test_mutated_inputs(decoder: str) -> None:
    slowest = 0.0

    def after(seconds: float) -> None:
        nonlocal slowest
        slowest = max(slowest, seconds)

    def run() -> None:
        assert feed(inputs(decoder), 150, seed=1, after=after) < 151

    # of a picture of the largest size: a decoder's canvas and its copy, Pillow's pixels, those without alpha
    assert memory_taken(run) < 5 * MOST_BYTES
    assert slowest < MOST_S


def test_a_child_counts_what_decoding_costs() -> None:
    found = mutation_trial("a text file", 50, seed=3)
    assert found["fault"] == "" and found["inputs"] == 50 and 0 < found["read"] < 50
    assert found["largest_bytes"] is None or 100 < found["largest_bytes"] < MOST_BYTES
    assert (
        0 <= found["slowest_s"] < MOST_S and not found["costly"]
    )  # 0 where processor time is counted in ticks


BAD = """
import os, time
def dies(raw): return raw == b"123456789" or os.abort()
def raises(raw): return raw == b"123456789" or {}[raw]
def takes(raw): return bytes(70_000_000)
def thinks(raw):
    until = time.process_time() + 0.2
    while time.process_time() < until: pass
DECODERS = {one.__name__: lambda one=one: [(one, b"123456789")] for one in (dies, raises, takes, thinks)}
"""


def test_a_decoder_that_dies_or_takes_too_much_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad_decoders.py").write_text(BAD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    dies, raises, takes, thinks = (
        mutation_trial(name, count, 1, "bad_decoders")
        for name, count in {"dies": 20, "raises": 20, "takes": 20, "thinks": 2}.items()
    )
    assert "SIGABRT" in dies["fault"] and dies["input"]
    assert "KeyError" in raises["fault"] and raises["input"]
    assert takes["fault"] == ""
    if takes["largest_bytes"] is not None:
        assert takes["largest_bytes"] >= 70_000_000 and takes["costly"]["largest_bytes"]
    assert 0.1 < thinks["slowest_s"] < MOST_S


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw=st.binary(max_size=300), decoder=st.sampled_from(list(DECODERS)))
def test_any_bytes(raw: bytes, decoder: str) -> None:
    decode(inputs(decoder)[0][0], raw)


def test_what_a_decoder_may_not_do_is_a_fault() -> None:
    def careless(raw: bytes) -> None:
        raise KeyError(raw)

    with pytest.raises(DecoderError, match="KeyError"):
        decode(careless, b"")


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_every_kind_of_picture_is_read(kind: str) -> None:
    raw = picture_file(Image.new("RGB", (32, 24), "red"), kind)
    picture = Message.from_bytes(raw, "image").data
    assert picture.shape == (24, 32, 3) and picture[..., 0].min() > 200 and picture[..., 1:].max() < 60


def test_the_mutations_reach_the_sizes() -> None:
    """They would be of little use if no file claimed to be large, or none stayed whole."""
    rng, fates = np.random.default_rng(3), set()
    raw = picture_file(Image.new("RGB", (32, 24)), "BMP")
    for _ in range(400):
        try:
            fates.add(Message.from_bytes(mutated(raw, rng), "image").data.shape[0] > 0)
        except ValueError as exc:
            fates.add("too large" in str(exc) and "large")
    assert {True, False, "large"} <= fates


def test_values_of_json_are_changed_however_deep() -> None:
    rng = np.random.default_rng(0)
    made = {mutated_json(b'{"a": {"b": [1, 2]}, "c": 3}', rng) for _ in range(60)}
    assert len(made) > 40 and any(b'"b": [1,' in text for text in made) and any(b'"c": 3' in t for t in made)
    assert mutated_json(b"{", rng) != b'{"a": 1}'


def test_files_of_a_page_or_a_program_are_refused() -> None:
    for payload in (b"<!doctype html><p>cat", b"MZ\x90\0" + bytes(60), b"%PDF-1.7\n", b"PK\3\4" + bytes(26)):
        for modality in ("image", "speech"):
            with pytest.raises(ValueError, match=r"cannot be read|not a picture"):
                Message.from_bytes(payload, modality)
