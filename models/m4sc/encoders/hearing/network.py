"""Whisper in torch, to be adapted: read from and written to CTranslate2's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from m4sc.encoders.hearing.config import HearingConfig
from m4sc.encoders.hearing.ct2_file import Ct2Weights
from m4sc.quiet import quiet_loading
from m4sc.tensor_file import load_tensors, take_over
from m4sc.training.trainable import Trainable

_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


class HearingNetwork(Trainable):
    """A Whisper model with frozen weights and low-rank adapters (LoRA) on all its matrices."""

    config: HearingConfig

    def __init__(self, config: HearingConfig, weights: Ct2Weights) -> None:
        """weights: of the backbone.

        Raises:
            ValueError: they are no Whisper model's.
        """
        super().__init__()
        with quiet_loading():
            from peft import LoraConfig, get_peft_model

        self.config = config
        lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=list(_TARGETS))
        self.whisper: Any = get_peft_model(_torch_whisper(weights), lora)  # type: ignore[arg-type]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def encode(self, mel: Tensor) -> Tensor:
        """Log-mel spectrograms, float (n, 80, frames), frames even, to states, float (n, frames / 2, width).

        Whisper itself pads to 30 s; this takes any length up to that.
        """
        encoder = self.whisper.base_model.model.encoder
        x = nn.functional.gelu(encoder.conv1(mel))
        x = nn.functional.gelu(encoder.conv2(x)).transpose(1, 2)
        x = x + encoder.embed_positions.weight[: x.shape[1]]
        for layer in encoder.layers:
            x = _first(layer(x, None))
        return torch.as_tensor(encoder.layer_norm(x))

    def loss(self, mel: Tensor, ids: Tensor, asked: Tensor) -> Tensor:
        """Mean cross entropy of transcripts.

        Args:
            mel: float (n, 80, frames).
            ids: int64 (n, t), the prompt, the words' tokens, the end mark, padding.
            asked: bool (n, t), which tokens are to be told.
        """
        decoder = self.whisper.base_model.model.decoder
        hidden = decoder(input_ids=ids[:, :-1], encoder_hidden_states=self.encode(mel)).last_hidden_state
        scores = hidden[asked[:, 1:]] @ decoder.embed_tokens.weight.T
        return nn.functional.cross_entropy(scores.float(), ids[:, 1:][asked[:, 1:]])

    def is_trained(self, name: str) -> bool:
        """The adapters."""
        return "lora_" in name

    def load_trained(self, folder: Path) -> None:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: the file's tensors are not this network's.
        """
        state = {key: value.float() for key, value in load_tensors(folder / "model.safetensors").items()}
        if set(state) != set(self.trained_state()):
            raise ValueError(f"the weights in {folder.name} are no adapter of {self.config.speech}")
        take_over(self, state, folder)

    def merged(self, weights: Ct2Weights) -> Ct2Weights:
        """The backbone's weights with the adapters added; ends this network's use."""
        state = self.whisper.merge_and_unload().state_dict()
        variables = dict(weights.variables)
        for name, keys in _sources(variables).items():
            known = [state[key].float().numpy() for key in keys if key in state]
            if name.endswith("self_attention/linear_0/bias"):  # keys have no bias
                known.insert(1, np.zeros_like(known[0]))
            elif name.endswith("/attention/linear_1/bias"):
                known.insert(0, np.zeros_like(known[0]))
            variables[name] = np.concatenate(known).astype(variables[name].dtype)
        return Ct2Weights(weights.kind, weights.revision, variables, weights.aliases)


def _first(result: Any) -> Tensor:
    return torch.as_tensor(result[0] if isinstance(result, tuple) else result)


def _torch_whisper(weights: Ct2Weights) -> nn.Module:
    """Whisper of transformers with these weights, float32."""
    with quiet_loading():
        from transformers import WhisperConfig, WhisperModel

    found = weights.variables
    if weights.kind != "WhisperSpec" or "decoder/embeddings/weight" not in found:
        raise ValueError(f"weights of a {weights.kind} are no Whisper model's")
    vocabulary, width = found["decoder/embeddings/weight"].shape
    layers = {side: _count_layers(found, side) for side in ("encoder", "decoder")}
    heads = int(found["decoder/num_heads"])
    config = WhisperConfig(
        vocab_size=vocabulary,
        d_model=width,
        num_mel_bins=found["encoder/conv1/weight"].shape[1],
        encoder_layers=layers["encoder"],
        decoder_layers=layers["decoder"],
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=len(found["encoder/layer_0/ffn/linear_0/bias"]),
        decoder_ffn_dim=len(found["decoder/layer_0/ffn/linear_0/bias"]),
        max_target_positions=len(found["decoder/position_encodings/encodings"]),
        use_cache=False,
    )
    model = WhisperModel(config)
    state = model.state_dict()
    for name, keys in _sources(found).items():
        parts = np.split(found[name], len(keys)) if len(keys) > 1 else [found[name]]
        for key, values in zip(keys, parts, strict=True):
            if key in state:
                state[key] = torch.from_numpy(values.astype(np.float32))
            elif values.any():
                raise ValueError(f"variable {name} has a bias of keys, which Whisper has not")
    model.load_state_dict(state)
    model.requires_grad_(False)
    return model


def _count_layers(found: dict[str, np.ndarray], side: str) -> int:
    number = 0
    while f"{side}/layer_{number}/ffn/linear_0/bias" in found:
        number += 1
    return number


def _sources(found: dict[str, np.ndarray]) -> dict[str, list[str]]:
    """Names of the variables that hold weights, and of the tensors that each is made of, one upon another."""
    ends = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias"}
    made: dict[str, list[str]] = {
        "decoder/embeddings/weight": ["decoder.embed_tokens.weight"],
        "decoder/position_encodings/encodings": ["decoder.embed_positions.weight"],
    }
    for name in found:
        *path, end = name.split("/")
        if end not in ends or name in made:
            continue
        side, where = path[0], path[1:]
        if where[0].startswith("layer_") and where[0] != "layer_norm":
            prefix = f"{side}.layers.{where[0].removeprefix('layer_')}"
            parts = _parts("/".join(where[1:]))
        else:
            prefix, parts = side, [where[0]]
        made[name] = [f"{prefix}.{part}.{ends[end]}" for part in parts]
    return made


def _parts(inside: str) -> list[str]:
    """Modules of a layer of transformers' that one of CTranslate2's is made of."""
    own, _, rest = inside.partition("/")
    if own == "ffn":
        return {"layer_norm": ["final_layer_norm"], "linear_0": ["fc1"], "linear_1": ["fc2"]}[rest]
    module = {"self_attention": "self_attn", "attention": "encoder_attn"}[own]
    if rest == "layer_norm":
        return [f"{module}_layer_norm"]
    fused = {
        ("self_attention", "linear_0"): ("q_proj", "k_proj", "v_proj"),
        ("self_attention", "linear_1"): ("out_proj",),
        ("attention", "linear_0"): ("q_proj",),
        ("attention", "linear_1"): ("k_proj", "v_proj"),
        ("attention", "linear_2"): ("out_proj",),
    }[own, rest]
    return [f"{module}.{part}" for part in fused]
