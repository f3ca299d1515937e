"""`m4sc bench ablation` on a tiny model whose pictures' features are given."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from m4sc.data.example import Example
from m4sc.encoders.senses import Senses
from m4sc.training.features import Sample
from m4sc_app.bench import ablation as command
from m4sc_app.bench.ablation import VARIANTS, Budget, Variant, _trained, run_variant, table
from tiny_model import tiny_config, write_tiny_llm

WORDS = ("cat", "dog", "ship")
CLASSES = torch.randn(3, 16, 12, generator=torch.Generator().manual_seed(3))


def samples() -> list[Sample]:
    return [
        Sample("classify", "image", "", (WORDS[i % 3],), CLASSES[i % 3].half(), media=str(i))
        for i in range(12)
    ]


def examples() -> list[Example]:
    pictures = [np.full((2, 2, 3), i, np.uint8) for i in range(3)]
    return [
        Example(str(i), "image", "classify", "What?", (WORDS[i],), "tiny", picture, str(i))
        for i, picture in enumerate(pictures)
    ]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny_config(write_tiny_llm(tmp_path_factory.mktemp("llm")))


def test_every_variant_differs_from_the_base_by_a_name_the_configuration_knows(config: Any) -> None:
    from dataclasses import replace

    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    base = VARIANTS[0]
    for variant in VARIANTS[1:]:
        assert replace(variant, name=base.name, about=base.about) != base
        assert replace(config, **variant.changes) is not None


def test_a_finished_variant_is_not_trained_again(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Senses,
        "image_encoder",
        lambda self, given: torch.stack([CLASSES[int(p[0, 0, 0])] for p in given]),
    )
    deaf = next(variant for variant in VARIANTS if not variant.hears_noise)
    asked = (deaf, samples(), {"classify": examples()}, tmp_path, Budget(1.0, 2), (10.0,), 0, config)
    rows = list(run_variant(*asked))
    assert rows[0]["n"] == 3 and rows[0]["seeds"] == [0, 1, 2]
    module = importlib.import_module("m4sc_app.bench.ablation")  # the package has the command by this name
    monkeypatch.setattr(module, "_trained", None)
    assert list(run_variant(*asked)) == rows
    said = table(rows, VARIANTS, Budget(1.0, 2))
    assert (
        f"| deaf | {deaf.about} | {rows[0]['score']:.3f} (" in said
        and "classify, 10 dB" in said
        and "10 steps of align and 2 of instruct" in said
    )


def test_a_separate_codec_is_all_that_the_last_part_changes(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from m4sc.training import run

    seen: list[dict[str, torch.Tensor]] = []
    whole = run.train

    def spying(objective: Any, stage: Any, *rest: Any) -> Any:
        state = objective.network.trained_state()
        seen.append({key: value.clone() for key, value in state.items()})
        return whole(objective, stage, *rest)

    monkeypatch.setattr(run, "train", spying)
    variant = Variant("separate", "", channel="separate")
    network = _trained(variant, config, samples(), tmp_path, Budget(1.0, 2), 0)
    assert len(seen) == 3
    assert Budget(3.0).stage("align", 1 / 3, {}, (1.0, 0.0), 0).minutes == pytest.approx(1.0)
    changed = {k for k, v in network.trained_state().items() if not torch.equal(v, seen[2][k])}
    assert changed and all(key.startswith(("encoders.", "decoders.")) for key in changed)
    before = {k for k, v in seen[2].items() if not torch.equal(v, seen[0][k])}
    assert any(key.startswith("projectors.") for key in before)


def test_an_unknown_variant_is_named(tmp_path: Path) -> None:
    import typer

    with pytest.raises(typer.BadParameter, match="no variant other; there are base"):
        command(tmp_path, tmp_path, only=["other"])
