"""Text that is right or says it is not: a keyed tree code over tokens, and a search with the LLM's belief."""

from m4sc.codecs.text_code.codec import TextCode, VerbatimText

__all__ = ["TextCode", "VerbatimText"]
