"""Trained weights made small enough to hand out."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from m4sc.mllm.network import FOR_TRAINING
from m4sc.tensor_file import SCALE, as_int8_rows, load_tensors

_ADAPTER = ".lora_"


def compact(folder: Path) -> tuple[int, int]:
    """Rewrite a folder's weights in place: adapters as int8 rows, what serves training alone left out.

    Returns:
        Bytes before and after.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is broken.
    """
    path = folder / "model.safetensors"
    before = path.stat().st_size
    kept = {}
    for name, values in load_tensors(path).items():
        if name.startswith(FOR_TRAINING):
            continue
        if _ADAPTER in name and values.dim() == 2:
            kept[name], kept[name + SCALE] = as_int8_rows(values)
        else:
            kept[name] = values
    scratch = path.with_suffix(".tmp")
    save_file(kept, str(scratch))
    scratch.replace(path)
    return before, path.stat().st_size
