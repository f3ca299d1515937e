"""Mutated files for every decoder: read, or refused in a sentence, in bounded memory and time."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import brotli
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from m4sc.codecs.source_coding import source_decode, source_encode
from m4sc.coding.reconstruction.config import ReconstructionConfig
from m4sc.config import ModelConfig
from m4sc.encoders.hearing.config import HearingConfig
from m4sc.media.kinds import join_files
from m4sc.message import Message
from m4sc.phy.modulation.fsq import bytes_to_latents
from PIL import Image
from test_cases_pictures import file_of, memory_taken
from test_cases_sounds import FILES as SOUND_FILES
from test_cases_sounds import tone
from test_cases_texts import ENCODINGS

MOST_BYTES = 64 << 20
MOST_S = 1.0
PICTURE_KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "AVIF")


@cache
def seeds() -> dict[str, list[tuple[Callable[[bytes], object], bytes]]]:
    """By decoder: what reads, and whole files to mutate."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    picture = Image.fromarray(noise)
    pictures = [file_of(picture, kind) for kind in PICTURE_KINDS]
    pictures += [
        file_of(picture, "JPEG", progressive=True),
        file_of(picture, "TIFF", compression="tiff_lzw"),
        file_of(picture, "WEBP", lossless=True),
        file_of(picture, "WEBP", save_all=True, append_images=[picture.rotate(90)]),
        file_of(picture.convert("P"), "GIF", save_all=True, append_images=[picture.convert("P")]),
    ]
    sounds = [make() for name, make in SOUND_FILES.items() if "192" not in name]
    sounds = [raw[:6000] if len(raw) > 6000 else raw for raw in sounds]
    air = {
        "image": source_encode(Message("image", noise)),
        "speech": source_encode(Message("speech", tone(seconds=0.5))),
        "text": brotli.compress(b"two cats sleep on a red chair " * 5),
    }
    air["image+speech"] = join_files(air["image"], air["speech"])
    configs = [
        (c.from_json, c().to_json().encode()) for c in (ModelConfig, HearingConfig, ReconstructionConfig)
    ]
    return {
        "a picture file": [(lambda raw: Message.from_bytes(raw, "image"), raw) for raw in pictures],
        "a sound file": [(lambda raw: Message.from_bytes(raw, "speech"), raw) for raw in sounds],
        "a text file": [(lambda raw: Message.from_bytes(raw, "text"), raw) for raw in ENCODINGS.values()],
        "two files": [
            (lambda raw: Message.from_bytes(raw, "image+speech"), join_files(pictures[0], sounds[0][:2000]))
        ],
        **{
            f"{modality} from the air": [(lambda raw, m=modality: source_decode(raw, m), payload)]  # type: ignore[misc]
            for modality, payload in air.items()
        },
        "a configuration": [
            (lambda raw, read=read: read(raw.decode("utf-8", "replace")), text)  # type: ignore[misc]
            for read, text in configs
        ],
        "latents from the air": [(bytes_to_latents, bytes(range(64)))],
    }


DECODERS = (
    "a picture file", "a sound file", "a text file", "two files", "image from the air", "speech from the air",
    "text from the air", "image+speech from the air", "a configuration", "latents from the air",
)  # fmt: skip


def mutated(raw: bytes, rng: np.random.Generator) -> bytes:
    """A file with some of: bytes changed, a length field blown up, a piece cut out, doubled or cut off."""
    out = bytearray(raw)
    for _ in range(int(rng.integers(1, 6))):
        if not out:
            break
        # headers are short and hold the sizes: half of all changes fall there
        place = int(rng.integers(0, min(len(out), 64) if rng.random() < 0.5 else len(out)))
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


def decode(read: Callable[[bytes], object], payload: bytes) -> None:
    """Read or refuse in one sentence; anything else fails."""
    try:
        read(payload)
    except ValueError as exc:  # MessageError is one
        assert str(exc) and type(exc).__module__.split(".")[0] in ("m4sc", "builtins"), repr(exc)


def feed(decoder: str, count: int, seed: int) -> None:
    """Feed a decoder with mutated files; each is bounded in time, all together in memory."""
    rng, whole = np.random.default_rng(seed), seeds()[decoder]
    for read, raw in whole:
        decode(read, raw)  # imports and caches are paid for

    def run() -> None:
        for _ in range(count):
            read, raw = whole[int(rng.integers(0, len(whole)))]
            payload = mutated(raw, rng)
            began = time.process_time()
            decode(read, payload)
            taken = time.process_time() - began
            assert taken < MOST_S, f"{taken:.1f} s: {payload[:64].hex()}"

    # of a picture of the largest size: a decoder's canvas and its copy, Pillow's pixels, those without alpha
    assert memory_taken(run) < (5 if "file" in decoder else 1) * MOST_BYTES


@pytest.mark.parametrize("decoder", DECODERS)
def test_mutated_files(decoder: str) -> None:
    feed(decoder, 150, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_hundred_thousand_mutated_files(decoder: str) -> None:
    feed(decoder, 100_000, seed=2)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw=st.binary(max_size=300), decoder=st.sampled_from(DECODERS))
def test_any_bytes(raw: bytes, decoder: str) -> None:
    decode(seeds()[decoder][0][0], raw)


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_every_kind_of_picture_is_read(kind: str) -> None:
    raw = file_of(Image.new("RGB", (32, 24), "red"), kind)
    picture = Message.from_bytes(raw, "image").data
    assert picture.shape == (24, 32, 3) and picture[..., 0].min() > 200 and picture[..., 1:].max() < 60


def test_the_mutations_reach_the_sizes() -> None:
    """They would be of little use if no file claimed to be large, or none stayed whole."""
    rng, fates = np.random.default_rng(3), set()
    raw = file_of(Image.new("RGB", (32, 24)), "BMP")
    for _ in range(400):
        try:
            fates.add(Message.from_bytes(mutated(raw, rng), "image").data.shape[0] > 0)
        except ValueError as exc:
            fates.add("too large" in str(exc) and "large")
    assert {True, False, "large"} <= fates


def test_files_of_a_page_or_a_program_are_refused() -> None:
    for payload in (b"<!doctype html><p>cat", b"MZ\x90\0" + bytes(60), b"%PDF-1.7\n", b"PK\3\4" + bytes(26)):
        for modality in ("image", "speech"):
            with pytest.raises(ValueError, match=r"cannot be read|not a picture"):
                Message.from_bytes(payload, modality)
