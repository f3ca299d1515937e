"""Which encoders made a cache of features, so that another one's are not taken for them."""

from __future__ import annotations

import json
from pathlib import Path

from m4sc.config import ModelConfig

_FIELDS = (
    "vision",
    "image_size",
    "small_image_size",
    "image_grid",
    "speech",
    "speech_tokens_per_s",
    "speech_max_tokens",
)
_NAME = "encoders.json"


def check_record(cache_dir: Path, config: ModelConfig) -> None:
    """Compare a cache with a configuration; one without a record is of the default encoders.

    Raises:
        ValueError: the cached features are of other encoders.
    """
    path = cache_dir / _NAME
    made = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else _record(ModelConfig())
    wanted = _record(config)
    if made != wanted and any(cache_dir.glob("*.safetensors")):
        names = [key for key in _FIELDS if made.get(key) != wanted[key]]
        told, asked = (", ".join(f"{key} {of.get(key)}" for key in names) for of in (made, wanted))
        raise ValueError(
            f"the features in {cache_dir} were made with {told}, not with {asked}; "
            "give both commands the same --vision, or make features anew in another --out"
        )


def write_record(cache_dir: Path, config: ModelConfig) -> None:
    """Note the encoders of a cache."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    (cache_dir / _NAME).write_text(json.dumps(_record(config), indent=2) + "\n", encoding="utf-8")


def _record(config: ModelConfig) -> dict[str, str | int]:
    return {key: getattr(config, key) for key in _FIELDS}
