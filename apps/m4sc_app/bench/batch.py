"""`m4sc bench batch`: answers of many messages at once against one by one."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from m4sc_app.errors import UserError
from m4sc_app.tables import show

_TASKS = "classify,caption"
_SNR_DB = 10.0


def batch(
    tasks: Annotated[str, typer.Option(help="Comma-separated, of pictures or texts.")] = _TASKS,
    sizes: Annotated[str, typer.Option(help="Comma-separated messages at once.")] = "4,16",
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each; the fastest counts.")] = 3,
    weights: Annotated[str, typer.Option(help="Name or folder of the weights.")] = "default",
    side: Annotated[
        int,
        typer.Option(min=8, help="Of the pictures, in pixels; the language model reads small ones."),
    ] = 160,
    threads: Annotated[int, typer.Option(min=1, help="Of PyTorch.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Measure messages a second that the receiver's model answers, one by one and several at once.

    The messages are drawn patterns, or sentences, through AWGN of 10 dB; what is answered does not count.

    Example: m4sc bench batch --tasks classify --sizes 16 --side 32
    """
    import m4sc
    import torch
    from rich.table import Table

    from m4sc_app.report.versions import versions

    try:
        counts = [int(size) for size in sizes.split(",")]
    except ValueError as error:
        raise UserError(f"--sizes takes whole numbers with commas between them; got {sizes!r}") from error
    if min(counts) < 2:
        raise UserError(f"--sizes takes 2 or more; got {sizes!r}")
    torch.set_num_threads(threads)
    model = m4sc.load(weights)
    figures = [row for task in tasks.split(",") for row in _rows(model, task, counts, rounds, side)]
    if as_json:
        settings = {"versions": versions(), "threads": threads, "side": side}
        typer.echo(json.dumps({**settings, "figures": figures}, indent=1))
        return
    table = Table("task", "at once", "messages/s", "one by one", "times", title="Answers of several at once")
    for row in figures:
        numbers = (f"{row[name]:.2f}" for name in ("batched_per_s", "single_per_s", "times"))
        table.add_row(row["task"], str(row["size"]), *numbers)
    show(table)


def _rows(model: Any, task: str, sizes: list[int], rounds: int, side: int) -> list[dict[str, Any]]:
    import numpy as np
    from m4sc.evaluate.channels import transmit

    sent = [_sent(model, task, number, side) for number in range(max(sizes))]
    noise = np.random.default_rng(0)  # new each time: what was read before may be remembered

    def receptions(size: int) -> list[tuple[Any, Any]]:
        return [transmit(symbols, "awgn", _SNR_DB, noise) for symbols in sent[:size]]

    model.decode_many(receptions(2), task, [None] * 2)  # compiles and loads
    rows = []
    for size in sizes:
        together, single = [], []
        for _ in range(rounds):  # in turn, so that a busy machine slows both
            part, alone = receptions(size), receptions(size)
            started = time.perf_counter()
            model.decode_many(part, task, [None] * size)
            together.append(time.perf_counter() - started)
            started = time.perf_counter()
            for one in alone:
                model.decode_many([one], task, [None])
            single.append(time.perf_counter() - started)
        rows.append(
            {
                "task": task, "size": size, "batched_per_s": size / min(together),
                "single_per_s": size / min(single), "times": min(single) / min(together),
            }
        )  # fmt: skip
    return rows


def _sent(model: Any, task: str, number: int, side: int) -> Any:
    """Symbols of a message; pictures have `side` pixels, or up to three fewer."""
    import numpy as np
    from m4sc.message import Message
    from m4sc.tasks import get_task

    rng = np.random.default_rng(number)
    modality = get_task(task).modality
    if modality == "image":
        coarse = rng.integers(256, size=(4, 4, 3), dtype=np.uint8)
        message = Message("image", coarse.repeat(side // 4, 0).repeat(side // 4, 1))
    elif modality == "text":
        words = rng.choice(["a", "dog", "runs", "red", "boat", "on", "the", "street"], 8)
        message = Message("text", " ".join(words))
    else:
        raise UserError(f"task '{task}' is of {modality}; give tasks of pictures or texts")
    return model.encode(message, task).symbols
