"""The detector of everyday things: its network's operations, its conversion, and what it finds."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.encoders.conv_graph import GRAPH, ConvGraph, Step
from m4sc.encoders.object_detector import FEATURES, THINGS, ObjectDetector, _peaks
from m4sc.pretrained.tfjs_graph import converted
from m4sc.shipped import weights_folder
from m4sc.space.naming import named_things, thing_rarity, thing_sentences
from PIL import Image

SAMPLES = Path(__file__).parent.parent / "python_blocks" / "samples"


def _picture(name: str) -> np.ndarray:
    return np.asarray(Image.open(SAMPLES / f"{name}.jpg").convert("RGB"))


@given(
    st.integers(3, 12),
    st.integers(3, 12),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([1, 2]),
    st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_a_padded_convolution_is_a_sum_over_neighbours_with_one_more_zero_behind(
    height: int, width: int, kernel: int, stride: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(2, height, width)), rng.normal(size=(3, 2, kernel, kernel))
    step = Step("convolve", "y", ("image", "w"), stride=stride, padded=True)
    graph = ConvGraph([step], {"w": torch.from_numpy(w)})
    found = graph(torch.from_numpy(x)[None].float(), ["y"])[0][0].numpy()
    out = (-(-height // stride), -(-width // stride))
    lost = [max((o - 1) * stride + kernel - size, 0) for o, size in zip(out, (height, width), strict=True)]
    padded = np.pad(x, [(0, 0), *((n // 2, n - n // 2) for n in lost)])
    expected = np.empty((3, *out))
    for i in range(out[0]):
        for j in range(out[1]):
            patch = padded[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            expected[:, i, j] = (w * patch).sum((1, 2, 3))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_peaks_are_the_highest_around(kinds: int, height: int, width: int, seed: int) -> None:
    heat = torch.rand(kinds, height, width, generator=torch.Generator().manual_seed(seed))
    heat = (heat * 8).round() / 8  # neighbours of equal height are peaks both
    pooled = torch.nn.functional.max_pool2d(heat[None], 3, 1, 1)[0]
    expected = ((pooled == heat) & (heat >= 0.5)).nonzero()
    assert torch.equal(torch.stack(_peaks(heat, 0.5), 1), expected)


def test_features_count_peaks_of_each_kind() -> None:
    detector, heat = ObjectDetector(), torch.full((len(THINGS), 96, 96), 0.01)
    heat[3, 10, 10], heat[3, 50, 50], heat[7, 20, 20], heat[7, 20, 21] = 0.9, 0.7, 0.4, 0.1
    maps = [torch.ones(128, 96, 96), torch.ones(480, 12, 12)]
    detector._seen = lambda picture: [heat, *maps]  # type: ignore[method-assign]
    found = detector.features(np.zeros((8, 8, 3), np.uint8))
    count = found[len(THINGS) : 2 * len(THINGS)].square()
    assert found.shape == (FEATURES,)
    assert count[3].item() == pytest.approx(1.6) and count[7].item() == pytest.approx(0.4)
    assert count.sum().item() == pytest.approx(2.0)


def test_doubling_keeps_values_and_puts_means_between_them() -> None:
    x = torch.tensor([[0.0, 4.0], [8.0, 2.0]])[None, None]
    found = ConvGraph([Step("double", "y", ("image",))], {})(x, ["y"])[0][0, 0]
    expected = [[0, 2, 4, 4], [4, 3.5, 3, 3], [8, 5, 2, 2], [8, 5, 2, 2]]
    assert found.tolist() == expected


def _node(name: str, kind: str, takes: list[str], **options: Any) -> dict[str, Any]:
    return {"name": name, "op": kind, "input": takes, "attr": options}


def _tfjs() -> tuple[dict[str, Any], bytes]:
    """A picture's one channel, doubled and shifted, through a logistic function."""
    same = {"s": base64.b64encode(b"SAME").decode()}
    nodes = [
        _node("x", "Placeholder", []),
        _node(
            "c", "_FusedConv2D", ["x", "w", "b"], strides={"list": {"i": ["1", "1", "1", "1"]}}, padding=same
        )
        | {
            "attr": {
                "strides": {"list": {"i": ["1", "1", "1", "1"]}},
                "padding": same,
                "fused_ops": {"list": {"s": [base64.b64encode(b"BiasAdd").decode()]}},
            }
        },
        _node("y", "Sigmoid", ["c"]),
        _node("out", "Identity", ["y"]),
    ]
    weights = [
        {"name": "w", "shape": [1, 1, 1, 1], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {"name": "b", "shape": [1], "dtype": "float32"},
    ]
    told = {"modelTopology": {"node": nodes}, "weightsManifest": [{"weights": weights}]}
    return told, np.float16(2).tobytes() + np.float32(-1).tobytes()


def test_a_network_of_tensorflow_js_is_converted() -> None:
    told, numbers = _tfjs()
    steps, tensors = converted(json.dumps(told).encode(), numbers, "x", ["out"])
    found = ConvGraph(steps, tensors, "x")(torch.full((1, 1, 2, 2), 3.0), ["y"])[0]
    assert torch.allclose(found, torch.sigmoid(torch.tensor(5.0)))
    with pytest.raises(ValueError, match="bytes"):
        converted(json.dumps(told).encode(), numbers + b"x", "x", ["out"])
    told["modelTopology"]["node"][2]["op"] = "Sinh"
    with pytest.raises(ValueError, match="Sinh"):
        converted(json.dumps(told).encode(), numbers, "x", ["out"])


def test_broken_files_are_told(tmp_path: Path) -> None:
    shipped = weights_folder("detector")
    (tmp_path / "model.safetensors").write_bytes((shipped / "model.safetensors").read_bytes())
    text = (shipped / GRAPH).read_text()
    for broken in (
        text[:-9],
        "[]",
        '{"steps": [{"kind": "convolve"}]}',
        '{"steps": []}',
        '{"steps": [], "shapes": [1]}',
        text[:100],
    ):
        (tmp_path / GRAPH).write_text(broken)
        with pytest.raises(ValueError):
            ConvGraph.load(tmp_path)
    with pytest.raises(ValueError, match="cannot be run"):
        ConvGraph([Step("convolve", "y", ("image", "nothing"))], {})
    with pytest.raises(ValueError, match="cannot be run"):
        ConvGraph([Step("guess", "y", ("image",))], {})


def test_the_shipped_detector_finds_everyday_things_and_nothing_in_noise() -> None:
    detector = ObjectDetector()
    best = detector.things(_picture("motorcycle"))[0]
    assert best.name == "motorcycle" and 0.2 < best.x < 0.8 and 0.2 < best.y < 0.8
    assert "cup" in {thing.name for thing in detector.things(_picture("coffee"), 0.2)}
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert detector.things(noise) == [] and detector.things(np.zeros((50, 40, 3), np.uint8)) == []


def test_features_are_finite_and_of_one_width_for_every_size() -> None:
    detector = ObjectDetector()
    for size in ((1, 1), (7, 300), (400, 400)):
        found = detector.features(np.full((*size, 3), 127, np.uint8))
        assert found.shape == (FEATURES,) and bool(found.isfinite().all())


def test_rare_things_weigh_more_in_what_a_picture_is_called() -> None:
    scores = torch.full((50, len(THINGS)), 0.01)
    scores[:, 0] = 0.7
    rarity = thing_rarity(scores)
    assert rarity[0] < 0.5 < rarity[1]
    points = torch.eye(len(THINGS)).mul(127).char()
    seen = torch.zeros(1, len(THINGS))
    seen[0, 0], seen[0, THINGS.index("cup")] = 0.6, 0.6
    named = named_things(points, rarity, seen)[0]
    assert named[THINGS.index("cup")] > named[0] > 0
    assert float(named_things(points, rarity, torch.zeros(1, 80)).norm()) == 0
    assert thing_sentences()[4] == "An airplane." and len(thing_sentences()) == 80
