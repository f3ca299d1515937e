"""`m4sc train`: what the command line refuses, and what one stage hands to the next."""

from __future__ import annotations

from pathlib import Path

import pytest
from m4sc_app.cli import main


def test_an_unknown_projector_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["train", "align", "--data", str(tmp_path), "--out", str(tmp_path), "--projector", "wavelet"])
    assert code == 2 and "rbf, bspline, mlp" in capsys.readouterr().err


def test_instruct_without_aligned_weights_says_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "instruct", "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "m4sc train align" in capsys.readouterr().err
