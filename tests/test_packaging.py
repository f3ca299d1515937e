"""What the packages declare, against imports and pins; container, conda recipe, manifest, CMake install."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OF_DEBIAN = {"cryptography", "jsonschema", "pyyaml", "pyzmq"}  # script/packages.txt
OF_GNU_RADIO = {"gnuradio", "pmt", "PyQt5"}
OF_ANOTHER_ENVIRONMENT = {"llama_cpp"}  # bench/llama_cpp_peer.py runs there
OURS = {"m4sc", "m4sc_app", "m4sc_flowgraphs"}
DISTRIBUTION = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn",
                "yaml": "pyyaml", "zmq": "pyzmq"}  # fmt: skip
CONDA = {"brotli": "brotli-python", "dask": "dask-core", "huggingface-hub": "huggingface_hub",
         "matplotlib": "matplotlib-base", "soundfile": "pysoundfile", "torch": "pytorch"}  # fmt: skip
NOT_IN_CONDA = {"efficientnet-lite-pytorch", "sigmf"}  # PyPI only: the recipe says how
BUILD_TOOLS = {"cmake", "ninja"}  # PyPI only: the recipe says how


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
    pins: dict[str, set[str]] = {}
    for source in ("requirements", "numpy1", "numpy2", "build_tools", "torch"):
        text = (ROOT / "script" / f"{source}.txt").read_text(encoding="utf-8")
        for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE):
            pins.setdefault(name, set()).add(version)
    pins["torch"].add("2.6.0")  # Debian 13's
    assert {version[0] for version in pins["numpy"]} == {"1", "2"}
    for name, requirement in requirements().items():
        for version in pins[name] if name not in OF_DEBIAN else ():
            assert requirement.specifier.contains(version), f"{name} {version} is not {requirement}"


def recipe() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "conda" / "recipe" / "recipe.yaml").read_text(encoding="utf-8")))


def test_the_conda_recipe_is_of_this_version_and_has_every_dependency() -> None:
    found = recipe()
    assert found["schema_version"] == 1 and found["context"]["version"] == PROJECT["version"]
    limits = {line.split()[0]: line for line in found["requirements"]["run"]}
    wanted = {CONDA.get(name, name) for name in set(requirements()) - NOT_IN_CONDA - BUILD_TOOLS}
    assert wanted - set(limits) == set()
    assert all(isinstance(line, str) for line in found["build"]["script"])
    assert all(SpecifierSet(limits["numpy"].split()[1]).contains(version) for version in ("1.26.4", "2.2.6"))


def test_the_conda_recipe_renders() -> None:
    """rattler-build itself reads it, where it is installed (pip install py-rattler-build)."""
    rattler = pytest.importorskip("rattler_build")
    recipe = rattler.Stage0Recipe.from_file(str(ROOT / "conda" / "recipe" / "recipe.yaml"))
    (variant,) = recipe.render(rattler.VariantConfig(), rattler.RenderConfig())
    assert variant.recipe.to_dict()["package"] == {"name": "gnuradio-m4sc", "version": PROJECT["version"]}


def test_the_container_copies_what_exists_and_runs_bootstrap() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "FROM debian:13" in text and "script/bootstrap" in text
    for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source


def test_the_manifest_has_what_cgran_reads() -> None:
    head = (ROOT / "gr-m4sc" / "MANIFEST.md").read_text(encoding="utf-8").split("---")[0]
    found = yaml.safe_load(head)
    for key in ("title", "brief", "tags", "author", "copyright_owner", "license", "gr_supported_version",
                "repo", "version", "file_format", "dependencies", "stable_release"):  # fmt: skip
        assert found[key]
    assert str(found["version"]) == PROJECT["version"] and found["file_format"] == 1
    assert found["license"] == PROJECT["license"]


ALONE = """
import importlib.abc, sys


class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("gnuradio", "pmt"):
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
import m4sc, m4sc_app.cli

print(m4sc.__file__)
"""


@pytest.mark.timeout(240)
def test_the_wheel_has_the_packages_and_the_weights_and_imports_alone(tmp_path: Path) -> None:
    """Built on this machine, and imported by an interpreter that finds no GNU Radio."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "-w", str(tmp_path), str(ROOT)], check=True, capture_output=True, timeout=200)
    (wheel,) = tmp_path.glob("m4sc-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"m4sc/__init__.py", "m4sc_app/cli.py", "m4sc_flowgraphs/__init__.py"} <= names
    assert "m4sc/weights/default/config.json" in names
    assert not [name for name in names if name.startswith(("tests/", "gnuradio/"))]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(wheel)],
        cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{wheel}/m4sc/__init__.py"


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


def test_the_licence_of_every_pin_and_backbone_is_listed() -> None:
    """Written by `.venv/bin/python script/licences`."""
    from m4sc.pretrained.registry import BACKBONES

    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([\w.-]+) \|(?:[^|]*\|)? ([^|]+) \|$", text, re.MULTILINE))
    for source in ("requirements", "numpy1", "torch"):
        pins = (ROOT / "script" / f"{source}.txt").read_text(encoding="utf-8")
        for name in re.findall(r"^([\w.-]+)==", pins, re.MULTILINE):
            assert listed.get(name.lower()), f"{name}: run script/licences"
    assert all(listed[one.name] == one.licence for one in BACKBONES)
