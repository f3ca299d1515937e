"""The lean decoder and its searches against transformers, on tiny models of the kinds it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.mllm import decoding_kernels as kernels
from m4sc.mllm.decoding import _PRODUCTS, Decoder, Int8Matrix, decoder_for
from m4sc.mllm.llm import LanguageModel
from m4sc.mllm.search import beam_search, greedy
from tiny_model import tiny_config, write_tiny_llm
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LogitsProcessor,
    Qwen2Config,
    Qwen2ForCausalLM,
)

VOCAB, END = 60, 7
SHAPE = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "vocab_size": VOCAB,
    "initializer_range": 0.15,
    "bos_token_id": None,
    "eos_token_id": END,
    "pad_token_id": END,
}


def tiny(kind: str) -> Any:
    torch.manual_seed(5)
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**SHAPE, tie_word_embeddings=True)).eval()
    model = Qwen2ForCausalLM(Qwen2Config(**SHAPE, tie_word_embeddings=False)).eval()
    for name, value in model.named_parameters():
        if name.endswith("bias"):  # zero when it is made
            torch.nn.init.normal_(value, std=0.3)
    return model


@pytest.fixture(params=["llama", "qwen2"])
def model(request: pytest.FixtureRequest) -> Any:
    return tiny(request.param)


def decoder_of(model: Any) -> Decoder:
    decoder = decoder_for(model)
    if decoder is None:
        pytest.skip("no int8 product on this processor")
    return decoder


def left_padded(lengths: tuple[int, ...], seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    longest = max(lengths)
    embeds = torch.randn(len(lengths), longest, 48, generator=generator) * 0.3
    return embeds, torch.tensor([longest - length for length in lengths])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), outlier=st.floats(1.0, 300.0), rows=st.integers(1, 5))
def test_int8_product_is_that_of_its_weights_even_beside_an_outlier(
    seed: int, outlier: float, rows: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight, x = torch.randn(17, 32, generator=generator), torch.randn(rows, 32, generator=generator)
    x[:, 3] *= outlier
    try:
        y = Int8Matrix(weight)(x)
    except (RuntimeError, NotImplementedError):
        pytest.skip("no int8 product on this processor")
    scale = weight.abs().amax(1, keepdim=True) / 127
    held = (weight / scale).round() * scale
    step = x.abs().amax(1, keepdim=True) / (63 * 126)  # of the fine half
    assert ((y - x @ held.T).abs() <= 0.6 * step * held.abs().sum(1) + 1e-4).all()


def test_the_int8_products_of_different_builds_are_one() -> None:
    """Public builds have FBGEMM's, Debian's python3-torch has oneDNN's alone; at least one is here."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(65, 96, generator=generator)
    z = (torch.rand(4, 96, generator=generator) * 2 - 1).mul(63).round() / 63
    scale = weight.abs().amax(1).double() / 127
    held = (weight / scale.float()[:, None]).round() * scale.float()[:, None]
    here = 0
    for kind in _PRODUCTS:
        try:
            y = kind(weight, scale)(z)
        except (RuntimeError, NotImplementedError, AttributeError):
            continue
        here += 1
        assert torch.allclose(y, z @ held.T, atol=1e-3)
    assert here


def round_weights(model: Any) -> None:
    """Give a model the weights that int8 rows can hold."""
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, torch.nn.Linear):
                scale = part.weight.abs().amax(1, keepdim=True).clamp_min(1e-9) / 127
                part.weight.copy_((part.weight / scale).round() * scale)


def test_logits_are_those_of_transformers_on_the_same_weights(model: Any) -> None:
    round_weights(model)
    decoder, ids = decoder_of(model), torch.tensor([3, 11, 40])
    embeds, begins = left_padded((5, 9))
    with torch.inference_mode():
        got, cache = decoder.prefill(embeds, begins, 4)
        found = [got] + [decoder.step(i.repeat(2), cache) for i in ids]
        for row, begin in enumerate(begins):
            spoken = model.get_input_embeddings()(ids)
            own = torch.cat([embeds[row, begin:], spoken])[None]
            wanted = model(inputs_embeds=own).logits[0, -4:]
            wrong = torch.stack([part[row] for part in found]) - wanted
            assert wrong.std() < 0.005 * wanted.std()  # the embeddings are bfloat16


