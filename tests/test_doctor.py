"""`m4sc doctor`: each check finds what is wrong and names a cure."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import typer
from m4sc_app import doctor
from m4sc_app.doctor import FAILED, OK, Check, doctor_command
from typer.testing import CliRunner


def run(checks: list[Check], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(doctor, "run_checks", lambda: checks)
    app = typer.Typer()
    app.command()(doctor_command)
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout


def test_exit_code_and_json(monkeypatch: pytest.MonkeyPatch) -> None:
    good, optional = Check("a", OK, "fine"), Check("b", "warning", "none", "Buy one.")
    assert run([good, optional], monkeypatch)[0] == 0
    code, text = run([good, Check("c", FAILED, "gone", "Do this.")], monkeypatch, "--json")
    assert code == 1
    assert [row["status"] for row in json.loads(text)["checks"]] == ["ok", "failed"]


def test_table_shows_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = run([Check("c", FAILED, "gone [not markup]", "Do this.")], monkeypatch)
    assert code == 1
    assert "Do this." in text
    assert "[not markup]" in text


def test_every_failed_check_has_a_cure() -> None:
    checks = doctor.run_checks()
    assert len({check.name for check in checks}) == len(checks) >= 13
    assert all(check.cure for check in checks if check.status != OK)
    assert {check.name: check.status for check in checks}["NumPy"] == OK


def test_a_check_that_raises_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_torch() -> Check:
        raise RuntimeError("boom")

    monkeypatch.setattr(doctor, "check_torch", check_torch)
    monkeypatch.setattr(doctor, "check_module", lambda: Check("m", OK, ""))
    failed = [check for check in doctor.run_checks() if check.name == "torch"]
    assert failed[0].status == FAILED
    assert "boom" in failed[0].detail


def test_numpy_2_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.metadata, "version", lambda _: "2.1.0")
    check = doctor.check_numpy()
    assert check.status == FAILED
    assert "numpy<2" in check.cure


def test_missing_module_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ask_interpreter", lambda *_: (False, "No module named 'gnuradio'"))
    check = doctor.check_module()
    assert check.status == FAILED
    assert "script/bootstrap" in check.cure


def test_missing_weights_and_memory(tmp_path: Path) -> None:
    assert doctor.check_weights(tmp_path).status == FAILED
    assert doctor.check_memory(1e9).status == FAILED
    (tmp_path / "x.safetensors").write_bytes(b"1")
    (tmp_path / "config.json").write_text("{}")
    assert doctor.check_weights(tmp_path).status == OK


def test_interpreter_answers_or_explains() -> None:
    assert doctor.ask_interpreter(Path(sys.executable), "print(1 + 1)") == (True, "2")
    failed, line = doctor.ask_interpreter(Path(sys.executable), "raise ValueError('why')")
    assert (failed, line) == (False, "ValueError: why")
    assert doctor.ask_interpreter(Path("/no/such/python"), "")[0] is False
