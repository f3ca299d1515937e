"""Which everyday things a picture shows, and where: a frozen detector of COCO's 80 kinds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from m4sc.encoders.conv_graph import ConvGraph
from m4sc.shipped import weights_folder

_NAMES = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, "
    "stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, "
    "backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, "
    "baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, "
    "knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, "
    "chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, "
    "cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, "
    "hair drier, toothbrush"
)
THINGS = tuple(_NAMES.split(", "))
"""COCO's kinds in the order of the detector's maps (Lin et al., 2014)."""

_SIZE = 384  # pixels; it was trained with 512, which takes longer
_HEAT, _MAPS = "heat", ("fine", "deep")
_SURE = 0.999  # scores beyond it, and below its rest, count as it
_LEAST_COUNTED = 0.15
_MOST_PEAKS = 40
_MOST_COUNTED = 6.0
FEATURES = 1376


@dataclass(frozen=True)
class Thing:
    """One thing that was found.

    Attributes:
        name: one of :data:`THINGS`.
        score: 0 to 1.
        x, y: its centre, as shares of the picture's width and height.
    """

    name: str
    score: float
    x: float
    y: float


class ObjectDetector:
    """CenterNet (Zhou et al., "Objects as Points", 2019) on MobileNetV3, run without its boxes."""

    @cached_property
    def _net(self) -> ConvGraph:
        return ConvGraph.load(weights_folder("detector"))

    @torch.inference_mode()
    def _seen(self, picture: np.ndarray) -> list[Tensor]:
        """Heat, float32 (80, 96, 96): scores of a thing's centre; and the maps before it."""
        square = Image.fromarray(np.ascontiguousarray(picture)).resize(
            (_SIZE, _SIZE), Image.Resampling.BILINEAR
        )
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float()
        return [found[0] for found in self._net(pixels, [_HEAT, *_MAPS])]

    def things(self, picture: np.ndarray, least_score: float = 0.3) -> list[Thing]:
        """What a picture, uint8 (H, W, 3) of any size, shows, the surest first."""
        heat = self._seen(picture)[0]
        kinds, rows, columns = _peaks(heat, least_score)
        height, width = heat.shape[1:]
        found = [
            Thing(THINGS[k], float(heat[k, y, x]), (x + 0.5) / width, (y + 0.5) / height)
            for k, y, x in zip(kinds.tolist(), rows.tolist(), columns.tolist(), strict=True)
        ]
        return sorted(found, key=lambda thing: -thing.score)

    def features(self, picture: np.ndarray) -> Tensor:
        """What of a picture, uint8 (H, W, 3), goes into the space, float32 (FEATURES,).

        Log odds of each of the 80 kinds, roots of how many there are of each, weighed by their scores, and
        means and maxima of the maps that the detector reads them from.
        """
        heat, *maps = self._seen(picture)
        top = heat.amax((1, 2)).clamp(1 - _SURE, _SURE)
        peaks = _peaks(heat, _LEAST_COUNTED)
        scores, kept = heat[peaks].sort(descending=True, stable=True)
        kinds = peaks[0][kept[:_MOST_PEAKS]]
        count = torch.zeros(len(heat)).scatter_add(0, kinds, scores[:_MOST_PEAKS])
        pooled = [found for each in maps for found in (each.mean((1, 2)), each.amax((1, 2)))]
        return torch.cat([(top / (1 - top)).log(), count.clamp_max(_MOST_COUNTED).sqrt(), *pooled])


def _peaks(heat: Tensor, least: float) -> tuple[Tensor, Tensor, Tensor]:
    """Where scores, float (kinds, h, w), of `least` or more are the highest around: int64 (n,) of each axis.

    Few are that high, so only they are compared with their neighbours.
    """
    kinds, rows, columns = (heat >= least).nonzero(as_tuple=True)
    around = functional.pad(heat, (1, 1, 1, 1), value=-torch.inf)
    steps = torch.tensor([(y, x) for y in range(3) for x in range(3)])
    near = around[kinds[:, None], rows[:, None] + steps[:, 0], columns[:, None] + steps[:, 1]]
    highest = heat[kinds, rows, columns] >= near.amax(1) if len(kinds) else torch.zeros(0, dtype=torch.bool)
    return kinds[highest], rows[highest], columns[highest]
