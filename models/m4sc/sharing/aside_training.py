"""Fits :mod:`m4sc.sharing.aside` to photographs, and measures it on others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from m4sc.codecs.base import Received
from m4sc.data import flickr8k
from m4sc.sharing.aside import Aside, save_aside
from m4sc.space.material import picture_views, thing_views

HELD_OUT = 4  # every so many photographs, the last ones, are not fitted to
SNRS_DB = (0.0, 5.0, 10.0, 20.0)


def train_aside(
    model: Any, data: Path, out: Path, cache: Path, pictures: int, seed: int, say: Callable[[str], None]
) -> Aside:
    """Fit to photographs of the training split, write the weights, and say what they do on those held out.

    Args:
        model: ``m4sc.system.SemanticSystem`` with codecs for captions and for questions.
        data: folder of the data sets.
        out: folder of the weights.
        cache: folder of pictures' features.
        pictures: at most, from the first.
        seed: of the noise and of strangers.
        say: called with a line of words.

    Raises:
        ValueError: too few pictures.
    """
    own, other, points = _sent(model, data, cache, pictures, say)
    held = len(own) // HELD_OUT
    aside = Aside.fit(own[:-held], other[:-held])
    save_aside(aside, out)
    rng = np.random.default_rng(seed)
    space = _plain(model, "space").system
    for snr_db in SNRS_DB:
        alone, joined, found, wrong = [], [], 0, 0
        for k in range(len(own) - held, len(own)):
            heard, beside = (noisy(x[k], snr_db, rng) for x in (own, other))
            stranger = noisy(other[k - 1 - int(rng.integers(held))], snr_db, rng)
            both = aside.joined(heard, beside)
            found += both is not None
            wrong += aside.joined(heard, stranger) is not None
            alone.append((heard.symbols, heard.noise_var))
            joined.append(alone[-1] if both is None else (both.symbols, both.noise_var))
        near = [
            float((space.received_points(way)[0] * points[-held:]).sum(1).mean()) for way in (alone, joined)
        ]
        say(
            f"{snr_db:g} dB, {held} photographs held out: cosine of a caption's point with the one sent "
            f"{near[0]:.4f} alone, {near[1]:.4f} beside; of one source {100 * found / held:.1f} %, strangers "
            f"{100 * wrong / held:.1f} % taken for one"
        )
    return aside


def noisy(symbols: np.ndarray, snr_db: float, rng: np.random.Generator) -> Received:
    """Symbols through white noise, with its variance."""
    variance = 10.0 ** (-snr_db / 10)
    noise = np.sqrt(variance / 2) * (rng.normal(size=(2, len(symbols))))
    received = (symbols + noise[0] + 1j * noise[1]).astype(np.complex64)
    return Received(received, np.full(len(symbols), variance, np.float32))


def _plain(model: Any, name: str) -> Any:
    """A codec without the picture that may follow."""
    codec = model.codecs[name]
    return getattr(codec, "codec", codec)


@torch.inference_mode()
def _sent(
    model: Any, data: Path, cache: Path, pictures: int, say: Callable[[str], None]
) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Symbols of captions and of questions, complex (n, k), and the captions' points, float (n, dim)."""
    examples = flickr8k.caption_examples(data, "train")[:pictures]
    if len(examples) < 2 * HELD_OUT:
        raise ValueError(f"there are {len(examples)} photographs to fit to; give more")
    questions, space = _plain(model, "questions"), _plain(model, "space").system
    views = picture_views(examples, cache, False, say=say).float()
    whole = views
    if questions.config.things or space.config.things:
        whole = torch.cat([views, thing_views(examples, cache, say).float()], 1)
    asked = whole if questions.config.things else views
    names = questions.network.names(questions.pictures.class_scores(asked), asked)
    of_question = questions.network.codec.send(
        questions.network.points(asked, names), questions.config.symbols
    )
    seen = whole if space.config.things else views
    points = space.network.meanings(seen, space.pictures.class_scores(seen))
    of_caption = space.network.codec.send(points, space.config.symbols)
    own, other = (torch.view_as_complex(x.contiguous()).numpy() for x in (of_caption, of_question))
    return own, other, points
