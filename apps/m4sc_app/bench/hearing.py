"""`m4sc bench hearing`: words heard right, without a channel: by Whisper as it is, adapted, and as chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from m4sc.data.example import Example


def hearing(
    data: Annotated[Path, typer.Option("--data", help="Folder with the data sets.", file_okay=False)],
    weights: Annotated[str, typer.Option(help="Shipped name or folder of an adapter.")] = "listen",
    n: Annotated[int, typer.Option(min=1, help="Clips a set at most.")] = 100,
    cache: Annotated[Path | None, typer.Option(help="Folder for spoken sentences.")] = None,
) -> None:
    """1 - word error rate of espeak-ng's voices, of people's unseen sentences and of single words.

    Errors and words are summed over the clips of a set.

    Example: m4sc bench hearing --data DATA
    """
    import numpy as np
    from m4sc.data import coco_text, espeak, human_speech, speech_commands
    from m4sc.encoders.speech import SpeechEncoder
    from m4sc.evaluate.metrics.speech import normalise_transcript, word_error_rate
    from m4sc.shipped import weights_folder

    folder = cache or Path.home() / ".cache" / "m4sc" / "data"
    captions = coco_text.load_captions(data, "test").values()
    short = [group[0] for group in captions if len(group[0].split()) <= 10][:n]
    sets: dict[str, list[Example]] = {
        "espeak-ng": espeak.spoken_examples(short, folder / "speech"),
        "people": human_speech.speech_examples(data, "test"),
        "words": speech_commands.word_examples(data, "dev"),
    }
    ear = SpeechEncoder(adapter=weights_folder(weights))
    for name, examples in sets.items():
        order = np.random.default_rng(0).permutation(len(examples))[:n]
        words = 0
        errors = dict.fromkeys(("plain", "adapted", "chosen"), 0.0)
        for example in (examples[int(i)] for i in sorted(order)):
            said = example.answers[0]
            count = len(normalise_transcript(said).split())
            if not count:
                continue
            words += count
            heard = ear.hearings(np.asarray(example.load(), np.float32))
            for way, text in heard.items():
                errors[way] += word_error_rate(text, said) * count
        told = "  ".join(f"{way} {1 - wrong / max(words, 1):.3f}" for way, wrong in errors.items())
        typer.echo(f"{name:10s} {told}  ({len(order)} clips, {words} words)")
