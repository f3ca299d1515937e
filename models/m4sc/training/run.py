"""The training loop of every stage: a time budget, a cosine in elapsed time, checkpoints that resume."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor, nn

from m4sc.network import Network


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: also the name of its checkpoint.
        minutes: time budget, earlier runs of the same stage counted in.
        weights: share of each task among the batches.
        rate, adapter_rate: AdamW learning rates of the trained modules and of the LLM's adapter.
        seed: of everything random.
        checkpoint_s: seconds between checkpoints.
    """

    name: str
    minutes: float
    weights: dict[str, float]
    rate: float
    adapter_rate: float
    seed: int = 0
    checkpoint_s: float = 60.0


def train(
    network: Network, stage: Stage, loss_of: Callable[[str], Tensor], out_dir: Path
) -> list[dict[str, float | str]]:
    """Run a stage to the end of its budget; killed, it goes on from its last checkpoint.

    Returns the curve: rows with minutes, step, task, loss (also in ``<stage>.curve.json``).
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    groups = _groups(network, stage)
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    base_rates = [group["lr"] for group in optimizer.param_groups]
    checkpoint = out_dir / f"{stage.name}.ckpt.pt"
    spent, step, curve = 0.0, 0, []
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"], strict=False)
        optimizer.load_state_dict(state["optimizer"])
        spent, step, curve = state["spent"], state["step"], json.loads(state["curve"])
    rng = np.random.default_rng([stage.seed, step])
    tasks, shares = list(stage.weights), np.array(list(stage.weights.values()))
    budget, started, saved = 60.0 * stage.minutes, time.monotonic() - spent, time.monotonic()
    parameters = [p for group in groups for p in group["params"]]
    smooth: dict[str, float] = {}
    with Progress() as progress:
        bar = progress.add_task(stage.name, total=budget)
        while (elapsed := time.monotonic() - started) < budget:
            scale = min(1.0, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * elapsed / budget))
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * max(scale, 0.02)
            task = str(rng.choice(tasks, p=shares / shares.sum()))
            loss = loss_of(task)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            step += 1
            smooth[task] = 0.9 * smooth.get(task, loss.item()) + 0.1 * loss.item()
            if step % 20 == 0:
                rows = [
                    {"minutes": round(elapsed / 60, 2), "step": step, "task": t, "loss": round(v, 3)}
                    for t, v in smooth.items()
                ]
                curve += rows
                progress.console.print(
                    f"{elapsed / 60:5.1f} min step {step:5d} "
                    + " ".join(f"{t} {v:.2f}" for t, v in sorted(smooth.items()))
                )
            progress.update(bar, completed=elapsed)
            if time.monotonic() - saved > stage.checkpoint_s:
                _save(checkpoint, network, optimizer, elapsed, step, curve)
                saved = time.monotonic()
    _save(checkpoint, network, optimizer, budget, step, curve)
    (out_dir / f"{stage.name}.curve.json").write_text(json.dumps(curve), encoding="utf-8")
    return curve


def _groups(network: Network, stage: Stage) -> list[dict]:
    adapter = [p for name, p in network.named_parameters() if "lora_" in name and p.requires_grad]
    rest = [p for name, p in network.named_parameters() if not name.startswith("llm.")]
    groups = [{"params": rest, "lr": stage.rate}]
    if stage.adapter_rate > 0:
        groups.append({"params": adapter, "lr": stage.adapter_rate})
    return groups


def _save(
    path: Path, network: Network, optimizer: torch.optim.Optimizer, spent: float, step: int, curve: list
) -> None:
    """Write beside, then rename: a kill leaves the old checkpoint whole."""
    kept = {k: v for k, v in network.state_dict().items() if not k.startswith("llm.") or "lora_" in k}
    state = {
        "network": kept,
        "optimizer": optimizer.state_dict(),
        "spent": spent,
        "step": step,
        "curve": json.dumps(curve),
    }
    scratch = path.with_suffix(".tmp")
    torch.save(state, scratch)
    scratch.replace(path)
