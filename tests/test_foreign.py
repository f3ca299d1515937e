"""Somebody else's encoder and decoder through our frames."""

import hashlib
import json
import zlib
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from m4sc.codecs.base import Answer, Received
from m4sc.codecs.rivals.foreign import ForeignCodec, foreign_pair
from m4sc.data.example import Example
from m4sc.evaluate.link_way import LinkWay
from m4sc.evaluate.sweep.config import SweepConfigError, SystemSpec, read_config
from m4sc.evaluate.sweep.ground import Ground
from m4sc.evaluate.sweep.systems import build
from m4sc.message import Message
from m4sc.tasks import get_task

PICTURE = np.random.default_rng(0).integers(256, size=(8, 8, 3), dtype=np.uint8)


def squeeze(picture: np.ndarray) -> bytes:
    return zlib.compress(picture.tobytes())


def unsqueeze(data: bytes) -> np.ndarray:
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(8, 8, 3)


class Analogue:
    """Two pixels a symbol, as they are."""

    def __call__(self, *given: np.ndarray) -> np.ndarray:
        if len(given) == 1:
            return (given[0].reshape(-1, 2) / 127.5 - 1).astype(np.float32)
        symbols, noise_var = given
        assert len(noise_var) == len(symbols) == 96
        pixels = np.stack([symbols.real, symbols.imag], -1).reshape(8, 8, 3)
        return np.clip((pixels * SCALE + 1) * 127.5, 0, 255).round().astype(np.uint8)


SCALE = float(np.sqrt(np.mean(np.sum((PICTURE.reshape(-1, 2) / 127.5 - 1) ** 2, -1))))


def wrong(*given: object) -> dict:
    return {}


def silent(picture: np.ndarray) -> np.ndarray:
    return np.zeros(4, np.complex64)


def examples(n: int = 3) -> list[Example]:
    return [Example(str(i), "image", "reconstruct", "", (), "", PICTURE, str(i)) for i in range(n)]


def read(message: Message, task: object, instruction: str | None) -> Answer:
    return Answer("", np.asarray(message.data), 0.0)


def system(encoder: str, decoder: str, **more):
    spec = SystemSpec("theirs", "foreign", ("reconstruct",), encoder=encoder, decoder=decoder, **more)
    return build(
        spec, "reconstruct", Ground(SimpleNamespace(read=read), [], 0, way=LinkWay(), choosing=LinkWay())
    )


def test_bytes_of_a_pair_of_functions_cross_with_the_scheme_of_the_point() -> None:
    built = system("test_foreign:squeeze", "test_foreign:unsqueeze")
    rngs = [np.random.default_rng(i) for i in range(3)]
    sent = built.system.send_all(examples(), "awgn", 12.0, rngs)
    assert all((delivery.said == PICTURE).all() for delivery in sent) and sent[0].frames == 1
    assert built.system.used[("awgn", 12.0)] and "test_foreign:squeeze" in built.chosen
    assert (built.system.all_without_channel(examples())[0] == PICTURE).all()
    slower = system("test_foreign:squeeze", "test_foreign:unsqueeze", mcs=0).system
    assert slower.send_all(examples(), "awgn", 12.0, rngs)[0].air_time_s > sent[0].air_time_s
    lost = slower.send_all(examples(), "awgn", -25.0, rngs)
    assert all(delivery.said is None and delivery.frames_lost for delivery in lost)


def test_symbols_of_a_class_cross_as_they_are_and_degrade_with_the_noise() -> None:
    own = system("test_foreign:Analogue", "test_foreign:Analogue").system
    rngs = [np.random.default_rng(i) for i in range(3)]
    errors = []
    for snr_db in (25.0, 5.0):
        sent = own.send_all(examples(), "awgn", snr_db, rngs)
        assert [delivery.symbols for delivery in sent] == [96] * 3
        errors.append(np.mean([np.abs(d.said.astype(float) - PICTURE).mean() for d in sent]))
    clean = np.abs(own.all_without_channel(examples())[0].astype(float) - PICTURE).mean()
    assert clean < 1 < errors[0] < errors[1] / 2


