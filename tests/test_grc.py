"""What gnuradio-companion reads: block descriptions, their tree, and what they say while one edits."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from gnuradio import gr, m4sc
from m4sc.recordings import write_recording
from own_module import module_environment

ROOT = Path(__file__).resolve().parent.parent
DESCRIPTIONS = sorted((ROOT / "gr-m4sc" / "grc").glob("*.block.yml"))
pytestmark = pytest.mark.timeout(120)


def test_every_block_has_a_description_and_the_other_way_round() -> None:
    described = {path.name.removeprefix("m4sc_").removesuffix(".block.yml") for path in DESCRIPTIONS}
    assert described == set(m4sc.__all__)


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda p: p.stem)
def test_a_description_matches_its_class(path: Path) -> None:
    block = yaml.safe_load(path.read_text(encoding="utf-8"))
    name = block["id"].removeprefix("m4sc_")
    cls = getattr(m4sc, name)
    accepted = inspect.signature(cls.__init__).parameters
    text = block["documentation"]
    assert block["category"] == "[M4SC]"
    placed = {"gui_hint"}  # of the drawing, not of the class
    for parameter in block["parameters"]:
        assert re.search(rf"^\s*{re.escape(parameter['label'])}: \S", text, re.M), parameter["label"]
        if parameter["id"] in placed:
            continue
        assert parameter["id"] in accepted, parameter["id"]
        default = accepted[parameter["id"]].default
        if default is not inspect.Parameter.empty and parameter["dtype"] not in ("raw", "string"):
            assert ast.literal_eval(str(parameter["default"])) == default, parameter["id"]
    assert set(accepted) - {"self"} == {parameter["id"] for parameter in block["parameters"]} - placed
    for callback in block["templates"].get("callbacks", ()):
        assert hasattr(cls, callback.split("(")[0])
    for port in [*block.get("inputs", ()), *block.get("outputs", ())]:
        label = port.get("id", port.get("label"))
        assert re.search(rf"^\s*{re.escape(label)} \((in|out), ", text, re.M), label


def test_message_ports_of_the_descriptions_exist(tmp_path: Path) -> None:
    import pmt

    write_recording(tmp_path / "x", np.zeros(8, np.complex64), 1e6, {})
    recording = str(tmp_path / "x.sigmf-meta")
    small = {"message_source": (["text:x"],), "sigmf_source": (recording,), "sigmf_sink": (f"{recording}2",)}
    for path in DESCRIPTIONS:
        block = yaml.safe_load(path.read_text(encoding="utf-8"))
        name = block["id"].removeprefix("m4sc_")
        if name == "answer_view":  # needs a display: the Qt flowgraphs run it (test_grc_flowgraphs)
            continue
        made = getattr(m4sc, name)(*small.get(name, ()))
        for side in ("inputs", "outputs"):
            wanted = {port["id"] for port in block.get(side, ()) if port["domain"] == "message"}
            if isinstance(made, gr.hier_block2):  # has no list of its ports, but knows each
                known = made.message_port_is_hier_in if side == "inputs" else made.message_port_is_hier_out
                assert all(known(pmt.intern(port)) for port in wanted), name
                continue
            ports = made.message_ports_in() if side == "inputs" else made.message_ports_out()
            real = {pmt.symbol_to_string(pmt.vector_ref(ports, i)) for i in range(pmt.length(ports))}
            assert wanted == real - {"system"}, name


def test_the_installed_module_finds_the_model_package_and_the_systems_numpy() -> None:
    code = "from gnuradio import m4sc; import m4sc as model, numpy"
    code += "; print(model.__file__); print(numpy.__file__)"
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
        env={**module_environment(), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    model, numpy = done.stdout.splitlines()
    assert Path(model).name == "__init__.py" and ".venv" not in numpy


def test_every_block_stands_once_in_the_tree() -> None:
    tree = yaml.safe_load((ROOT / "gr-m4sc" / "grc" / "m4sc.tree.yml").read_text(encoding="utf-8"))
    leaves = [leaf for group in tree["[M4SC]"] for leaves in group.values() for leaf in leaves]
    assert sorted(leaves) == sorted(path.name.removesuffix(".block.yml") for path in DESCRIPTIONS)


@pytest.fixture(scope="module")
def platform() -> Any:
    """Companion's library of blocks, as it reads them at its start."""
    from gnuradio.grc.core.platform import Platform

    made = Platform(
        name="test", prefs=gr.prefs(), version=gr.version(),
        version_parts=(gr.major_version(), gr.api_version(), gr.minor_version()),
    )  # fmt: skip
    made.build_library()
    return made


@pytest.mark.parametrize(
    ("block_id", "values", "sentence"),
    [
        ("m4sc_message_source", {"task": "'sing'"}, "Task: use classify, caption"),
        ("m4sc_message_source", {"files": "[]"}, "name at least one"),
        ("m4sc_message_source", {"task": "['text', 'text']"}, "one for all, or one for each"),
        ("m4sc_message_source", {"user_id": "70000"}, "0 to 65535"),
        ("m4sc_transmitter", {"amplitude": "0"}, "a factor above 0"),
        ("m4sc_receiver", {"user_id": "-2"}, "0 to 65535, or -1"),
        ("m4sc_time_division", {"guard_samples": "3"}, "64 samples or more"),
        ("m4sc_sigmf_source", {"filename": ""}, "the path of a recording"),
    ],
)
def test_companion_says_what_is_wrong_while_editing(
    platform: Any, block_id: str, values: dict[str, str], sentence: str
) -> None:
    graph = platform.make_flow_graph()
    block = graph.new_block(block_id)
    block.rewrite()
    block.validate()
    assert not any("Assertion" in text for text in block.get_error_messages())
    for name, value in values.items():
        block.params[name].set_value(value)
    block.rewrite()
    block.validate()
    assert any(sentence in text for text in block.get_error_messages()), block.get_error_messages()
