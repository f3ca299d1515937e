"""Tiny random checkpoints in folders, so that tests need no pretrained weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from m4sc.config import ModelConfig
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPConfig,
    CLIPModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTModel,
)

HIDDEN = 32
CHATML = {"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}
PLAIN = {"bos_token": "<s>", "eos_token": "</s>"}


def write_tiny_llm(folder: Path, kind: str = "llama", special: dict[str, Any] | None = None) -> Path:
    """A two-layer LLM of width 32 with a byte-level tokenizer.

    kind: "llama", or "qwen2", whose table is longer than its vocabulary and whose head is not tied to it.
    special: of the tokenizer; ChatML's marks if None.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.add_special_tokens(special or CHATML)
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "hidden_size": HIDDEN,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.3,  # wide enough for a frozen table to tell its words apart
    }
    model: Any
    if kind == "llama":
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(fast), tie_word_embeddings=True, **shape))
    else:
        config = Qwen2Config(vocab_size=len(fast) + 6, tie_word_embeddings=False, **shape)
        model = Qwen2ForCausalLM(config)
    model.save_pretrained(str(folder))
    fast.save_pretrained(str(folder))
    return folder


def write_tiny_vision(folder: Path, kind: str) -> Path:
    """A two-layer vision model for pictures of 32 pixels in patches of 8.

    kind: "clip" (with its text part), "siglip" or "vit".
    """
    shape: dict[str, Any] = {
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    }
    torch.manual_seed(0)
    model: Any
    if kind == "clip":
        words = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        model = CLIPModel(CLIPConfig(text_config={**words, "vocab_size": 64}, vision_config=shape))
    elif kind == "siglip":
        model = SiglipVisionModel(SiglipVisionConfig(**shape))
    else:
        model = ViTModel(ViTConfig(**shape), add_pooling_layer=False)
    model.save_pretrained(str(folder))
    processing = {
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "image_mean": [0.48, 0.46, 0.41],
        "image_std": [0.27, 0.26, 0.28],
        "size": {"height": 32, "width": 32},
        "resample": 2,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processing))
    return folder


def tiny_config(llm: Path) -> ModelConfig:
    """A configuration that fits the tiny LLM."""
    return ModelConfig(
        llm=str(llm), hidden_dim=HIDDEN, codec_hidden=16, image_dim=12, speech_dim=6, lora_rank=4
    )
