"""`m4sc bench sound`: task `sound` over noise, beside controls and rivals."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def sound(
    data: Annotated[Path, typer.Option("--data", help="Folder with the data sets.", file_okay=False)],
    weights: Annotated[str, typer.Option(help="Shipped name or folder of weights.")] = "sound",
    heard: Annotated[Path, typer.Option(help="Folder where the encoders' features are kept.")] = Path(
        "runs/sound/heard"
    ),
    seeds: Annotated[str, typer.Option(help="Of the noise, with commas.")] = "0,1,2",
    results: Annotated[Path | None, typer.Option(help="JSON-lines file to write.")] = None,
    card: Annotated[Path | None, typer.Option(help="Model card to write.")] = None,
) -> None:
    """Accuracy of sounds' names on the test splits, by symbols and SNR (Es/N0 a symbol, AWGN).

    Example: m4sc bench sound --data DATA --heard runs/sound/heard
    """
    import torch
    from m4sc.data.sounds import sound_sets
    from m4sc.encoders.sound import SoundEncoder
    from m4sc.shipped import weights_folder
    from m4sc.space.sound_network import SoundNetwork
    from m4sc.training.sound import hear

    from m4sc_app.bench.sound_card import write_card
    from m4sc_app.bench.trials.sound_trial import SoundSet, rivals, sound_rows

    network = SoundNetwork.load(weights_folder(weights))
    encoder = SoundEncoder(network.config.sound, network.config.speech)

    def sets(split: str) -> list[SoundSet]:
        examples = sound_sets(data, split)
        found = hear(examples, encoder, heard, lambda word: typer.echo(word, err=True))
        pooled = found.pooled()
        made = []
        for kind in dict.fromkeys(example.kind for example in examples):
            rows = [n for n, example in enumerate(examples) if example.kind == kind]
            made.append(SoundSet(kind, pooled[rows], tuple(found.labels[n] for n in rows)))
        return made

    def joined(name: str, parts: list[SoundSet]) -> SoundSet:
        labels = tuple(label for part in parts for label in part.labels)
        return SoundSet(name, torch.cat([part.heard for part in parts]), labels)

    tested, trained = sets("test"), sets("train")
    whole = joined("all", trained)
    tested.append(joined("all", tested))
    rows: list[dict[str, object]] = []
    for one in tested:
        row = {"set": one.name, "n": len(one.labels), **rivals(network, whole, one)}
        rows.append(row)
        typer.echo("  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
    most = network.config.symbols
    points = [(most, snr) for snr in (-5.0, 0.0, 5.0, 10.0, 20.0)]
    points += [(k, 10.0) for k in (8, 16, 32, 64) if k < most]
    for found in sound_rows(network, tested, points, [int(s) for s in seeds.split(",")]):
        rows.append(asdict(found))
        typer.echo(
            f"{found.set:13s} {found.symbols:4d} symbols {found.snr_db:5.1f} dB: "
            f"accuracy {found.accuracy:.3f} (among the set's {found.among_own:.3f}), "
            f"shuffled {found.shuffled:.3f}, zeros {found.zeros:.3f}, confidence {found.confidence:.3f}, "
            f"ece {found.ece:.3f}, kept at 90 % {found.kept:.3f}, n {found.n}"
        )
    if results is not None:
        results.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    if card is not None:
        cut: dict[str, set[str]] = {}
        for example in sound_sets(data, "test"):
            cut.setdefault(example.kind, set()).add(example.recording)
        told = ", ".join(f"{len(found)} of {kind}'s" for kind, found in cut.items())
        write_card(card, weights_folder(weights), rows, len(seeds.split(",")), told + " in the test split")
