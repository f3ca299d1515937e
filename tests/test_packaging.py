"""What the packages declare, against imports and pins; container, conda recipe, manifest, CMake install."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OF_DEBIAN = {"jsonschema", "pyyaml", "pyzmq"}  # script/packages.txt
OF_GNU_RADIO = {"gnuradio", "pmt", "PyQt5"}
OF_ANOTHER_ENVIRONMENT = {"llama_cpp"}  # bench/llama_cpp_peer.py runs there
OURS = {"m4sc", "m4sc_app", "m4sc_flowgraphs"}
DISTRIBUTION = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn",
                "yaml": "pyyaml", "zmq": "pyzmq"}  # fmt: skip
CONDA = {"brotli": "brotli-python", "huggingface-hub": "huggingface_hub", "matplotlib": "matplotlib-base",
         "soundfile": "pysoundfile", "torch": "pytorch"}  # fmt: skip
NOT_IN_CONDA = {"efficientnet-lite-pytorch", "sigmf"}


def requirements() -> dict[str, Requirement]:
    """Every declared dependency, extras included, by name."""
    lines = [
        *PROJECT["dependencies"],
        *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
    ]
    return {found.name: found for found in map(Requirement, lines)}


def imported(folder: Path) -> set[str]:
    """Top-level packages that the modules below a folder import, lazily or not."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("folder", ["models/m4sc", "flowgraphs/m4sc_flowgraphs", "apps/m4sc_app"])
def test_every_import_is_declared(folder: str) -> None:
    others = imported(ROOT / folder) - sys.stdlib_module_names - OF_GNU_RADIO - OURS - OF_ANOTHER_ENVIRONMENT
    names = {DISTRIBUTION.get(name, name).replace("_", "-") for name in others}
    assert names - set(requirements()) == set()


def test_the_pinned_versions_satisfy_what_is_declared() -> None:
    text = (ROOT / "script" / "requirements.txt").read_text(encoding="utf-8")
    pins = dict(line.split("==") for line in text.splitlines() if "==" in line and not line.startswith("#"))
    for name, requirement in requirements().items():
        if name not in OF_DEBIAN:
            assert requirement.specifier.contains(pins[name]), f"{name} {pins[name]} is not {requirement}"


def recipe() -> dict[str, Any]:
    text = (ROOT / "conda" / "recipe" / "meta.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(jinja2.Template(text).render()))


def test_the_conda_recipe_is_of_this_version_and_has_every_dependency() -> None:
    found = recipe()
    assert found["package"]["version"] == PROJECT["version"]
    names = {line.split()[0] for line in found["requirements"]["run"]}
    wanted = {CONDA.get(name, name) for name in set(requirements()) - NOT_IN_CONDA}
    assert wanted - names == set()
    assert all(isinstance(line, str) for line in found["build"]["script"])


def test_the_container_copies_what_exists_and_runs_bootstrap() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "FROM debian:12" in text and "script/bootstrap" in text
    for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source


def test_the_manifest_has_what_cgran_reads() -> None:
    head = (ROOT / "gr-m4sc" / "MANIFEST.md").read_text(encoding="utf-8").split("---")[0]
    found = yaml.safe_load(head)
    for key in ("title", "brief", "tags", "author", "copyright_owner", "license", "gr_supported_version"):
        assert found[key]
    assert found["license"] == PROJECT["license"]


@pytest.mark.timeout(120)
def test_cmake_installs_every_block_where_gnu_radio_finds_it(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    for command in (
        ["cmake", "-S", str(ROOT), "-B", str(tmp_path / "build"), f"-DCMAKE_INSTALL_PREFIX={prefix}"],
        ["cmake", "--install", str(tmp_path / "build")],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=110)
    (package,) = prefix.rglob("gnuradio/m4sc")
    sources = {path.name for path in (ROOT / "python_blocks").glob("*.py")}
    assert {path.name for path in package.glob("*.py")} == sources | {"_environment.py"}
    blocks = {path.name for path in (prefix / "share" / "gnuradio" / "grc" / "blocks").iterdir()}
    assert blocks == {path.name for path in (ROOT / "gr-m4sc" / "grc").glob("*.yml")}
    flowgraphs = {path.stem for path in (ROOT / "flowgraphs").glob("*.grc")}
    examples = prefix / "share" / "gnuradio" / "examples" / "m4sc"
    assert {path.name for path in examples.iterdir()} == {
        f"{n}{s}" for n in flowgraphs for s in (".grc", ".py")
    }
    code = "from gnuradio import m4sc; print(m4sc.__file__)"
    environment = {"PYTHONPATH": str(package.parent.parent), "PATH": "/usr/bin:/bin"}
    found = subprocess.run(
        ["/usr/bin/python3", "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == str(package / "__init__.py")
    twin = [str(examples / "m4sc_text.py"), "--help"]
    helped = subprocess.run(
        ["/usr/bin/python3", *twin],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert helped.returncode == 0 and "--snr-db" in helped.stdout, helped.stderr
    subprocess.run(
        ["cmake", "--build", str(tmp_path / "build"), "--target", "uninstall"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert not package.exists() and not list(prefix.rglob("*.block.yml"))
    assert not list(examples.iterdir())
