"""A tiny random language model in a folder, so that tests need no pretrained weights."""

from __future__ import annotations

from pathlib import Path

import torch
from m4sc.config import ModelConfig
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HIDDEN = 32


def write_tiny_llm(folder: Path) -> Path:
    """A two-layer Llama of width 32 with a byte-level tokenizer."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=HIDDEN,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(fast),
        tie_word_embeddings=True,
        initializer_range=0.3,  # wide enough for a frozen table to tell its words apart
    )
    LlamaForCausalLM(config).save_pretrained(str(folder))
    fast.save_pretrained(str(folder))
    return folder


def tiny_config(llm: Path) -> ModelConfig:
    """A configuration that fits the tiny LLM."""
    return ModelConfig(
        llm=str(llm), hidden_dim=HIDDEN, codec_hidden=16, image_dim=12, speech_dim=6, lora_rank=4
    )
