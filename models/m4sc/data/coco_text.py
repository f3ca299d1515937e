"""Captions of COCO val2017 as plain text, for sending and summarising text.

The split is by image: no picture's captions stand on both sides.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from m4sc.data.caption_questions import text_questions
from m4sc.data.example import Example, check_split, require
from m4sc.data.flickr8k import clean_caption
from m4sc.data.wordings import pick, wordings_of

TEST_FRACTION = 0.1


def load_captions(data_dir: Path, split: str, *, exclude: Collection[int] = ()) -> dict[int, tuple[str, ...]]:
    """Image id -> its captions. "test" is the last tenth of the sorted ids, "train" the others.

    Args:
        data_dir: folder that holds coco_captions_text/captions_val2017.json.gz.
        split: "train" or "test".
        exclude: image ids to leave out, such as pictures whose captions are tested elsewhere.

    Raises:
        ValueError: unknown split.
        FileNotFoundError: no such data set.
    """
    check_split(split, ("train", "test"))
    folder = Path(data_dir) / "coco_captions_text"
    path = require(folder / "captions_val2017.json.gz", "The COCO caption text")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        entries = {int(key): value for key, value in json.load(file).items()}
    ids = sorted(entries)
    cut = len(ids) - max(1, round(TEST_FRACTION * len(ids)))
    chosen = ids[cut:] if split == "test" else ids[:cut]
    return {key: tuple(map(clean_caption, entries[key])) for key in chosen if key not in exclude}


def text_examples(
    captions: dict[int, tuple[str, ...]], *, max_words: int = 20, wording: str = "seen", seed: int = 0
) -> list[Example]:
    """One `text` example a sentence: the answer is the text itself."""
    rng = np.random.default_rng(seed)
    choices = wordings_of("text", wording)
    return [
        Example(
            id=f"cocotext-{key}-{j}",
            modality="text",
            task="text",
            instruction=pick(choices, rng),
            answers=(sentence,),
            kind="coco",
            source=sentence,
            media_id=f"cocotext-{key}-{j}",
            wording=wording,
        )
        for key, sentences in captions.items()
        for j, sentence in enumerate(sentences)
        if len(sentence.split()) <= max_words
    ]


def central_index(embeddings: np.ndarray) -> int:
    """Index of the row nearest in cosine to the mean of the others. embeddings: float (n, d), n >= 1."""
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    if len(unit) < 3:
        return 0
    others = unit.sum(axis=0, keepdims=True) - unit  # (n, d)
    others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-12)
    return int(np.argmax(np.sum(unit * others, axis=1)))


def central_captions(
    captions: dict[int, tuple[str, ...]],
    embed: Callable[[Sequence[str]], np.ndarray],
    cache_dir: Path | None = None,
) -> dict[int, int]:
    """Image id -> index of its most central caption; kept in `cache_dir` as JSON."""
    digest = hashlib.sha256(json.dumps(sorted(captions.items())).encode()).hexdigest()[:16]
    path = None if cache_dir is None else Path(cache_dir) / f"central-{digest}.json"
    if path is not None and path.exists():
        return {int(key): int(value) for key, value in json.loads(path.read_text(encoding="utf-8")).items()}
    sentences = [sentence for group in captions.values() for sentence in group]
    vectors = embed(sentences)
    central, start = {}, 0
    for key, group in captions.items():
        central[key] = central_index(vectors[start : start + len(group)])
        start += len(group)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(central), encoding="utf-8")
        temporary.replace(path)
    return central


def summarize_examples(
    captions: dict[int, tuple[str, ...]],
    embed: Callable[[Sequence[str]], np.ndarray],
    *,
    cache_dir: Path | None = None,
    wording: str = "seen",
    seed: int = 0,
) -> list[Example]:
    """One `summarize` example an image: the central caption as answer, the others as a paragraph.

    The answer is none of the paragraph's own sentences: what says the same otherwise is to be found.

    Args:
        captions: as from `load_captions`.
        embed: sentences -> float (n, d), such as `m4sc.evaluate.metrics.similarity.MiniLM().embed`.
        cache_dir: where the choice of the central captions is kept between runs.
        wording: "seen" or "heldout".
        seed: of the wordings and of the sentences' order.
    """
    rng = np.random.default_rng(seed)
    choices = wordings_of("summarize", wording)
    usable = {key: group for key, group in captions.items() if len(group) >= 3}
    central = central_captions(usable, embed, cache_dir)
    examples = []
    for key, group in usable.items():
        paragraph = " ".join(group[i] for i in rng.permutation(len(group)) if i != central[key])
        examples.append(
            Example(
                id=f"cocosum-{key}",
                modality="text",
                task="summarize",
                instruction=pick(choices, rng),
                answers=(group[central[key]],),
                kind="coco",
                source=paragraph,
                media_id=f"cocosum-{key}",
                wording=wording,
            )
        )
    return examples


def text_question_examples(
    captions: dict[int, tuple[str, ...]], *, per_text: int = 6, wording: str = "seen", seed: int = 0
) -> list[Example]:
    """`text-question` examples: questions on three to five of an image's captions as one text.

    Args:
        captions: as from `load_captions`.
        per_text: questions on one text at most.
        wording: "seen" or "heldout".
        seed: of the choice of sentences and questions.
    """
    rng = np.random.default_rng(seed)
    texts, sentences = [], []
    for key, group in captions.items():
        if len(group) < 3:
            continue
        size = int(rng.integers(3, min(len(group), 5) + 1))
        chosen = [group[int(i)] for i in rng.permutation(len(group))[:size]]
        name = f"cocoask-{key}"
        texts.append(Example(name, "text", "text-question", "", (), "coco", " ".join(chosen), name))
        sentences.append(chosen)
    return text_questions(texts, sentences, per_text=per_text, wording=wording, seed=seed)
