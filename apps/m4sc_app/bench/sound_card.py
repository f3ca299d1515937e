"""The model card of the weights for sounds, from their configuration and the rows of `m4sc bench sound`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from m4sc.space.sound_network import SoundConfig

_TITLES = {"esc50": "ESC-50", "esc10": "rest of ESC-10", "urbansound8k": "UrbanSound8K", "all": "all of them"}
_SHOWN = ("accuracy", "among_own", "shuffled", "zeros", "confidence", "ece", "kept")

_HEAD = """# Model card: sound

What makes a sound (task `sound`), as a point of the shared sentence space over the channel.

| | |
|---|---|
| file | `model.safetensors` ({size:.1f} MB, large matrices as int8 rows), `config.json` (`SoundConfig`) |
| what | {projector} projector and channel codec, {least} to {most} symbols a sound; points of the names |
| frozen encoders | YAMNet (Apache-2.0), Whisper tiny.en's encoder (MIT), by `m4sc.pretrained` |
| names | {trained} classes trained on; YAMNet's {known} of AudioSet, with which no sound was labelled |
| data | ESC-50 and UrbanSound8K (parts; CC BY-NC 3.0), rest of ESC-10 (CC BY 3.0); by recording |
| how | `m4sc train sound --data DATA --out runs/sound`; figures: `m4sc bench sound --data DATA` |
| chosen | scale, prior, confidence and the start's weight in the projector: on training recordings in three \
parts, each named by a network that has not seen it |

## Without a channel, simpler ways

Share of test sounds named right: always the commonest class; the class of the nearest training sound in the
encoders' features; YAMNet's own likeliest class.

| set | n | constant | nearest | YAMNet |
|---|---|---|---|---|
"""

_MIDDLE = """
## Over AWGN

SNR is Es/N0 a symbol; {seeds} noise seeds. accuracy: the answer, of all names above, is the class's name
word for word ("dog" for UrbanSound8K's "dog bark" is wrong); among: the question lists the set's
classes; shuffled, zeros: another sound's symbols, zeros in their place; ece: expected calibration error of
the confidence; kept: the share of answers that may be kept, surest first, so that nine of ten are right.

| set | symbols | SNR (dB) | accuracy | among | shuffled | zeros | confidence | ece | kept |
|---|---|---|---|---|---|---|---|---|---|
"""

_TAIL = """
## Limits

Sounds come from few recordings ({recordings}), so figures move by several points with the recordings drawn.
A sound of no trained class is named by YAMNet's knowledge alone; among all names it is rarely named right,
among a few that the question lists more often. Speech is a sound like others: for words use `transcribe`.
"""


def write_card(path: Path, folder: Path, rows: Sequence[dict[str, Any]], seeds: int, recordings: str) -> None:
    """Write the card.

    Args:
        path: of the card.
        folder: of the weights.
        rows: of `m4sc bench sound`: rivals (with "constant") and figures (with "accuracy").
        seeds: of the noise, how many.
        recordings: how many each set's test split has, in words.
    """
    config = SoundConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
    text = _HEAD.format(
        size=(folder / "model.safetensors").stat().st_size / 1e6,
        projector=config.projector,
        least=config.least_symbols,
        most=config.symbols,
        trained=config.trained,
        known=len(config.names) - config.trained,
    )
    for row in rows:
        if "constant" in row:
            values = " | ".join(f"{row[key]:.3f}" for key in ("constant", "nearest", "yamnet"))
            text += f"| {_TITLES.get(row['set'], row['set'])} | {row['n']} | {values} |\n"
    text += _MIDDLE.format(seeds=seeds)
    for row in rows:
        if "accuracy" in row:
            values = " | ".join(f"{row[key]:.3f}" for key in _SHOWN)
            name = _TITLES.get(row["set"], row["set"])
            text += f"| {name} | {row['symbols']} | {row['snr_db']:g} | {values} |\n"
    path.write_text(text + _TAIL.format(recordings=recordings), encoding="utf-8")
