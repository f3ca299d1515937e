"""`m4sc bench pictures`: rows of all systems at the same symbols, resumed, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from m4sc.codecs.fitted_picture import FittedPictureCodec
from m4sc.evaluate.metrics.image import ms_ssim
from m4sc.evaluate.pictures import SWIN_JSCC_DB, SYSTEMS, codec_of, means, measure, read_rows, send
from m4sc_app.cli import main
from PIL import Image
from scipy.ndimage import gaussian_filter


def grainy(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = gaussian_filter(rng.normal(size=(height, width, 3)), (6, 6, 0)) * 500
    return np.clip(128 + found, 0, 255).astype(np.uint8)


def test_systems_are_compared_at_the_same_symbols(tmp_path: Path) -> None:
    pictures = [(f"p{seed}", grainy(176, 192, seed)) for seed in range(2)]
    points = [(24, 1.0), (24, 10.0)]
    kept = tmp_path / "rows.jsonl"
    rows = list(measure(("m4sc", "jpeg", "capacity"), pictures, points, kept))
    assert len(rows) == 12 and len({row.key for row in rows}) == 12
    for row in rows:
        assert row.symbols <= row.allowed == 176 * 192 * 3 // 24 and not row.lost
        assert row.ms_ssim is not None and 0 < row.ms_ssim <= 1
        assert (row.air_time_s == 0) == (row.system == "capacity")
    by = {(one.system, one.snr_db): one for one in means(rows)}
    for snr_db in (1.0, 10.0):
        assert by["jpeg", snr_db].psnr_db < by["m4sc", snr_db].psnr_db < by["capacity", snr_db].psnr_db
        assert by["m4sc", snr_db].swin_jscc_db == SWIN_JSCC_DB[snr_db][24]
    assert by["m4sc", 1.0].psnr_db < by["m4sc", 10.0].psnr_db

    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:5]) + lines[5][:40])  # a kill cut the sixth off
    again = list(measure(("m4sc", "jpeg", "capacity"), pictures, points, kept))
    assert again == rows and read_rows(kept) == rows


def test_the_bound_looks_for_a_file_among_those_that_are_made_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, coded = [], FittedPictureCodec._coded

    def counted(self: FittedPictureCodec, picture: np.ndarray, reduction: int, quality: int) -> bytes:
        made.append((reduction, quality))
        return coded(self, picture, reduction, quality)

    monkeypatch.setattr(FittedPictureCodec, "_coded", counted)
    pictures, points = [("p", grainy(96, 96))], [(24, 4.0), (24, 10.0)]
    together = list(measure(("m4sc", "capacity"), pictures, points))
    assert len(made) == len(set(made))
    assert together[2:] == list(measure(("capacity",), pictures, points))


def test_a_picture_that_does_not_fit_is_grey() -> None:
    picture = grainy(32, 32)
    row = send("jpeg", codec_of("jpeg"), "p", picture, 200, 1.0)
    assert row.lost and row.symbols == 0 and row.ms_ssim is None
    assert row.psnr_db == pytest.approx(
        send("jpeg2000", codec_of("jpeg2000"), "p", picture, 3000, 1.0).psnr_db
    )


def test_the_command_prints_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kodak").mkdir()
    Image.fromarray(grainy(180, 200)).save(tmp_path / "kodak" / "kodim01.png")
    options = ["bench", "pictures", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    options += ["--systems", "m4sc", "--cbr", "24", "--snr", "10"]
    assert main(options) == 0
    shown = capsys.readouterr().out
    assert "1/24" in shown and "31.55" in shown
    assert main([*options, "--json", "--plot", str(tmp_path / "plot.svg")]) == 0
    assert "<svg" in (tmp_path / "plot.svg").read_text()
    (one,) = json.loads(capsys.readouterr().out)
    assert one["n"] == 1 and one["lost"] == 0 and f"{one['psnr_db']:.2f}" in shown


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (["--set", "imagenet"], "--set"),
        (["--systems", "m4sc,gif"], "gif"),
        (["--cbr", "a"], "--cbr"),
        (["--cbr", "0"], "--cbr"),
        (["--snr", "loud"], "--snr"),
        ([], "Kodak"),
    ],
)
def test_what_it_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: list[str], told: str
) -> None:
    assert main(["bench", "pictures", "--data", str(tmp_path), "--out", str(tmp_path / "out"), *bad]) != 0
    assert told in capsys.readouterr().err


def test_rows_that_are_none_are_told_with_their_line(tmp_path: Path) -> None:
    kept = tmp_path / "rows.jsonl"
    kept.write_text("{}\n")
    with pytest.raises(ValueError, match="line 1"):
        read_rows(kept)
    with pytest.raises(ValueError, match="unknown"):
        codec_of("gif")
    assert len(set(SYSTEMS)) == len(SYSTEMS)


def test_ms_ssim_falls_with_noise_and_needs_a_large_picture() -> None:
    picture = grainy(200, 170)
    rng = np.random.default_rng(0)
    noisy = [np.clip(picture + rng.normal(0, s, picture.shape), 0, 255).astype(np.uint8) for s in (5, 30)]
    found = [ms_ssim(one, picture) for one in (picture, *noisy)]
    assert found[0] == pytest.approx(1) and found[0] > found[1] > found[2]
    with pytest.raises(ValueError, match="160"):
        ms_ssim(picture[:160], picture[:160])
    with pytest.raises(ValueError, match="equal"):
        ms_ssim(picture[:190], picture)
