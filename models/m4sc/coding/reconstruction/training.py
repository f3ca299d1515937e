"""Training of the picture codec, end to end through random noise; it goes on where it was stopped."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from m4sc.coding.reconstruction.network import ReconstructionNetwork
from m4sc.coding.reconstruction.tiles import cut
from m4sc.coding.torch_link.link import transmit
from m4sc.data import coco_mini, flickr8k
from m4sc.data.example import ImageFile

_ERROR_FLOOR = 1.0  # grey levels squared; below it, 48 dB, nothing more is to be gained
_REPORT_STEPS = 50


@dataclass(frozen=True)
class ReconstructionStage:
    """How to train.

    Attributes:
        minutes: time budget, earlier runs counted in.
        batch: tiles a step.
        rate: AdamW's learning rate at its highest; a cosine in elapsed time follows.
        lowest_snr_db: of Es/N0, which is the mean of two uniform draws from here to the codec's
            ``best_snr_db``, so that the middle is the most frequent.
        rayleigh: share of steps whose symbols fade, each with a gain of its own.
        photographs: share of steps with crops of photographs, larger than a tile.
        ema: decay of the averaged weights a step.
        seed: of everything random.
        bf16: networks compute in bfloat16.
        checkpoint_s: seconds between checkpoints.
    """

    minutes: float
    batch: int = 16
    rate: float = 6e-4
    lowest_snr_db: float = -3.0
    rayleigh: float = 0.15
    photographs: float = 0.1
    ema: float = 0.999
    seed: int = 0
    bf16: bool = False
    checkpoint_s: float = 60.0


def reconstruction_loss(pictures: Tensor, references: Tensor) -> Tensor:
    """Minus the mean of each picture's PSNR in dB, scalar; pictures float (n, 3, h, w), 0 to 255."""
    error = (pictures - references).square().mean((1, 2, 3))
    return 10 * (error + _ERROR_FLOOR).log10().mean() - 20 * math.log10(255)


def training_photographs(data_dir: Path, longest: int = 192) -> list[np.ndarray]:
    """Photographs of the training splits found in a folder of data sets, uint8 (h, w, 3), reduced.

    longest: pixels of the longer side. Empty where the folder has none of the sets.
    """
    found = []
    with contextlib.suppress(FileNotFoundError):
        found += [example.load() for example in flickr8k.caption_examples(data_dir, "train")]
    with contextlib.suppress(FileNotFoundError):
        found += [ImageFile(picture.path)() for picture in coco_mini.load_coco_mini(data_dir, "train")]
    pictures = []
    for photograph in found:
        image = Image.fromarray(np.asarray(photograph))
        image.thumbnail((longest, longest))
        pictures.append(np.asarray(image))
    return pictures


