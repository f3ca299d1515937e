"""Texts by their code words: the likelihood itself, and a text through a model that was never trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.message import Message
from m4sc.mllm.evidence import log_likelihood, with_end
from m4sc.mllm.network import Network
from m4sc.system import SemanticSystem
from m4sc.training.batches import draw_candidates, draw_ids
from m4sc.training.features import Sample
from tiny_model import tiny_config, write_tiny_llm

TEXT = "a quick brown fox jumps over the lazy dog near the old stone bridge"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder: Path = write_tiny_llm(tmp_path_factory.mktemp("llm"))
    torch.manual_seed(1)
    return Network(tiny_config(folder))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31), tokens=st.integers(1, 5), words=st.integers(1, 20), width=st.integers(1, 6)
)
def test_likelihoods_differ_as_the_gaussian_density_says(
    seed: int, tokens: int, words: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    y, c = rng.standard_normal((tokens, width, 2)), rng.standard_normal((words, width, 2))
    n = rng.uniform(0.05, 3.0, (tokens, width))
    wanted = -np.sum(np.sum((y[:, None] - c[None]) ** 2, -1) / n[:, None], -1)
    found = log_likelihood(*(torch.from_numpy(x) for x in (y, n, c))).numpy()
    assert np.allclose(found - found[:, :1], wanted - wanted[:, :1])


def test_behind_the_last_token_only_the_end_is_possible() -> None:
    rows = with_end(torch.zeros(2, 5), 3)
    assert rows.shape == (3, 5) and rows[2].softmax(0)[3] == 1.0


def through(network: Network, noise_var: float, seed: int = 0) -> str:
    system = SemanticSystem(network)
    latents = system.encode(Message("text", TEXT), "text").latents
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(latents.shape) * np.sqrt(noise_var / 2)
    pairs = latents + noise
    symbols = (pairs[:, 0] + 1j * pairs[:, 1]).astype(np.complex64)
    return system.decode(symbols, np.full(len(symbols), noise_var, np.float32), "text").text


def test_an_untrained_pair_repeats_a_text_through_little_noise_and_not_through_much(network: Network) -> None:
    assert through(network, 1e-3) == TEXT
    assert through(network, 30.0) != TEXT


def test_zeroed_symbols_give_nothing_of_the_text(network: Network) -> None:
    system = SemanticSystem(network)
    count = len(system.encode(Message("text", TEXT), "text").latents)
    answer = system.decode(np.zeros(count, np.complex64), np.full(count, 1.0, np.float32), "text").text
    assert not set(TEXT.split()) & set(answer.split())


def test_every_token_has_unit_power(network: Network) -> None:
    power = network.code_book().square().sum(-1).mean(-1)
    assert torch.allclose(power, torch.ones_like(power), atol=1e-4)


def test_exchanged_tokens_keep_end_marks_and_are_among_the_candidates(network: Network) -> None:
    rng = np.random.default_rng(0)
    end = network.llm.end_id
    sample = Sample("text", "text", "", ("word",), None, "word" * 5 + "<|im_end|>" * 3)
    drawn = draw_ids(network, [sample] * 50, rng)
    assert len({tuple(ids) for ids in drawn}) > 5  # some were exchanged
    assert all(ids[-3:] == [end] * 3 and end not in ids[:-3] for ids in drawn)
    candidates = draw_candidates(network, drawn, rng)
    assert set(candidates.tolist()) >= {end, *(i for ids in drawn for i in ids)}
    assert torch.equal(candidates, candidates.sort().values)
