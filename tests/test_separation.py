"""The baseline at published CBRs: it keeps to its symbols, improves with them, and loses whole."""

import numpy as np
import pytest
from m4sc.codecs.rivals.picture_files import PictureFiles
from m4sc.evaluate.separation import Tiled
from m4sc.message import Message
from scipy.ndimage import gaussian_filter


def pictures(n: int = 17) -> np.ndarray:
    """Smooth pictures with grain of all strengths, uint8 (n, 32, 32, 3)."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[0:32, 0:32] / 32
    slopes = rng.uniform(-100, 100, (n, 2, 3))
    found = 128 + slopes[:, 0, None, None] * down[..., None] + slopes[:, 1, None, None] * across[..., None]
    grain = rng.normal(0, 1, found.shape) * rng.uniform(1, 16, (n, 1, 1, 1))
    return np.clip(found + grain, 0, 255).astype(np.uint8)


def test_more_symbols_or_a_better_channel_give_a_better_picture() -> None:
    tiled = Tiled(pictures(10))
    assert tiled.whole.shape == (96, 96, 3)  # 9 of 10
    assert np.array_equal(tiled.whole[:32, 32:64], tiled.pictures[1])
    points = ((12, 0.0), (6, 0.0), (6, 10.0))
    few, more, clear = (tiled.send(*point, np.random.default_rng(0)) for point in points)
    for one in (few, more, clear):
        assert not one.lost and one.symbols <= one.allowed == 96 * 96 * 3 // one.cbr_inverse
        assert one.symbols > 0.6 * one.allowed  # what is allowed is used
    assert few.psnr_db < more.psnr_db < clear.psnr_db


def test_a_broken_block_costs_the_whole_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    from m4sc.evaluate import separation
    from m4sc.phy.modulation.mcs import get_mcs

    monkeypatch.setattr(separation, "select_mcs", lambda snr_db, n_bytes: get_mcs(7))
    sent = Tiled(pictures(4)).send(6, 0.0, np.random.default_rng(0))
    assert sent.lost and sent.psnr_db < 20
    with pytest.raises(ValueError, match="no quality"):
        Tiled(pictures(4)).send(3000, 0.0, np.random.default_rng(0))


def test_colour_at_full_width_keeps_what_half_of_it_loses() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 200
    errors = []
    for chroma in (420, 444):
        codec = PictureFiles("heic", 32, 90, chroma)
        back = codec.source_decode(codec.source_encode(Message("image", stripes)), "image")
        errors.append(np.abs(np.asarray(back.data, float) - stripes).mean())
    assert errors[1] < 0.3 * errors[0]
    with pytest.raises(ValueError, match="chroma"):
        PictureFiles("heic", 32, 90, 422)


@pytest.mark.parametrize("form", ["heic", "avif"])
def test_bits_for_the_squared_error_buy_more_psnr(form: str) -> None:
    rng = np.random.default_rng(1)
    grains = (gaussian_filter(rng.normal(size=(96, 96, 3)), (s, s, 0)) * s * a for s, a in ((8, 90), (1, 40)))
    picture = np.clip(128 + sum(grains), 0, 255).astype(np.uint8)

    def least_error(squared: bool) -> float:
        found = np.inf
        for quality in range(10, 90, 4):  # the best of those that fit
            codec = PictureFiles(form, 96, quality, 444, squared, speed=6)
            data = codec.source_encode(Message("image", picture))
            if len(data) <= 1500:
                back = np.asarray(codec.source_decode(data, "image").data, float)
                found = min(found, float(np.square(back - picture).mean()))
        return found

    assert least_error(True) < 0.97 * least_error(False)