class PictureBatches:
    """Random batches of pictures, float (n, 3, h, w), 0 to 255: CIFAR-10, mirrored; crops of photographs."""

    def __init__(
        self, small: np.ndarray, photographs: list[np.ndarray], stage: ReconstructionStage, tile: int
    ) -> None:
        self.small = torch.from_numpy(np.ascontiguousarray(small.transpose(0, 3, 1, 2)))
        self.photographs = [torch.from_numpy(p.transpose(2, 0, 1).copy()) for p in photographs]
        self.stage, self.tile = stage, tile

    def draw(self, rng: np.random.Generator) -> Tensor:
        """One batch."""
        if self.photographs and rng.random() < self.stage.photographs:
            return self._crops(rng)
        chosen = torch.from_numpy(rng.choice(len(self.small), self.stage.batch))
        return self._mirrored(self.small[chosen].float(), rng)

    def _crops(self, rng: np.random.Generator) -> Tensor:
        """Crops of one size, of two by two tiles that may overlap, from photographs reduced at random."""
        height, width = rng.integers(self.tile + self.tile // 2, 2 * self.tile + 1, size=2)
        crops = []
        for index in rng.choice(len(self.photographs), max(1, self.stage.batch // 4)):
            photograph = self.photographs[int(index)].float()[None]
            least = max(height / photograph.shape[-2], width / photograph.shape[-1])
            scale = max(least, rng.uniform(0.4, 1.0))
            size = [
                max(int(s), round(scale * n))
                for s, n in zip((height, width), photograph.shape[-2:], strict=True)
            ]
            reduced = nn.functional.interpolate(photograph, size, mode="bilinear", antialias=True)
            y, x = (int(rng.integers(0, n - s + 1)) for n, s in zip(size, (height, width), strict=True))
            crops.append(reduced[0, :, y : y + height, x : x + width])
        return self._mirrored(torch.stack(crops), rng)

    @staticmethod
    def _mirrored(pictures: Tensor, rng: np.random.Generator) -> Tensor:
        flip = torch.from_numpy(rng.random(len(pictures)) < 0.5)
        return torch.where(flip[:, None, None, None], pictures.flip(-1), pictures)


def through_channel(
    network: ReconstructionNetwork, pictures: Tensor, snr_db: Tensor, channel: str, generator: torch.Generator
) -> Tensor:
    """Pictures, float (n, 3, h, w), sent at snr_db, float (n,), and received, float (n, 3, h, w)."""
    tiles = cut(pictures, network.config.tile)
    symbols, slope = network.send_with_slope(tiles.flatten(0, 1))
    sent = symbols.unflatten(0, tiles.shape[:2])
    received, noise_var = transmit(sent, snr_db, channel, generator)
    return network.receive(received, noise_var, pictures.shape[-2:], slope)


def train_reconstruction(
    network: ReconstructionNetwork,
    batches: PictureBatches,
    stage: ReconstructionStage,
    out_dir: Path,
    progress: Callable[[str], None] = print,
) -> list[dict[str, float]]:
    """Train the picture codec; as :func:`train_timed`, under the name "reconstruct"."""
    return train_timed(
        network,
        lambda step: _step_loss(network, batches, stage, step),
        stage,
        out_dir,
        "reconstruct",
        progress,
    )


def train_timed(
    network: nn.Module,
    step_loss: Callable[[int], Tensor],
    stage: ReconstructionStage,
    out_dir: Path,
    name: str,
    progress: Callable[[str], None] = print,
    figure: str = "psnr_db",
) -> list[dict[str, float]]:
    """Train to the end of the budget; killed, it goes on from its last checkpoint.

    At the end the network holds the averaged weights.

    Args:
        network: is changed in place.
        step_loss: minus the figure of a step's batch, scalar, which depends on the step's number alone.
        stage: budget, rate and averaging.
        out_dir: of the checkpoint and the curve; made where it is not there.
        name: of the files.
        progress: is told a line now and then.
        figure: name of what is to rise.

    Returns:
        the curve: rows with minutes, step and the figure (of training batches), also in ``NAME.curve.json``.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    checkpoint = out_dir / f"{name}.ckpt.pt"
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=stage.rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
    )
    average = {key: value.detach().clone() for key, value in network.named_parameters()}
    spent, step, curve = 0.0, 0, list[dict[str, float]]()
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average, spent, step, curve = (
            state["average"],
            state["spent"],
            state["step"],
            json.loads(state["curve"]),
        )
    budget, started, saved = 60.0 * stage.minutes, time.monotonic() - spent, time.monotonic()

    def save(elapsed: float) -> None:
        state = {
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "average": average,
            "spent": elapsed,
            "step": step,
            "curve": json.dumps(curve),
        }
        _replace(checkpoint, state)

    smooth = curve[-1][figure] if curve else None
    while (elapsed := time.monotonic() - started) < budget:
        rate = min(1.0, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * elapsed / budget))
        for group in optimizer.param_groups:
            group["lr"] = stage.rate * max(rate, 0.01)
        loss = step_loss(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        decay = min(stage.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(network.parameters()), 1 - decay)
        smooth = -loss.item() if smooth is None else 0.98 * smooth - 0.02 * loss.item()
        if step % _REPORT_STEPS == 0:
            curve.append({"minutes": round(elapsed / 60, 2), "step": step, figure: round(smooth, 3)})
            progress(f"{elapsed / 60:5.1f} min step {step:6d} {figure} {smooth:.2f}")
        if time.monotonic() - saved > stage.checkpoint_s:
            save(elapsed)
            saved = time.monotonic()
    save(budget)
    network.load_state_dict(average, strict=False)
    (out_dir / f"{name}.curve.json").write_text(json.dumps(curve), encoding="utf-8")
    return curve


def _step_loss(
    network: ReconstructionNetwork, batches: PictureBatches, stage: ReconstructionStage, step: int
) -> Tensor:
    rng = np.random.default_rng([stage.seed, step])
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    pictures = batches.draw(rng)
    channel = "rayleigh" if rng.random() < stage.rayleigh else "awgn"
    draws = rng.uniform(stage.lowest_snr_db, network.config.best_snr_db, size=(2, len(pictures)))
    snr_db = torch.from_numpy(draws.mean(0)).float()
    precision: Any = torch.autocast("cpu", torch.bfloat16) if stage.bf16 else contextlib.nullcontext()
    with precision:
        received = through_channel(network, pictures, snr_db, channel, generator)
    return reconstruction_loss(received.float(), pictures)


def _replace(path: Path, state: dict[str, Any]) -> None:
    """Write beside, then rename: a kill leaves the old checkpoint whole."""
    scratch = path.with_suffix(".tmp")
    torch.save(state, scratch)
    scratch.replace(path)
