"""What a sweep measures, read from a YAML file; what is wrong in it is told with its line."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from m4sc.codecs.rivals import foreign, picture_files, sounds, words
from m4sc.evaluate.catalogue import TASKS
from m4sc.evaluate.channels import CHANNELS
from m4sc.evaluate.ways import SYMBOLS, THROUGH
from m4sc.phy.header.protection import PROTECTIONS
from m4sc.phy.modulation.mcs import MCS_TABLE
from m4sc.small_file import read_small_text

OWN = ("semantic", "answer", "first-sentence", "constant", "blind", "retrieval")
FOREIGN, DEEPSC = "foreign", "deepsc"
DEEPJSCC = ("deepjscc", "deepjscc-2019")
"""Codecs whose names are those of their weights."""
CODECS = (*OWN, FOREIGN, *DEEPJSCC, DEEPSC, *picture_files.FORMATS, *sounds.CODERS, *words.CODERS)
_OF_SYMBOLS = ("semantic", FOREIGN, *DEEPJSCC, DEEPSC)
_SYSTEM_KEYS = {
    "codec",
    "tasks",
    "symbols",
    "side",
    "quality",
    "bits_per_s",
    "words",
    "mcs",
    "protection",
    "encoder",
    "decoder",
}
_PAIR = ("encoder", "decoder")
_MOST_CHARACTERS = 1 << 18
_KEYS = {
    "through",
    "weights",
    "examples",
    "validation",
    "controls",
    "seed",
    "seeds",
    "channels",
    "systems",
    "tasks",
}


class SweepConfigError(ValueError):
    """The file is no sweep; the text is one sentence with the line."""


@dataclass(frozen=True)
class SystemSpec:
    """One system.

    Attributes:
        name: in tables.
        codec: one of `CODECS`.
        tasks: that it is measured on; empty for all that it can carry.
        symbols: of the semantic system, complex symbols of a message at most; 0: what the task takes.
        side, quality: of picture files; of several qualities the lowest at which the receiver's model still
            answers, as the validation examples say.
        bits_per_s: of Opus, likewise.
        words: coder of an answer's words.
        mcs: a scheme's number for every SNR, or -1: the best of each channel and SNR.
        encoder, decoder: of somebody else's pair (:mod:`m4sc.codecs.rivals.foreign`).
        protection: of the semantic system's headers, likewise.
    """

    name: str
    codec: str
    tasks: tuple[str, ...] = ()
    symbols: int = 0
    side: int = 256
    quality: tuple[int, ...] = (50,)
    bits_per_s: tuple[int, ...] = (12_000,)
    words: str = "five-bit"
    mcs: int = -1
    encoder: str = ""
    decoder: str = ""
    protection: int = -1


@dataclass(frozen=True)
class SweepConfig:
    """A sweep.

    Attributes:
        systems, tasks: each system on each task that it can carry.
        points: of the channel: name and Es/N0 per data subcarrier, dB.
        weights: of our system and of the rivals' reader.
        examples: of the test split a task; validation: of the validation examples, for choices.
        seed: of the draw of examples; seeds: of the channels' noise.
        through: the way across, of `m4sc.evaluate.ways.THROUGH`.
        controls: of a task how many examples are asked with zeros and with another message's symbols, in the
            place of all. A row says it, and no score depends on it, so it is in no digest.
    """

    systems: tuple[SystemSpec, ...]
    tasks: tuple[str, ...]
    points: tuple[tuple[str, float], ...]
    weights: str = "default"
    examples: int = 200
    validation: int = 100
    seed: int = 0
    seeds: tuple[int, ...] = (0,)
    through: str = SYMBOLS
    controls: tuple[tuple[str, int], ...] = ()

    @property
    def settings_digest(self) -> str:
        """8 hexadecimal digits of the SHA-256 of what every row depends on."""
        told = [self.weights, self.examples, self.validation, self.seed, self.seeds]
        return _digest(told if self.through == SYMBOLS else [*told, self.through])

    def digest_of(self, system: SystemSpec) -> str:
        """16 hexadecimal digits of all that a system's rows depend on.

        Tasks and points are told in a row itself, so a sweep may get more or fewer of them, or of systems.
        """
        told = {key: value for key, value in asdict(system).items() if value != "" or key not in _PAIR}
        if system.codec not in _OF_SYMBOLS:  # which alone have headers to choose
            del told["protection"]
        return self.settings_digest + _digest({**told, "tasks": ()})


def _digest(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:8]


def load_config(path: Path) -> SweepConfig:
    """Read a sweep's file.

    Raises:
        FileNotFoundError: no such file.
        SweepConfigError: as :func:`read_config`.
    """
    try:
        return read_config(read_small_text(path), str(path))
    except UnicodeDecodeError as exc:
        raise SweepConfigError(f"{path}, line 1: this is no YAML text") from exc


def read_config(text: str, name: str) -> SweepConfig:
    """A sweep of YAML text; name: of its file, for errors.

    Raises:
        SweepConfigError: it cannot be read, or contradicts itself; names the line.
    """
    if len(text) > _MOST_CHARACTERS:
        raise SweepConfigError(f"{name} has {len(text):,} characters; at most {_MOST_CHARACTERS:,} are read")
    try:
        return _Reader(name).read(text)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise SweepConfigError(f"{name}, line {line}: {exc.problem or 'no YAML'}") from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise SweepConfigError(f"{name}, line 1: this is no YAML text") from exc


class _Reader:
    """Nodes to the configuration; a node knows its line."""

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self, text: str) -> SweepConfig:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode):
            raise SweepConfigError(f"{self._path}, line 1: give keys such as systems, tasks and channels")
        top = self._mapping(root, _KEYS)
        for key in ("systems", "tasks", "channels"):
            if key not in top:
                raise self._error(root, f"'{key}' is missing")
        tasks = tuple(self._choice(node, TASKS, "task") for node in self._list(top["tasks"]))
        names = self._mapping(top["systems"], None)
        if not names:
            raise self._error(top["systems"], "no system is given")
        systems = tuple(self._system(name, node, tasks) for name, node in names.items())
        points = tuple(point for node in self._list(top["channels"]) for point in self._channel(node))
        numbers = {
            key: self._number(top[key], least, 1_000_000)
            for key, least in (("examples", 1), ("validation", 1), ("seed", 0))
            if key in top
        }
        if "seeds" in top:
            numbers["seeds"] = tuple(self._number(n, 0, 1_000_000) for n in self._list(top["seeds"]))
        if "controls" in top:
            found = self._mapping(top["controls"], set(TASKS))
            numbers["controls"] = tuple(
                (task, self._number(node, 0, 1_000_000)) for task, node in found.items()
            )
        if "through" in top:
            numbers["through"] = self._choice(top["through"], THROUGH, "way")
        if "weights" in top:
            numbers["weights"] = self._text(top["weights"])
        return SweepConfig(systems, tasks, points, **numbers)

    def _system(self, name: str, node: yaml.Node, tasks: tuple[str, ...]) -> SystemSpec:
        given = self._mapping(node, _SYSTEM_KEYS)
        if "codec" not in given:
            raise self._error(node, f"system '{name}' names no codec")
        found: dict[str, Any] = {"codec": self._choice(given["codec"], CODECS, "codec")}
        if "tasks" in given:
            found["tasks"] = tuple(self._choice(n, tasks, "task") for n in self._list(given["tasks"]))
        if "symbols" in given:
            found["symbols"] = self._number(given["symbols"], 1, 1024)
            if found["codec"] != "semantic":
                raise self._error(given["symbols"], f"codec '{found['codec']}' takes no number of symbols")
        if "side" in given:
            found["side"] = self._number(given["side"], 16, picture_files.MOST_SIDE)
        for key, least, most in (("quality", 1, 100), ("bits_per_s", 6_000, 128_000)):
            if key in given:
                values = tuple(self._number(n, least, most) for n in self._list(given[key]))
                if list(values) != sorted(set(values)) or not values:
                    raise self._error(given[key], f"{key} goes from the lowest up, each once")
                found[key] = values
        if "words" in given:
            found["words"] = self._choice(given["words"], words.CODERS, "coder of words")
        if "protection" in given:
            found["protection"] = self._number(given["protection"], 0, len(PROTECTIONS) - 1)
            if found["codec"] != "semantic":
                raise self._error(given["protection"], f"codec '{found['codec']}' takes no protection")
        if "mcs" in given:
            found["mcs"] = self._number(given["mcs"], 0, len(MCS_TABLE) - 1)
        found |= self._pair(name, node, given, found["codec"])
        return SystemSpec(name, **found)

    def _pair(self, name: str, node: yaml.Node, given: dict[str, yaml.Node], codec: str) -> dict[str, str]:
        """Encoder and decoder, which one codec takes and no other."""
        named = {key: self._text(given[key]) for key in _PAIR if key in given}
        if codec != FOREIGN:
            if named:
                raise self._error(given[next(iter(named))], f"codec '{codec}' takes no encoder or decoder")
            return {}
        if len(named) < len(_PAIR) or "tasks" not in given:
            raise self._error(node, f"system '{name}' needs encoder, decoder and tasks")
        for key, text in named.items():
            if not re.fullmatch(foreign.FORM, text):
                raise self._error(given[key], f"'{text}' is none of package.module:function and hf:ID")
        return named

    def _channel(self, node: yaml.Node) -> list[tuple[str, float]]:
        given = self._mapping(node, {"channel", "snr_db"})
        if len(given) < 2:
            raise self._error(node, "a channel takes 'channel' and 'snr_db'")
        name = self._choice(given["channel"], CHANNELS, "channel")
        return [(name, float(self._number(n, -30, 60, float))) for n in self._list(given["snr_db"])]

    def _mapping(self, node: yaml.Node, known: set[str] | None) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, "names and values are expected here")
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self._text(key)
            if known is not None and name not in known:
                raise self._error(key, f"'{name}' is unknown; use {', '.join(sorted(known))}")
            if name in found:
                raise self._error(key, f"'{name}' is given twice")
            found[name] = value
        return found

    def _list(self, node: yaml.Node) -> list[yaml.Node]:
        found = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not found:
            raise self._error(node, "the list is empty")
        return list(found)

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self._error(node, "a word is expected here")
        return str(node.value)

    def _choice(self, node: yaml.Node, known: tuple[str, ...], what: str) -> str:
        text = self._text(node)
        if text not in known:
            raise self._error(node, f"{what} '{text}' is unknown; use {', '.join(known)}")
        return text

    def _number(self, node: yaml.Node, least: int, most: int, kind: type = int) -> Any:
        text = self._text(node)
        try:
            number = kind(text)
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            raise self._error(node, f"'{text}' is no number from {least} to {most}")
        return number

    def _error(self, node: yaml.Node, what: str) -> SweepConfigError:
        return SweepConfigError(f"{self._path}, line {node.start_mark.line + 1}: {what}")
