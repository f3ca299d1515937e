"""The training loop of every stage, on Accelerate: a budget, a cosine over it, exact resumption."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, broadcast
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from m4sc.training import checkpoint
from m4sc.training.objective import Objective

_WARM_UP_STEPS = 30
_LEAST_RATE = 0.02
_SMOOTHING = 0.1
_ASK_EVERY = 10  # steps between two agreements of several processes on the time


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: also the name of its checkpoint and logs.
        minutes: time budget, earlier runs of the same stage counted in.
        weights: share of each task among the batches.
        rate, adapter_rate: AdamW learning rates of the trained modules and of the LLM's adapters.
        seed: of everything random.
        checkpoint_s: seconds between checkpoints.
        steps: a number of steps instead of the time budget: only then a run can be repeated exactly.
        log_every: steps between two rows of the curve; a GPU is waited for only then.
    """

    name: str
    minutes: float
    weights: dict[str, float]
    rate: float
    adapter_rate: float
    seed: int = 0
    checkpoint_s: float = 60.0
    steps: int | None = None
    log_every: int = 20


def make_accelerator(bf16: bool | None = None, cpu: bool = False) -> Accelerator:
    """One process, or one of those that ``accelerate launch`` started.

    bf16: mixed precision; None for where it pays without asking, a GPU that has it. cpu: no GPU even if there
    is one.
    """
    if bf16 is None and not cpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported():
        bf16 = True
    precision = None if bf16 is None else ("bf16" if bf16 else "no")
    # Accelerate keeps the first one's precision for the process, and refuses another
    if precision and AcceleratorState._shared_state.get("_mixed_precision", precision) != precision:
        AcceleratorState._reset_state()
    return Accelerator(
        mixed_precision=precision,
        cpu=cpu,
        # a batch of texts leaves the picture's modules without gradient
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


class _Forward(nn.Module):
    """The loss as a module's forward pass, where Accelerate puts precision and the exchange of gradients."""

    def __init__(self, objective: Objective[Any]) -> None:
        super().__init__()
        self.network = objective.network
        self._loss = objective.loss

    def forward(self, task: str) -> Tensor:
        return self._loss(task)


class _Clock:
    """How much of a stage is over, the same on every process."""

    def __init__(self, stage: Stage, accelerator: Accelerator, spent: float) -> None:
        self.stage, self.accelerator = stage, accelerator
        self.started = time.monotonic() - spent
        self.agreed: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds, earlier runs counted in."""
        return time.monotonic() - self.started

    def share(self, step: int) -> float:
        """Of the steps or of the time; 1 at the end."""
        if self.stage.steps is not None:
            return min(1.0, step / self.stage.steps)
        if self.agreed is None or self.accelerator.num_processes == 1 or step % _ASK_EVERY == 0:
            elapsed = self.elapsed
            if self.accelerator.num_processes > 1:
                elapsed = float(broadcast(torch.tensor([elapsed], device=self.accelerator.device))[0])
            self.agreed = min(1.0, elapsed / (60.0 * self.stage.minutes))
        return self.agreed


def train(
    objective: Objective[Any], stage: Stage, out_dir: Path, accelerator: Accelerator | None = None
) -> list[dict[str, float | str]]:
    """Run a stage to the end of its budget; killed at any point, it goes on from its last checkpoint.

    Everything random in a step depends on seed, step and process alone: with a number of steps, an
    interrupted run ends with the very weights of an uninterrupted one on the same machine.

    Args:
        objective: gives the losses; its network is trained where it is, see :func:`make_accelerator`.
        stage: what to do.
        out_dir: gets ``<stage>.ckpt.pt``, ``<stage>.curve.json`` and ``logs/<stage>`` for TensorBoard.
        accelerator: device, precision and processes; None for Accelerate's own choice.

    Returns:
        The curve: rows with minutes, step, task, loss (a running mean).

    Raises:
        ValueError: the checkpoint in `out_dir` is of another configuration or seed.
    """
    accelerator = accelerator or make_accelerator()
    out_dir.mkdir(parents=True, exist_ok=True)
    network = objective.network.to(accelerator.device)
    groups = _groups(network, stage)
    fused = accelerator.device.type in ("cpu", "cuda")
    model, optimizer = accelerator.prepare(
        _Forward(objective), torch.optim.AdamW(groups, weight_decay=0.01, fused=fused)
    )
    base_rates = [group["lr"] for group in groups]
    parameters = [p for group in groups for p in group["params"]]
    path = out_dir / f"{stage.name}.ckpt.pt"
    state = checkpoint.restore(path, network, optimizer, stage.seed)
    tasks, shares = list(stage.weights), np.array(list(stage.weights.values()))
    clock, saved = _Clock(stage, accelerator, state.spent), time.monotonic()
    smooth = {task: torch.tensor(loss, device=accelerator.device) for task, loss in state.smooth.items()}
    with _Log(stage, out_dir, state.step, accelerator.is_main_process) as log:
        while (share := clock.share(state.step)) < 1.0:
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * _rate_scale(state.step, share)
            chance = np.random.default_rng([stage.seed, state.step])  # the same task on every process
            task = str(chance.choice(tasks, p=shares / shares.sum()))
            objective.begin_step(state.step, accelerator.process_index)
            loss = model(task)
            optimizer.zero_grad(set_to_none=True)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            state.step += 1
            loss = loss.detach().float()
            smooth[task] = loss.lerp(smooth.get(task, loss), 1.0 - _SMOOTHING)
            if state.step % stage.log_every == 0:
                state.smooth = {task: float(value) for task, value in smooth.items()}
                state.curve += log.rows(state.step, clock.elapsed, state.smooth, share)
            if accelerator.is_main_process and time.monotonic() - saved > stage.checkpoint_s:
                state.spent, state.smooth = clock.elapsed, {t: float(v) for t, v in smooth.items()}
                checkpoint.save(path, network, optimizer, state)
                saved = time.monotonic()
    state.spent = max(clock.elapsed, 0.0 if stage.steps is not None else 60.0 * stage.minutes)
    state.smooth = {task: float(value) for task, value in smooth.items()}
    if accelerator.is_main_process:
        checkpoint.save(path, network, optimizer, state)
        (out_dir / f"{stage.name}.curve.json").write_text(json.dumps(state.curve), encoding="utf-8")
    accelerator.wait_for_everyone()
    return state.curve


def _rate_scale(step: int, share: float) -> float:
    """Warm-up over the first steps, then half a cosine over the budget."""
    warm_up = min(1.0, (step + 1) / _WARM_UP_STEPS)
    return max(warm_up * 0.5 * (1 + math.cos(math.pi * share)), _LEAST_RATE)


def _groups(network: nn.Module, stage: Stage) -> list[dict[str, Any]]:
    """Parameters by learning rate; those that are frozen are left out."""
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    adapter = [p for name, p in named if name.startswith("llm.")]
    groups = [{"params": [p for name, p in named if not name.startswith("llm.")], "lr": stage.rate}]
    if stage.adapter_rate > 0:
        groups.append({"params": adapter, "lr": stage.adapter_rate})
    return [group for group in groups if group["params"]]


class _Log:
    """Progress on the terminal (standard error) and TensorBoard's files; silent but for the first process."""

    def __init__(self, stage: Stage, out_dir: Path, step: int, speaks: bool) -> None:
        self.stage, self.speaks = stage, speaks
        self.since = (step, time.monotonic())
        if speaks:
            # rows of a run that was killed behind its last checkpoint are taken back
            self.writer = SummaryWriter(str(out_dir / "logs" / stage.name), purge_step=step)
            self.progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:3.0f} %"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("step {task.fields[step]}"),
                console=Console(stderr=True),
            )
            self.bar = self.progress.add_task(stage.name, total=1.0, step=step)

    def __enter__(self) -> _Log:
        if self.speaks:
            self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.speaks:
            self.progress.stop()
            self.writer.close()

    def rows(
        self, step: int, elapsed: float, smooth: dict[str, float], share: float
    ) -> list[dict[str, float | str]]:
        """Rows of the curve for each task's running loss; shown and logged."""
        minutes = round(elapsed / 60, 2)
        if self.speaks:
            first, begun = self.since
            rate = (step - first) / max(time.monotonic() - begun, 1e-9)
            for task, loss in smooth.items():
                self.writer.add_scalar(f"loss/{task}", loss, step)
            self.writer.add_scalar("minutes", elapsed / 60, step)
            self.writer.add_scalar("steps_per_s", rate, step)
            losses = " ".join(f"{task} {loss:.2f}" for task, loss in sorted(smooth.items()))
            self.progress.console.print(f"{elapsed / 60:5.1f} min step {step:5d} {rate:.2f}/s {losses}")
            self.progress.update(self.bar, completed=share, step=step)
            self.since = (step, time.monotonic())
        return [
            {"minutes": minutes, "step": step, "task": task, "loss": round(loss, 4)}
            for task, loss in smooth.items()
        ]
