"""`m4sc bench alignment`: which projector lets photographs and captions find each other best."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from m4sc_app.tables import show


def alignment(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    cache: Annotated[Path, typer.Option(help="Folder of features, as m4sc train space keeps them.")] = Path(
        "runs/space/features"
    ),
    sizes: Annotated[str, typer.Option(help="Comma-separated numbers of train photographs.")] = "1000,3000",
    seeds: Annotated[str, typer.Option(help="Comma-separated seeds.")] = "0,1,2",
    kinds: Annotated[str, typer.Option(help="Comma-separated: kan, linear, mlp.")] = "kan,linear,mlp",
    epochs: Annotated[int, typer.Option(min=1, help="Of each training.")] = 15,
    bf16: Annotated[bool, typer.Option(help="bfloat16 for the features.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Retrieval of 500 held-out train photographs among their 2,500 captions, by projector, size and seed.

    Example: m4sc bench alignment --data DATA --sizes 1000 --seeds 0
    """
    from m4sc.space.material import photographs
    from m4sc.space.training import split_photographs

    photos = photographs(data, "train", cache, copies=False, bf16=bf16)
    split = split_photographs(len(photos), 500)
    rows = [
        _trial(photos, split, kind, int(size), int(seed), epochs)
        for size in sizes.split(",")
        for kind in kinds.split(",")
        for seed in seeds.split(",")
    ]
    if as_json:
        typer.echo(json.dumps({"config": {"epochs": epochs}, "figures": rows}, indent=1))
        return
    table = Table("projector", "photographs", "seed", "R@1", "R@5", "seconds", title="Alignment")
    for row in rows:
        values = (
            row["kind"],
            row["size"],
            row["seed"],
            f"{row['r1']:.3f}",
            f"{row['r5']:.3f}",
            f"{row['s']:.0f}",
        )
        table.add_row(*map(str, values))
    show(table)


def _trial(photos: Any, split: Any, kind: str, size: int, seed: int, epochs: int) -> dict[str, Any]:
    """Train one projector and let the held-out photographs look for their captions."""
    import time

    import torch
    from m4sc.space.contrastive import ContrastiveStage, Pairs, train_contrastive
    from m4sc.space.projector import Projector, ProjectorConfig
    from m4sc.space.retrieval import recall_at

    torch.manual_seed(seed)
    order = torch.randperm(len(split.learn), generator=torch.Generator().manual_seed(seed))
    rows = split.learn[order[:size]]
    features = photos.views[0].float()
    projector = Projector(ProjectorConfig(features.shape[1], kind=kind, dropout=0.5))
    projector.fit_scale(features[rows])
    if kind != "mlp":
        projector.start_linear(features[rows], photos.points[rows].mean(1))
    started = time.process_time()
    train_contrastive(
        projector, Pairs.of(features[None, rows], photos.points[rows]), ContrastiveStage(epochs, seed=seed)
    )
    seconds = time.process_time() - started
    with torch.inference_mode():
        found = projector(features[split.validate])
    said = photos.points[split.validate]
    owner = torch.arange(len(found)).repeat_interleave(said.shape[1])
    r1, r5 = recall_at(found, said.flatten(0, 1), owner)
    return {"kind": kind, "size": len(rows), "seed": seed, "r1": r1, "r5": r5, "s": seconds}
