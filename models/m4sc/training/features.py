"""The frozen encoders run once: features of the training and test messages, kept as safetensors."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from m4sc.config import ModelConfig
from m4sc.data import (
    augment,
    caption_questions,
    cifar10,
    coco_mini,
    coco_text,
    daquar,
    esc50,
    espeak,
    flickr8k,
    fsdd,
    mosaic,
)
from m4sc.data.example import Example
from m4sc.encoders import ImageEncoder, SpeechEncoder
from m4sc.evaluate.metrics.similarity import default_minilm
from m4sc.mllm.instruction import END
from m4sc.training.feature_record import check_record, write_record

_BATCH = 16
_DEVICE_SHARE = 0.5  # of a device's free memory that features may take


@dataclass(frozen=True)
class Sample:
    """What training sees of an example.

    media: name of the message; several examples may ask about one. features: float16 (tokens, feature_dim)
    for image and speech; None for text, whose words are ``text``.
    """

    task: str
    modality: str
    instruction: str
    answers: tuple[str, ...]
    features: Tensor | None
    text: str = ""
    media: str = ""


@dataclass(frozen=True)
class Amount:
    """How many messages of each set are used; the defaults fit two cores.

    cifar_copies, caption_copies: cropped copies of each picture; digits: single clips; numbers,
    spoken_numbers: several digits, of joined clips and of espeak-ng's voices; daquar_copies, sound_copies:
    altered copies of each; questions: about one picture or text.
    """

    cifar: int = 8000
    cifar_copies: int = 1
    mosaics: int = 8000
    caption_copies: int = 4
    digits: int = 2600
    numbers: int = 3000
    spoken_numbers: int = 1000
    texts: int = 20000
    daquar_copies: int = 1
    sound_copies: int = 6
    questions: int = 6


def image_examples(data_dir: Path, split: str, amount: Amount) -> list[Example]:
    """Classification, mosaic questions and captions of one split ("train" or "test")."""
    cifar = cifar10.load_cifar10(data_dir, split)
    objects = cifar10.classify_examples(cifar)[: amount.cifar]
    found = objects + augment.cropped_copies(objects, amount.cifar_copies, seed=1)
    found += mosaic.mosaic_examples(cifar, amount.mosaics, seed=_seed(split))
    return found + _captioned(data_dir, split, amount)


def _captioned(data_dir: Path, split: str, amount: Amount) -> list[Example]:
    photographs = flickr8k.caption_examples(data_dir, "train" if split == "train" else "dev")
    photographs += coco_mini.caption_examples(coco_mini.load_coco_mini(data_dir, split))
    return photographs + augment.cropped_copies(photographs, amount.caption_copies)


def question_examples(data_dir: Path, split: str, amount: Amount) -> list[Example]:
    """Questions about photographs of one split: DAQUAR's, and those made of captions and objects."""
    asked = daquar.vqa_examples(data_dir, split)
    found = asked + augment.asked_copies(asked, amount.daquar_copies, seed=2)
    captioned = _captioned(data_dir, split, amount)
    found += caption_questions.picture_questions(captioned, per_picture=amount.questions, seed=_seed(split))
    pictures = coco_mini.load_coco_mini(data_dir, split)
    return found + coco_mini.object_examples(pictures, per_picture=8, seed=_seed(split))


def sound_examples(data_dir: Path, split: str, amount: Amount) -> list[Example]:
    """Environmental sounds of one split and altered copies of them."""
    sounds = esc50.sound_examples(data_dir, split)
    return sounds + esc50.altered_copies(sounds, amount.sound_copies, seed=_seed(split))


def speech_examples(data_dir: Path, cache_dir: Path, split: str, amount: Amount) -> list[Example]:
    """Spoken digits of one split: single clips, clips joined to numbers, numbers in espeak-ng's voices."""
    clips = fsdd.digit_examples(data_dir, split)
    found = clips[: amount.digits] + fsdd.number_examples(clips, amount.numbers, seed=_seed(split))
    sentences = espeak.digit_sentences(amount.spoken_numbers, seed=_seed(split))
    return found + espeak.spoken_examples(sentences, cache_dir / "spoken", task="digits", seed=_seed(split))


def _seed(split: str) -> int:
    return 11 if split == "train" else 12


def cache_features(
    data_dir: Path,
    cache_dir: Path,
    split: str,
    amount: Amount,
    bf16: bool = False,
    config: ModelConfig | None = None,
    device: torch.device | None = None,
) -> None:
    """Run the encoders over one split; parts that are there already are kept. bf16: the image encoder's.

    config: names the encoders; None for the default ones. device: of the image encoder.

    A message that an earlier part has is not encoded again. Where only a part's list of questions (.json) is
    gone, that alone is written anew: new wordings cost nothing.
    """
    config = config or ModelConfig()
    check_record(cache_dir, config)
    write_record(cache_dir, config)
    parts = {"speech": speech_examples(data_dir, cache_dir, split, amount)}
    parts["sound"] = sound_examples(data_dir, split, amount)
    images = image_examples(data_dir, split, amount)
    for task in dict.fromkeys(example.task for example in images):
        parts[task] = [example for example in images if example.task == task]
    parts["vqa"] = question_examples(data_dir, split, amount)
    for name, examples in parts.items():
        stem = cache_dir / f"{split}_{name}"
        if not stem.with_suffix(".json").exists():
            there = _cached_media(cache_dir, split)
            new = [example for example in examples if example.media_id not in there]
            if new:
                _save(stem, _encode(new, f"{split} {name}", bf16, config, device))
            _write_rows(stem, examples)


