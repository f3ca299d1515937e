"""Points of the space to channel symbols and back: nested, the first symbols matter most."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from m4sc.coding.torch_link.impairments import Impairments, impair
from m4sc.coding.torch_link.link import transmit
from m4sc.half_cosine import half_cosine
from m4sc.space.projector import ResidualKan

_NOT_SENT = 1e6  # noise variance of a symbol that was not sent
_LEAST_NOISE = 1e-4


@dataclass(frozen=True)
class SpaceCodecConfig:
    """Shape of the codec.

    Attributes:
        dim: width of the space.
        symbols: most complex symbols of a point.
        least_symbols: fewest.
        grid: basis functions of a spline.
    """

    dim: int = 384
    symbols: int = 128
    least_symbols: int = 8
    grid: int = 6

    def __post_init__(self) -> None:
        if not 1 <= self.least_symbols <= self.symbols <= self.dim // 2:
            raise ValueError(
                f"symbols must be from least_symbols, {self.least_symbols}, to half of dim, {self.dim // 2}; "
                f"got {self.symbols}"
            )


class SpaceCodec(nn.Module):
    """KAN channel encoder and decoder around principal components.

    The encoder turns a point about the mean into principal components, the strongest first, gives each a
    gain and hands two to every symbol. Gains start as variance^-1/4, which minimises the mean square error
    of analogue transmission at high SNR (Goblick, 1965; Lee and Petersen, 1976). The decoder starts as the
    linear MMSE estimate for the noise variance of each symbol, which is reported; a symbol that was not sent
    or heard counts as one of infinite noise. Splines on both sides start as nothing and learn the rest.
    """

    mean: Tensor
    basis: Tensor
    variance: Tensor

    def __init__(self, config: SpaceCodecConfig) -> None:
        super().__init__()
        self.config = config
        reals = 2 * config.symbols
        self.register_buffer("mean", torch.zeros(config.dim))
        self.register_buffer("basis", torch.eye(config.dim)[:reals].clone())  # rows: components
        self.register_buffer("variance", torch.ones(reals))
        self.log_gain = nn.Parameter(torch.zeros(reals))
        self.bend = ResidualKan(reals, config.grid)
        self.unbend = ResidualKan(reals, config.grid)
        self.trust = nn.Linear(2 * reals, reals)  # how far each component is believed, beside the MMSE
        nn.init.zeros_(self.trust.weight)
        nn.init.zeros_(self.trust.bias)
        self.back = nn.Linear(reals, config.dim)

    @torch.no_grad()
    def fit(self, points: Tensor, meant: Tensor | None = None, ridge: float = 1e-4) -> None:
        """Start from principal components.

        A picture's point is a guess at what people say of it, and the projector's error is part of it.
        With `meant` the components are those of the posterior mean, by ridge regression: what says most
        about the sentences comes first, the error is left behind, and the receiver's points lie where
        sentences lie. Without it they are those of the points themselves.

        Args:
            points: unit vectors that are sent, float (n, dim).
            meant: unit vectors of what each stands for, float (n, dim).
            ridge: weight of the penalty beside the points' covariance.
        """
        mean = points.mean(0)
        centred = points - mean
        covariance = centred.T @ centred / len(points)
        reading, aim = torch.eye(points.shape[1]), mean
        if meant is not None:
            aim = meant.mean(0)
            penalty = ridge * torch.eye(points.shape[1])
            reading = torch.linalg.solve(covariance + penalty, centred.T @ (meant - aim) / len(points))
            covariance = reading.T @ covariance @ reading
        variance, columns = torch.linalg.eigh(covariance)  # weakest first
        kept = columns.flip(1)[:, : 2 * self.config.symbols]
        self.mean.copy_(mean)
        self.basis.copy_((reading @ kept).T)
        self.variance.copy_(variance.flip(0)[: 2 * self.config.symbols].clamp_min(1e-6))
        self.log_gain.copy_(-0.25 * self.variance.log())
        self.back.weight.copy_(kept)
        self.back.bias.copy_(aim)

    def _unit(self, points: Tensor) -> Tensor:
        """Principal components in standard deviations, float (n, 2 symbols)."""
        return (points - self.mean) @ self.basis.T / self.variance.sqrt()

    def send(self, points: Tensor, symbols: int | None = None) -> Tensor:
        """Unit vectors, float (n, dim), to symbols of unit mean power a point, float (n, symbols, 2)."""
        count = symbols or self.config.symbols
        x = self.bend(self._unit(points)) * (self.variance.sqrt() * self.log_gain.exp())
        x = x.unflatten(-1, (-1, 2))[:, :count]
        power = x.square().sum((1, 2), keepdim=True) / count
        return x / power.sqrt().clamp_min(1e-6)

    def _power(self, count: int) -> Tensor:
        """Mean power of each of the leading reals before a message is given unit power, float (2 count,)."""
        return (self.variance * (2 * self.log_gain).exp())[: 2 * count]

    def _amplitude(self, count: int) -> Tensor:
        """Standard deviation of each sent real, float (2 count,), as the receiver knows it."""
        power = self._power(count)
        return (power / power.mean() / 2).sqrt()

    def scale(self, count: int) -> float:
        """What the leading symbols are multiplied with where `count` are sent, as far as a receiver knows."""
        return float(self._power(count).detach().mean().rsqrt())

    def quality(self, noise_var: Tensor) -> Tensor:
        """Share of a point's variance that the linear MMSE estimate keeps: float (n, k) to (n,), 0 to 1."""
        count = noise_var.shape[1]
        noise = noise_var.clamp_min(_LEAST_NOISE).repeat_interleave(2, 1) / 2
        kept = self.variance[: 2 * count] / (1 + noise / self._amplitude(count).square())
        return kept.sum(1) / self.variance.sum()

    def receive(self, symbols: Tensor, noise_var: Tensor) -> Tensor:
        """Received symbols to unit vectors.

        Args:
            symbols: float (n, k, 2), unbiased.
            noise_var: float (n, k), complex noise variance of each.

        Returns:
            float (n, dim).
        """
        count = symbols.shape[1]
        reals = 2 * self.config.symbols
        amplitude = self._amplitude(count)
        heard = symbols.flatten(1) / amplitude  # in standard deviations of what was sent
        noise = noise_var.clamp_min(_LEAST_NOISE).repeat_interleave(2, 1) / 2 / amplitude.square()
        heard = nn.functional.pad(heard, (0, reals - 2 * count))
        noise = nn.functional.pad(noise, (0, reals - 2 * count), value=_NOT_SENT)
        noise = noise.clamp_max(_NOT_SENT)
        shrunk = heard / (1 + noise)  # linear MMSE estimate of a component of unit variance
        sure = 1 / (1 + noise)
        x = self.unbend(shrunk) * (1 + self.trust(torch.cat([sure, shrunk.abs()], -1)))
        # the encoder's normalisation hides a point's own length, which unit vectors do not need
        return nn.functional.normalize(self.back(x * self.variance.sqrt()), dim=-1)


