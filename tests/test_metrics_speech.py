"""Word error rate: what counts as the same word, by hand."""

import pytest
from m4sc.evaluate.metrics.speech import normalise_transcript, word_accuracy, word_error_rate


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


def test_word_accuracy_is_of_the_closest_reference_and_not_below_zero() -> None:
    assert word_accuracy("the cat sat", ["a dog", "the cat sat down"]) == 0.75
    assert word_accuracy("one two three four five", ["six"]) == 0.0
    assert word_accuracy("", ["cat"]) == 0.0 and word_accuracy("cat", []) == 0.0
    assert word_accuracy("\u732b", ["\u732b"]) == 1.0 and word_accuracy("cat", ["\u732b"]) == 0.0


def test_there_is_one_word_error_rate_and_one_exact_match() -> None:
    from m4sc.evaluate.metrics import answers, scoring, speech
    from m4sc_app.demo import scoring as demo

    assert demo.word_accuracy is scoring.word_accuracy is speech.word_accuracy
    assert demo.exact_match is scoring.exact_match is answers.exact_match
