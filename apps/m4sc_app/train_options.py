"""Options that the commands of `m4sc train` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path, typer.Option("--data", help="Folder with the data sets (read only).", file_okay=False)
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
Bf16Option = Annotated[
    bool | None,
    typer.Option(
        "--bf16/--no-bf16",
        help="bfloat16 for the LLM: unasked on a GPU that has it; processors gain with AVX-512 BF16.",
    ),
]
LlmOption = Annotated[
    str | None, typer.Option("--llm", help="Language model: built-in name, folder or Hugging Face id.")
]
VisionOption = Annotated[
    str | None, typer.Option("--vision", help="Picture encoder: built-in name, folder or Hugging Face id.")
]
CpuOption = Annotated[bool, typer.Option("--cpu", help="Do not use a GPU.")]
