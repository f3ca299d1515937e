"""A text in chunks of tokens, cut between words."""

from __future__ import annotations

from m4sc.mllm.instruction import END
from m4sc.mllm.llm import LanguageModel


def text_chunks(llm: LanguageModel, text: str, size: int) -> list[list[int]]:
    """Token numbers in chunks of ``size``; every chunk but the last is filled up with end marks."""
    chunks: list[list[int]] = [[]]
    for word in text.split():
        ids = llm.token_ids(word)
        joined = llm.token_ids(" " + word) if chunks[-1] else ids
        if chunks[-1] and len(chunks[-1]) + len(joined) > size:
            chunks.append([])
            joined = ids
        chunks[-1] += joined[:size]
    end = llm.token_ids(END)
    return [chunk + end * (size - len(chunk)) for chunk in chunks[:-1]] + chunks[-1:]
