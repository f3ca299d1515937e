"""`m4sc kb`: knowledge bases that a transmitter and its receiver may share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

kb_app = typer.Typer(no_args_is_help=True, help="Make and look at knowledge bases of sentences.")


@kb_app.command()
def build(
    folder: Annotated[Path, typer.Argument(help="Folder of texts (.txt, .md).", file_okay=False)],
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("knowledge.safetensors"),
    most: Annotated[int, typer.Option("--most", min=1, help="Sentences at most.")] = 20000,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a knowledge base of the sentences of your own texts.

    Example: m4sc kb build notes/ --out notes.safetensors
    """
    from m4sc.space.knowledge_base import build as build_base
    from m4sc.space.sentence_encoder import SentenceEncoder

    base = build_base(folder, SentenceEncoder(), most)
    base.save(out)
    _print(out, len(base), base.fingerprint, base.about, json_)


@kb_app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A knowledge base.", dir_okay=False)],
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a knowledge base holds; both ends need one with the same fingerprint.

    Example: m4sc kb show notes.safetensors
    """
    from m4sc.space.knowledge_base import KnowledgeBase

    base = KnowledgeBase.load(file)
    _print(file, len(base), base.fingerprint, base.about, json_)


def _print(file: Path, sentences: int, fingerprint: int, about: str, as_json: bool) -> None:
    if as_json:
        found = {
            "file": str(file),
            "sentences": sentences,
            "fingerprint": f"{fingerprint:08x}",
            "bytes": file.stat().st_size,
            "about": about,
        }
        typer.echo(json.dumps(found))
        return
    typer.echo(f"{file}: {sentences} sentences, fingerprint {fingerprint:08x}, {about}")
