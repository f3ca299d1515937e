"""The one instruction template, known to both ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# A special token of the LLM opens both parts. No text can imitate it: what a person wrote is split into
# tokens without them (LanguageModel.text_ids). These are ChatML's; another LLM has its own (see Marks).
TURN = "<|im_start|>"
END = "<|im_end|>"


@dataclass(frozen=True)
class Marks:
    """Special tokens of one LLM that stand for `TURN` and `END`."""

    turn: str = TURN
    end: str = END

    def put_into(self, text: str) -> str:
        """A text of the template with this LLM's marks."""
        return text.replace(TURN, self.turn).replace(END, self.end)


def marks_of(tokenizer: Any) -> Marks:
    """ChatML's marks where the tokenizer knows them as one token each, otherwise its own begin and end.

    Raises:
        ValueError: it has no token that ends a text.
    """
    if all(len(tokenizer(mark, add_special_tokens=False)["input_ids"]) == 1 for mark in (TURN, END)):
        return Marks()
    if not tokenizer.eos_token:
        raise ValueError(f"the language model's tokenizer knows neither {END} nor a token that ends a text")
    return Marks(tokenizer.bos_token or tokenizer.eos_token, tokenizer.eos_token)


def asked(instruction: str) -> str:
    """A person's words behind their mark, which stands before a message or behind the received latents.

    The instruction stands behind the latents, so that several questions about one message share what was
    computed for it.
    """
    return f"{instruction.strip()}\n"
