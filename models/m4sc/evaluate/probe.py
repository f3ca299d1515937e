"""The reference of classification: a linear probe on the frozen features, without channel or LLM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from m4sc.data import cifar10
from m4sc.data.example import Example
from m4sc.evaluate.metrics.bootstrap import bootstrap_interval

PICTURES = 8000  # of the training split, as many as training uses
_BATCH = 16


def probe_row(
    examples: Sequence[Example],
    model: Any,
    data_dir: Path,
    cache_dir: Path,
    features: Path | None = None,
    pictures: int = PICTURES,
) -> dict[str, Any]:
    """Fit on pictures of the training split, score on `examples` of `classify`; a row like the harness's.

    Args:
        examples: of the test split.
        model: whose image encoder is probed.
        data_dir: folder that holds the data sets.
        cache_dir: where features made here are kept.
        features: folder that ``m4sc train features`` has written, to take them from.
        pictures: how many are fitted to.
    """
    x, names = _training_features(model, data_dir, cache_dir, features, pictures)
    told = fit_and_predict(x, names, _pooled(model, [np.asarray(example.load()) for example in examples]))
    right = np.array([n in e.answers for n, e in zip(told, examples, strict=True)], dtype=np.float64)
    low, high = bootstrap_interval(right)
    return {
        "system": "linear probe",
        "task": "classify",
        "kind": "all",
        "modality": "image",
        "channel": "none",
        "snr_db": None,
        "symbols": None,
        "metric": "exact",
        "score": float(right.mean()),
        "ci_low": low,
        "ci_high": high,
        "no_channel_score": float(right.mean()),
        "no_channel_ratio": None,
        "blind_score": None,
        "shuffled_score": None,
        "lost": 0,
        "n": len(examples),
        "seeds": [],
        "wording": examples[0].wording,
        "config": {"trained_on": len(names)},
    }


def fit_and_predict(x: np.ndarray, names: Sequence[str], others: np.ndarray) -> list[str]:
    """Logistic regression on standardised features.

    Args:
        x, names: float (n, d) and the class of each.
        others: float (m, d).

    Returns:
        Classes of the others.
    """
    from sklearn.linear_model import LogisticRegression

    mean, scale = x.mean(0), x.std(0) + 1e-6
    probe = LogisticRegression(C=0.01, max_iter=300).fit((x - mean) / scale, list(names))
    return [str(name) for name in probe.predict((others - mean) / scale)]


def _training_features(
    model: Any, data_dir: Path, cache_dir: Path, features: Path | None, pictures: int
) -> tuple[np.ndarray, list[str]]:
    if features is not None:
        from m4sc.training.features import load_features

        samples = [s for s in load_features(features, "train") if s.task == "classify"][:pictures]
        if not samples:
            raise ValueError(f"{features} holds no features of classify; give the folder of another run")
        pooled = [s.features.float().mean(0).numpy() for s in samples if s.features is not None]
        return np.stack(pooled), [s.answers[0] for s in samples]
    train = cifar10.classify_examples(cifar10.load_cifar10(data_dir, "train"))[:pictures]
    config = model.config
    path = cache_dir / f"probe_{Path(config.vision).name}_{config.small_image_size}_{len(train)}.safetensors"
    if path.exists():
        return load_file(str(path))["features"], [example.answers[0] for example in train]
    pooled_now = _pooled(model, [np.asarray(example.load()) for example in train])
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"features": pooled_now}, str(path))
    return pooled_now, [example.answers[0] for example in train]


def _pooled(model: Any, pictures: list[np.ndarray]) -> np.ndarray:
    """Mean features of each picture, float32 (n, d)."""
    parts = [
        model.senses.image_encoder(pictures[start : start + _BATCH]).mean(1).numpy()
        for start in range(0, len(pictures), _BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)
