"""`m4sc train`: features once, then the stages; each command resumes where it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from m4sc_app.errors import UserError

if TYPE_CHECKING:
    from m4sc.config import ModelConfig

train_app = typer.Typer(no_args_is_help=True, help="Train the model on your own folder of data sets.")

DataOption = Annotated[
    Path, typer.Option("--data", help="Folder with the data sets (read only).", file_okay=False)
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of this run: caches, checkpoints, weights.")]
MinutesOption = Annotated[float, typer.Option("--budget-minutes", min=0.05, help="Time for this stage.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]

_ALIGN_SHARES = {
    "classify": 1.5,
    "mosaic": 2.5,
    "caption": 0.7,
    "digits": 1.0,
    "sound": 0.7,
    "text": 2.0,
    "summarize": 0.4,
}
_INSTRUCT_SHARES = {
    "classify": 1.0,
    "mosaic": 3.0,
    "caption": 1.5,
    "vqa": 1.2,
    "digits": 0.8,
    "sound": 0.5,
    "text": 0.3,
    "summarize": 0.5,
    "text-question": 0.7,
}


Bf16Option = Annotated[
    bool, typer.Option("--bf16", help="Compute in bfloat16; only processors with AVX-512 BF16 gain.")
]
InitOption = Annotated[
    Path | None, typer.Option("--init", help="Folder of weights to start from, whatever of them fits.")
]
ProjectorOption = Annotated[
    str, typer.Option("--projector", help="Layer of the projectors, of equal size: rbf, bspline or mlp.")
]


@train_app.command()
def features(data: DataOption, out: OutOption = Path("runs/default"), bf16: Bf16Option = False) -> None:
    """Run the frozen encoders once over the training split and keep their features.

    Example: m4sc train features --data DATA
    """
    from m4sc.training.features import Amount, cache_features, written_samples

    cache_features(data, out / "features", "train", Amount(), bf16)
    written_samples(data, out / "features", "train", Amount())  # finds what summaries should say


@train_app.command()
def align(
    data: DataOption,
    out: OutOption = Path("runs/default"),
    minutes: MinutesOption = 10.0,
    seed: SeedOption = 0,
    init: InitOption = None,
    projector: ProjectorOption = "rbf",
) -> None:
    """Stage 1: received tokens meet the word embeddings of what they mean; the LLM does not run.

    Example: m4sc train align --data DATA --budget-minutes 10
    """
    from m4sc.config import ModelConfig
    from m4sc.training.align import Alignment
    from m4sc.training.run import Stage, train

    network, samples = _prepare(data, out, seed, ModelConfig(projector=projector))
    if init is not None:
        typer.echo(f"{network.start_from(init)} tensors taken from {init.name}", err=True)
    shares = {task: share for task, share in _ALIGN_SHARES.items() if any(s.task == task for s in samples)}
    train(
        network, Stage("align", minutes, shares, 1e-3, 0.0, seed), Alignment(network, samples, seed).loss, out
    )
    network.save(out / "align")


@train_app.command()
def instruct(
    data: DataOption,
    out: OutOption = Path("runs/default"),
    minutes: MinutesOption = 60.0,
    seed: SeedOption = 0,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Questions a batch.")] = 24,
    bf16: Bf16Option = False,
) -> None:
    """Stages 2 and 3 together: adapter, projectors and codecs learn to answer through random channels.

    The projectors are of the kind that `m4sc train align` was given.

    Example: m4sc train instruct --data DATA --budget-minutes 60
    """
    from m4sc.config import ModelConfig
    from m4sc.training.instruct import Instruction
    from m4sc.training.run import Stage, train

    aligned = out / "align" / "config.json"
    if not aligned.is_file():
        raise UserError(f"{out} has no aligned weights; run `m4sc train align --out {out}` first")
    config = ModelConfig.from_json(aligned.read_text(encoding="utf-8"))
    network, samples = _prepare(data, out, seed, config)
    network.load_trained(out / "align")
    shares = {task: share for task, share in _INSTRUCT_SHARES.items() if any(s.task == task for s in samples)}
    stage = Stage("instruct", minutes, shares, 3e-4, 6e-4, seed)
    train(network, stage, Instruction(network, samples, seed + 1, batch_size, bf16).loss, out)
    network.save(out / "default")


def _prepare(data: Path, out: Path, seed: int, config: ModelConfig):  # type: ignore[no-untyped-def]
    """A network seeded before it is made, and the samples."""
    import torch
    from m4sc.network import Network
    from m4sc.training.features import Amount, load_features, written_samples

    torch.manual_seed(seed)
    samples = load_features(out / "features", "train") + written_samples(
        data, out / "features", "train", Amount()
    )
    return Network(config), samples
