"""Word error rate."""

from __future__ import annotations

from m4sc.metrics.answers import normalise_answer


def word_error_rate(answer: str, reference: str) -> float:
    """(substitutions + deletions + insertions) / words of the reference, after normalising; 0 or more.

    Raises:
        ValueError: a reference without words.
    """
    given, wanted = normalise_answer(answer).split(), normalise_answer(reference).split()
    if not wanted:
        raise ValueError("the reference has no words; a word error rate needs at least one")
    row = list(range(len(given) + 1))  # Levenshtein distance, one row at a time
    for i, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(given, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1] / len(wanted)
