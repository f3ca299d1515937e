"""The language model is read when a message first needs it, and never for what can do without."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from m4sc import system as systems
from m4sc.message import Message
from m4sc.mllm.late import LateNetwork
from m4sc.mllm.network import Network
from m4sc.tensor_file import load_network
from tiny_model import tiny_config, write_tiny_llm


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder of tiny weights."""
    network = Network(tiny_config(write_tiny_llm(tmp_path / "llm")))
    network.save(tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture
def shipped(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, taken for weights that came with the project."""
    monkeypatch.setattr(systems, "is_shipped", lambda folder: True)
    return weights


def test_threads_that_come_together_read_one_network(tmp_path: Path) -> None:
    made: list[Network] = []
    config = tiny_config(write_tiny_llm(tmp_path))
    start = threading.Barrier(4)

    def read() -> Network:
        made.append(Network(config))
        return made[-1]

    late, found = LateNetwork(config, read), []

    def ask() -> None:
        start.wait()
        found.append(late())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and all(network is made[0] for network in found)
    assert not made[0].training


def test_a_network_that_is_first_needed_in_inference_mode_is_an_ordinary_one(tmp_path: Path) -> None:
    config = tiny_config(write_tiny_llm(tmp_path))
    late = LateNetwork(config, lambda: Network(config))
    with torch.inference_mode():
        late()
    assert not any(values.is_inference() for values in late().parameters())


def test_what_cannot_be_read_is_told_every_time(tmp_path: Path) -> None:
    def read() -> Network:
        raise ValueError("the weights are gone")

    late = LateNetwork(tiny_config(write_tiny_llm(tmp_path)), read)
    for _ in range(2):
        with pytest.raises(ValueError, match="are gone"):
            late()


def test_a_text_is_sent_without_the_language_model(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    read = systems._served
    monkeypatch.setattr(systems, "_served", lambda *of: (asked.append(of[0]), read(*of))[1])
    system = systems.load(str(shipped))
    assert system.encode(Message("text", "two cats"), "text").symbols.size and asked == []
    system.prepare("text")
    assert asked == []
    y, noise_var = np.ones(16 * 8, np.complex64), np.full(16 * 8, 0.1, np.float32)
    said = system.decode(y, noise_var, "classify").text
    assert asked == [shipped]
    system.prepare()
    assert system.decode(y, noise_var, "classify").text == said and asked == [shipped]


def test_of_ones_own_weights_the_fit_is_checked_at_once(weights: Path) -> None:
    config = weights / "config.json"
    config.write_text(config.read_text().replace('"codec_hidden": ', '"codec_hidden": 1'))
    with pytest.raises(ValueError, match="do not fit"):
        systems.load(str(weights))


def test_shipped_weights_that_are_cut_off_are_told_at_once(shipped: Path) -> None:
    whole = (shipped / "model.safetensors").read_bytes()
    (shipped / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="broken or cut off"):
        systems.load(str(shipped))


def test_a_small_network_that_does_not_fit_is_told_whether_it_is_shipped_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}, str(tmp_path / "model.safetensors"))
    assert load_network(lambda: torch.nn.Linear(3, 2), tmp_path).weight.shape == (2, 3)
    for is_shipped in (False, True):
        monkeypatch.setattr("m4sc.tensor_file.is_shipped", lambda folder, found=is_shipped: found)
        with pytest.raises(ValueError, match="do not fit"):
            load_network(lambda: torch.nn.Linear(4, 2), tmp_path)


@pytest.mark.parametrize("kind", ["picture", "text"])
def test_a_message_is_sent_without_importing_what_serves_language_models(kind: str, tmp_path: Path) -> None:
    from m4sc.config import ModelConfig
    from m4sc.pretrained import resolve
    from PIL import Image

    resolve(ModelConfig().llm, "llm")  # converting it, once for a user, needs what serves it
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    what = [str(tmp_path / "grey.png")] if kind == "picture" else ["--text", "two cats"]
    asked = (
        "import sys; from m4sc_app.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print([m for m in ('transformers', 'peft', 'torch._dynamo', 'scipy.signal')"
        " if m in sys.modules])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", asked, "send", *what, "--out", str(tmp_path / "burst")],
        capture_output=True, text=True, timeout=240, env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert (tmp_path / "burst.sigmf-meta").exists(), ended.stderr
    assert ended.stdout.strip().splitlines()[-1] == "[]"


def test_two_threads_may_load_language_models_at_once() -> None:
    asked = """
import threading, m4sc
from m4sc.message import Message
system, start, faults = m4sc.load(), threading.Barrier(2), []
def run(what):
    start.wait()
    try:
        what()
    except Exception as exc:
        faults.append(repr(exc))
text = Message("text", "Anna has a dog. It is big.")
jobs = [lambda: system.prepare("spoken-question"), lambda: system.encode(text, "summarize")]
threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(faults)
"""
    ended = subprocess.run(
        [sys.executable, "-c", asked],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    assert ended.stdout.strip() == "[]", ended.stdout + ended.stderr
