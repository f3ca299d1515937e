"""Sounds: YAMNet's parts, the points of names, the codec over the channel; small networks of the tests."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from m4sc.codecs.base import Budget, Received
from m4sc.codecs.sound import SoundCodec, load_sound, named_in
from m4sc.data.sounds import sound_sets
from m4sc.encoders import yamnet
from m4sc.encoders.sound import DIM, FEATURES, SoundPatches
from m4sc.message import Message
from m4sc.pretrained.onnx_weights import read_graph
from m4sc.space.sound_names import IN_FULL, sentences_of
from m4sc.space.sound_network import SoundConfig, SoundNetwork
from m4sc.tasks import get_task
from m4sc.training.sound import Heard, SoundStage, _fitted, named, train_sound

CLASSES = tuple(f"thing {n}" for n in range(yamnet.CLASSES))
TRAINED = ("dog", "rain", "siren")
TASK = get_task("sound")


class Sentences:
    """Random unit vectors, near each other for wordings of one name."""

    def __call__(self, sentences: list[str]) -> torch.Tensor:
        rows = []
        for sentence in sentences:
            name = next((n for n in (*TRAINED, *CLASSES, "trumpet") if says(n, sentence)), sentence)
            seed = int.from_bytes(name.encode()[-6:], "big") % 2**31
            own = torch.randn(384, generator=torch.Generator().manual_seed(seed))
            rows.append(own + 0.1 * torch.randn(384, generator=torch.Generator().manual_seed(len(sentence))))
        return torch.nn.functional.normalize(torch.stack(rows), dim=-1)


def says(name: str, sentence: str) -> bool:
    return sentence in sentences_of(name)


def sound_of(kind: int, rng: np.random.Generator) -> SoundPatches:
    """Three patches in which one group of features and one class is loud."""
    features = rng.random((3, yamnet.FEATURES)) * 0.2
    features[:, 40 * kind : 40 * kind + 40] += 2.0
    logits = np.full((3, yamnet.CLASSES), -6.0)
    logits[:, kind] = 1.0
    return SoundPatches(features, logits, np.array([1.0, 0.5, 1e-9]), rng.random(1152))


@pytest.fixture(scope="module")
def trained() -> SoundNetwork:
    rng = np.random.default_rng(1)
    labels = [n % 3 for n in range(90)]
    heard = Heard(
        tuple(sound_of(label, rng) for label in labels),
        tuple(TRAINED[label] for label in labels),
        tuple(str(n) for n in range(90)),
    )
    stage = SoundStage(epochs=2, batch=64, views=2, symbols=16, codec_steps=20, starting_rows=600)
    return train_sound(heard, CLASSES, stage, Sentences())  # type: ignore[arg-type]


def received(network: SoundNetwork, kind: int, snr_db: float, seed: int = 0) -> Received:
    rng = np.random.default_rng(seed)
    heard = torch.from_numpy(sound_of(kind, rng).pooled())[None]
    with torch.no_grad():
        sent = network.codec.send(network.point(heard))[0].numpy()
    noise_var = 10 ** (-snr_db / 10)
    noise = rng.normal(scale=np.sqrt(noise_var / 2), size=(len(sent), 2))
    y = (sent + noise) @ np.array([1, 1j])
    return Received(y.astype(np.complex64), np.full(len(sent), noise_var, np.float32))


def test_sounds_are_named_over_the_channel_and_shuffled_ones_are_not(trained: SoundNetwork) -> None:
    codec = SoundCodec(trained)
    kinds = [n % 3 for n in range(30)]
    sent = [received(trained, kind, 10.0, seed) for seed, kind in enumerate(kinds)]
    answers = codec.decode_many(sent, TASK, [None] * 30)
    right = np.mean([a.text == TRAINED[k] for a, k in zip(answers, kinds, strict=True)])
    assert right >= 0.9
    assert np.mean([a.text == TRAINED[(k + 1) % 3] for a, k in zip(answers, kinds, strict=True)]) < 0.1
    assert all(a.confidence is not None and 0 <= a.confidence <= 1 for a in answers)


def test_noise_lowers_the_confidence(trained: SoundNetwork) -> None:
    codec = SoundCodec(trained)
    clear, lost = (
        np.mean([codec.decode(received(trained, k % 3, snr, k), TASK).confidence for k in range(12)])
        for snr in (20.0, -15.0)
    )
    assert clear > lost + 0.1


def test_lost_symbols_count_as_infinite_noise(trained: SoundNetwork) -> None:
    whole = received(trained, 1, 20.0)
    noise_var = whole.noise_var.copy()
    noise_var[10:] = np.inf
    symbols = whole.symbols.copy()
    symbols[10:] = np.nan
    codec = SoundCodec(trained)
    assert codec.decode(Received(symbols, noise_var), TASK).text == "rain"
    none = Received(np.zeros(16, np.complex64), np.full(16, np.inf, np.float32))
    assert (codec.decode(none, TASK).confidence or 0) < (codec.decode(whole, TASK).confidence or 0)
    with pytest.raises(ValueError, match="not finite"):
        codec.decode(Received(symbols, whole.noise_var), TASK)
    with pytest.raises(ValueError, match="different models"):
        codec.decode(Received(whole.symbols[:3], whole.noise_var[:3]), TASK)


def test_a_question_with_names_chooses_among_them(
    trained: SoundNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("m4sc.codecs.sound.SentenceEncoder", Sentences)
    codec = SoundCodec(trained)
    one = received(trained, 0, 20.0)
    assert codec.decode(one, TASK, "What is it: rain, a siren or a trumpet?").text in (
        "rain",
        "siren",
        "trumpet",
    )
    assert codec.decode(one, TASK, "What is it: a trumpet or a dog?").text == "dog"
    assert named_in("Which is it: a drill, the rain or an owl?") == ["drill", "rain", "owl"]
    assert named_in("What sound is it?") == []


def test_weights_come_back(trained: SoundNetwork, tmp_path: Path) -> None:
    trained.save(tmp_path)
    codec = load_sound(tmp_path)
    assert codec.config == trained.config and codec.fingerprint
    one = received(trained, 2, 20.0)
    assert codec.decode(one, TASK).text == SoundCodec(trained).decode(one, TASK).text == "siren"
    with pytest.raises(ValueError, match="unknown keys"):
        SoundConfig.from_json('{"kind": "x"}')


def test_budget_takes_the_first_symbols(trained: SoundNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = SoundCodec(trained)
    heard = sound_of(0, np.random.default_rng(0)).pooled()
    codec._encoder = lambda samples: heard  # type: ignore[assignment, misc]
    message = Message("speech", np.zeros(16_000, np.float32))
    whole = codec.encode(message, TASK, Budget()).symbols
    some = codec.encode(message, TASK, Budget(symbols=10)).symbols
    assert len(whole) == 16 and len(some) == 10
    assert np.mean(np.abs(some) ** 2) == pytest.approx(1.0, abs=1e-4)
    assert np.allclose(some / some[0], whole[:10] / whole[0], atol=1e-3)  # the same, at another gain
    with pytest.raises(ValueError, match="at least 8"):
        codec.encode(message, TASK, Budget(symbols=4))


def test_a_sound_that_another_system_delivered_crosses_no_channel_codec(
    trained: SoundNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = SoundCodec(trained)
    monkeypatch.setattr(trained.codec, "receive", None)  # whoever calls it fails
    message, rng = Message("speech", np.zeros(16_000, np.float32)), np.random.default_rng(3)
    right = 0
    for number in range(12):
        codec._encoder = lambda _, kind=number % 3: sound_of(kind, rng).pooled()  # type: ignore
        answer = codec.read(message, TASK)
        right += answer.text == TRAINED[number % 3]
        assert answer.confidence is not None and 0 < answer.confidence < 1
        assert np.linalg.norm(codec.place(message, TASK)) == pytest.approx(1, abs=1e-4)
    assert right >= 10
    choice = codec.read(message, TASK, f"Which is it: {TRAINED[0]} or {TRAINED[1]}?")
    assert choice.text in TRAINED[:2]


def test_pooling_leaves_out_silence_and_takes_roots() -> None:
    patches = sound_of(0, np.random.default_rng(0))
    assert patches.heard.tolist() == [0, 1]
    pooled = patches.pooled()
    assert pooled.shape == (DIM,)
    assert np.allclose(pooled[:1024], np.sqrt(patches.features[:2]).mean(0), atol=1e-5)
    assert np.allclose(pooled[FEATURES], 1 / (1 + np.exp(-1.0)), atol=1e-5)


def test_mel_bands_follow_the_frequency_and_patches_the_length() -> None:
    time_s = np.arange(16_000) / 16_000
    peaks = [
        int(yamnet.log_mel(np.sin(2 * np.pi * hz * time_s)).mean(0).argmax()) for hz in (300, 1000, 4000)
    ]
    mel = 1127 * np.log1p(np.array([125, 7500, 300, 1000, 4000]) / 700)
    wanted = (mel[2:] - mel[0]) / (mel[1] - mel[0]) * 65 - 1
    assert np.abs(np.array(peaks) - wanted).max() <= 1
    assert yamnet.log_mel(np.zeros(16_000)).max() == pytest.approx(np.log(1e-3))
    assert [len(yamnet.patches(np.zeros(n))) for n in (10, 15_600, 15_601, 80_000)] == [1, 1, 2, 10]


def test_yamnet_has_the_shape_of_its_weights() -> None:
    network = yamnet.YamNet().eval()
    assert sum(p.numel() for p in network.parameters()) == 3_729_481
    with torch.no_grad():
        features, logits = network(torch.zeros(2, 1, 96, 64))
    assert features.shape == (2, 1024) and logits.shape == (2, 521)


def heard_sounds(count: int) -> Heard:
    rng = np.random.default_rng(1)
    labels = [n % 3 for n in range(count)]
    patches = tuple(sound_of(label, rng) for label in labels)
    return Heard(patches, tuple(TRAINED[n] for n in labels), tuple(str(n // 2) for n in range(count)))


def test_what_confidence_is_fitted_to_was_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = heard_sounds(60)
    seen: list[set[str]] = []
    parts = []
    config = SoundConfig(names=CLASSES, answers=CLASSES)

    def fitted(config: SoundConfig, said: torch.Tensor, part: Heard, *_: object) -> SoundNetwork:
        seen.append(set(part.recordings))
        return SoundNetwork(config)

    def calibrated(
        found: list[tuple[SoundNetwork, torch.Tensor, tuple[str, ...]]], *_: object
    ) -> SoundConfig:
        parts.extend(found)
        return config

    monkeypatch.setattr("m4sc.training.sound._fitted", fitted)
    monkeypatch.setattr("m4sc.training.sound.calibrated", calibrated)
    train_sound(heard, CLASSES, SoundStage(symbols=16), Sentences())  # type: ignore[arg-type]
    pooled = heard.pooled()
    assert sum(len(labels) for _, _, labels in parts) == 60 and len(parts) == 3
    for trained_on, (_, unseen, _) in zip(seen, parts, strict=False):
        rows = (unseen[:, None] == pooled).all(-1).nonzero()[:, 1]
        assert not trained_on & {heard.recordings[int(row)] for row in rows}
    assert seen[-1] == set(heard.recordings)


def test_the_projector_is_the_mean_of_its_start_and_of_what_training_makes_of_it() -> None:
    heard = heard_sounds(30)
    kinds = ((0, 0.0), (2, 0.0), (2, 0.5))
    found = []
    for epochs, share in kinds:
        stage = SoundStage(
            epochs=epochs, start_share=share, batch=32, views=1, symbols=16, codec_steps=0, starting_rows=600
        )
        config, said = named(heard.labels, CLASSES, stage, Sentences())  # type: ignore[arg-type]
        found.append(_fitted(config, said, heard, stage, lambda _: None).projector.linear.weight)
    start, end, half = found
    assert (end - start).abs().max() > 1e-3
    torch.testing.assert_close(half, (start + end) / 2)


def test_every_name_has_several_wordings() -> None:
    assert all(len(set(sentences_of(name))) >= 5 for name in IN_FULL)
    assert "the sound of a dog barking" in sentences_of("dog")


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return bytes([number << 3, content])
    assert len(content) < 16_384
    size = [len(content) & 127 | 128, len(content) >> 7] if len(content) > 127 else [len(content)]
    return bytes([number << 3 | 2, *size]) + content


def test_an_onnx_graph_is_read_without_its_package() -> None:
    values = np.arange(6, dtype=np.float32)
    inside = field(1, bytes([2, 3])) + field(2, 1) + field(8, b"w") + field(9, values.tobytes())
    place = [field(1, b"offset") + field(2, b"4"), field(1, b"length") + field(2, b"8")]
    outside = field(1, 2) + field(2, 1) + field(8, b"b") + field(13, place[0]) + field(13, place[1])
    other = field(2, 7) + field(8, b"n") + field(9, b"12345678")
    node = field(1, b"x") + field(1, b"w_qdq") + field(4, b"Conv")
    graph = field(1, node) + field(5, inside) + field(5, outside) + field(5, other)
    model = field(7, graph)
    found = read_graph(model, struct.pack("<3f", 9, 1, 2))
    assert found.nodes == (("Conv", ("x", "w_qdq")),)
    assert set(found.floats) == {"w", "b"}
    assert np.array_equal(found.floats["w"], values.reshape(2, 3))
    assert found.floats["b"].tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="no ONNX model"):
        read_graph(model[:-3])
    with pytest.raises(ValueError, match="no ONNX model"):
        read_graph(b"")


@pytest.mark.slow
def test_the_packaged_network_knows_a_siren() -> None:
    from m4sc.encoders.sound import SoundEncoder

    time_s = np.arange(5 * 16_000) / 16_000
    swept = np.sin(2 * np.pi * (900 * time_s + 60 * np.sin(2 * np.pi * 0.5 * time_s)))
    encoder = SoundEncoder()
    probabilities = encoder(swept.astype(np.float32) * 0.3)[FEATURES:]
    best = [encoder.classes[n] for n in np.argsort(probabilities)[::-1][:5]]
    assert any("iren" in name or "Alarm" in name or "Sine wave" in name for name in best), best


def test_sets_of_sounds_are_joined_and_split_by_recording(tmp_path: Path) -> None:
    for folder, category, columns in (
        ("esc50_part", "sea_waves", "file,fold,target,category,clip_id"),
        ("urbansound8k_part", "dog_bark", "file,fold,target,category,clip_id,seconds"),
    ):
        (tmp_path / folder).mkdir()
        lines = [columns]
        with zipfile.ZipFile(tmp_path / folder / "clips.zip", "w") as archive:
            for n in range(40):
                buffer = io.BytesIO()
                soundfile.write(buffer, np.zeros(800, np.float32), 16_000, format="OGG")
                archive.writestr(f"{n}.ogg", buffer.getvalue())
                lines.append(f"{n}.ogg,1,0,{category},{n // 2}" + (",4.0" if "seconds" in columns else ""))
        (tmp_path / folder / "meta.csv").write_text("\n".join(lines) + "\n")
    found = {split: sound_sets(tmp_path, split) for split in ("train", "test")}
    assert sum(map(len, found.values())) == 80
    recordings = {split: {(e.kind, e.recording) for e in group} for split, group in found.items()}
    assert not recordings["train"] & recordings["test"]
    assert {e.answers for e in found["train"]} == {("sea waves",), ("dog bark", "dog")}
    with pytest.raises(FileNotFoundError):
        sound_sets(tmp_path / "nowhere", "test")
