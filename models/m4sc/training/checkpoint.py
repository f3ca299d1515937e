"""The state of a stage on disk: whole at every moment, so that a kill loses only the steps behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from m4sc.training.trainable import Trainable


@dataclass
class RunState:
    """Where a stage is. There is no state of random generators: step and seed give it.

    Attributes:
        seed: of the stage.
        step: optimiser steps made.
        spent: seconds.
        smooth: running loss of each task.
        curve: rows written so far.
    """

    seed: int
    step: int = 0
    spent: float = 0.0
    smooth: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, float | str]] = field(default_factory=list)


def _trained(network: Trainable) -> dict[str, Tensor]:
    """Tensors in full precision that training may change: frozen backbones are left out."""
    return {key: values for key, values in network.state_dict().items() if network.is_trained(key)}


def save(path: Path, network: Trainable, optimizer: Optimizer, state: RunState) -> None:
    """Write beside, then rename: a kill leaves the old checkpoint whole."""
    content = {
        "config": network.config.to_json(),
        "network": _trained(network),
        "optimizer": optimizer.state_dict(),
        "state": json.dumps(vars(state)),
    }
    scratch = path.with_suffix(".tmp")
    torch.save(content, scratch)
    scratch.replace(path)


def restore(path: Path, network: Trainable, optimizer: Optimizer, seed: int) -> RunState:
    """Load a checkpoint into network and optimiser, or begin where there is none.

    Raises:
        ValueError: it is of another configuration or seed, or another version wrote it.
    """
    if not path.exists():
        return RunState(seed)
    content = torch.load(path, map_location=network.device, weights_only=True)
    advice = f"delete {path.name} to begin anew, or give another output folder"
    if "state" not in content:
        raise ValueError(f"the checkpoint {path.name} is of an older version; {advice}")
    state = RunState(**json.loads(content["state"]))
    if content["config"] != network.config.to_json() or set(content["network"]) != set(_trained(network)):
        raise ValueError(f"the checkpoint {path.name} is of another configuration of the model; {advice}")
    if state.seed != seed:
        raise ValueError(f"the checkpoint {path.name} is of seed {state.seed}, not {seed}; {advice}")
    network.load_state_dict(content["network"], strict=False)
    optimizer.load_state_dict(content["optimizer"])
    return state
