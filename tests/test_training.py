"""The stages' loop: exact resumption after a real kill, several processes, other devices, TensorBoard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from m4sc.coding.torch_link.payload import NOTHING_HEARD
from m4sc.config import ModelConfig
from m4sc.mllm.network import Network
from m4sc.training.align import Alignment
from m4sc.training.channels import ALL_CHANNELS, LIGHT_CHANNELS
from m4sc.training.features import Sample, place_features
from m4sc.training.instruct import Instruction
from m4sc.training.objective import Objective
from m4sc.training.run import Stage, make_accelerator, train
from m4sc_app.cli import main
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_model import tiny_config, write_tiny_llm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WORDS = ("cat", "dog", "ship")


@pytest.fixture(autouse=True)
def fresh_accelerate() -> Iterator[None]:
    """Accelerate keeps one precision a process; tests use both."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def llm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llm(tmp_path_factory.mktemp("llm"))


def make_network(llm_folder: Path) -> Network:
    torch.manual_seed(1)
    return Network(tiny_config(llm_folder))


def samples() -> list[Sample]:
    classes = torch.randn(3, 16, 12, generator=torch.Generator().manual_seed(3))
    pictures = [Sample("classify", "image", "", (WORDS[i % 3],), classes[i % 3].half()) for i in range(12)]
    speech = [
        Sample("digits", "speech", "", ("four two",), torch.randn(3 + i, 6).half(), media=f"s{i}")
        for i in range(2)
    ]
    long = [Sample("summarize", "text", "", (word,), None, f"{word} by {word}") for word in WORDS]
    return pictures + speech + long + [Sample("text", "text", "", (word,), None, word) for word in WORDS]


def stage(name: str = "align", steps: int | None = 12, minutes: float = 10.0) -> Stage:
    tasks = {"classify": 1.0, "text": 1.0}
    return Stage(name, minutes, tasks, 1e-3, 1e-3, steps=steps, log_every=4)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return set(first) == set(second) and all(torch.equal(first[key], second[key]) for key in first)


def losses(path: Path) -> list[tuple[int, str, float]]:
    """Rows of a curve without their times."""
    return [(row["step"], row["task"], row["loss"]) for row in json.loads(path.read_text())]


# --- a run of the command, killed --------------------------------------------------------------------------


def write_run(folder: Path, llm_folder: Path) -> list[str]:
    """Features, captions and weights to start from, as the command wants them; its arguments."""
    start, cache = folder / "start", folder / "features"
    make_network(llm_folder).save(start)
    cache.mkdir()
    chosen = [s for s in samples() if s.task == "classify"]
    save_file({str(i): s.features for i, s in enumerate(chosen)}, str(cache / "train_classify.safetensors"))
    rows = [
        {"task": s.task, "modality": s.modality, "instruction": "", "answers": s.answers, "media": str(i)}
        for i, s in enumerate(chosen)
    ]
    (cache / "train_classify.json").write_text(json.dumps(rows))
    return ["train", "channel", "--out", str(folder), "--init", str(start), "--batch-size", "2", "--cpu"]


def captions(*_: object) -> list[Sample]:
    """Stands in for the reader of caption sentences."""
    return [s for s in samples() if s.task == "text"]