class _Add(LogitsProcessor):
    def __init__(self, evidence: torch.Tensor) -> None:
        self.evidence = evidence

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        step = min(input_ids.shape[1], self.evidence.shape[1] - 1)
        return scores.log_softmax(-1) + self.evidence[:, step].repeat_interleave(
            len(scores) // len(self.evidence), 0
        )


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("with_evidence", [False, True])
def test_searches_find_what_transformers_finds(model: Any, beams: int, with_evidence: bool) -> None:
    decoder = decoder_of(model)
    exact = Exact(model)  # the same search over exact logits: int8 may turn a tie
    agreed = 0
    for seed in range(6):
        embeds, begins = left_padded((4, 7, 6), seed)
        generator = torch.Generator().manual_seed(seed)
        evidence = torch.randn(3, 5, VOCAB, generator=generator) * 2 if with_evidence else None
        with torch.inference_mode():
            out = model.generate(
                inputs_embeds=embeds,
                attention_mask=(torch.arange(7) >= begins[:, None]).long(),
                max_new_tokens=8,
                do_sample=False,
                num_beams=beams,
                length_penalty=0.0,
                logits_processor=[_Add(evidence)] if evidence is not None else None,
            )
            wanted = [[i for i in row if i != END] for row in out.tolist()]
            for searched in (exact, decoder):
                asked = (searched, embeds, begins, 8, END, evidence)
                said = greedy(*asked)[0] if beams == 1 else beam_search(*asked, beams)
                if searched is exact:
                    assert said == wanted
                else:
                    agreed += sum(a == b for a, b in zip(said, wanted, strict=True))
    assert agreed >= 12  # of 18


