"""Conversions of packaged checkpoints into folders of safetensors; torch is imported only when one runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from m4sc.quiet import quiet_loading

# Raise a number when its conversion writes something else: caches of the old form are then made again.
VERSIONS: dict[str, int] = {"gguf": 1, "efficientnet": 1}


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


CONVERTERS: dict[str, Callable[[Path, Path], None]] = {
    "gguf": convert_gguf,
    "efficientnet": convert_efficientnet,
}
