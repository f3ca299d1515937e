"""Whisper's tokens: what a transcript begins with, its words, its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

_PROMPT = ("<|startoftranscript|>", "<|notimestamps|>")
_END = "<|endoftext|>"


class Vocabulary:
    """Tokens of an English Whisper model."""

    def __init__(self, folder: Path) -> None:
        """folder: holds ``tokenizer.json``.

        Raises:
            ValueError: the tokenizer is not Whisper's.
        """
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        *self.prompt, self.end = (self._mark(token, folder) for token in (*_PROMPT, _END))

    def _mark(self, token: str, folder: Path) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise ValueError(f"the tokenizer in {folder.name} lacks Whisper's mark {token}")
        return int(number)

    def batch(self, sentences: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Prompt, words, end mark, padding: int64 (n, t); bool (n, t), which of them are to be told."""
        rows = []
        for sentence in sentences:
            words = f" {sentence.strip()}" if sentence.strip() else ""
            ids_of = self._tokenizer.encode(words, add_special_tokens=False).ids
            rows.append([*self.prompt, *ids_of, self.end])
        ids = torch.full((len(rows), max(map(len, rows))), self.end)
        asked = torch.zeros(ids.shape, dtype=torch.bool)
        for n, row in enumerate(rows):
            ids[n, : len(row)] = torch.tensor(row)
            asked[n, len(self.prompt) : len(row)] = True
        return ids, asked

    def text(self, ids: Sequence[int]) -> str:
        """Words of token numbers, without marks."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).strip()
