"""What both ends know already: sentences with their points in the space."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from m4sc.space.sentence_encoder import SentenceEncoder

FILE = "knowledge.safetensors"
_FORMAT = "m4sc knowledge base 1"
_PART = 2048
_MOST_TEXT = 32 << 20  # bytes of sentences that a file may unpack to
TEXT_SUFFIXES = (".txt", ".md")


@dataclass(frozen=True)
class KnowledgeBase:
    """Sentences and their unit vectors.

    Attributes:
        sentences: n of them.
        vectors: int8 (n, dim): 127 times the vector over its largest entry.
        about: where the sentences come from and under which licence.
    """

    sentences: tuple[str, ...]
    vectors: Tensor
    about: str = ""

    @classmethod
    def of(
        cls,
        sentences: Sequence[str],
        points: Tensor,
        about: str = "",
        most: int | None = None,
        nearest_allowed: float = 1.0,
    ) -> KnowledgeBase:
        """From sentences and their unit vectors, float (n, dim).

        Args:
            sentences, points, about: see the class.
            most: keep the first so many.
            nearest_allowed: a sentence whose cosine to an earlier one is above this is left out.
        """
        kept = distinct(points, nearest_allowed)[:most]
        chosen = torch.tensor(kept, dtype=torch.long)
        return cls(tuple(sentences[n] for n in kept), quantised(points[chosen]), about)

    @property
    def points(self) -> Tensor:
        """Unit vectors, float32 (n, dim)."""
        return torch.nn.functional.normalize(self.vectors.float(), dim=-1)

    @property
    def fingerprint(self) -> int:
        """CRC-32 of sentences and vectors: both ends must have the same."""
        text = zlib.crc32("\n".join(self.sentences).encode())
        return zlib.crc32(self.vectors.numpy().tobytes(), text)

    def __len__(self) -> int:
        return len(self.sentences)

    def save(self, path: Path) -> None:
        """Write one safetensors file; the sentences are its text, UTF-8 in a tensor of bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = np.frombuffer(zlib.compress("\n".join(self.sentences).encode(), 9), np.uint8)
        tensors = {"vectors": self.vectors.contiguous(), "text": torch.from_numpy(text.copy())}
        scratch = path.with_suffix(".tmp")
        save_file(tensors, str(scratch), metadata={"format": _FORMAT, "about": json.dumps(self.about)})
        scratch.replace(path)

    @classmethod
    def load(cls, path: Path) -> KnowledgeBase:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: no knowledge base.
        """
        try:
            with safe_open(str(path), "pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != _FORMAT:
                    raise ValueError(f"{path.name} is no knowledge base; make one with m4sc kb build")
                text = _unpacked(file.get_tensor("text").numpy().tobytes()).decode()
                vectors = file.get_tensor("vectors")
                about = str(json.loads(metadata.get("about", '""')))
        except (OSError, SafetensorError, zlib.error, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{path.name} cannot be read as a knowledge base: {error}") from error
        if vectors.dim() != 2 or vectors.dtype != torch.int8:
            raise ValueError(f"{path.name} is no knowledge base: its vectors are none of int8 (n, width)")
        sentences = tuple(text.split("\n"))
        if len(sentences) != len(vectors):
            raise ValueError(f"{path.name} has {len(sentences)} sentences but {len(vectors)} vectors")
        return cls(sentences, vectors, about)


def _unpacked(packed: bytes) -> bytes:
    """The sentences' bytes, no more than are read; a bomb is left packed."""
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, _MOST_TEXT)
    if unpacker.unconsumed_tail:
        raise ValueError(f"the knowledge base has more than {_MOST_TEXT:,} bytes of sentences")
    if not unpacker.eof:
        raise zlib.error("its sentences are cut off")
    return text


def quantised(points: Tensor) -> Tensor:
    """Unit vectors, float (n, dim), to int8: rounding costs a cosine of about 1e-4."""
    largest = points.abs().amax(-1, keepdim=True).clamp_min(1e-9)
    return (points / largest * 127).round().to(torch.int8)


def distinct(points: Tensor, nearest_allowed: float) -> list[int]:
    """Indices of the rows of unit vectors whose cosine to every earlier kept row is at most a value."""
    if nearest_allowed >= 1.0:
        return list(range(len(points)))
    kept: list[int] = []
    bank = torch.empty_like(points)
    for start in range(0, len(points), _PART):
        part = points[start : start + _PART]
        earlier = bank[: len(kept)]
        free = torch.ones(len(part), dtype=torch.bool)
        if kept:
            free = (part @ earlier.T).amax(1) <= nearest_allowed
        near = part @ part.T > nearest_allowed
        for n in free.nonzero()[:, 0].tolist():
            if not free[n]:
                continue
            bank[len(kept)] = part[n]
            kept.append(start + n)
            free[n + 1 :] &= ~near[n, n + 1 :]
    return kept


def sentences_of(text: str, most_words: int = 40) -> list[str]:
    """Sentences of a text: split at ends of lines and behind full stops; longer ones are left out."""
    pieces = re.split(r"(?<=[.!?])\s+|\n+", text)
    found = [" ".join(piece.split()).lstrip("#*->|• ").strip() for piece in pieces]
    return [s for s in found if 2 <= len(s.split()) <= most_words]


def texts_in(folder: Path) -> Iterable[str]:
    """The texts (.txt, .md) of a folder and those below it, by name.

    Raises:
        ValueError: no such folder, or no text in it.
    """
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in TEXT_SUFFIXES and p.is_file())
    if not files:
        raise ValueError(f"{folder} holds no text; a knowledge base is made of .txt and .md files")
    for file in files:
        yield file.read_text(encoding="utf-8", errors="replace")


def build(
    folder: Path, encoder: SentenceEncoder, most: int = 20000, nearest_allowed: float = 0.97
) -> KnowledgeBase:
    """A knowledge base of a user's own texts.

    Raises:
        ValueError: no text, or no sentence in it.
    """
    found = list(dict.fromkeys(s for text in texts_in(folder) for s in sentences_of(text)))
    if not found:
        raise ValueError(f"the texts in {folder} hold no sentence of 2 to 40 words")
    return KnowledgeBase.of(found, encoder(found), f"sentences of {folder.name}", most, nearest_allowed)
