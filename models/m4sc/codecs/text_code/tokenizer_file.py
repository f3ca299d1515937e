"""A tokenizer read from its file alone: transformers takes four seconds to import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FILE = "tokenizer.json"


class TokenizerFile:
    """What :class:`m4sc.codecs.text_code.alphabet.Alphabet` asks of a tokenizer of transformers."""

    def __init__(self, path: Path) -> None:
        """path: ``tokenizer.json``.

        Raises:
            ValueError: it cannot be read.
        """
        from tokenizers import Tokenizer

        try:
            self._plain: Any = Tokenizer.from_file(str(path))
            self._marked: Any = Tokenizer.from_file(str(path))
        except Exception as exc:  # the library raises nothing more particular
            raise ValueError(f"{path} is broken or cut off; copy it again") from exc
        self._plain.encode_special_tokens = True  # what reads like a special token is text

    def __len__(self) -> int:
        return int(self._plain.get_vocab_size())

    def get_vocab(self) -> dict[str, int]:
        """Numbers of all tokens, special ones among them."""
        return dict(self._plain.get_vocab())

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        """Special tokens by number."""
        return dict(self._plain.get_added_tokens_decoder())

    def __call__(
        self, text: str, add_special_tokens: bool = False, split_special_tokens: bool = False
    ) -> dict[str, list[int]]:
        """Token numbers of a text, under ``input_ids``."""
        tokenizer = self._plain if split_special_tokens else self._marked
        return {"input_ids": list(tokenizer.encode(text, add_special_tokens=add_special_tokens).ids)}


def tokenizer_of(folder: Path) -> Any:
    """The tokenizer of a language model's folder, from its file where there is one."""
    if (folder / FILE).is_file():
        return TokenizerFile(folder / FILE)
    from m4sc.quiet import quiet_loading

    with quiet_loading():
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(str(folder))
