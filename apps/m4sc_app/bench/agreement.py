"""`m4sc bench agreement`: whether the link in torch and the flowgraph of GNU Radio say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from m4sc_app.errors import UserError
from m4sc_app.tables import show

MOST_DB = 0.5
"""SNRs after the equaliser that are no further apart agree."""
_SYMBOLS = 64  # of a message without data sets


@dataclass(frozen=True)
class Side:
    """What one way says of a point.

    Attributes:
        snr_db: after the equaliser, median over messages; snr_low, snr_high: its 95 % interval.
        lost: messages; score, ci_low, ci_high: of the task, None without data sets.
        seconds: that the messages took to cross.
    """

    snr_db: float
    snr_low: float
    snr_high: float
    lost: int
    seconds: float
    score: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None


@dataclass(frozen=True)
class Agreement:
    """Both ways at one point."""

    channel: str
    snr_db: float
    messages: int
    link: Side
    radio: Side

    @property
    def agrees(self) -> bool:
        """SNRs within `MOST_DB`, each score within the other's interval."""
        if not abs(self.link.snr_db - self.radio.snr_db) <= MOST_DB:
            return False
        return all(
            one.score is None or (other.ci_low or 0.0) <= one.score <= (other.ci_high or 0.0)
            for one, other in ((self.link, self.radio), (self.radio, self.link))
        )