def test_a_killed_stage_ends_as_one_that_was_left_alone(
    llm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    script = tmp_path / "run.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import m4sc.training.features, test_training\n"
        "m4sc.training.features.written_samples = test_training.captions\n"
        "from m4sc_app.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    monkeypatch.setattr("m4sc.training.features.written_samples", captions)
    options = ["--data", str(tmp_path), "--steps", "30", "--checkpoint-seconds", "0"]
    whole, killed = (write_run(tmp_path / name, llm_folder) + options for name in ("whole", "killed"))
    assert main(whole) == 0
    command = [sys.executable, str(script), *killed]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    checkpoint, deadline = tmp_path / "killed" / "channel.ckpt.pt", time.monotonic() + 200
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL  # it had not ended by itself
    step = json.loads(torch.load(checkpoint, weights_only=True)["state"])["step"]
    assert 0 < step < 30 and not (tmp_path / "killed" / "channel").exists()
    assert main(killed) == 0
    first, second = (
        load_file(str(tmp_path / name / "channel" / "model.safetensors")) for name in ("whole", "killed")
    )
    assert same(first, second)
    assert not same(first, load_file(str(tmp_path / "whole" / "start" / "model.safetensors")))
    curves = [losses(tmp_path / name / "channel.curve.json") for name in ("whole", "killed")]
    assert curves[0] == curves[1] != []


def test_frozen_adapters_stay_and_the_codec_learns(
    llm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("m4sc.training.features.written_samples", captions)
    command = [*write_run(tmp_path, llm_folder), "--data", str(tmp_path), "--steps", "3", "--frozen-adapters"]
    assert main(command) == 0
    before, after = (load_file(str(tmp_path / name / "model.safetensors")) for name in ("start", "channel"))
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed and not any("lora_" in key for key in changed)


# --- in this process ---------------------------------------------------------------------------------------


class Stopping(Alignment):
    """Fails in the middle of a step, after its draws."""

    def __init__(self, network: Network, at: int) -> None:
        super().__init__(network, samples(), 0)
        self.at = at

    def loss(self, task: str) -> torch.Tensor:
        found = super().loss(task)
        self.at -= 1
        if self.at < 0:
            raise InterruptedError
        return found


def test_interruptions_at_any_step_change_nothing(llm_folder: Path, tmp_path: Path) -> None:
    whole = make_network(llm_folder)
    curve = train(Alignment(whole, samples(), 0), stage(), tmp_path / "whole")
    assert {row["step"] for row in curve} == {4, 8, 12}
    broken = Stage("align", 10, stage().weights, 1e-3, 1e-3, checkpoint_s=0.0, steps=12, log_every=4)
    for at in (1, 6, 0, 3):
        with pytest.raises(InterruptedError):
            train(Stopping(make_network(llm_folder), at), broken, tmp_path / "broken")
    torch.manual_seed(77)  # what another run drew before must not matter
    last = Network(tiny_config(llm_folder))
    resumed = train(Alignment(last, samples(), 0), broken, tmp_path / "broken")
    assert same(whole.trained_state(), last.trained_state())
    assert [row["loss"] for row in resumed] == [row["loss"] for row in curve]
    other = make_network(llm_folder)
    train(
        Alignment(other, samples(), 5),
        Stage("align", 10, stage().weights, 1e-3, 1e-3, 5, steps=12),
        tmp_path / "o",
    )
    assert not same(whole.trained_state(), other.trained_state())


def test_a_time_budget_ends_the_stage_and_is_not_spent_twice(llm_folder: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    objective = Alignment(make_network(llm_folder), samples(), 0)
    train(objective, stage(steps=None, minutes=2 / 60), tmp_path)
    assert 2 <= time.monotonic() - started < 20
    steps = json.loads(torch.load(tmp_path / "align.ckpt.pt", weights_only=True)["state"])["step"]
    assert steps > 0
    train(objective, stage(steps=None, minutes=2 / 60), tmp_path)
    again = json.loads(torch.load(tmp_path / "align.ckpt.pt", weights_only=True)["state"])["step"]
    assert again == steps


def test_a_checkpoint_of_something_else_is_refused(llm_folder: Path, tmp_path: Path) -> None:
    network = make_network(llm_folder)
    train(Alignment(network, samples(), 0), stage(steps=1), tmp_path)
    other = Network(ModelConfig(**{**vars(network.config), "codec_hidden": 24}))
    with pytest.raises(ValueError, match="another configuration"):
        train(Alignment(other, samples(), 0), stage(steps=2), tmp_path)
    with pytest.raises(ValueError, match="seed 0, not 3"):
        train(Alignment(network, samples(), 3), Stage("align", 1, {"text": 1.0}, 1e-3, 0.0, 3), tmp_path)
    torch.save({"network": {}}, tmp_path / "align.ckpt.pt")
    with pytest.raises(ValueError, match="older version"):
        train(Alignment(network, samples(), 0), stage(steps=2), tmp_path)


def test_tensorboard_reads_the_curve(llm_folder: Path, tmp_path: Path) -> None:
    curve = train(Alignment(make_network(llm_folder), samples(), 0), stage(), tmp_path)
    events = EventAccumulator(str(tmp_path / "logs" / "align"))
    events.Reload()
    logged = {(e.step, tag) for tag in events.Tags()["scalars"] for e in events.Scalars(tag)}
    for row in curve:
        assert (row["step"], f"loss/{row['task']}") in logged


def test_bfloat16_is_accelerates_and_leaves_the_codec_in_float32(llm_folder: Path, tmp_path: Path) -> None:
    seen: dict[str, set[torch.dtype]] = {"codec": set(), "llm": set()}
    network = make_network(llm_folder)
    network.decoders["image"].first.spline.register_forward_hook(lambda _m, _x, y: seen["codec"].add(y.dtype))
    layer = network.llm.model.base_model.model.model.layers[0].mlp.gate_proj
    layer.register_forward_hook(lambda _m, _x, y: seen["llm"].add(y.dtype))
    only = Stage("instruct", 1, {"classify": 1.0}, 1e-3, 1e-3, steps=1)
    train(Instruction(network, samples(), 0, 4), only, tmp_path, make_accelerator(bf16=True, cpu=True))
    assert seen == {"codec": {torch.float32}, "llm": {torch.bfloat16}}


# --- channels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mix", [LIGHT_CHANNELS, ALL_CHANNELS])
def test_gradients_pass_through_every_channel_and_the_snr_covers_its_range(
    mix: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    import m4sc.training.channels as module

    kinds: set[str] = set()
    snrs: list[torch.Tensor] = []
    real = module.carry

    def spy(symbols, snr_db, channel, *rest):  # type: ignore[no-untyped-def]
        kinds.add(channel)
        snrs.append(snr_db)
        return real(symbols, snr_db, channel, *rest)

    monkeypatch.setattr(module, "carry", spy)
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    for _ in range(40):
        symbols = torch.randn(3, 4, 8, 2, generator=generator).requires_grad_()
        y, noise_var = mix.through(symbols, rng, generator)  # type: ignore[attr-defined]
        y.square().sum().backward()
        assert y.shape == symbols.shape and noise_var.shape == symbols.shape[:-1]
        heard = noise_var < NOTHING_HEARD
        assert bool(torch.isfinite(symbols.grad).all()) and bool(
            (symbols.grad.abs().sum(-1) > 0)[heard].all()
        )
        assert bool((noise_var > 0).all())
    assert kinds == set(mix.shares)  # type: ignore[attr-defined]
    drawn = torch.cat(snrs)
    assert -5 <= float(drawn.min()) < -2 and 22 < float(drawn.max()) <= 25


# --- devices -----------------------------------------------------------------------------------------------


class OneDevice(TorchDispatchMode):
    """Refuses an operation on tensors of two devices, copies from one to the other aside."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        leaves = tree_leaves((args, kwargs or {}))
        devices = {x.device for x in leaves if isinstance(x, torch.Tensor) and x.dim() > 0}
        if len(devices) > 1 and func not in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            raise AssertionError(f"{func} on {devices}")
        return func(*args, **(kwargs or {}))


def test_the_watch_over_devices_sees_what_the_meta_device_lets_pass() -> None:
    table = torch.randn(4, 3, device="meta")
    with OneDevice():
        with pytest.raises(AssertionError, match="index"):
            table[torch.tensor([0, 1])]
        assert table[torch.tensor([0, 1]).to("meta")].shape == (2, 3)


def on_a_gpu_that_is_not_there(network: Network) -> list[Objective]:
    """Objectives of a network on the meta device: an operation with a host tensor, or one whose result the
    host would have to wait for, raises there."""
    network.to("meta")
    data = samples()
    placed = place_features(data, network.device)
    assert all(s.features is None or s.features.is_meta for s in placed)
    return [
        Alignment(network, data, 0),
        Instruction(network, data, 0, 4),
        Instruction(network, data, 0, 4, ALL_CHANNELS),
    ]


def test_no_step_waits_for_the_device_or_leaves_it(llm_folder: Path) -> None:
    for objective in on_a_gpu_that_is_not_there(make_network(llm_folder)):
        for step in range(2):
            for task in ("classify", "digits", "text", "summarize"):
                if task == "digits" and isinstance(objective, Alignment):
                    continue
                objective.begin_step(step)
                with OneDevice():
                    loss = objective.loss(task)
                    assert loss.is_meta and loss.shape == ()
                    loss.backward()


# --- several processes --------------------------------------------------------------------------------------


def one_of_two(llm_folder: Path, out: Path) -> None:
    """A stage of a few steps on this process; its weights go to a file of its own."""
    torch.set_num_threads(1)
    network = make_network(llm_folder)
    accelerator = make_accelerator(cpu=True)
    assert accelerator.num_processes == 2
    train(Instruction(network, samples(), 0, 4), stage("instruct", steps=5), out, accelerator)
    timed = stage("timed", steps=None, minutes=1 / 60)
    train(Instruction(network, samples(), 0, 4), timed, out, accelerator)  # both stop at the same step
    save_file(network.trained_state(), str(out / f"{accelerator.process_index}.safetensors"))


@pytest.mark.slow
@pytest.mark.timeout(300)  # forked processes of a torch with several threads may wait for ever
def test_two_processes_train_one_model(llm_folder: Path, tmp_path: Path) -> None:
    from accelerate import debug_launcher

    debug_launcher(one_of_two, (llm_folder, tmp_path), num_processes=2)
    first, second = (load_file(str(tmp_path / f"{i}.safetensors")) for i in range(2))
    assert same(first, second)
    assert not same(first, make_network(llm_folder).trained_state())