@pytest.mark.parametrize(
    ("encoder", "decoder", "told"),
    [
        ("no_such_module:f", "zlib:compress", "no_such_module"),
        ("zlib:nothing", "zlib:compress", "nothing"),
        ("zlib:ZLIB_VERSION", "zlib:compress", "no function"),
        ("zlib", "zlib:compress", "package.module:function"),
        ("hf:/nowhere/at/all", "hf:/nowhere/at/all", "cannot be loaded"),
        ("hf:one", "zlib:compress", "the same"),
    ],
)
def test_names_that_lead_nowhere_are_told(encoder: str, decoder: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        foreign_pair(encoder, decoder)


def test_what_is_no_payload_or_no_message_is_told() -> None:
    task, message = get_task("reconstruct"), Message("image", PICTURE)
    for encode, told in ((wrong, "give bytes"), (silent, "all zero"), (lambda _: b"", "no bytes")):
        with pytest.raises(ValueError, match=told):
            ForeignCodec(None, encode, wrong).encode(message, task, None)
    with pytest.raises(ValueError):
        ForeignCodec(None, squeeze, wrong).decode(Received(data=b"a"), task)


SWEEP = """\
channels: [{channel: awgn, snr_db: [0]}]
tasks: [classify]
systems:
  theirs: {codec: foreign, encoder: "pkg:f", decoder: "pkg:g", tasks: [classify]}
  ours: {codec: semantic}
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (', decoder: "pkg:g"', "", 4),
        (", tasks: [classify]}", "}", 4),
        ('"pkg:f"', "pkg", 4),
        ("{codec: semantic}", '{codec: semantic, encoder: "a:b"}', 5),
    ],
)
def test_a_pair_that_is_not_one_is_told_with_its_line(old: str, new: str, line: int) -> None:
    assert old in SWEEP
    with pytest.raises(SweepConfigError, match=f"line {line}:"):
        read_config(SWEEP.replace(old, new), "s.yaml")


def test_the_pair_is_part_of_what_its_rows_depend_on() -> None:
    config = read_config(SWEEP, "s.yaml")
    other = read_config(SWEEP.replace("pkg:f", "pkg:h"), "s.yaml")
    assert config.digest_of(config.systems[0]) != other.digest_of(other.systems[0])
    assert config.digest_of(config.systems[1]) == other.digest_of(other.systems[1])


def test_a_system_without_a_pair_is_the_system_that_it_was_before_there_were_pairs() -> None:
    """Keys of the configuration that are new must not make another system of each that has them not."""
    config = read_config(SWEEP, "s.yaml")
    told = {
        key: value for key, value in asdict(config.systems[1]).items() if key not in ("encoder", "decoder")
    }
    digest = hashlib.sha256(json.dumps({**told, "tasks": ()}, sort_keys=True).encode()).hexdigest()[:8]
    assert config.digest_of(config.systems[1]).endswith(digest)


def test_an_audio_codec_of_hugging_face_sends_its_codes(tmp_path: Path) -> None:
    from transformers import EncodecConfig, EncodecModel, MimiConfig, MimiModel

    small = {"hidden_size": 16, "num_filters": 4, "codebook_size": 32, "codebook_dim": 16}
    made = {
        "encodec": EncodecModel(EncodecConfig(**small, num_lstm_layers=1, target_bandwidths=[1.5])),
        "mimi": MimiModel(
            MimiConfig(
                **{**small, "codebook_size": 64}, num_semantic_quantizers=1, num_quantizers=2,
                num_hidden_layers=1, intermediate_size=16, num_attention_heads=2, num_key_value_heads=2,
                head_dim=8, vector_quantization_hidden_dimension=16, upsampling_ratios=[8, 6, 5, 4],
                upsample_groups=16,
            )
        ),
    }  # fmt: skip
    sound = (0.3 * np.sin(np.arange(16_000) / 20)).astype(np.float32)
    for name, model in made.items():
        model.save_pretrained(tmp_path / name)
        encode, decode = foreign_pair(f"hf:{tmp_path / name}", f"hf:{tmp_path / name}")
        data = encode(sound)
        back = decode(data)
        assert 10 < len(data) < 1000 and back.shape == (16_000,) and back.dtype == np.float32, name
        with pytest.raises(ValueError, match="no audio codes"):
            decode(b"ab")
