"""Our metrics against the libraries that others publish with; those that are not installed are passed over.

jiwer and sacrebleu are pinned (script/requirements.txt). pycocoevalcap is not, since it brings 104 MB of Java
for other metrics: ``pip install --no-deps pycocoevalcap`` has these tests check CIDEr-D.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.evaluate.metrics.captions import bleu4, cider
from m4sc.evaluate.metrics.image import psnr_db, ssim
from m4sc.evaluate.metrics.speech import normalise_transcript, word_accuracy, word_error_rate

WORDS = ["a", "the", "dog", "cat", "runs", "sits", "on", "grass", "two", "red", "boats", "at", "sea"]
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=2, max_size=12).map(" ".join)


def drawn_captions(n: int = 200, references: int = 5) -> tuple[list[str], list[list[str]]]:
    """Answers that share words with their references, and sets of those."""
    rng = np.random.default_rng(0)

    def sentence() -> list[str]:
        return [str(word) for word in rng.choice(WORDS, rng.integers(2, 12))]

    groups = [[sentence() for _ in range(references)] for _ in range(n)]
    answers = [list(group[0]) if rng.random() < 0.2 else group[0][:4] + sentence()[:4] for group in groups]
    return [" ".join(answer) for answer in answers], [[" ".join(s) for s in group] for group in groups]


@settings(max_examples=200, deadline=None)
@given(SENTENCE, SENTENCE)
def test_word_error_rate_is_that_of_jiwer(answer: str, reference: str) -> None:
    jiwer = pytest.importorskip("jiwer")
    wanted = jiwer.wer(normalise_transcript(reference), normalise_transcript(answer))
    assert word_error_rate(answer, reference) == pytest.approx(wanted)
    assert word_accuracy(answer, [reference]) == pytest.approx(max(0.0, 1.0 - wanted))


def test_cider_d_is_that_of_pycocoevalcap() -> None:
    scorer = pytest.importorskip("pycocoevalcap.cider.cider_scorer")
    answers, groups = drawn_captions()
    theirs = scorer.CiderScorer(n=4, sigma=6.0)
    for answer, group in zip(answers, groups, strict=True):
        theirs += (answer, group)
    mean, each = theirs.compute_score()
    ours = cider(answers, groups)
    assert ours == pytest.approx(list(each), abs=1e-6) and np.mean(ours) == pytest.approx(mean)
    assert 0.5 < np.mean(ours) < 9


def test_corpus_bleu_is_that_of_sacrebleu_and_pycocoevalcap() -> None:
    answers, groups = drawn_captions()
    sacrebleu = pytest.importorskip("sacrebleu")
    columns = [list(column) for column in zip(*groups, strict=True)]
    theirs = sacrebleu.corpus_bleu(answers, columns, smooth_method="none", tokenize="none")
    assert bleu4(answers, groups) == pytest.approx(theirs.score / 100)


def test_structural_similarity_and_psnr_are_those_of_torchmetrics() -> None:
    functional = pytest.importorskip("torchmetrics.functional.image")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    one = rng.integers(256, size=(48, 48, 3), dtype=np.uint8)
    two = np.clip(one + rng.normal(scale=20, size=one.shape), 0, 255).astype(np.uint8)
    a, b = (torch.from_numpy(x.astype(np.float64)).permute(2, 0, 1)[None] for x in (two, one))
    assert psnr_db(two, one) == pytest.approx(
        float(functional.peak_signal_noise_ratio(a, b, data_range=255.0)), abs=1e-3
    )
    box = functional.structural_similarity_index_measure(
        a, b, data_range=255.0, gaussian_kernel=False, kernel_size=7
    )
    assert ssim(two, one) == pytest.approx(float(box), abs=0.01)
