"""What a user learns of its own message from another task's public symbols."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from m4sc.codecs.base import Payload, Received
from m4sc.data import flickr8k
from m4sc.phy.waveform import WaveformConfig
from m4sc.sharing import aside_training
from m4sc.sharing.aside import Aside, AsideConfig, load_aside, save_aside, shipped_aside
from m4sc.sharing.aside_training import noisy
from m4sc.sharing.group import Served, to_group
from m4sc.sharing.privacy import UserKey
from m4sc.sharing.receiving import read_parts
from m4sc.tasks import get_task

OWN, OTHER = 32, 16
CONFIG = AsideConfig(own_symbols=OWN, other_symbols=OTHER)
MAP = np.random.default_rng(5).normal(size=(2 * OTHER, 2 * OWN)) / np.sqrt(2 * OTHER)


def sources(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Symbols of both tasks, of unit mean power: half of what the own ones say, the others say too."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2 * OTHER))
    x = np.sqrt(0.8) * z @ MAP + np.sqrt(0.2) * rng.normal(size=(n, 2 * OWN))
    own, other = (v[:, ::2] + 1j * v[:, 1::2] for v in (x, z))
    return tuple(v / np.sqrt(np.mean(np.abs(v) ** 2)) for v in (own, other))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def aside() -> Aside:
    return Aside.fit(*sources(4000, 1), CONFIG)


def estimate(received: Received, var: np.ndarray) -> np.ndarray:
    """Linear MMSE of the symbols beside a prior of zero mean, as decoders start with."""
    noise = received.noise_var / 2
    return received.symbols * var / (var + noise)


@pytest.mark.parametrize("snr_db", [0.0, 5.0, 10.0])
def test_symbols_of_one_source_say_more_together_and_no_more_than_is_true(
    aside: Aside, snr_db: float
) -> None:
    rng = np.random.default_rng(2)
    own, other = sources(200, 3)
    var = aside.own_var.reshape(-1, 2).mean(1)
    alone, joined, said, known = [], [], [], 0
    for x, z in zip(own, other, strict=True):
        heard = noisy(x, snr_db, rng)
        both = aside.joined(heard, noisy(z, snr_db, rng))
        assert both is None or both.symbols.dtype == np.complex64
        known += both is not None
        both = both or heard
        alone.append(np.mean(np.abs(estimate(heard, var) - x) ** 2))
        joined.append(np.mean(np.abs(estimate(both, var) - x) ** 2))
        noise = both.noise_var / 2
        said.append(np.mean(2 * var * noise / (var + noise)))
    assert known > 150
    assert np.mean(joined) < 0.9 * np.mean(alone)
    assert np.mean(said) == pytest.approx(np.mean(joined), rel=0.1)  # what it says is left, is left


def test_symbols_of_another_source_are_left_alone(aside: Aside) -> None:
    rng = np.random.default_rng(4)
    own, other = sources(200, 5)
    taken = [
        aside.joined(noisy(own[k], 5.0, rng), noisy(other[k - 1], 5.0, rng)) is not None for k in range(200)
    ]
    assert sum(taken) <= 2


def test_without_symbols_to_compare_nothing_is_taken_and_few_are_enough(aside: Aside) -> None:
    rng = np.random.default_rng(6)
    own, other = (v[0] for v in sources(1, 7))
    heard, beside = noisy(own, 10.0, rng), noisy(other, 10.0, rng)
    lost = replace(heard, noise_var=np.full(OWN, np.inf, np.float32))
    assert aside.joined(lost, beside) is None
    half = replace(heard, noise_var=np.where(np.arange(OWN) < OWN // 2, heard.noise_var, np.inf))
    both = aside.joined(half, beside)
    assert both is not None and np.isfinite(both.noise_var).all()
    assert np.corrcoef(both.symbols.real[OWN // 2 :], own.real[OWN // 2 :])[0, 1] > 0.6
    silent = replace(beside, noise_var=np.full(OTHER, np.inf, np.float32))
    assert aside.joined(heard, silent) is None  # it says nothing
    assert aside.joined(replace(heard, symbols=own[:-1]), beside) is None
    assert aside.joined(heard, replace(beside, symbols=other[:-1])) is None


def test_weights_come_back_and_broken_ones_are_refused(aside: Aside, tmp_path: Path) -> None:
    save_aside(aside, tmp_path)
    back = load_aside(tmp_path)
    assert back.config == CONFIG and np.allclose(back.cross, aside.cross, atol=1e-6)
    (tmp_path / "config.json").write_text('{"own_symbols": 33}')
    with pytest.raises(ValueError, match="do not fit"):
        load_aside(tmp_path)
    (tmp_path / "config.json").write_text('{"colour": 33}')
    with pytest.raises(ValueError, match="unknown keys"):
        load_aside(tmp_path)
    (tmp_path / "config.json").write_text(CONFIG.to_json())
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-50])
    with pytest.raises(ValueError, match="copy it again"):
        load_aside(tmp_path)


def test_too_few_sources_or_other_messages_are_refused() -> None:
    own, other = sources(40, 1)
    with pytest.raises(ValueError, match="do not fit"):
        Aside.fit(own, other)
    with pytest.raises(ValueError, match="at least 32"):
        Aside.fit(own[:20], other[:20], CONFIG)


def payload(task: str, symbols: np.ndarray) -> Payload:
    latents = np.stack([symbols.real, symbols.imag], -1).astype(np.float32)
    return Payload(get_task(task).task_id, "image", 7, latents)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_user_of_a_frame_learns_from_what_two_others_share(aside: Aside, sealed: bool) -> None:
    waveform, key = WaveformConfig(), UserKey(1, bytes(32))
    (own, stranger), (other, _) = sources(2, 8)
    for mine, learned in ((own, True), (stranger, False)):
        users = [Served(1, payload("caption", mine))]
        users += [Served(n, payload("vqa", other)) for n in (2, 3)]
        group = to_group(users, waveform, sealers={1: key} if sealed else {}, nonce=5 if sealed else None)
        header, symbols = group.frame.header, group.frame.symbols
        noise_var = np.full(len(symbols), 0.01, np.float32)
        parts = read_parts(symbols, noise_var, header.mcs, header.payload_bytes, waveform.n_data_carriers)
        ((task_id, heard),) = parts.public_messages()
        assert task_id == get_task("vqa").task_id and np.allclose(heard.symbols, other, atol=1e-5)
        taken, plain = parts.take(1, key, aside), parts.take(1, key)
        assert taken.aside is learned and not plain.aside
        assert not parts.take(2, None, aside).aside  # of another task
        if not learned:
            assert taken.received is not None and plain.received is not None
            assert np.array_equal(taken.received.symbols, plain.received.symbols)
        if sealed:
            closed = parts.take(1, None, aside)
            assert closed.private_lost and not closed.aside


@pytest.mark.slow
def test_the_shipped_weights_are_of_the_shipped_model() -> None:
    import m4sc
    from m4sc.message import Message

    found, rng = shipped_aside(), np.random.default_rng(0)
    assert found is not None
    model, samples = m4sc.load(), Path(__file__).parents[1] / "python_blocks" / "samples"
    sent = {}
    for name in ("cat", "coffee", "motorcycle"):
        message = Message.from_file(samples / f"{name}.jpg")
        sent[name] = [model.encode(message, task).symbols for task in ("caption", "vqa")]
    for name, (own, _) in sent.items():
        for beside, (_, other) in sent.items():
            joined = found.joined(noisy(own, 10.0, rng), noisy(other, 10.0, rng))
            assert joined is None or name == beside, (name, beside)
            assert joined is not None or "motorcycle" not in (name, beside) or name != beside


def test_training_fits_a_part_and_measures_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 800
    views = torch.from_numpy(np.random.default_rng(9).normal(size=(n, 24)).astype(np.float32))
    monkeypatch.setattr(aside_training, "picture_views", lambda *args, **options: views)
    monkeypatch.setattr(flickr8k, "caption_examples", lambda data, split: list(range(n)))

    def part(symbols: int, seed: int) -> SimpleNamespace:
        """A codec that hands a picture's numbers to symbols by a matrix of its own."""
        generator = torch.Generator().manual_seed(seed)
        matrix = torch.randn(24, 2 * symbols, generator=generator) / 24**0.5

        def send(points: torch.Tensor, count: int) -> torch.Tensor:
            return (points @ matrix).unflatten(1, (-1, 2)) / 2**0.5

        network = SimpleNamespace(
            names=lambda scores, features: None,
            points=lambda features, names: features,
            meanings=lambda features, scores: torch.nn.functional.normalize(features, dim=-1),
            codec=SimpleNamespace(send=send),
        )
        pictures = SimpleNamespace(class_scores=lambda features: None)
        config = SimpleNamespace(things=False, symbols=symbols)

        def received_points(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[torch.Tensor, None]:
            y = np.stack([np.stack([x.real, x.imag], -1).ravel() / (1 + v.mean()) for x, v in pairs])
            found = torch.from_numpy(y.astype(np.float32)) @ torch.linalg.pinv(matrix)
            return torch.nn.functional.normalize(found, dim=-1), None

        return SimpleNamespace(
            network=network, pictures=pictures, config=config, received_points=received_points
        )

    model = SimpleNamespace(codecs={"questions": part(64, 1), "space": SimpleNamespace(system=part(128, 2))})
    said: list[str] = []
    aside_training.train_aside(model, tmp_path, tmp_path / "out", tmp_path, n, 0, said.append)
    back = load_aside(tmp_path / "out")
    assert back.config == AsideConfig() and back.cross.shape == (256, 128)
    assert [line.split(" dB")[0] for line in said] == ["0", "5", "10", "20"]
    assert all("200 photographs held out" in line for line in said)
    assert "of one source 100.0 %, strangers 0.0 %" in said[-1], said
    monkeypatch.setattr(flickr8k, "caption_examples", lambda data, split: [1, 2])
    with pytest.raises(ValueError, match="there are 2 photographs"):
        aside_training.train_aside(model, tmp_path, tmp_path / "out", tmp_path, n, 0, said.append)
