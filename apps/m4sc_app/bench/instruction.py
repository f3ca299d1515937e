"""`m4sc bench instruction`: does it help that the transmitter knows the question? Mosaics of nine tiles."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from m4sc.questions.instructed import DetailLesson
    from torch import Tensor

_NONSENSE = "Purple ideas sleep furiously under green arithmetic."
_WIDTH = 192  # principal components of a cell's features
_PART = 64
_SIDE = 224  # pixels: 7 x 7 cells


def instruction(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    cache: Annotated[Path, typer.Option(help="Folder for the mosaics' features.")] = Path("runs/instruction"),
    symbols: Annotated[int, typer.Option(min=9, help="Complex symbols of a mosaic.")] = 32,
    snr: Annotated[str, typer.Option("--snr", help="Es/N0 in dB, with commas, AWGN.")] = "10,0",
    train: Annotated[int, typer.Option(min=64, help="Mosaics to learn from.")] = 1800,
    test: Annotated[int, typer.Option(min=20, help="Mosaics of the test split.")] = 400,
    steps: Annotated[int, typer.Option(min=1, help="Batches of 128 questions a path.")] = 1500,
    minutes: Annotated[float, typer.Option(min=0.05, help="For each path at most.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, batches and noise.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train two paths alike, and ask both "What is at the ...?" of 3 x 3 mosaics with as many symbols.

    Of the one the transmitter knows the question and sends that detail alone; of the other it sends a little
    of everything. Also the first one told nonsense.

    Example: m4sc bench instruction --data DATA
    """
    import torch
    from m4sc.questions.instructed import DetailConfig, DetailPath, share_right, train_path
    from m4sc.space.sentence_encoder import SentenceEncoder

    learned, tested = _lessons(data, cache, train, test)
    nonsense = SentenceEncoder()([_NONSENSE])[0]
    rows = []
    for instructed in (True, False):
        torch.manual_seed(seed)
        path = DetailPath(DetailConfig(instructed, learned.cells.shape[2], symbols=symbols))
        name = "instruction known" if instructed else "light path"
        train_path(path, learned, steps, minutes, seed, partial(_say, name))
        for snr_db in (float(value) for value in snr.split(",")):
            rows.append((name, snr_db, share_right(path, tested, snr_db, seed=seed)))
            if instructed:
                rows.append(("told nonsense", snr_db, share_right(path, tested, snr_db, nonsense, seed)))
    if as_json:
        found = [{"path": name, "snr_db": snr_db, "right": right} for name, snr_db, right in rows]
        typer.echo(json.dumps({"symbols": symbols, "mosaics": len(tested.cells), "figures": found}, indent=1))
        return
    for name, snr_db, right in rows:
        typer.echo(
            f"{name:17s} {symbols} symbols {snr_db:5.1f} dB: {right:.3f} of {9 * len(tested.cells)} questions"
        )


def _say(name: str, step: int, loss: float) -> None:
    typer.echo(f"{name}: step {step}, loss {loss:.3f}", err=True)


def _lessons(data: Path, cache: Path, train: int, test: int) -> tuple[DetailLesson, DetailLesson]:
    """Mosaics of training and test pictures, their cells reduced by the components of the training ones."""
    import torch
    from m4sc.data.mosaic import SEEN, position_name
    from m4sc.questions.instructed import DetailLesson
    from m4sc.space.sentence_encoder import SentenceEncoder

    wordings = [word.format(p=position_name(3, cell)) for cell in range(9) for word in SEEN["position"]]
    asked = SentenceEncoder()(wordings).unflatten(0, (9, -1))
    maps, answers = _mosaics(data, "train", train, cache)
    sample = maps.flatten(0, 1)[:: max(1, len(maps) // 250)].float()
    mean, std = sample.mean(0), sample.std(0).clamp_min(1e-3)
    scaled = (sample - mean) / std
    torch.manual_seed(0)
    _, strength, basis = torch.pca_lowrank(scaled, _WIDTH, niter=2)
    basis = basis / strength * len(scaled) ** 0.5

    def reduced(cells: Tensor) -> Tensor:
        return torch.cat([((part.float() - mean) / std) @ basis for part in cells.split(_PART)])

    test_maps, test_answers = _mosaics(data, "test", test, cache)
    return DetailLesson(reduced(maps), asked, answers), DetailLesson(reduced(test_maps), asked, test_answers)


def _mosaics(data: Path, split: str, count: int, cache: Path) -> tuple[Tensor, Tensor]:
    """Cells of mosaics, float16 (n, 49, 1280), and their tiles' classes, int64 (n, 9); kept in `cache`."""
    import numpy as np
    import torch
    from m4sc.data.cifar10 import load_cifar10
    from m4sc.data.mosaic import draw_mosaic, render
    from m4sc.encoders.image import ImageEncoder

    pictures = load_cifar10(data, split)
    drawn = [
        draw_mosaic(pictures, 3, np.random.default_rng([0, 3, split == "test", n])) for n in range(count)
    ]
    labels = torch.from_numpy(np.stack([mosaic.labels for mosaic in drawn])).long()
    cache.mkdir(parents=True, exist_ok=True)
    encoder, parts = None, []
    for start in range(0, count, _PART):
        path = cache / f"{split}-{start}-{min(_PART, count - start)}.npy"
        if not path.exists():
            encoder = encoder or ImageEncoder(size=_SIDE, grid=7)
            shown = [render(mosaic, pictures.images) for mosaic in drawn[start : start + _PART]]
            found = encoder(shown).half().numpy()
            scratch = path.with_suffix(".tmp.npy")
            np.save(scratch, found)
            scratch.replace(path)
            typer.echo(f"{split}: {start + len(found)} of {count} mosaics", err=True)
        parts.append(torch.from_numpy(np.load(path)))
    return torch.cat(parts), labels
