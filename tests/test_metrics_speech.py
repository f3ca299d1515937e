"""Word error rate: what counts as the same word, by hand."""

import pytest
from m4sc.evaluate.metrics.speech import normalise_transcript, word_error_rate


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("Two dogs, and a Cat.", "2 dogs and a cat"),
        ("twenty-one birds", "21 birds"),
        ("twenty one", "21"),
        ("three one four", "3 1 4"),
        ("twenty twenty", "20 20"),
        ("two hundred people", "200 people"),
        ("it's grey, isn't it?", "it is gray is not it"),
        ("Um, the man's hat [noise]", "the man 's hat"),
        ("They can't (inaudible) stop", "they can not stop"),
        ("1,000 bikes", "1000 bikes"),
    ],
)
def test_normalising(given: str, wanted: str) -> None:
    assert normalise_transcript(given) == wanted
    assert normalise_transcript(wanted) == wanted


def test_word_error_rate_counts_every_word() -> None:
    assert word_error_rate("A dog runs.", "the dog runs") == pytest.approx(1 / 3)  # articles are words
    assert word_error_rate("2 dogs", "Two dogs.") == 0.0
    assert word_error_rate("", "two dogs") == 1.0
    with pytest.raises(ValueError, match="no words"):
        word_error_rate("a", "...")
