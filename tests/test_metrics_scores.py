"""Metrics against independent implementations and their own properties."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.evaluate.metrics.answers import exact_match, normalise_answer, tile_match
from m4sc.evaluate.metrics.bootstrap import bootstrap_interval, crossed_interval
from m4sc.evaluate.metrics.captions import bleu4, cider
from m4sc.evaluate.metrics.image import difference, psnr_db, ssim
from m4sc.evaluate.metrics.scoring import score, score_all
from m4sc.evaluate.metrics.similarity import MiniLM
from m4sc.evaluate.metrics.speech import word_error_rate

WORD = st.sampled_from(["cat", "dog", "ship", "runs", "sits"])
SENTENCE = st.lists(WORD, min_size=1, max_size=9).map(" ".join)


def test_answers() -> None:
    assert normalise_answer(" The  Cat. ") == "cat" and normalise_answer("Seven") == "7"
    assert exact_match("A dog!", ["dog"]) == 1.0 and exact_match("dogs", ["dog"]) == 0.0
    assert exact_match("", [""]) == 0.0
    assert tile_match("cat, dog; ship, frog", "cat, dog; ship, bird") == 0.75
    assert tile_match("cat, dog", "cat, dog; ship, bird") == 0.0


@given(SENTENCE, SENTENCE)
def test_wer_against_a_recursive_definition(answer: str, reference: str) -> None:
    def distance(a: tuple[str, ...], b: tuple[str, ...], memo: dict[tuple[int, int], int]) -> int:
        key = (len(a), len(b))
        if key not in memo:
            memo[key] = (
                len(a) + len(b)
                if not a or not b
                else min(
                    distance(a[1:], b, memo) + 1,
                    distance(a, b[1:], memo) + 1,
                    distance(a[1:], b[1:], memo) + (a[0] != b[0]),
                )
            )
        return memo[key]

    a, b = tuple(answer.split()), tuple(reference.split())
    assert word_error_rate(answer, reference) == distance(a, b, {}) / len(b)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(SENTENCE, SENTENCE, SENTENCE), min_size=1, max_size=5))
def test_bleu_against_sacrebleu(rows: list[tuple[str, str, str]]) -> None:
    import sacrebleu

    answers = [row[0] for row in rows]
    ours = bleu4(answers, [row[1:] for row in rows])
    theirs = sacrebleu.corpus_bleu(
        answers, [[row[1] for row in rows], [row[2] for row in rows]], smooth_method="none", tokenize="none"
    )
    assert math.isclose(ours, theirs.score / 100, abs_tol=1e-9)


def test_cider_by_hand_and_its_order() -> None:
    references = [["a red cat sits here"], ["two dogs run on grass"], ["one ship at the sea"]]
    perfect = cider([group[0] for group in references], references)
    assert perfect == pytest.approx([10.0] * 3)
    assert cider(["two dogs run on grass", "", "one ship"], references)[:2] == [0.0, 0.0]
    # "x" against "x y": only unigrams meet; both weigh log 2, cosine 1/sqrt(2), one of four orders
    value = cider(["x", "q"], [["x y"], ["q z"]])[0]
    assert value == pytest.approx(10 / 4 * math.exp(-1 / 72) / math.sqrt(2))


def test_psnr_and_ssim_against_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    one, two = rng.integers(256, size=(2, 32, 32, 3), dtype=np.uint8)
    assert psnr_db(one, two) == pytest.approx(metrics.peak_signal_noise_ratio(two, one))
    assert psnr_db(one, one) == 100.0 and ssim(one, one) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="cannot be compared"):
        psnr_db(one, two[:16])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 90), st.integers(5, 90))
def test_difference_is_of_two_pictures_of_any_size_and_grows_with_what_is_changed(
    seed: int, height: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    one = rng.integers(0, 256, (64, 64, 3), np.uint8)
    other = rng.integers(0, 256, (height, width, 3), np.uint8)
    assert difference(one, one) == 0.0
    assert difference(one, other) == pytest.approx(difference(other, one)) and difference(one, other) > 0
    found = []
    for columns in (8, 24, 48):
        changed = one.copy()
        changed[:, :columns] = 255 - changed[:, :columns]
        found.append(difference(one, changed))
    assert 0 < found[0] < found[1] < found[2]


def test_difference_of_pictures_that_have_nothing_in_common_is_about_one() -> None:
    rng = np.random.default_rng(3)
    pairs = [rng.integers(0, 256, (2, 32, 32, 3), np.uint8) for _ in range(20)]
    assert np.mean([difference(*pair) for pair in pairs]) == pytest.approx(1.0, abs=0.05)
    flat = np.full((9, 9, 3), 7, np.uint8)
    assert difference(flat, flat[:4]) == 0.0 and np.isfinite(difference(flat, flat + 1))


def test_interval() -> None:
    scores = np.array([0.0, 1.0] * 100)
    low, high = bootstrap_interval(scores)
    half = 1.96 * 0.5 / math.sqrt(200)
    assert low == pytest.approx(0.5 - half, abs=0.01) and high == pytest.approx(0.5 + half, abs=0.01)
    assert bootstrap_interval(scores) == (low, high)
    with pytest.raises(ValueError, match="at least one score"):
        bootstrap_interval(np.array([]))


def test_crossed_interval_is_that_of_a_mean_and_widens_with_what_seeds_share() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1, 400, 1))
    low, high = crossed_interval(values, lambda means: means[:, 0])
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(400), rel=0.1)
    shared = values + rng.normal(size=(3, 1, 1))  # a seed's noise that all examples have in common
    wide = crossed_interval(shared, lambda means: means[:, 0])
    assert wide[1] - wide[0] > 3 * (high - low)
    with pytest.raises(ValueError, match="at least one value"):
        crossed_interval(np.zeros((0, 2, 1)), lambda means: means[:, 0])


def test_loss_scores_zero() -> None:
    assert score("classify", None, ["cat"]) == 0.0 and score("classify", "Cat", ["cat"]) == 1.0
    assert score_all("transcribe", [None, "a dog runs"], [["a dog runs"]] * 2) == [0.0, 1.0]
    assert score("mosaic", "cat, dog; ship, frog", ["cat, dog; ship, bird"], "2x2-describe") == 0.75
    with pytest.raises(ValueError, match="unknown task"):
        score("nothing", "x", ["x"])


def test_similarity_pools_only_real_tokens(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "dog", "runs"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = transformers.BertConfig(
        vocab_size=9, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    model = MiniLM(tmp_path)
    alone, beside = model.embed(["a cat"])[0], model.embed(["a cat", "a dog runs a cat runs"])[0]
    assert np.allclose(alone, beside, atol=1e-5)  # padding of the batch must not matter
    assert np.linalg.norm(alone) == pytest.approx(1.0, abs=1e-5)
    assert model.nearest("a cat", ["dog", "a cat"]) == pytest.approx(1.0, abs=1e-5)
    assert model.nearest(" . ", ["a cat"]) == 0.0
