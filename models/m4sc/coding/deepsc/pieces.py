"""Texts as pieces of words: byte pairs learned from the training texts, so that any text can be written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE = "pieces.json"
_MOST_BYTES = 1 << 22


class Pieces:
    """A vocabulary; digits are pieces of their own.

    Args:
        tokenizer: of the package tokenizers.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def learned(cls, texts: Sequence[str], count: int) -> Pieces:
        """At most `count` pieces, the commonest of texts; every byte is one."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer: Any = Tokenizer(models.BPE())
        words: Any = pre_tokenizers.ByteLevel(add_prefix_space=False)
        digits: Any = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, words])
        tokenizer.decoder = decoders.ByteLevel()
        trainer: Any = trainers.BpeTrainer(
            vocab_size=count, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, folder: Path) -> Pieces:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: it cannot be read.
        """
        from tokenizers import Tokenizer

        path = folder / FILE
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{path} is larger than any vocabulary; copy it again")
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as exc:  # the library raises nothing more particular
            raise ValueError(f"{path} is broken or cut off; copy it again") from exc

    def save(self, folder: Path) -> None:
        """Write the vocabulary into a folder."""
        self._tokenizer.save(str(folder / FILE), pretty=False)

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def numbers(self, text: str) -> list[int]:
        """Pieces of a text; raises ValueError for half of a surrogate pair, which is no character."""
        try:
            text.encode()
        except UnicodeEncodeError as exc:
            raise ValueError("the text has half of a surrogate pair, which is no character") from exc
        return list(self._tokenizer.encode(text).ids)

    def text(self, numbers: Sequence[int]) -> str:
        """Inverse of :meth:`numbers`; bytes that are no UTF-8 become the replacement character."""
        return str(self._tokenizer.decode(list(numbers)))
