"""A convolutional network of TensorFlow.js (a "graph model": JSON and numbers) as steps of a ConvGraph."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from m4sc.encoders.conv_graph import Step

_KINDS = {
    "Add": "add",
    "Mul": "multiply",
    "Relu6": "clip6",
    "Relu": "positive",
    "Sigmoid": "logistic",
    "Mean": "mean",
    "ConcatV2": "join",
    "ResizeBilinear": "double",
}
_UNREAD = {"Mean": 1, "ConcatV2": 1, "ResizeBilinear": 1}  # last inputs: axes and sizes, the same everywhere


def converted(
    graph: bytes, numbers: bytes, source: str, wanted: Sequence[str]
) -> tuple[list[Step], dict[str, Tensor]]:
    """The steps that lead from an input to the values `wanted`, and the tensors they take.

    Args:
        graph: content of the ``.json`` file.
        numbers: content of the ``.bin`` file.
        source: name of the input.
        wanted: names of nodes.

    Raises:
        ValueError: the files do not fit each other, or hold an operation that is not known here.
    """
    told = json.loads(graph)
    nodes = {node["name"]: node for node in told["modelTopology"]["node"]}
    stored = _stored(told["weightsManifest"][0]["weights"], numbers)
    steps: list[Step] = []
    tensors: dict[str, Tensor] = {}
    done: dict[str, str] = {source: source}

    def value(name: str) -> str:
        if name in done:
            return done[name]
        if name in stored:
            tensors[name] = _beside_maps(stored[name])
            done[name] = name
            return name
        node = nodes[name]
        takes: list[str] = node["input"]
        if node["op"] == "Identity":
            done[name] = value(takes[0])
            return done[name]
        if node["op"].removeprefix("_").endswith(("Conv2D", "Conv2dNative")):
            steps.append(_convolution(node, value(takes[0]), stored, tensors))
        elif node["op"] in _KINDS:
            kept = takes[: len(takes) - _UNREAD.get(node["op"], 0)]
            steps.append(Step(_KINDS[node["op"]], name, tuple(value(other) for other in kept)))
        else:
            raise ValueError(f"{name} is a {node['op']}, which is not known here")
        done[name] = name
        return name

    for name in wanted:
        value(name)
    return steps, tensors


def _stored(entries: list[dict[str, Any]], numbers: bytes) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    place = 0
    for entry in entries:
        kind = np.dtype(entry.get("quantization", {}).get("dtype", entry["dtype"]))
        count = int(np.prod(entry["shape"], dtype=np.int64))
        found[entry["name"]] = np.frombuffer(numbers, kind, count, place).reshape(entry["shape"])
        place += count * kind.itemsize
    if place != len(numbers):
        raise ValueError(f"the network's file has {len(numbers):,} bytes; its description says {place:,}")
    return found


def _beside_maps(values: np.ndarray) -> Tensor:
    """A number or one number a channel, to be added to or multiplied with maps (n, channels, h, w)."""
    tensor = torch.from_numpy(np.array(values, np.float32))
    return tensor[:, None, None] if tensor.dim() == 1 else tensor


def _convolution(
    node: dict[str, Any], taken: str, stored: dict[str, np.ndarray], tensors: dict[str, Tensor]
) -> Step:
    options = node["attr"]
    weight = torch.from_numpy(np.array(stored[node["input"][1]], np.float32))
    depthwise = "Depthwise" in node["op"]
    groups = weight.shape[2] if depthwise else 1
    # (height, width, in, out) to torch's (out, in / groups, height, width)
    weight = weight.permute(2, 3, 0, 1).flatten(0, 1)[:, None] if depthwise else weight.permute(3, 2, 0, 1)
    takes = [taken, node["input"][1]]
    tensors[takes[1]] = weight.contiguous()
    behind = [
        base64.b64decode(name).decode() for name in options.get("fused_ops", {}).get("list", {}).get("s", [])
    ]
    if "BiasAdd" in behind:
        takes.append(node["input"][2])
        tensors[takes[2]] = torch.from_numpy(np.array(stored[takes[2]], np.float32))
    return Step(
        "convolve",
        node["name"],
        tuple(takes),
        stride=int(options["strides"]["list"]["i"][1]),
        groups=groups,
        padded=base64.b64decode(options["padding"]["s"]) == b"SAME",
        positive="Relu" in behind,
    )
