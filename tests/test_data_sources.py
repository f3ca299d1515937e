"""What is told of the data sets' origin, and CIFAR-10 made of its package."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from m4sc.data import cifar10
from m4sc.data.sources import SOURCES
from m4sc_app.cli import main


def test_each_set_says_what_obtains_it_and_whether_it_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fsdd").mkdir()
    assert main(["data", "sets", "--data", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "fsdd (there)" in told and "daquar (missing)" in told
    assert main(["data", "sets", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len({row["folder"] for row in rows}) == len(SOURCES) and all(row["obtain"] for row in rows)


def test_a_missing_set_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="m4sc data sets"):
        cifar10.load_cifar10(tmp_path, "test")


def test_cifar10_is_made_of_the_package_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(256, size=(4, 32, 32, 3), dtype=np.uint8)

    def read(folder: Path, split: str) -> SimpleNamespace:
        return SimpleNamespace(images=images, labels=np.arange(4), names=cifar10.NAMES)

    monkeypatch.setattr(cifar10, "load_cifar10_package", read)
    command = ["data", "cifar10", str(tmp_path / "package"), "--data", str(tmp_path)]
    assert main(command) == 0
    found = cifar10.load_cifar10(tmp_path, "test")
    assert (found.images == images).all() and found.names == cifar10.NAMES
    assert main(command) == 2
