"""Picture codec: linear code, tiles, sizes, noise, training that goes on, the task in the system."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.coding.reconstruction import ReconstructionConfig
from m4sc.coding.reconstruction.codec import PictureCodec, load_codec
from m4sc.coding.reconstruction.concealment import conceal
from m4sc.coding.reconstruction.network import ReconstructionNetwork
from m4sc.coding.reconstruction.scale import ScaleCode
from m4sc.coding.reconstruction.size_field import SIZE_SYMBOLS, read_size, size_symbols
from m4sc.coding.reconstruction.tiles import _weight, cut, join, tile_count
from m4sc.coding.reconstruction.training import (
    PictureBatches,
    ReconstructionStage,
    reconstruction_loss,
    train_reconstruction,
)
from m4sc.coding.reconstruction.transform import karhunen_loeve, linear_powers
from m4sc.data.cifar10 import load_cifar10_package
from m4sc.evaluate.metrics.image import psnr_db, score_pictures
from m4sc.message import Message
from m4sc.mllm.network import Network
from m4sc.shipped import weights_folder
from m4sc.system import SemanticSystem
from PIL import Image
from tiny_model import tiny_config, write_tiny_llm

SMALL = ReconstructionConfig(
    tile=8, symbols=32, scale_symbols=4, scale_power=3.0, lowest_scale_db=-12.0, scale_step_db=1.5,
    encoder_width=8, encoder_blocks=1, decoder_width=8, decoder_blocks=1, condition_width=4, max_side=40,
)  # fmt: skip


def smooth_pictures(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random pictures with more power in low frequencies, uint8 (count, height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.normal(size=(count, 3, height // 3 + 1, width // 3 + 1))).float()
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return (fine * 45 + 120).clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def blobs(count: int, seed: int = 0) -> np.ndarray:
    """Pictures of two levels, which no linear code fits, uint8 (count, 8, 8, 3)."""
    return np.where(smooth_pictures(count, 8, 8, seed) > 120, 210, 40).astype(np.uint8)


@pytest.fixture(scope="module")
def codec() -> PictureCodec:
    torch.manual_seed(0)
    network = ReconstructionNetwork(SMALL)
    network.start_linear(smooth_pictures(600, 8, 8))
    return PictureCodec(network)


def send(codec: PictureCodec, picture: np.ndarray, snr_db: float, seed: int = 0) -> np.ndarray:
    latents = codec.encode(picture)
    noise_var = 10 ** (-snr_db / 10)
    rng = np.random.default_rng(seed)
    noise = rng.normal(scale=np.sqrt(noise_var / 2), size=latents.shape)
    y = (latents + noise).astype(np.float32).view(np.complex64)[:, 0]
    return codec.decode(y, np.full(len(y), noise_var, np.float32))


@given(st.lists(st.floats(0.01, 1e4), min_size=2, max_size=30), st.floats(0.1, 100), st.floats(0.01, 10))
def test_powers_are_spent_and_beat_equal_ones(variances: list[float], power: float, noise_var: float) -> None:
    v = np.array(variances)
    p = linear_powers(v, power, noise_var)
    assert p.min() >= 0 and p.sum() == pytest.approx(power, rel=1e-6)

    def error(q: np.ndarray) -> float:
        return float((v * noise_var / (q + noise_var)).sum())

    assert error(p) <= error(np.full(len(v), power / len(v))) * (1 + 1e-6)


def test_the_transform_is_orthonormal_and_decorrelates() -> None:
    pictures = smooth_pictures(300, 6, 6)
    mean, variances, basis = karhunen_loeve(pictures)
    assert np.allclose(basis.T @ basis, np.eye(108), atol=1e-6)
    assert (np.diff(variances) <= 1e-6).all()
    both = np.concatenate([pictures, pictures[:, :, ::-1]]).reshape(600, -1) - mean
    covariance = np.cov(both @ basis, rowvar=False, bias=True)
    assert np.allclose(covariance, np.diag(variances), atol=0.01 * variances[0])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_tiles_cover_a_picture_and_join_to_it(height: int, width: int) -> None:
    pictures = torch.rand(2, 3, height, width)
    tiles = cut(pictures, 8)
    assert tiles.shape == (2, tile_count(height, width, 8), 3, 8, 8)
    assert torch.allclose(join(tiles, height, width)[:, :, :height, :width], pictures, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 65535), st.integers(1, 65535), st.integers(0, 99))
def test_a_size_survives_noise(height: int, width: int, seed: int) -> None:
    symbols = size_symbols(height, width)
    assert symbols.shape == (SIZE_SYMBOLS,) and np.mean(np.abs(symbols) ** 2) == pytest.approx(1, abs=1e-5)
    noise = np.random.default_rng(seed).normal(scale=np.sqrt(0.5), size=(2, SIZE_SYMBOLS))
    noisy = (symbols + noise[0] + 1j * noise[1]).astype(np.complex64)
    assert read_size(noisy, np.ones(SIZE_SYMBOLS, np.float32)) == (height, width)


def test_a_size_that_cannot_be_read_or_sent_is_refused() -> None:
    with pytest.raises(ValueError, match="too much noise"):
        read_size(np.zeros(SIZE_SYMBOLS, np.complex64), np.ones(SIZE_SYMBOLS, np.float32))
    with pytest.raises(ValueError, match="cannot be sent"):
        size_symbols(0, 5)


@pytest.mark.parametrize("shape", [(8, 8), (3, 5), (8, 9), (17, 8), (40, 31)])
def test_pictures_of_any_size_arrive_with_unit_power(codec: PictureCodec, shape: tuple[int, int]) -> None:
    picture = smooth_pictures(1, *shape, seed=3)[0]
    latents = codec.encode(picture)
    whole = shape == (8, 8)
    assert latents.dtype == np.float32
    assert len(latents) == 32 * tile_count(*shape, 8) + (0 if whole else SIZE_SYMBOLS)
    assert np.square(latents).sum(1).mean() == pytest.approx(1, abs=1e-4)
    received = send(codec, picture, 25.0)
    assert received.shape == picture.shape and received.dtype == np.uint8
    assert psnr_db(received, picture) > 20


@settings(max_examples=20, deadline=None)
@given(st.floats(0.02, 50.0), st.integers(0, 99))
def test_the_scale_is_told_through_noise(strength: float, seed: int) -> None:
    code = ScaleCode(SMALL)
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.normal(size=(5, SMALL.coefficients)) * strength).float()
    sent = code.send(values)
    assert torch.allclose(sent.square().sum(1), torch.full((5,), 32.0), rtol=1e-4)
    word = 2 * SMALL.scale_symbols
    noise = torch.from_numpy(rng.normal(size=(5, word)) * 0.2).float()
    told = code.receive(sent[:, :word] + noise, torch.full((5, word), 0.04))
    used = sent[:, word:].norm(dim=1) / values.norm(dim=1)
    on_grid = code.scales.min() <= used
    assert torch.allclose(told[on_grid, 0], used[on_grid], rtol=0.02)


def test_a_larger_picture_is_reduced(codec: PictureCodec) -> None:
    received = send(codec, smooth_pictures(1, 100, 50)[0], 20.0)
    assert received.shape == (40, 20, 3)


def test_less_noise_means_a_better_picture_and_silence_an_average_one(codec: PictureCodec) -> None:
    pictures = smooth_pictures(20, 8, 8, seed=5)
    quality = [
        np.mean([psnr_db(send(codec, p, snr, i), p) for i, p in enumerate(pictures)])
        for snr in (-5, 5, 15, 25)
    ]
    assert (np.diff(quality) > 1.5).all()
    silence = codec.decode(np.zeros(32, np.complex64), np.full(32, 0.1, np.float32))
    again = codec.decode(np.zeros(32, np.complex64), np.full(32, 0.1, np.float32))
    assert (silence == again).all()
    assert np.mean([psnr_db(silence, p) for p in pictures]) < quality[1]


def test_a_flat_picture_and_an_extreme_one_are_finite(codec: PictureCodec) -> None:
    for level in (0, 120, 255):
        picture = np.full((8, 8, 3), level, np.uint8)
        assert np.isfinite(codec.encode(picture)).all()
        assert psnr_db(send(codec, picture, 25.0), picture) > 18


def test_what_does_not_fit_is_refused(codec: PictureCodec) -> None:
    ones = np.ones(33, np.complex64)
    with pytest.raises(ValueError, match="no picture"):
        codec.decode(ones, np.ones(33, np.float32))
    with pytest.raises(ValueError, match="finite"):
        codec.decode(ones[:32] * np.nan, np.ones(32, np.float32))
    with pytest.raises(ValueError, match="uint8"):
        codec.encode(np.zeros((8, 8), np.uint8))
    two = np.concatenate([size_symbols(8, 9), np.ones(32, np.complex64)])  # two tiles promised, one came
    with pytest.raises(ValueError, match="are not what"):
        codec.decode(two, np.full(len(two), 0.01, np.float32))


def test_weights_are_saved_and_loaded_alike(codec: PictureCodec, tmp_path: Path) -> None:
    codec.save(tmp_path)
    back = load_codec(tmp_path)
    picture = smooth_pictures(1, 8, 8)[0]
    assert psnr_db(send(back, picture, 20.0), send(codec, picture, 20.0)) > 40
    assert back.fingerprint != 0 and back.config == SMALL
    (tmp_path / "config.json").write_text(ReconstructionConfig().to_json())
    with pytest.raises(ValueError, match="do not fit"):
        load_codec(tmp_path)


def test_configurations_that_make_no_sense_are_refused() -> None:
    for bad in ({"tile": 31}, {"symbols": 2}, {"decoder_width": 0}, {"max_side": 16}):
        with pytest.raises(ValueError):
            ReconstructionConfig(**bad)
    with pytest.raises(ValueError, match="unknown keys"):
        ReconstructionConfig.from_json('{"colour": 1}')


def test_the_loss_is_minus_the_mean_psnr() -> None:
    a = smooth_pictures(2, 8, 8)
    b = np.clip(a.astype(int) + np.array([5, 20]).reshape(2, 1, 1, 1), 0, 255).astype(np.uint8)
    as_planes = [torch.from_numpy(x.transpose(0, 3, 1, 2)).float() for x in (a, b)]
    expected = np.mean([psnr_db(x, y) for x, y in zip(a, b, strict=True)])
    assert reconstruction_loss(*as_planes).item() == pytest.approx(-expected, abs=0.2)


def test_a_lost_picture_scores_as_grey() -> None:
    picture = smooth_pictures(1, 8, 8)[0]
    grey = np.full_like(picture, 128)
    assert score_pictures([None, grey], [picture, picture]) == [psnr_db(grey, picture)] * 2
    assert score_pictures([picture], [picture], "ssim") == [pytest.approx(1.0)]
    with pytest.raises(ValueError, match="unknown"):
        score_pictures([None], [picture], "mse")


def train_small(out: Path, minutes: float, photographs: float = 0.2) -> tuple[ReconstructionNetwork, list]:
    torch.manual_seed(1)
    network = ReconstructionNetwork(SMALL)
    small = blobs(400)
    network.start_linear(small)
    stage = ReconstructionStage(minutes, batch=16, photographs=photographs, checkpoint_s=0.3, ema=0.9)
    batches = PictureBatches(small, list(smooth_pictures(3, 20, 24)), stage, SMALL.tile)
    return network, train_reconstruction(network, batches, stage, out, lambda line: None)


@pytest.mark.timeout(120)
def test_what_is_kept_of_tiles_in_inference_mode_serves_training() -> None:
    _weight.cache_clear()
    with torch.inference_mode():
        join(torch.ones(1, 4, 3, 8, 8), 12, 12)
    tiles = torch.ones(1, 4, 3, 8, 8, requires_grad=True)
    join(tiles, 12, 12).sum().backward()
    assert tiles.grad is not None


def test_training_resumes_after_a_kill(tmp_path: Path) -> None:
    command = (
        "import sys, torch; torch.set_num_threads(1); from pathlib import Path; "
        f"sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        "from test_reconstruction import train_small; train_small(Path(sys.argv[1]), 1.0)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", command, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    checkpoint = tmp_path / "reconstruct.ckpt.pt"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if checkpoint.exists() and torch.load(checkpoint, weights_only=True)["step"] >= 60:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = torch.load(checkpoint, weights_only=True)
    assert before["step"] >= 60 and before["spent"] < 60
    network, curve = train_small(tmp_path, before["spent"] / 60 + 0.05)
    after = torch.load(checkpoint, weights_only=True)
    assert after["step"] > before["step"] and curve[-1]["step"] > before["step"] - 50

    pictures = blobs(40, seed=77)
    quality = np.mean([psnr_db(send(PictureCodec(network), p, 10.0, i), p) for i, p in enumerate(pictures)])
    silence = np.mean([psnr_db(np.full_like(p, 125), p) for p in pictures])
    assert quality > silence + 4


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> SemanticSystem:
    network = Network(tiny_config(write_tiny_llm(tmp_path_factory.mktemp("llm"))))
    torch.manual_seed(0)
    pictures = ReconstructionNetwork(replace(SMALL, symbols=80))  # no sum of an answer's symbols and others
    pictures.start_linear(smooth_pictures(300, 8, 8))
    return SemanticSystem(network, 1, PictureCodec(pictures))


def heard(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    symbols = np.ascontiguousarray(latents).view(np.complex64)[:, 0]
    return symbols, np.full(len(symbols), 1e-3, np.float32)


def test_the_task_gives_pictures(system: SemanticSystem) -> None:
    pictures = [smooth_pictures(1, 8, 8, seed)[0] for seed in range(3)] + [smooth_pictures(1, 12, 9)[0]]
    sent = [heard(system.encode(Message("image", p), "reconstruct").latents) for p in pictures]
    answers = system.decode_many(sent, "reconstruct", [None] * 4)
    for answer, picture in zip(answers, pictures, strict=True):
        assert answer.image is not None and answer.text == ""
        assert answer.image.shape == picture.shape and psnr_db(answer.image, picture) > 20


@pytest.mark.parametrize("shape", [(8, 8), (10, 30)])
def test_a_picture_rides_behind_the_answer(
    system: SemanticSystem, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    features = torch.randn(system.config.image_tokens, system.config.image_dim)
    monkeypatch.setattr(system.codecs["semantic"], "_features", lambda message, task: features)
    message = Message("image", smooth_pictures(1, *shape)[0])
    alone = system.encode(message, "classify").latents
    both = system.encode(message, "classify", picture=True).latents
    assert np.array_equal(both[: len(alone)], alone)
    answer = system.decode(*heard(both), "classify")
    assert answer.text == system.decode(*heard(alone), "classify").text
    assert answer.image is not None and psnr_db(answer.image, message.data) > 20
    assert system.decode(*heard(alone), "classify").image is None


def test_a_picture_goes_with_pictures_only(system: SemanticSystem) -> None:
    with pytest.raises(ValueError, match="no picture to send"):
        system.encode(Message("text", "a cat"), "text", picture=True)
    bare = SemanticSystem(system.network, 1)
    with pytest.raises(ValueError, match="m4sc train reconstruct"):
        bare.encode(Message("image", smooth_pictures(1, 8, 8)[0]), "reconstruct")


def test_the_package_of_cifar_is_read(tmp_path: Path) -> None:
    pictures = smooth_pictures(6, 32, 32)
    for i in range(5):
        Image.fromarray(pictures[i].reshape(1, 1024, 3)).save(tmp_path / f"data_batch_{i + 1}.png")
    (tmp_path / "train_lables.json").write_text("[0, 9, 3, 4, 5]")
    read = load_cifar10_package(tmp_path, "train")
    assert np.array_equal(read.images, pictures[:5]) and read.names[read.labels[1]] == "truck"
    (tmp_path / "train_lables.json").write_text("[0, 9]")
    with pytest.raises(ValueError, match="each of 5 pictures"):
        load_cifar10_package(tmp_path, "train")
    with pytest.raises(FileNotFoundError):
        load_cifar10_package(tmp_path, "test")


def test_a_channel_better_than_any_in_training_does_not_spoil_the_picture() -> None:
    codec = load_codec(weights_folder("reconstruct"))
    ramp = np.linspace(40, 200, 32)
    picture = np.stack([np.add.outer(ramp, ramp) / 2 + offset for offset in (0, 10, 20)], axis=-1).astype(
        np.uint8
    )
    latents = codec.encode(picture)
    symbols = latents[:, 0] + 1j * latents[:, 1]
    shown = codec.decode(symbols, np.full(len(symbols), 1e-6, np.float32))
    assert psnr_db(shown, picture) > 30


def test_a_lost_tile_is_filled_from_its_neighbours_and_costs_nothing_elsewhere() -> None:
    ramp = np.tile(np.linspace(60, 200, 64, dtype=np.float32), (3, 64, 1))
    lost = np.zeros((64, 64), bool)
    lost[16:32, 16:32] = True
    filled = conceal(np.where(lost, np.float32(1e9), ramp), lost)
    assert np.array_equal(filled[:, ~lost], ramp[:, ~lost])
    assert np.abs(filled - ramp)[:, lost].mean() < 12
