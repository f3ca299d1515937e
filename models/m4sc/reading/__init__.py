"""Questions on texts: what of a text answers one, and what the answer is."""
