"""A configuration for other backbones: what they are decides some of its numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from m4sc.config import ModelConfig
from m4sc.pretrained import resolve
from m4sc.pretrained.registry import find_backbone
from m4sc.quiet import quiet_loading


def llm_dim(name: str) -> int:
    """Width of the embeddings of a language model, read from its configuration."""
    with quiet_loading():
        from transformers import AutoConfig

    config: Any = AutoConfig.from_pretrained(str(resolve(name, "llm")))
    return int(config.get_text_config().hidden_size)


def config_for(base: ModelConfig, llm: str | None = None, vision: str | None = None) -> ModelConfig:
    """The configuration with other backbones, and the widths and picture sizes that they have.

    Args:
        base: everything else.
        llm, vision: built-in name, folder or Hugging Face id; None for those of `base`.

    Raises:
        ValueError: no such backbone, or a checkpoint that does not say what is needed.
    """
    from m4sc.encoders.vision_tower import vision_dim, vision_size

    if llm is not None and llm != base.llm:
        base = replace(base, llm=llm, hidden_dim=llm_dim(llm))
    if vision is not None and vision != base.vision:
        if find_backbone(vision) is not None:
            resolve(vision, "vision")  # of this kind?
            same = ModelConfig()
            sizes = (same.image_dim, same.image_size, same.small_image_size)
        else:
            side = vision_size(vision)
            sizes = (vision_dim(vision), side, side)
        base = replace(
            base, vision=vision, image_dim=sizes[0], image_size=sizes[1], small_image_size=sizes[2]
        )
    return base
