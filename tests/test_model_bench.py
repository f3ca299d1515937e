"""`m4sc bench model` on a tiny model, without and with a stand-in for the interpreter of llama.cpp."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
from m4sc.mllm.network import Network
from m4sc.pretrained import registry, resolver
from m4sc_app.bench import speed as bench
from tiny_model import tiny_config, write_tiny_llm


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    Network(tiny_config(write_tiny_llm(folder / "llm"))).save(folder / "tiny")
    return folder / "tiny"


def generation(weights: Path, python: Path | None) -> dict[str, dict]:
    import m4sc

    llm = m4sc.load(str(weights)).network.llm
    return {figure["name"]: figure for figure in bench._generation(llm, 2, 1, python)}


def test_rates_without_llama_cpp_say_why(weights: Path) -> None:
    found = generation(weights, None)
    assert found["tokens_per_s"]["value"] > 0 and found["transformers_tokens_per_s"]["value"] > 0
    assert found["llama_cpp_tokens_per_s"]["value"] is None
    assert "--llama-python" in found["llama_cpp_tokens_per_s"]["detail"]
    assert found["llama_cpp_speedup"]["value"] is None


def test_llama_cpp_is_asked_in_every_turn(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama_cpp.py").write_text(
        "import time\n"
        "class Llama:\n"
        "    def __init__(self, path, **options): pass\n"
        "    def tokenize(self, text): return list(text)\n"
        "    def reset(self): pass\n"
        "    def eval(self, ids): time.sleep(0.001)\n"
        "    def sample(self, temp): return 1\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(resolver, "package_folder", lambda row: tmp_path)
    found = generation(weights, Path(sys.executable))
    rate = found["llama_cpp_tokens_per_s"]["value"]
    assert 0 < rate < 1000  # a token sleeps a millisecond
    assert found["llama_cpp_speedup"]["value"] == pytest.approx(found["tokens_per_s"]["value"] / rate)


def test_llama_cpp_that_dies_of_its_first_tokens_is_tried_plainly_or_told(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, never = "llama_cpp.llama_model_default_params().use_extra_bufts", "True"
    module = (
        "import os, sys, time, types\n"
        "params = types.SimpleNamespace(use_extra_bufts=True)\n"
        "llama_cpp = types.SimpleNamespace(llama_model_default_params=lambda: params)\n"
        "class Llama:\n"
        "    def __init__(self, path, **options): pass\n"
        "    def tokenize(self, text): return list(text)\n"
        "    def reset(self): pass\n"
        "    def eval(self, ids): os._exit(3) if {} else time.sleep(0.001)\n"
        "    def sample(self, temp): return 1\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(resolver, "package_folder", lambda row: tmp_path)
    (tmp_path / "llama_cpp.py").write_text(module.format(plain))
    found = generation(weights, Path(sys.executable))
    assert found["llama_cpp_tokens_per_s"]["value"] > 0 and found["llama_cpp_speedup"]["value"] > 0
    assert "crash" in found["llama_cpp_tokens_per_s"]["detail"]
    (tmp_path / "llama_cpp.py").write_text(module.format(never))
    found = generation(weights, Path(sys.executable))
    assert found["llama_cpp_tokens_per_s"]["value"] is None and found["tokens_per_s"]["value"] > 0
    assert "ends by itself there (status 3)" in found["llama_cpp_speedup"]["detail"]


def test_an_interpreter_without_it_is_a_sentence(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "package_folder", lambda row: Path())
    for python, said in ((Path(sys.executable), "does not run there"), (Path("no/such"), "cannot be run")):
        with bench._llama_cpp(python, 1) as (peer, reason):
            assert peer is None and said in reason


def test_memory_is_that_of_a_process_of_its_own(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(bench.__file__).parents[3] / "models"))
    figure = bench._memory(str(weights), 128, "classify")
    assert figure["value"] is not None and 0.05 < figure["value"] < 4, figure
    assert "failed" in bench._memory("no-such-weights", 128, "classify")["detail"]
    assert json.dumps(figure) and registry.find_backbone("smollm2-135m-instruct") is not None


def test_what_a_user_of_the_shipped_weights_waits_for_is_measured() -> None:
    figures = {f["name"]: f for f in islice(bench.measure(rounds=1, threads=1, weights="default"), 5)}
    assert list(figures) == ["encode_ms", "encode_look_ms", "answer_ms", "sentence_ms", "first_token_ms"]
    assert all(figure["value"] > 0 for figure in figures.values())
    assert "'caption'" in figures["sentence_ms"]["detail"]