class Exact:
    """A decoder's interface over transformers in float32, the whole sequence anew at each step."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def prefill(self, embeds: torch.Tensor, begins: torch.Tensor, room: int) -> tuple[torch.Tensor, Any]:
        cache = Said(embeds, begins)
        return self._logits(cache), cache

    def step(self, ids: torch.Tensor, cache: Any) -> torch.Tensor:
        cache.embeds = torch.cat([cache.embeds, self.model.get_input_embeddings()(ids)[:, None]], 1)
        return self._logits(cache)

    def _logits(self, cache: Any) -> torch.Tensor:
        place = torch.arange(cache.embeds.shape[1])
        return self.model(
            inputs_embeds=cache.embeds,
            attention_mask=(place >= cache.begins[:, None]).long(),
            position_ids=(place - cache.begins[:, None]).clamp_min(0),
        ).logits[:, -1]


class Said:
    """A cache that keeps the embeddings."""

    def __init__(self, embeds: torch.Tensor, begins: torch.Tensor) -> None:
        self.embeds, self.begins = embeds, begins

    def repeated(self, beams: int) -> Said:
        return Said(self.embeds.repeat_interleave(beams, 0), self.begins.repeat_interleave(beams))

    def reorder(self, sources: torch.Tensor) -> None:
        self.embeds = self.embeds[sources]


def test_a_row_does_not_depend_on_the_batch(model: Any) -> None:
    decoder = decoder_of(model)
    embeds, begins = left_padded((3, 8, 5))
    with torch.inference_mode():
        together, cache = decoder.prefill(embeds, begins, 2)
        after = decoder.step(torch.tensor([1, 2, 3]), cache)
        for row, begin in enumerate(begins):
            alone, own = decoder.prefill(embeds[row : row + 1, begin:], torch.tensor([0]), 2)
            assert torch.allclose(alone[0], together[row], atol=1e-3)
            again = decoder.step(torch.tensor([row + 1]), own)[0]
            assert torch.allclose(again, after[row], atol=1e-3)


def test_what_all_read_before_is_kept_once(model: Any) -> None:
    decoder = decoder_of(model)
    embeds, begins = decoder.embedding[torch.tensor([[3, 1, 4, 1, 5]])].float(), torch.tensor([0])
    with torch.inference_mode():
        _, cache = decoder.prefill(embeds, begins, 4)
        shared = decoder.prefill(embeds[:, :4], begins, 1)[1]
        decoder.step(torch.tensor([5]), shared)
        rows = shared.behind(0, 4).picked(torch.tensor([0, 0]))
        first = decoder.step(torch.tensor([9, 2]), rows)
        spare = shared.behind(0, 4).picked(torch.arange(4) * 0)  # memory of another search
        spare.keys.fill_(torch.nan)
        rows = rows.picked(torch.tensor([1, 0, 1]), spare)
        assert rows.keys.data_ptr() == spare.keys.data_ptr()
        second = decoder.step(torch.tensor([6, 5, 3]), rows)
        for ids, found in (([9], first[0]), ([2], first[1]), ([2, 6], second[0]), ([9, 5], second[1])):
            alone = cache.repeated(1)
            for token in ids:
                wanted = decoder.step(torch.tensor([token]), alone)[0]
            assert torch.allclose(found, wanted, atol=1e-3)
        small = shared.behind(0, 4)  # no room for four
        assert rows.picked(torch.tensor([0, 1, 2, 0]), small).keys.data_ptr() != small.keys.data_ptr()
        assert rows.picked(torch.tensor([0]), rows.picked(torch.tensor([0, 1]))).whole[0].shape[1] == 2


def test_kinds_it_does_not_know_are_left_to_transformers() -> None:
    gpt = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=9))
    assert decoder_for(gpt) is None
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}
    stretched = LlamaConfig(**SHAPE, rope_parameters=rope)
    assert decoder_for(LlamaForCausalLM(stretched)) is None
    assert decoder_for(LlamaForCausalLM(LlamaConfig(**SHAPE, attention_bias=True))) is None


def test_a_served_model_answers_with_and_without_the_lean_decoder(tmp_path: Path) -> None:
    llm = LanguageModel(tiny_config(write_tiny_llm(tmp_path)))
    prompts = [llm.prompt("What?", torch.randn(n, 32) * 0.1) for n in (2, 7)]
    trained = llm.generate(prompts, 4)
    llm.serve()
    assert llm.decoder is not None
    lean = llm.generate(prompts, 4)
    llm.decoder = None
    assert llm.generate(prompts, 4) == lean == trained
    assert np.isfinite(llm.embedding_rms)


def test_the_exponential_is_that_of_numpy() -> None:
    values = np.concatenate([np.linspace(-87, 88, 20001), [0.0, -0.0, 1e-8, -1e-8]]).astype(np.float32)
    found = np.array([kernels.exp(value) for value in values], np.float64)
    np.testing.assert_allclose(found, np.exp(values.astype(np.float64)), rtol=4e-7)
    far = np.array([kernels.exp(np.float32(value)) for value in (-1e30, -100.0, 100.0, 1e30)])
    assert np.all(np.isfinite(far)) and far[0] == far[1] < 1e-37 and far[2] == far[3] > 1e38


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_halves_of_a_normalised_row_give_it_back(size: float) -> None:
    x = (size * np.random.default_rng(0).standard_normal((3, 576))).astype(np.float32)
    z, scale = np.empty((6, 576), np.float32), np.ones(3, np.float32)
    kernels.normalise(x, np.ones(576, np.float32), 0.0, z, scale)
    assert np.abs(z).max() <= 1.0
    norm = x / np.sqrt(np.square(x.astype(np.float64)).mean(1, keepdims=True))
    np.testing.assert_allclose(scale, np.abs(norm).max(1), rtol=1e-5)
    whole = (z[:3] + z[3:] * 0.5 / kernels.LEVELS) * scale[:, None]
    np.testing.assert_allclose(whole, norm, atol=1e-5 * scale.max())