def agreement(
    channels: Annotated[str, typer.Option(help="Comma-separated: awgn, rayleigh, tdl-a to tdl-e.")] = "awgn",
    snr: Annotated[str, typer.Option(help="Comma-separated Es/N0 in dB.")] = "0,10",
    n: Annotated[int, typer.Option(min=10, help="Messages a point.")] = 200,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data sets: compare scores of the model, too.")
    ] = None,
    task: Annotated[str, typer.Option(help="Whose messages and scores, with --data.")] = "classify",
    weights: Annotated[str, typer.Option(help="Name or folder of the weights.")] = "default",
    seed: Annotated[int, typer.Option(min=0, help="Of messages and channels.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> int:
    """Send messages through the link in torch and through the flowgraph; exit code 1 if they disagree.

    They agree where the SNR after the equaliser is within 0.5 dB and, with --data, each score within the
    other's 95 % interval. Fading stands still during a message and is drawn anew for each.

    Examples: m4sc bench agreement --channels awgn,tdl-a

    m4sc bench agreement --data DATA --task classify --snr 0,10
    """
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from m4sc_app.link_run import need_gnuradio
    from m4sc_app.report.versions import versions

    need_gnuradio()
    points = [(channel, level) for channel in channels.split(",") for level in _levels(snr)]
    cases = _trained(data, task, weights, n, seed) if data else _Random(n, seed)
    found = []
    with Progress(console=Console(stderr=True)) as bar:
        job = bar.add_task("comparing", total=len(points))
        for channel, level in points:
            found.append(Agreement(channel, level, n, *cases.sides(channel, level)))
            bar.update(job, advance=1, description=f"{channel} {level:g} dB")
    if as_json:
        rows = [{**asdict(one), "agrees": one.agrees} for one in found]
        typer.echo(json.dumps({"versions": versions(), "seed": seed, "points": rows}, indent=1))
    else:
        table = Table(title=f"{n} messages a point, SNR after the equaliser and score, 95 % intervals")
        for name in ("channel", "dB", "link", "radio", "apart, dB", "lost", "agree"):
            table.add_column(name)
        for one in found:
            table.add_row(*_cells(one))
        show(table)
    return 0 if all(one.agrees for one in found) else 1


def _levels(text: str) -> list[float]:
    try:
        return [float(item) for item in text.split(",")]
    except ValueError as error:
        raise UserError(
            f"--snr takes numbers with commas between them, such as 0,10; got {text!r}"
        ) from error


def _cells(one: Agreement) -> Iterator[str]:
    yield one.channel
    yield f"{one.snr_db:g}"
    for side in (one.link, one.radio):
        score = "" if side.score is None else f"; {side.score:.3f} ({side.ci_low:.3f} to {side.ci_high:.3f})"
        speed = f"; {one.messages / side.seconds:.0f} messages/s" if side.score is None else ""
        yield f"{side.snr_db:.2f} dB ({side.snr_low:.2f} to {side.snr_high:.2f}){score}{speed}"
    yield f"{one.link.snr_db - one.radio.snr_db:+.2f}"
    yield f"{one.link.lost}, {one.radio.lost}"
    yield "yes" if one.agrees else "NO"


class _Random:
    """Messages of Gaussian symbols: no model, no data set."""

    def __init__(self, n: int, seed: int) -> None:
        import numpy as np
        from m4sc.codecs.base import Payload

        rng = np.random.default_rng([seed, 7])
        latents = rng.normal(scale=0.5**0.5, size=(n, _SYMBOLS, 2)).astype(np.float32)
        self._payloads, self._seed = [Payload(1, "image", 7, one) for one in latents], seed

    def sides(self, channel: str, snr_db: float) -> tuple[Side, Side]:
        """By the link, by the radio."""
        from m4sc.evaluate.link_way import LinkWay
        from m4sc_flowgraphs.radio_way import RadioWay

        return self._side(LinkWay(), channel, snr_db), self._side(RadioWay(), channel, snr_db)

    def _side(self, way: Any, channel: str, snr_db: float) -> Side:
        import time

        import numpy as np
        from m4sc.evaluate.systems import frames_for

        rngs = [np.random.default_rng([self._seed, i]) for i in range(len(self._payloads))]
        configs = [frames_for(snr_db, None, way.framed)] * len(rngs)
        way.cross_all(self._payloads[:1], channel, snr_db, rngs[:1], configs[:1])  # compiles
        started = time.perf_counter()
        crossings = way.cross_all(self._payloads, channel, snr_db, rngs, configs)
        seconds = time.perf_counter() - started
        lost = sum(crossing.received is None for crossing in crossings)
        return Side(*_interval([crossing.snr_db for crossing in crossings]), lost, seconds)


class _Trained:
    """Messages of a task's test split through the semantic system."""

    def __init__(self, model: Any, examples: Sequence[Any], seed: int) -> None:
        self._model, self._examples, self._seed = model, examples, seed

    def sides(self, channel: str, snr_db: float) -> tuple[Side, Side]:
        """By the link, by the radio."""
        from m4sc.evaluate.link_way import LinkWay
        from m4sc_flowgraphs.radio_way import RadioWay

        return self._side(LinkWay(), channel, snr_db), self._side(RadioWay(), channel, snr_db)

    def _side(self, way: Any, channel: str, snr_db: float) -> Side:
        import time

        import numpy as np
        from m4sc.evaluate.measures import measures_of
        from m4sc.evaluate.metrics.bootstrap import crossed_interval
        from m4sc.evaluate.systems import Semantic

        system = Semantic(self._model, way=way)
        rngs = [np.random.default_rng([self._seed, i]) for i in range(len(self._examples))]
        started = time.perf_counter()
        sent = system.send_all(self._examples, channel, snr_db, rngs)
        seconds = time.perf_counter() - started
        measure = measures_of(self._examples[0].task)[0]
        values = measure.each([delivery.said for delivery in sent], self._examples)
        media = [example.media_id for example in self._examples]
        low, high = crossed_interval(values[None], measure.figure, media, seed=self._seed)
        lost = sum(delivery.said is None for delivery in sent)
        score = float(measure.figure(values.mean(0)))
        return Side(*_interval([d.snr_db for d in sent]), lost, seconds, score, low, high)


def _trained(data: Path, task: str, weights: str, n: int, seed: int) -> _Trained:
    import m4sc
    from m4sc.evaluate.catalogue import test_examples

    if not data.is_dir():
        raise UserError(
            f"there is no folder {data}; 'm4sc data sets' tells what it holds and how to obtain it"
        )
    cache = Path.home() / ".cache" / "m4sc" / "data"
    return _Trained(m4sc.load(weights), test_examples(task, data, n, cache_dir=cache, seed=seed), seed)


def _interval(snrs_db: Sequence[float]) -> tuple[float, float, float]:
    """Median and its 95 % interval (by ranks), of the messages that arrived."""
    import numpy as np

    known = np.sort(np.asarray(snrs_db)[np.isfinite(snrs_db)])
    if not known.size:
        return (float("nan"),) * 3
    reach = 0.98 * known.size**0.5  # ranks: 1.96 standard deviations of a binomial with p = 1/2
    low, high = max(0, int(known.size / 2 - reach)), min(known.size - 1, int(known.size / 2 + reach))
    return float(np.median(known)), float(known[low]), float(known[high])
