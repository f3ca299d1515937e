"""Weights that are made small keep what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.tensor_file import SCALE, as_int8_rows, load_tensors, packed
from m4sc.training.compact import compact
from safetensors.torch import load_file, save_file


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 40), st.floats(1e-2, 1e3), st.integers(0, 1000))
def test_rows_come_back_within_half_a_step(n: int, m: int, size: float, seed: int) -> None:
    values = size * torch.randn(n, m, generator=torch.Generator().manual_seed(seed))
    rows, scale = as_int8_rows(values)
    step = values.abs().amax(1, keepdim=True) / 127
    assert ((rows.float() * scale.float()[:, None] - values).abs() <= 0.6 * step + 1e-4 * size).all()


def test_compact_drops_the_codec_of_words_and_keeps_the_rest(tmp_path: Path) -> None:
    adapter = torch.randn(16, 64)
    state = {
        "llm.layer.lora_A.decode.weight": adapter.half(),
        "encoders.text.gain": torch.ones(1).half(),
        "projectors.image.base.weight": torch.randn(4, 8).half(),
    }
    save_file(state, str(tmp_path / "model.safetensors"))
    before, after = compact(tmp_path)
    assert after < before
    stored = load_file(str(tmp_path / "model.safetensors"))
    assert stored["llm.layer.lora_A.decode.weight"].dtype == torch.int8
    found = load_tensors(tmp_path / "model.safetensors")
    assert set(found) == set(state) - {"encoders.text.gain"}
    assert torch.equal(found["projectors.image.base.weight"], state["projectors.image.base.weight"])
    assert (found["llm.layer.lora_A.decode.weight"].float() - adapter).abs().max() < 0.03


def test_scales_without_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"rows" + SCALE: torch.ones(3)}, str(path))
    with pytest.raises(ValueError, match="scales of rows that are not there"):
        load_tensors(path)


def test_large_matrices_are_packed_as_rows_and_come_back(tmp_path: Path) -> None:
    state = {"large": torch.randn(500, 400), "small": torch.randn(3, 4), "whole": torch.arange(5)}
    save_file(packed(state), str(tmp_path / "model.safetensors"))
    assert load_file(str(tmp_path / "model.safetensors"))["large"].dtype == torch.int8
    found = load_tensors(tmp_path / "model.safetensors")
    assert set(found) == set(state) and torch.equal(found["whole"], state["whole"])
    assert torch.equal(found["small"], state["small"].half())
    assert 0 < (found["large"].float() - state["large"]).abs().max() < 0.03
