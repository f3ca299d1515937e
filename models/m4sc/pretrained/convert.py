"""Conversions of packaged checkpoints into folders of safetensors; torch is imported only when one runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from m4sc.quiet import quiet_loading

# Raise a number when its conversion writes something else: caches of the old form are then made again.
VERSIONS: dict[str, int] = {"gguf": 1, "efficientnet": 1, "yamnet": 1}


def convert_gguf(source: Path, folder: Path) -> None:
    """Unpack a GGUF language model into bf16 safetensors, its configuration and its tokenizer.

    The blocks of the GGUF file are dequantised and rounded to bfloat16; tied output embeddings are left
    out, as ``save_pretrained`` does.

    Args:
        source: the ``.gguf`` file.
        folder: empty folder that ``transformers.AutoModelForCausalLM.from_pretrained`` reads afterwards.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place, file = str(source.parent), source.name
    # Packed weights would need a kernel that is fetched over the network, and cannot be fine-tuned.
    with quiet_loading():
        model = AutoModelForCausalLM.from_pretrained(
            place, gguf_file=file, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
        tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=file)

    config = model.config.to_dict()
    config.pop("quantization_config", None)
    config["architectures"] = [type(model).__name__]
    config["dtype"] = "bfloat16"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in model.state_dict().items()}
    if config.get("tie_word_embeddings"):
        tensors.pop("lm_head.weight", None)
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    tokenizer.save_pretrained(str(folder))


def convert_efficientnet(source: Path, folder: Path) -> None:
    """Turn an EfficientNet-Lite checkpoint of pickled tensors into safetensors.

    Args:
        source: the ``.pth`` file: a state dictionary with the names of package ``efficientnet_lite_pytorch``.
            It is read with ``weights_only=True``, which unpickles tensors and nothing that could run code.
        folder: empty folder that receives ``model.safetensors`` and ``config.json`` (key ``architecture``).
    """
    import torch
    from safetensors.torch import save_file

    state = torch.load(source, map_location="cpu", weights_only=True)
    tensors = {name: tensor.contiguous() for name, tensor in state.items()}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    config = {"architecture": source.name.rsplit("-", 1)[0], "source": source.name}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def convert_yamnet(source: Path, folder: Path) -> None:
    """Take YAMNet's float weights out of a quantised ONNX graph.

    The graph keeps every weight as a float and rounds it when it runs; here they stay what they are. Each
    convolution takes (input, weight, bias) by name, the weight's with the ending of its rounded copy.

    Args:
        source: the zip file with ``model.onnx`` and ``model.data``; the classes' table
            ``yamnet_class_map.csv`` lies beside it.
        folder: empty folder that receives ``model.safetensors`` (``layers.N.weight`` and ``.bias``, the batch
            normalisation inside them; ``classifier.weight`` and ``.bias``) and ``config.json`` (key
            ``classes``: names of the 521 classes).

    Raises:
        ValueError: another graph than YAMNet's.
    """
    import csv
    import zipfile

    import numpy as np
    from safetensors.numpy import save_file

    from m4sc.pretrained.onnx_weights import read_graph

    with zipfile.ZipFile(source) as archive:
        inside = {name.rsplit("/", 1)[-1]: name for name in archive.namelist()}
        graph = read_graph(archive.read(inside["model.onnx"]), archive.read(inside["model.data"]))
    tensors: dict[str, np.ndarray] = {}
    convolutions = [inputs for kind, inputs in graph.nodes if kind == "Conv"]
    for n, (_, weight, bias) in enumerate(convolutions):
        tensors[f"layers.{n}.weight"] = graph.floats[weight.removesuffix("_qdq")]
        tensors[f"layers.{n}.bias"] = graph.floats[bias]
    for part in ("weight", "bias"):
        tensors[f"classifier.{part}"] = graph.floats[f"model.classifier.{part}"]
    with source.with_name("yamnet_class_map.csv").open(newline="", encoding="utf-8") as table:
        classes = [row["display_name"] for row in csv.DictReader(table)]
    if len(classes) != len(tensors["classifier.bias"]):
        raise ValueError(f"{source.name} and its table of classes do not belong together")
    tensors = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    config = {"architecture": "yamnet", "source": source.name, "classes": classes}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


CONVERTERS: dict[str, Callable[[Path, Path], None]] = {
    "gguf": convert_gguf,
    "efficientnet": convert_efficientnet,
    "yamnet": convert_yamnet,
}