def _cached_media(cache_dir: Path, split: str) -> set[str]:
    """Names of the messages whose features are there."""
    found: set[str] = set()
    for path in cache_dir.glob(f"{split}_*.safetensors"):
        with safe_open(path, "pt") as file:
            found.update(file.keys())
    return found


def _encode(
    examples: list[Example], title: str, bf16: bool, config: ModelConfig, device: torch.device | None
) -> dict[str, Tensor]:
    """Features by media_id, float16."""
    unique = {example.media_id: example for example in examples}
    keys = list(unique)
    features: dict[str, Tensor] = {}
    if examples[0].modality == "speech":
        speech = SpeechEncoder(config.speech, config.speech_tokens_per_s, config.speech_max_tokens)
        for key in track(keys, title):
            features[key] = speech(np.asarray(unique[key].load())).half()
        return features
    image = ImageEncoder(config.vision, config.image_size, config.small_image_size, config.image_grid, device)
    for start in track(range(0, len(keys), _BATCH), title):
        batch = keys[start : start + _BATCH]
        pictures = [np.asarray(unique[key].load()) for key in batch]
        with torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=bf16):
            grids = image(pictures)
        for key, grid in zip(batch, grids, strict=True):
            features[key] = grid.half().clone()
    return features


def _save(stem: Path, features: dict[str, Tensor]) -> None:
    """Add features to a part's file; a kill while writing leaves what was there."""
    path, scratch = stem.with_suffix(".safetensors"), stem.with_suffix(".tmp")
    save_file((load_file(str(path)) if path.exists() else {}) | features, str(scratch))
    scratch.replace(path)


def _write_rows(stem: Path, examples: list[Example]) -> None:
    rows = [
        {
            "task": e.task,
            "modality": e.modality,
            "instruction": e.instruction,
            "answers": e.answers,
            "media": e.media_id,
        }
        for e in examples
    ]
    scratch = stem.with_suffix(".tmp")
    scratch.write_text(json.dumps(rows), encoding="utf-8")
    scratch.replace(stem.with_suffix(".json"))  # last: its presence means complete


def load_features(cache_dir: Path, split: str) -> list[Sample]:
    """All cached samples of a split.

    Raises:
        FileNotFoundError: nothing cached.
    """
    found: list[Sample] = []
    features: dict[str, Tensor] = {}
    for path in sorted(cache_dir.glob(f"{split}_*.safetensors")):
        features |= load_file(str(path))
    for path in sorted(cache_dir.glob(f"{split}_*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            found.append(
                Sample(
                    row["task"],
                    row["modality"],
                    row["instruction"],
                    tuple(row["answers"]),
                    features[row["media"]],
                    media=row["media"],
                )
            )
    if not found:
        raise FileNotFoundError(
            f"no cached features of split '{split}' in {cache_dir}; run `m4sc train features` first"
        )
    return found


def text_samples(data_dir: Path, split: str, amount: Amount) -> list[Sample]:
    """Sentences to repeat; every third is filled up with end marks, as a chunk of a longer text is."""
    examples = coco_text.text_examples(coco_text.load_captions(data_dir, split))[: amount.texts]
    return [
        Sample(e.task, "text", e.instruction, e.answers, None, str(e.load()) + END * (5 if i % 3 == 0 else 0))
        for i, e in enumerate(examples)
    ]


def written_samples(data_dir: Path, cache_dir: Path, split: str, amount: Amount) -> list[Sample]:
    """Samples of every task whose message is a text."""
    return [
        *text_samples(data_dir, split, amount),
        *summary_samples(data_dir, cache_dir, split),
        *text_question_samples(data_dir, split, amount),
    ]


def summary_samples(data_dir: Path, cache_dir: Path, split: str) -> list[Sample]:
    """Texts of several sentences with the one that says most of all; the choice is kept in `cache_dir`."""
    examples = coco_text.summarize_examples(
        coco_text.load_captions(data_dir, split),
        default_minilm().embed,
        cache_dir=cache_dir,
        seed=_seed(split),
    )
    return [_text_sample(example) for example in examples]


def text_question_samples(data_dir: Path, split: str, amount: Amount) -> list[Sample]:
    """Questions on texts of three to five sentences; those about one text share its `media`."""
    examples = coco_text.text_question_examples(
        coco_text.load_captions(data_dir, split), per_text=amount.questions, seed=_seed(split)
    )
    return [_text_sample(example) for example in examples]


def _text_sample(e: Example) -> Sample:
    return Sample(e.task, "text", e.instruction, e.answers, None, str(e.load()), e.media_id)


def stack(features: list[Tensor], device: torch.device) -> tuple[Tensor, list[int]]:
    """Pad to the longest: float32 (n, tokens, feature_dim) on `device`, and the number of tokens of each."""
    padded = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
    return padded.to(device, non_blocking=True).float(), [len(f) for f in features]


def place_features(samples: list[Sample], device: torch.device) -> list[Sample]:
    """Samples whose features are on `device`, each message's once; unchanged if that is the host or full."""
    unique = {id(s.features): s.features for s in samples if s.features is not None}
    size = sum(f.numel() * f.element_size() for f in unique.values())
    if device.type == "cpu" or size > _DEVICE_SHARE * _free_bytes(device):
        return samples
    placed: dict[int, Tensor] = {}
    for dim in {f.shape[1] for f in unique.values()}:  # one copy for each width, cut up again over there
        keys = [key for key, f in unique.items() if f.shape[1] == dim]
        whole = torch.cat([unique[key] for key in keys]).to(device)
        placed |= dict(zip(keys, whole.split([len(unique[key]) for key in keys]), strict=True))
    return [s if s.features is None else replace(s, features=placed[id(s.features)]) for s in samples]


def _free_bytes(device: torch.device) -> float:
    """Memory left on a device; without limit where it cannot be asked."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")
