"""Features of pictures are looked at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from m4sc.space import picture_features
from m4sc.space.picture_features import PictureFeatures


class Backbone:
    feature_dim = 2

    def __init__(self, *_: Any) -> None:
        self.looks = 0

    def maps(self, pixels: torch.Tensor) -> torch.Tensor:
        self.looks += len(pixels)
        mean = pixels.mean((1, 2, 3))
        return mean[:, None, None, None].expand(len(pixels), 2, 7, 7)


@pytest.fixture
def features(monkeypatch: pytest.MonkeyPatch) -> PictureFeatures:
    monkeypatch.setattr(picture_features, "EfficientNetLite", Backbone)
    return PictureFeatures()


def looks(features: PictureFeatures) -> int:
    return int(features.backbone.looks)  # type: ignore[attr-defined]


def test_a_picture_that_several_tasks_ask_for_is_looked_at_once(features: PictureFeatures) -> None:
    one, other = np.full((8, 6, 3), 10, np.uint8), np.full((8, 6, 3), 20, np.uint8)
    first = features([one])
    assert torch.equal(features([one.copy()]), first) and looks(features) == 1
    assert not torch.equal(features([other]), first) and looks(features) == 2
    assert torch.equal(features([one.reshape(6, 8, 3)]), first) and looks(features) == 3  # another picture
    features([one], mirrored=True)
    assert looks(features) == 4
    with torch.inference_mode():
        first += 1  # the caller's own
    assert torch.equal(features([one]) + 1, first)
    assert len(features([one, other])) == 2 and looks(features) == 6


def test_what_is_kept_is_bounded(features: PictureFeatures) -> None:
    for value in range(40):
        features([np.full((4, 4, 3), value, np.uint8)])
    features([np.full((4, 4, 3), 39, np.uint8)])
    assert looks(features) == 40
    features([np.full((4, 4, 3), 0, np.uint8)])
    assert looks(features) == 41
