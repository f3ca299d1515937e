"""DeepJSCC: pictures of any size, its rates, its frames, its training, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.codecs.base import Budget
from m4sc.codecs.rivals.deepjscc import DeepJsccCodec
from m4sc.coding.deepjscc.codec import BARE_SIDE, MOST_SIDE, DeepJsccPictures, load_deepjscc
from m4sc.coding.deepjscc.config import KINDS, DeepJsccConfig
from m4sc.coding.deepjscc.network import DeepJsccNetwork
from m4sc.coding.deepjscc.training import StepLoss, through_channel
from m4sc.coding.reconstruction.size_field import SIZE_SYMBOLS
from m4sc.coding.reconstruction.training import PictureBatches, ReconstructionStage, train_timed
from m4sc.evaluate.crossing import cross
from m4sc.evaluate.metrics.image import psnr_db
from m4sc.message import Message
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.shipped import SHIPPED, weights_folder
from m4sc.tasks import get_task
from m4sc.transport.config import TransportConfig

SMALL = DeepJsccConfig(width=16, fine_width=8, encoder_blocks=1, decoder_blocks=1, fine_blocks=1)
TASK = get_task("reconstruct")


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A slope in each colour, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[0:height, 0:width] / max(height, width)
    slopes = rng.uniform(-120, 120, (2, 3))
    return np.clip(128 + slopes[0] * down[..., None] + slopes[1] * across[..., None], 0, 255).astype(np.uint8)


@pytest.fixture(scope="module", params=KINDS)
def pictures(request: pytest.FixtureRequest) -> DeepJsccPictures:
    """With random weights."""
    torch.manual_seed(0)
    return DeepJsccPictures(DeepJsccNetwork(DeepJsccConfig(kind=request.param, width=16, fine_width=8)))


def received(latents: np.ndarray, snr_db: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    noise_var = 10 ** (-snr_db / 10)
    noise = np.random.default_rng(seed).normal(scale=np.sqrt(noise_var / 2), size=latents.shape)
    y = (latents + noise).astype(np.float32).view(np.complex64)[:, 0]
    return y, np.full(len(y), noise_var, np.float32)


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), rate=st.sampled_from(SMALL.rates))
def test_any_size_at_any_rate_comes_back_at_its_size(height: int, width: int, rate: int) -> None:
    torch.manual_seed(0)
    own = DeepJsccPictures(DeepJsccNetwork(SMALL))
    count = own.symbols_of(height, width, rate)
    assert own.rate_for(height, width, count) == rate  # each rate has a number of symbols of its own
    latents = own.encode(smooth(height, width), count)
    assert latents.shape == (count, 2) and latents.dtype == np.float32
    assert np.square(latents).sum(1).mean() == pytest.approx(1, abs=0.02)
    shown = own.decode(*received(latents, 20))
    assert shown.shape == (height, width, 3) and shown.dtype == np.uint8


def test_the_rates_are_the_published_bandwidth_ratios(pictures: DeepJsccPictures) -> None:
    found = {rate: pictures.symbols_of(512, 768, rate) - SIZE_SYMBOLS for rate in pictures.config.rates}
    for rate, inverse in ((2, 48), (4, 24), (6, 16), (8, 12), (12, 8), (16, 6)):
        assert found[rate] == 3 * 512 * 768 // inverse + 1  # one more tells it from a bare picture
    assert pictures.symbols_of(BARE_SIDE, BARE_SIDE, 16) == 512


def test_what_a_picture_takes_is_within_the_budget(pictures: DeepJsccPictures) -> None:
    for symbols in (512, 600, 4000):
        assert len(pictures.encode(smooth(48, 80), symbols + SIZE_SYMBOLS)) <= symbols + SIZE_SYMBOLS
    with pytest.raises(ValueError, match="takes at least"):
        pictures.encode(smooth(48, 80), 100)
    with pytest.raises(ValueError, match="takes at least"):
        pictures.encode(smooth(48, 80), 0)


def test_pictures_that_are_none_are_refused(pictures: DeepJsccPictures) -> None:
    for bad in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((0, 8, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            pictures.encode(bad)
    with pytest.raises(ValueError, match="too large"):
        pictures.encode(np.zeros((4, MOST_SIDE + 1, 3), np.uint8))
    for picture in (np.full((32, 32, 3), 128, np.uint8), np.zeros((1, 1, 3), np.uint8)):  # grey, one pixel
        assert np.isfinite(pictures.encode(picture)).all()


def test_symbols_that_are_no_picture_are_refused(pictures: DeepJsccPictures) -> None:
    whole, noise = received(pictures.encode(smooth(20, 24)), 15)
    for length in (0, 1, 100, SIZE_SYMBOLS, len(whole) - 1, len(whole) - 2, len(whole) + 1):
        y, n = np.resize(whole, length), np.resize(noise, length)
        with pytest.raises(ValueError, match="are no picture"):
            pictures.decode(y, n)
    with pytest.raises(ValueError, match="noise variances"):
        pictures.decode(whole, noise[:-1])
    with pytest.raises(ValueError, match="too much noise"):
        pictures.decode(np.zeros_like(whole), noise)


def test_lost_and_broken_symbols_give_a_picture_all_the_same(pictures: DeepJsccPictures) -> None:
    y, noise = received(pictures.encode(smooth(32, 32)), 10)
    for broken in (np.zeros_like(y), np.full_like(y, np.nan)):
        assert pictures.decode(broken, noise).shape == (32, 32, 3)
    assert pictures.decode(y, np.full_like(noise, np.inf)).shape == (32, 32, 3)


def test_through_the_frames_of_the_transport(pictures: DeepJsccPictures) -> None:
    codec = DeepJsccCodec(pictures)
    picture = smooth(200, 300)
    payload = codec.encode(Message("image", picture), TASK, Budget(30_000, 10.0))
    config = TransportConfig(PayloadFormat(snr_db=10.0), interleave=False)
    crossing = cross(payload, "awgn", 10.0, np.random.default_rng(0), config)
    assert crossing.frames > 1 and crossing.received is not None
    shown = codec.decode(crossing.received, TASK).image
    direct = pictures.decode(*received(payload.latents, 10.0))  # type: ignore[arg-type]  # it has some
    assert shown is not None and psnr_db(shown, direct) > 20  # the same but for the noise
    with pytest.raises(ValueError, match="takes pictures"):
        codec.encode(Message("text", "a"), TASK, Budget())


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns(kind: str) -> None:
    torch.manual_seed(0)
    small = np.stack([smooth(32, 32, seed) for seed in range(64)])
    network = DeepJsccNetwork(DeepJsccConfig(kind=kind, width=16, fine_width=8))
    before = _psnr(network, small)
    stage = ReconstructionStage(1, photographs=0.2)
    loss = StepLoss(network, PictureBatches(small, [smooth(80, 90)], stage, 32), stage)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(60):
        optimizer.zero_grad()
        loss(step).backward()
        optimizer.step()
    assert _psnr(network, small) > before + 0.5


def test_the_convolutional_one_has_the_rate_that_it_is_trained_at() -> None:
    assert DeepJsccConfig.of_kind("convolutional").rates == (16,)
    assert len(DeepJsccConfig.of_kind("attention").rates) == 6
    with pytest.raises(ValueError, match="none of convolutional"):
        DeepJsccConfig.of_kind("magic")
    one = DeepJsccPictures(DeepJsccNetwork(DeepJsccConfig.of_kind("convolutional")))
    with pytest.raises(ValueError, match="takes at least 512 symbols"):  # 1/6: it knows no other
        one.encode(smooth(32, 32), 256)


def test_training_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = np.stack([smooth(32, 32, seed) for seed in range(8)])
    network, steps = DeepJsccNetwork(SMALL), []
    for minutes in (0.02, 0.06):
        stage = ReconstructionStage(minutes, batch=4, photographs=0)
        loss = StepLoss(network, PictureBatches(small, [], stage, 32), stage)
        train_timed(network, loss, stage, tmp_path, "deepjscc", lambda line: None)
        steps.append(torch.load(tmp_path / "deepjscc.ckpt.pt", weights_only=True)["step"])
    assert 0 < steps[0] < steps[1]


def test_weights_are_saved_and_loaded_alike(pictures: DeepJsccPictures, tmp_path: Path) -> None:
    pictures.save(tmp_path)
    back = load_deepjscc(tmp_path)
    assert back.config == pictures.config and back.fingerprint
    assert np.abs(back.encode(smooth(32, 32)) - pictures.encode(smooth(32, 32))).max() < 0.05
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(ValueError, match="broken"):
        load_deepjscc(tmp_path)


def _psnr(network: DeepJsccNetwork, pictures: np.ndarray) -> float:
    planes = torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()).float()
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        shown = through_channel(network, planes, torch.full((len(planes),), 10.0), 16, generator=generator)
    error = (shown.clamp(0, 255) - planes).square().mean((1, 2, 3))
    return float((10 * (255**2 / error).log10()).mean())


@pytest.mark.parametrize(
    "bad",
    [{"kind": "magic"}, {"rates": [3, 16]}, {"rates": [16, 2]}, {"channels": 8}, {"width": 4},
     {"fine_blocks": 0}, {"least_snr_db": 30.0}],
)  # fmt: skip
def test_configurations_that_contradict_themselves_are_refused(bad: dict[str, object]) -> None:
    import json

    with pytest.raises(ValueError):
        DeepJsccConfig.from_json(json.dumps(bad))


@pytest.mark.parametrize("name", [name for name in SHIPPED if name.startswith("deepjscc")])
def test_the_shipped_weights_rebuild_a_photograph(name: str) -> None:
    from skimage.data import astronaut

    pictures = load_deepjscc(weights_folder(name))
    picture = astronaut()[:256, 128:384]
    quality = []
    for snr_db in (0, 10):
        latents = pictures.encode(picture, None, snr_db)
        quality.append(psnr_db(pictures.decode(*received(latents, snr_db)), picture))
    assert quality[1] > 25 and quality[1] > quality[0] + 2


@pytest.mark.parametrize(("name", "protection"), [("deepjscc", -1), ("deepjscc-2019", 1)])  # -1: the shortest
def test_it_is_a_system_of_the_sweep(name: str, protection: int) -> None:
    from types import SimpleNamespace

    from m4sc.data.example import Example
    from m4sc.evaluate.link_way import LinkWay
    from m4sc.evaluate.sweep.config import SystemSpec
    from m4sc.evaluate.sweep.ground import Ground
    from m4sc.evaluate.sweep.systems import build, carries

    spec = SystemSpec("rival", name, protection=protection)
    assert carries(spec, "reconstruct") and not carries(spec, "caption") and not carries(spec, "text")
    ground = Ground(SimpleNamespace(), [], 0, way=LinkWay(), choosing=LinkWay())
    system = build(spec, "reconstruct", ground).system
    picture = smooth(32, 32)
    examples = [Example(str(i), "image", "reconstruct", "", (), "", picture, str(i)) for i in range(2)]
    quality = []
    for snr_db in (0.0, 15.0):
        sent = system.send_all(examples, "awgn", snr_db, [np.random.default_rng(i) for i in range(2)])
        assert [delivery.symbols for delivery in sent] == [512] * 2  # CBR 1/6
        quality.append(np.mean([psnr_db(np.asarray(delivery.said), picture) for delivery in sent]))
    assert quality[0] < quality[1]