def receive_all(
    codec: SpaceCodec, symbols: Sequence[Tensor], noise_var: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Several messages at once, those of one length together.

    Args:
        codec: the receiver's.
        symbols: of each message, float (k, 2), unbiased.
        noise_var: of each message, float (k,).

    Returns:
        Unit vectors, float (n, dim), and qualities, float (n,), as of :meth:`SpaceCodec.quality`.
    """
    points = torch.zeros(len(symbols), codec.config.dim)
    quality = torch.zeros(len(symbols))
    alike: dict[int, list[int]] = {}
    for row, one in enumerate(symbols):
        alike.setdefault(len(one), []).append(row)
    for rows in alike.values():
        noise = torch.stack([noise_var[row] for row in rows])
        points[rows] = codec.receive(torch.stack([symbols[row] for row in rows]), noise)
        quality[rows] = codec.quality(noise)
    return points, quality


@dataclass(frozen=True)
class SpaceCodecStage:
    """How the codec is trained.

    Attributes:
        minutes: time; steps: of the schedule, whichever ends first.
        batch: points a step.
        learning_rate: of AdamW; it falls as a half cosine.
        least_snr_db, most_snr_db: Es/N0 is drawn evenly between them.
        scale, contrast: inverse temperature of the contrastive part, and its weight.
        meaning: ask for the sentences' points instead of the sent ones.
        impaired: share of messages that meet interference, erasures or phase noise too; it was worth nothing
            where the receiver tells the noise of each symbol (`m4sc bench impairments`).
        seed: of everything random.
    """

    minutes: float = 5.0
    steps: int = 1500
    batch: int = 256
    learning_rate: float = 5e-4
    least_snr_db: float = -5.0
    most_snr_db: float = 20.0
    scale: float = 15.0
    contrast: float = 0.0
    meaning: bool = False
    impaired: float = 0.0
    seed: int = 0


def train_space_codec(
    codec: SpaceCodec,
    points: Tensor,
    targets: Tensor,
    stage: SpaceCodecStage,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train the codec in place through AWGN and fading, with 8 to all of its symbols.

    The loss asks for the point itself, and that the received point still finds its sentences among those of
    the batch.

    Args:
        codec: after :meth:`SpaceCodec.fit`.
        points: unit vectors that are sent, float (n, dim).
        targets: unit vectors of m sentences that each stands for, float (n, m, dim).
        stage, progress: as of training.
    """
    generator, impairments = torch.Generator().manual_seed(stage.seed), Impairments(stage.impaired)
    optimizer = torch.optim.AdamW(codec.parameters(), lr=stage.learning_rate, weight_decay=1e-2)
    schedule = half_cosine(optimizer, stage.steps)
    codec.train()
    started = time.monotonic()
    low, high = math.log2(codec.config.least_symbols), math.log2(codec.config.symbols)
    for step in range(stage.steps):
        chosen = torch.randint(len(points), (stage.batch,), generator=generator)
        said = torch.randint(targets.shape[1], (stage.batch,), generator=generator)
        sent_points, meant = points[chosen], targets[chosen, said]
        count = round(2 ** (low + (high - low) * float(torch.rand((), generator=generator))))
        spread = stage.most_snr_db - stage.least_snr_db
        snr_db = stage.least_snr_db + spread * torch.rand(stage.batch, generator=generator)
        channel = ("awgn", "rayleigh")[int(torch.rand((), generator=generator) < 0.3)]
        sent = codec.send(sent_points, count)
        received, noise_var = transmit(sent[:, :, None], snr_db, channel, generator)
        received, noise_var = impair(received, noise_var, impairments, generator)
        found = codec.receive(received[:, :, 0], noise_var[:, :, 0])
        near = nn.functional.cross_entropy(found @ meant.T * stage.scale, torch.arange(stage.batch))
        aim = meant if stage.meaning else sent_points
        loss = (1 - (found * aim).sum(-1)).mean() + stage.contrast * near
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            progress(step, float(loss.detach()))
        if time.monotonic() - started > 60 * stage.minutes:
            break
    codec.eval()
