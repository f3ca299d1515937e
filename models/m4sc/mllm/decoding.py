"""A lean decoder for the receiver's language model: int8 weights, fused matrices, a static cache.

A token of a small model costs one pass over its weights and the calls that lead to it. Both are cut here:
the weights are int8 with one scale an output row, the matrices that share an input are one, and what lies
between them is compiled (:mod:`m4sc.mllm.decoding_kernels`).

Activations of a language model have outliers that one int8 a value cannot carry (Dettmers et al.,
"LLM.int8()", 2022). Each row x is therefore sent through a matrix twice, in one product: rounded to a grid,
and what the rounding left. The weights are read once, so at a few rows the second half is almost free.

At many rows, as prompts have, the product itself is the cost: where the processor multiplies bfloat16 in
tiles (AMX), the weights that the model keeps in bfloat16 are taken instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from m4sc.mllm import decoding_kernels as kernels

_KINDS = ("llama", "qwen2")
_LEVELS = kernels.LEVELS
_MANY_ROWS = 32
_LARGE = 8_000_000  # numbers of a matrix: of a vocabulary, not of a layer


class _FbgemmProduct:
    """int8 product of the builds of PyTorch that have FBGEMM (the public ones for x86_64)."""

    def __init__(self, weight: Tensor, scale: Tensor) -> None:
        """weight: float (out, in); scale: float64 (out,), of a step of each row."""
        with warnings.catch_warnings():  # torch means to replace its quantised tensors, not this product
            warnings.simplefilter("ignore", UserWarning)
            zero = torch.zeros(len(scale), dtype=torch.long)
            quantized = torch.quantize_per_channel(weight.float(), scale, zero, 0, torch.qint8)
            self._packed = torch.ops.quantized.linear_prepack(quantized, None)

    def __call__(self, z: Tensor) -> Tensor:
        """z: float32 (n, in) in -1..1. Returns float32 (n, out)."""
        return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            z, 1 / _LEVELS, _LEVELS + 1, self._packed
        )


class _OnednnProduct:
    """The same product of the builds that have oneDNN alone, such as Debian's python3-torch."""

    def __init__(self, weight: Tensor, scale: Tensor) -> None:
        """weight: float (out, in); scale: float64 (out,), of a step of each row."""
        self._scale = scale.float()
        steps = (weight / self._scale[:, None]).round_().clamp_(-127, 127)
        self._packed = torch.ops.onednn.qlinear_prepack(steps.to(torch.int8), None)
        self._zero = torch.zeros(len(scale), dtype=torch.int32)

    def __call__(self, z: Tensor) -> Tensor:
        """z: float32 (n, in) in -1..1. Returns float32 (n, out)."""
        levels = (z * _LEVELS).round_().add_(_LEVELS + 1).to(torch.uint8)
        return torch.ops.onednn.qlinear_pointwise(
            levels, 1 / _LEVELS, _LEVELS + 1, self._packed, self._scale, self._zero, None,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip


_PRODUCTS = (_FbgemmProduct, _OnednnProduct)


@cache
def _product(large: bool = False) -> type[_FbgemmProduct] | type[_OnednnProduct]:
    """The int8 product that this build of PyTorch has on this processor; RuntimeError when there is none.

    large: for a matrix whose own time is more than that of the call: oneDNN's calls take longer, and its
    weights less.
    """
    for kind in reversed(_PRODUCTS) if large else _PRODUCTS:
        try:
            kind(torch.ones(1, 8), torch.full((1,), 1 / 127, dtype=torch.float64))(torch.ones(2, 8))
        except (RuntimeError, NotImplementedError, AttributeError):
            continue
        return kind
    raise RuntimeError("this build of PyTorch has no int8 product on this processor")


@cache
def _multiplies_tiles() -> bool:
    """Whether this processor has tiles of bfloat16 and this build of PyTorch uses them."""
    supported = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return supported is not None and bool(supported()) and torch.backends.mkldnn.is_available()


class Int8Matrix:
    """A weight matrix in int8 that multiplies rows given as coarse and fine halves."""

    def __init__(self, weight: Tensor, wide: Sequence[Tensor] = ()) -> None:
        """weight: float (out, in); wide: its rows as the model keeps them, for products of many rows."""
        large = weight.numel() >= _LARGE
        self._wide = tuple(wide) if _multiplies_tiles() else ()
        self.width = len(weight)
        low, high = weight.aminmax(dim=1)  # abs() would copy the largest matrix
        scale = torch.maximum(high, -low).clamp_min(1e-12).double() / 127
        self._multiply = _product(large)(weight, scale)

    def halves(self, z: Tensor) -> Tensor:
        """z: float32 (2 n, in) in -1..1, coarse rows, then fine ones. Returns float32 (2 n, out)."""
        return self._multiply(z)

    def __call__(self, x: Tensor) -> Tensor:
        """x: float32 (n, in). Returns float32 (n, out)."""
        if len(x) >= _MANY_ROWS and self._wide and self._wide[0].dtype == torch.bfloat16:
            rounded = x.to(torch.bfloat16)
            return torch.cat([functional.linear(rounded, part) for part in self._wide], 1).float()
        scale = x.abs().amax(1, keepdim=True).clamp_min(1e-12)
        steps = x * (_LEVELS / scale)
        whole = steps.round()
        y = self.halves(torch.cat([whole / _LEVELS, (steps - whole) * 2.0]))
        return (y[: len(x)] + y[len(x) :] * (0.5 / _LEVELS)) * scale


@dataclass(frozen=True)
class _Layer:
    before_attention: np.ndarray
    qkv: Int8Matrix
    bias: np.ndarray
    out: Int8Matrix
    before_mlp: np.ndarray
    gate_up: Int8Matrix
    down: Int8Matrix


class Cache:
    """What a batch of sequences has left in the layers.

    Attributes:
        keys, values: float32 (layers, n, kv_heads, most, dim).
        begins: int64 (n,), first place of each sequence that is no padding.
        prompt: places of the prompt, the same for all beams of one.
        length: places filled.
        first: keys and values of what all sequences read before, float32 (layers, kv_heads, places, dim).
        whole: the memory that `keys` and `values` are the beginning of.
    """

    def __init__(
        self,
        keys: Tensor,
        values: Tensor,
        begins: Tensor,
        prompt: int,
        length: int,
        first: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.keys, self.values, self.begins = keys, values, begins
        self.whole = keys, values  # with the memory of sequences that are no more
        self.prompt, self.length = prompt, length
        nothing = keys.new_empty(keys.shape[0], keys.shape[2], 0, keys.shape[4])
        self.first = (nothing, nothing) if first is None else first

    def repeated(self, beams: int) -> Cache:
        """Each sequence `beams` times, one behind the other."""
        parts = (self.keys.repeat_interleave(beams, 1), self.values.repeat_interleave(beams, 1))
        return Cache(*parts, self.begins.repeat_interleave(beams), self.prompt, self.length, self.first)

    def behind(self, row: int, room: int) -> Cache:
        """An empty cache whose sequences all go on from what sequence `row` has read.

        room: places of each.
        """
        own = slice(int(self.begins[row]), self.length)
        parts = (self.keys[:, row, :, own], self.values[:, row, :, own])
        first = tuple(torch.cat([old, new], 2) for old, new in zip(self.first, parts, strict=True))
        shape = (self.keys.shape[0], 1, self.keys.shape[2], room, self.keys.shape[4])
        empty = (torch.zeros(shape), torch.zeros(shape))
        return Cache(*empty, torch.zeros(1, dtype=torch.long), 0, 0, (first[0], first[1]))

    def picked(self, sources: Tensor, spare: Cache | None = None) -> Cache:
        """Sequence i is a copy of sequence ``sources[i]``, int64 (n,).

        spare: a cache that nobody reads any more; its memory is used again where it has room for all.
        """
        shape, n = self.keys.shape, len(sources)
        if spare is not None and spare.keys.shape[1] >= n and spare.keys.shape[2:] == shape[2:]:
            keys, values = spare.whole
        else:
            keys, values = (old.new_empty(shape[0], n, *shape[2:]) for old in (self.keys, self.values))
        said = slice(0, self.length)
        for new, old in ((keys, self.keys), (values, self.values)):
            new[:, :n, :, said] = old[..., said, :][:, sources]
        picked = Cache(keys[:, :n], values[:, :n], self.begins[sources], self.prompt, self.length, self.first)
        picked.whole = keys, values
        return picked

    def reorder(self, sources: Tensor) -> None:
        """Sequence i goes on from what sequence ``sources[i]``, of the same prompt, has said."""
        if torch.equal(sources, torch.arange(len(sources))):
            return
        said = slice(self.prompt, self.length)
        self.keys[..., said, :] = self.keys[..., said, :][:, sources]
        self.values[..., said, :] = self.values[..., said, :][:, sources]


class Decoder:
    """Prefill and single steps of a merged causal LM, as :func:`decoder_for` finds it possible."""

    def __init__(self, model: Any, shrink: bool = False) -> None:
        """model: a Llama- or Qwen2-kind ``...ForCausalLM`` in float32.

        shrink: turn it to bfloat16, each part once it has been read: the memory is used again at once.
        """
        config, base = model.config, model.model
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.dim = _head_dim(config)
        self.eps = float(config.rms_norm_eps)
        self._frequencies = base.rotary_emb.inv_freq.detach().float()
        self._layers = []
        for layer in base.layers:
            self._layers.append(_layer(layer))
            if shrink:
                layer.to(torch.bfloat16)
        self._norm = _array(base.norm.weight)
        self._head = Int8Matrix(model.lm_head.weight.detach())
        if shrink:
            model.to(torch.bfloat16)
        self.embedding = base.embed_tokens.weight.detach().to(torch.bfloat16)

    def prefill(self, embeds: Tensor, begins: Tensor, room: int) -> tuple[Tensor, Cache]:
        """Read prompts padded on the left.

        Args:
            embeds: float (n, t, hidden).
            begins: int64 (n,), first place of each prompt that is no padding.
            room: places to leave in the cache for the answers.

        Returns:
            Logits of the next token, float32 (n, vocab), and the cache.
        """
        n, t, hidden = embeds.shape
        cache = Cache(
            torch.zeros(len(self._layers), n, self.kv_heads, t + room, self.dim),
            torch.zeros(len(self._layers), n, self.kv_heads, t + room, self.dim),
            begins,
            t,
            t,
        )
        place = torch.arange(t)
        own = place[:, None] == place  # padding sees itself: a softmax over nothing is not a number
        sees = (place[:, None] >= place) & (place >= begins[:, None, None]) | own  # (n, t, t)
        turns = self._turns((place - begins[:, None]).clamp_min(0))  # (n, t, 2, dim / 2)
        cos = turns[..., 0, :].repeat(1, 1, 2)[:, :, None]  # (n, t, 1, dim)
        sin = torch.cat([-turns[..., 1, :], turns[..., 1, :]], -1)[:, :, None]
        x = embeds.reshape(n * t, hidden).float()
        for i, layer in enumerate(self._layers):
            qkv = layer.qkv(self._normalised(x, layer.before_attention)) + torch.from_numpy(layer.bias)
            q, k, v = qkv.view(n, t, -1, self.dim).split([self.heads, self.kv_heads, self.kv_heads], 2)
            q, k = (part * cos + part.roll(self.dim // 2, -1) * sin for part in (q, k))
            q, k, v = (part.transpose(1, 2) for part in (q, k, v))  # (n, heads, t, dim)
            cache.keys[i, :, :, :t] = k
            cache.values[i, :, :, :t] = v
            seen = functional.scaled_dot_product_attention(q, k, v, sees[:, None], enable_gqa=True)
            x = x + layer.out(seen.transpose(1, 2).reshape(n * t, -1))
            gate, up = layer.gate_up(self._normalised(x, layer.before_mlp)).chunk(2, 1)
            x = x + layer.down(functional.silu(gate) * up)
        last = x.view(n, t, hidden)[:, -1]
        return self._head(self._normalised(last, self._norm)), cache

    def step(self, ids: Tensor, cache: Cache) -> Tensor:
        """Read one more token of each sequence: int64 (n,) to logits of the next, float32 (n, vocab)."""
        x = self.embedding[ids].float().numpy()
        n, end, eps = len(ids), cache.length, self.eps
        scale = np.empty(n, np.float32)
        inner = self._layers[0].gate_up.width // 2
        widths = (x.shape[1], self.heads * self.dim, inner)
        hidden, seen, gated = (torch.empty(2 * n, width) for width in widths)
        hidden_z, seen_z, gated_z = (part.numpy() for part in (hidden, seen, gated))
        keys, values, begins = cache.keys.numpy(), cache.values.numpy(), cache.begins.numpy()
        first_keys, first_values = (part.numpy() for part in cache.first)
        turns = self._turns(first_keys.shape[2] + end - cache.begins).numpy()
        norms = [layer.before_attention for layer in self._layers[1:]] + [self._norm]
        kernels.normalise(x, self._layers[0].before_attention, eps, hidden_z, scale)
        for i, (layer, norm) in enumerate(zip(self._layers, norms, strict=True)):
            y = layer.qkv.halves(hidden).numpy()
            first = (first_keys[i], first_values[i])
            kernels.attend(y, layer.bias, turns, keys[i], values[i], begins, end, first, seen_z, scale)
            y = layer.out.halves(seen).numpy()
            kernels.add_normalise(x, y, layer.before_mlp, eps, hidden_z, scale)
            kernels.gate(layer.gate_up.halves(hidden).numpy(), gated_z, scale)
            kernels.add_normalise(x, layer.down.halves(gated).numpy(), norm, eps, hidden_z, scale)
        cache.length = end + 1
        return torch.from_numpy(kernels.join(self._head.halves(hidden).numpy(), scale))

    def _turns(self, positions: Tensor) -> Tensor:
        """Cosine and sine of rotary positions, int64 (...) to float32 (..., 2, dim / 2)."""
        angles = positions[..., None].float() * self._frequencies
        return torch.stack([angles.cos(), angles.sin()], -2)

    def _normalised(self, x: Tensor, weight: np.ndarray) -> Tensor:
        gain = (x.square().mean(-1, keepdim=True) + self.eps).rsqrt()
        return x * gain * torch.from_numpy(weight)


def decoder_for(model: Any, shrink: bool = False) -> Decoder | None:
    """A lean decoder of a merged causal LM in float32; None where its kind or the processor has none."""
    config = model.config
    rope = getattr(config, "rope_parameters", None) or {}
    plain = (
        config.model_type in _KINDS
        and getattr(config, "hidden_act", "") == "silu"
        and rope.get("rope_type", "default") == "default"
        and not getattr(config, "use_sliding_window", False)
        and _head_dim(config) % 2 == 0
        and model.device.type == "cpu"
    )
    if not plain or any(
        bias in name
        for name, _ in model.named_parameters()
        for bias in ("o_proj.bias", "gate_proj.bias", "up_proj.bias", "down_proj.bias", "lm_head.bias")
    ):
        return None
    try:
        _product()
    except RuntimeError:
        return None
    return Decoder(model, shrink)


def _layer(layer: nn.Module) -> _Layer:
    attention: Any = layer.self_attn
    mlp: Any = layer.mlp
    qkv = (attention.q_proj, attention.k_proj, attention.v_proj)
    bias = [torch.zeros(part.out_features) if part.bias is None else part.bias for part in qkv]
    before: Any = layer.input_layernorm
    after: Any = layer.post_attention_layernorm
    return _Layer(
        _array(before.weight),
        _fused(*qkv),
        _array(torch.cat(bias)),
        _fused(attention.o_proj),
        _array(after.weight),
        _fused(mlp.gate_proj, mlp.up_proj),
        _fused(mlp.down_proj),
    )


def _fused(*parts: nn.Linear) -> Int8Matrix:
    return Int8Matrix(torch.cat([part.weight.detach() for part in parts]), [part.weight for part in parts])


def _array(values: Tensor) -> np.ndarray:
    return np.array(values.detach().float().numpy())


def _head_dim(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
