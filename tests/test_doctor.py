"""`m4sc doctor`: each check finds what is wrong and names a cure."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import typer
from m4sc.shipped import SHIPPED
from m4sc_app.doctor import command, flowgraphs, machine, model, radio
from m4sc_app.doctor.check import FAILED, OK, ROOT, WARNING, Check, ask_interpreter
from m4sc_app.doctor.command import doctor_command
from m4sc_app.doctor.import_failures import import_cure
from typer.testing import CliRunner


def run(checks: list[Check], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(command, "run_checks", lambda: checks)
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
    checks = command.run_checks()
    assert len({check.name for check in checks}) == len(checks) >= 18
    assert all(check.cure for check in checks if check.status != OK)
    by_name = {check.name: check.status for check in checks}
    assert by_name["NumPy"] == by_name["GNU Radio"] == by_name["weights default"] == OK


def test_a_check_that_raises_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_torch() -> Check:
        raise RuntimeError("boom")

    monkeypatch.setattr(model, "check_torch", check_torch)
    monkeypatch.setattr(radio, "check_module", lambda: Check("m", OK, ""))
    failed = [check for check in command.run_checks() if check.name == "torch"]
    assert failed[0].status == FAILED
    assert "boom" in failed[0].detail


def test_what_waits_for_others_runs_beside_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """And stays in its place: the table is the same however long a check takes."""
    both, names = threading.Barrier(2, timeout=60.0), [check.name for check in command.run_checks()]

    def check_torch() -> Check:
        both.wait()
        return Check("PyTorch", OK, "")

    def check_module() -> Check:
        both.wait()
        return Check("module gnuradio.m4sc", OK, "")

    monkeypatch.setattr(model, "check_torch", check_torch)
    monkeypatch.setattr(radio, "check_module", check_module)
    checks = {check.name: check for check in command.run_checks()}
    assert list(checks) == names
    assert checks["PyTorch"].status == checks["module gnuradio.m4sc"].status == OK


# --- NumPy, PyTorch, weights --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "built", "status", "cure"),
    [
        ("2.1.0", "1.24.2", FAILED, "'numpy<2'"),
        ("1.26.4", "2.2.4", FAILED, "'numpy>=2'"),
        ("1.26.4", "1.24.2", OK, ""),
        ("2.2.6", "2.2.4", OK, ""),
    ],
)
def test_numpy_is_of_the_version_that_gnu_radio_is_built_for(
    monkeypatch: pytest.MonkeyPatch, here: str, built: str, status: str, cure: str
) -> None:
    monkeypatch.setattr(machine.metadata, "version", lambda _: here)
    monkeypatch.setattr(machine, "ask_interpreter", lambda *_, **__: (True, built))
    check = machine.check_numpy()
    assert check.status == status and cure in check.cure
    assert here in check.detail and built in check.detail


@pytest.mark.parametrize(
    ("answer", "own", "status", "word"),
    [
        ((True, "2.3.1 /root/.local/numpy/__init__.py"), "1.24.2 /usr/numpy", FAILED, "pip uninstall"),
        ((False, "No module named 'numpy'"), "", WARNING, "python3-numpy"),
        ((True, "1.24.2 /usr/numpy/__init__.py"), "1.24.2 /usr/numpy", OK, ""),
        ((True, "2.2.4 /usr/numpy/__init__.py"), "2.2.4 /usr/numpy", OK, ""),
    ],
)
def test_numpy_of_the_system_python(
    monkeypatch: pytest.MonkeyPatch, answer: tuple[bool, str], own: str, status: str, word: str
) -> None:
    def ask(*_: Any, isolated: bool = False) -> tuple[bool, str]:
        return (True, own) if isolated else answer

    monkeypatch.setattr(machine, "ask_interpreter", ask)
    check = machine.check_system_numpy()
    assert check.status == status
    assert word in check.cure


@pytest.mark.parametrize(
    ("release", "version", "status"),
    [
        ({"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian 13"}, (3, 13), OK),
        ({"ID": "ubuntu", "VERSION_ID": "24.04", "PRETTY_NAME": "Ubuntu 24.04"}, (3, 12), WARNING),
        ({"ID": "ubuntu", "VERSION_ID": "22.04", "PRETTY_NAME": "Ubuntu 22.04"}, (3, 10), FAILED),
    ],
)
def test_the_system_is_named(
    monkeypatch: pytest.MonkeyPatch, release: dict[str, str], version: tuple[int, int], status: str
) -> None:
    monkeypatch.setattr(machine.platform, "freedesktop_os_release", lambda: release)
    monkeypatch.setattr(machine.sys, "version_info", version)
    check = machine.check_system()
    assert check.status == status and release["PRETTY_NAME"] in check.detail


def test_the_module_of_another_checkout_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "gnuradio" / "m4sc"
    package.mkdir(parents=True)
    origin = package / "__init__.py"
    monkeypatch.setattr(radio, "ask_interpreter", lambda *_, **__: (True, str(origin)))
    for source, status in ((ROOT, OK), ("/work/another checkout é", WARNING)):
        (package / "_environment.py").write_text(
            f'"""By CMake."""\n\nSOURCE = "{source}"\n', encoding="utf-8"
        )
        assert radio.owner_of(package) == Path(source)
        for check in (radio.check_module(), radio.check_module_of_all_users()):
            assert check.status == status
            assert status == OK or "/work/another checkout é" in check.detail
    assert radio.owner_of(tmp_path) is None


def test_a_broken_torchvision_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert model.check_torchvision().status == OK  # absent
    monkeypatch.setattr(model, "_installed", lambda package: package == "torchvision")
    monkeypatch.setattr(
        model, "ask_interpreter", lambda *_: (False, "operator torchvision::nms does not exist")
    )
    check = model.check_torchvision()
    assert check.status == FAILED
    assert "pip uninstall torchvision" in check.cure
    monkeypatch.setattr(model, "ask_interpreter", lambda *_: (True, ""))
    assert model.check_torchvision().status == OK


def test_the_torch_of_this_environment_is_named_and_a_broken_one_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    found = model.check_torch()
    assert found.status != FAILED and found.detail.startswith(torch.__version__)
    monkeypatch.setattr(model, "ask_interpreter", lambda *_: (False, "ImportError: libtorch.so is cut"))
    assert (model.check_torch().status, model.check_torch().detail) == (
        FAILED,
        "ImportError: libtorch.so is cut",
    )


def test_missing_weights_and_memory(tmp_path: Path) -> None:
    assert {check.status for check in model.check_weights(tmp_path)} == {FAILED}
    assert model.check_memory(1e9).status == FAILED
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "x.safetensors").write_bytes(b"1")
    (tmp_path / "space" / "config.json").write_text("{}")
    assert [check.name for check in model.check_weights(tmp_path) if check.status == OK] == ["weights space"]


def test_all_weights_of_the_repository_are_checked_and_named_in_the_licences() -> None:
    folder = model.shipped_weights()
    there = {path.parent.name for path in folder.glob("*/config.json")}
    assert there == set(SHIPPED) and all(check.status == OK for check in model.check_weights())
    licences = (folder.parent.parent / "docs" / "licences.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in licences for name in SHIPPED)
    assert all((folder / name / "README.md").is_file() for name in SHIPPED)


# --- interpreter and module ---------------------------------------------------------------------------------


def test_interpreter_answers_or_explains() -> None:
    assert ask_interpreter(Path(sys.executable), "print(1 + 1)") == (True, "2")
    failed, line = ask_interpreter(Path(sys.executable), "raise ValueError('why')")
    assert (failed, line) == (False, "ValueError: why")
    assert ask_interpreter(Path("/no/such/python"), "")[0] is False


def test_another_python_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\necho False\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    check = radio.check_path_python()
    assert check.status == WARNING
    assert str(other) in check.detail and "/usr/bin/python3" in check.cure
    other.write_text("#!/bin/sh\necho True\n")
    assert radio.check_path_python().status == OK


def test_a_module_in_a_prefix_off_the_path_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "lib" / "python3.11" / "site-packages" / "gnuradio" / "m4sc"
    package.mkdir(parents=True)
    monkeypatch.setattr(radio, "ask_interpreter", lambda *_: (True, ""))
    monkeypatch.setenv("GRC_BLOCKS_PATH", str(tmp_path / "share" / "gnuradio" / "grc" / "blocks"))
    assert tmp_path in radio.search_prefixes()
    monkeypatch.setattr(radio, "search_prefixes", lambda: [tmp_path / "none", tmp_path])
    check = radio.check_module()
    assert check.status == FAILED
    assert f'PYTHONPATH="{package.parent.parent}"' in check.cure
    monkeypatch.setattr(radio, "search_prefixes", list)
    assert "script/bootstrap" in radio.check_module().cure


def test_a_module_that_does_not_import_gets_the_cure_of_its_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(
        [
            (True, "/x/gnuradio/m4sc/__init__.py"),
            (False, "ImportError: libgnuradio-uhd.so: cannot open shared object file"),
        ]
    )
    monkeypatch.setattr(radio, "ask_interpreter", lambda *_: next(answers))
    check = radio.check_module()
    assert check.status == FAILED
    assert "ldconfig" in check.cure


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("ImportError: libgnuradio-runtime.so.3.10.5: cannot open shared object file", "ldconfig"),
        ("ImportError: /usr/lib/x.so: undefined symbol: _ZN2gr", "LD_LIBRARY_PATH"),
        ("AttributeError: _ARRAY_API not found", "another NumPy"),
        ("ImportError: numpy.core.multiarray failed to import", "another NumPy"),
        ("RuntimeError: operator torchvision::nms does not exist", "uninstall torchvision"),
        ("ModuleNotFoundError: No module named 'gnuradio'", "/usr/bin/python3"),
        ("ModuleNotFoundError: No module named 'gnuradio.m4sc'", "PYTHONPATH"),
        ("ImportError: cannot import name 'm4sc' from 'gnuradio'", "PYTHONPATH"),
        ("ImportError: cannot import name 'transmitter' from 'gnuradio.m4sc'", "different versions"),
        ("ModuleNotFoundError: No module named 'zmq'", "Python package"),
        ("something new", "the other cure"),
    ],
)
def test_each_usual_failure_has_its_cure(message: str, word: str) -> None:
    assert word in import_cure(message, "the other cure")


def test_an_old_module_is_found(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "python_blocks", tmp_path / "m4sc")
    assert radio.check_module_version(tmp_path / "m4sc").status == OK
    (tmp_path / "m4sc" / "channel.py").write_text("# an older one\n")
    check = radio.check_module_version(tmp_path / "m4sc")
    assert check.status == FAILED
    assert "channel.py" in check.detail and "script/bootstrap" in check.cure


# --- the companion ------------------------------------------------------------------------------------------


def test_block_files_missing_old_or_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    monkeypatch.setattr(radio, "grc_block_folders", lambda: [f for f in folders if f.is_dir()])
    assert "GRC_BLOCKS_PATH" in radio.check_grc_blocks().cure
    shutil.copytree(ROOT / "gr-m4sc" / "grc", folders[0])
    assert radio.check_grc_blocks().status == OK
    (folders[0] / "m4sc_channel.block.yml").write_text("id: m4sc_channel\n")
    assert radio.check_grc_blocks().status == FAILED
    shutil.copytree(ROOT / "gr-m4sc" / "grc", folders[1])
    check = radio.check_grc_blocks()
    assert check.status == WARNING and "uninstall" in check.cure


def test_the_environment_names_more_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRC_BLOCKS_PATH", f"{tmp_path}:/no/such/folder")
    folders = [folder for folder in radio.grc_block_folders() if folder != radio.own_block_folder()]
    assert folders[0] == tmp_path


def write_graph(path: Path, uses: str, kind: str = "no_gui") -> None:
    graph: dict[str, Any] = {
        "options": {"parameters": {"id": path.stem, "generate_options": kind}},
        "blocks": [{"name": "a", "id": uses, "states": {"state": "enabled"}}],
    }
    path.write_text(json.dumps(graph), encoding="utf-8")  # JSON is YAML


def test_a_hierarchical_block_that_was_not_compiled(tmp_path: Path) -> None:
    write_graph(tmp_path / "outer.grc", uses="inner")
    write_graph(tmp_path / "inner.grc", uses="blocks_null_sink", kind="hb_qt_gui")
    known = {"blocks_null_sink"}
    check = flowgraphs.check_flowgraphs([tmp_path], known)
    assert check.status == FAILED
    assert "outer.grc" in check.detail and f"grcc {tmp_path / 'inner.grc'}" in check.cure
    assert flowgraphs.check_flowgraphs([tmp_path], known | {"inner"}).status == OK


@pytest.mark.parametrize(("block", "word"), [("m4sc_new", "script/bootstrap"), ("lora_rx", "module")])
def test_an_unknown_block_in_a_flowgraph(tmp_path: Path, block: str, word: str) -> None:
    write_graph(tmp_path / "one.grc", uses=block)
    check = flowgraphs.check_flowgraphs([tmp_path], set())
    assert check.status == FAILED
    assert block in check.detail and word in check.cure


def test_files_that_are_no_flowgraphs(tmp_path: Path) -> None:
    assert flowgraphs.check_flowgraphs([tmp_path], set()).status == OK
    (tmp_path / "old.grc").write_text("<flow_graph><block/></flow_graph>")
    check = flowgraphs.check_flowgraphs([tmp_path], set())
    assert check.status == WARNING and "3.10" in check.cure


def test_the_checkouts_own_flowgraphs_know_their_blocks() -> None:
    folders = [*radio.grc_block_folders(), ROOT / "gr-m4sc" / "grc"]
    assert flowgraphs.check_flowgraphs([ROOT / "flowgraphs"], flowgraphs.known_blocks(folders)).status == OK
