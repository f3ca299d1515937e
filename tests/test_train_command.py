"""`m4sc train`: what the command line refuses, and what one stage hands to the next."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from m4sc.shipped import companion, weights_folder
from m4sc_app import train_all
from m4sc_app.cli import main
from m4sc_app.errors import UserError
from m4sc_app.train_all import PARTS, Part, chosen, collect, plan


def test_an_unknown_projector_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["train", "align", "--data", str(tmp_path), "--out", str(tmp_path), "--projector", "wavelet"])
    assert code == 2 and "rbf, bspline, mlp" in capsys.readouterr().err


def test_instruct_without_aligned_weights_says_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "instruct", "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "m4sc train align" in capsys.readouterr().err


def test_all_shares_its_minutes_among_the_parts_that_learn_by_the_clock() -> None:
    options: dict[str, object] = {"seed": 3, "bf16": False, "cpu": True, "llm": "folder", "vision": None}
    steps = plan(chosen("", "listen"), Path("data"), Path("run"), 60.0, options)
    assert sum(step.minutes or 0 for step in steps) == pytest.approx(60.0)
    by_name = {step.part.command: step.arguments for step in steps}
    assert "listen" not in by_name and list(by_name)[:4] == ["features", "align", "instruct", "channel"]
    assert {"--no-bf16", "--cpu", "3"} <= set(by_name["instruct"])
    assert "--llm" in by_name["align"] and "--llm" not in by_name["instruct"]  # its configuration has it
    assert by_name["aside"][-2:] == ("--model", "run/weights/default")
    assert "--out" not in by_name["trust"]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.command)
def test_all_gives_each_part_only_options_that_it_has(part: Part, capsys: pytest.CaptureFixture[str]) -> None:
    options: dict[str, object] = {"seed": 0, "bf16": True, "cpu": True, "llm": "a", "vision": "b"}
    (step,) = plan([part], Path("data"), Path("run"), 1.0, options)
    assert main(["train", *step.arguments, "--help"]) == 0
    offered = capsys.readouterr().out
    for name in step.arguments:
        assert not name.startswith("--") or name in offered


def test_all_collects_what_the_parts_wrote_as_shipped_weights_are_laid_out(tmp_path: Path) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights"
    for name in ("space", "questions"):
        shutil.copytree(weights_folder(name), run / name)
        (run / name / "features.npy").write_bytes(b"a cache")
        collect(run / name, name, weights)
        kept = {file.name for file in (weights / name).iterdir()}
        assert {"config.json", "model.safetensors"} <= kept and not kept & {"features.npy", "README.md"}
    assert companion(weights / "default", "space") == weights / "space"
    (run / "space" / "words.txt").unlink()
    with pytest.raises(UserError, match=r"words\.txt"):
        collect(run / "space", "space", weights)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """In the place of every part: writes its name down, and fails as `align`. Gives the names so far."""
    log, program = folder / "log", folder / "part.py"
    program.write_text(
        "import sys\n_, log, name, *_ = sys.argv\nprint(name, file=open(log, 'a'))\n"
        "sys.exit(2 * (name == 'align'))"
    )
    monkeypatch.setattr(train_all, "_COMMAND", (sys.executable, str(program), str(log)))
    return lambda: log.read_text(encoding="utf-8").split()


def test_all_stops_at_a_part_that_fails_and_does_not_repeat_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = stand_in(tmp_path, monkeypatch)
    parts = "features,align,instruct"
    command = ["train", "all", "--data", str(tmp_path), "--out", str(tmp_path), "--only", parts]
    assert main(command) == 2 and main(command) == 2
    assert ran() == ["features", "align", "align"]
    said = capsys.readouterr().err
    assert "align ended with code 2" in said and "features is done" in said


def test_all_repeats_what_goes_on_from_a_part_that_was_done_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = stand_in(tmp_path, monkeypatch)
    parts = "features,instruct,trust"
    command = ["train", "all", "--data", str(tmp_path), "--out", str(tmp_path), "--only", parts]
    assert main(command) == 0 and main(command) == 0
    assert main([*command, "--vision", "other"]) == 0  # an option of the first part alone
    assert ran() == 2 * ["features", "instruct", "trust"]


def test_all_names_a_part_that_there_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "all", "--data", str(tmp_path), "--only", "spaces"]) == 2
    assert "'spaces' is no part" in capsys.readouterr().err
