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
        cpu_s: of all cores, that the messages took to cross.
    """

    snr_db: float
    snr_low: float
    snr_high: float
    lost: int
    cpu_s: float
    score: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None


@dataclass(frozen=True)
class Agreement:
    """Both ways at one point; apart_db: median over messages of the link's SNR less the radio's."""

    channel: str
    snr_db: float
    messages: int
    link: Side
    radio: Side
    apart_db: float

    @property
    def agrees(self) -> bool:
        """SNRs within `MOST_DB`, each score within the other's interval."""
        if not abs(self.apart_db) <= MOST_DB:
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

    They agree where the SNR after the equaliser is within 0.5 dB (median over the messages that both receive)
    and, with --data, each score within the other's 95 % interval. Each message has a channel of its own, the
    same for both; noise is drawn anew.

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
            found.append(_compared(cases, channel, level))
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
        speed = f"; {one.messages / side.cpu_s:.0f} messages a core's second" if side.score is None else ""
        yield f"{side.snr_db:.2f} dB ({side.snr_low:.2f} to {side.snr_high:.2f}){score}{speed}"
    yield f"{one.apart_db:+.2f}"
    yield f"{one.link.lost}, {one.radio.lost}"
    yield "yes" if one.agrees else "NO"


def _compared(cases: _Random | _Trained, channel: str, snr_db: float) -> Agreement:
    import numpy as np
    from m4sc.evaluate.link_way import LinkWay, draw_channels
    from m4sc.phy.waveform import WaveformConfig
    from m4sc_flowgraphs.radio_way import RadioWay

    responses = draw_channels(channel, cases.n, WaveformConfig(), cases.seed)
    sides, snrs = [], []
    for way in (LinkWay(), RadioWay()):
        side, told = cases.side(_Given(way, responses), channel, snr_db)
        sides.append(side)
        snrs.append(np.asarray(told))
    both = np.isfinite(snrs[0]) & np.isfinite(snrs[1])
    apart = float(np.median((snrs[0] - snrs[1])[both])) if both.any() else float("nan")
    return Agreement(channel, snr_db, cases.n, sides[0], sides[1], apart)


class _Given:
    """A way under channels that are given: the n-th message of a call has the n-th."""

    def __init__(self, way: Any, responses: Any) -> None:
        self.name, self.framed = way.name, way.framed
        self._way, self._responses = way, responses

    def cross_all(
        self,
        payloads: Sequence[Any],
        channel: str,
        snr_db: float,
        rngs: Sequence[Any],
        configs: Sequence[Any],
    ) -> list[Any]:
        """As :meth:`m4sc.evaluate.ways.Way.cross_all`."""
        given = self._responses[: len(payloads)]
        return list(self._way.cross_given(payloads, channel, snr_db, rngs, configs, given))


class _Random:
    """Messages of Gaussian symbols: no model, no data set."""

    def __init__(self, n: int, seed: int) -> None:
        import numpy as np
        from m4sc.codecs.base import Payload

        rng = np.random.default_rng([seed, 7])
        latents = rng.normal(scale=0.5**0.5, size=(n, _SYMBOLS, 2)).astype(np.float32)
        self.n, self.seed = n, seed
        self._payloads = [Payload(1, "image", 7, one) for one in latents]

    def side(self, way: _Given, channel: str, snr_db: float) -> tuple[Side, list[float]]:
        """What came of the messages, and the SNR of each."""
        import time

        from m4sc.evaluate.harness import point_rngs
        from m4sc.evaluate.systems import frames_for

        configs = [frames_for(snr_db, None, way.framed)] * self.n
        way.cross_all(self._payloads[:1], channel, snr_db, point_rngs(9, 1, channel, snr_db), configs[:1])
        started = time.process_time()  # what is compiled is compiled now
        rngs = point_rngs(self.seed, self.n, channel, snr_db)
        crossings = way.cross_all(self._payloads, channel, snr_db, rngs, configs)
        spent = time.process_time() - started
        snrs = [crossing.snr_db for crossing in crossings]
        return Side(*_interval(snrs), sum(c.received is None for c in crossings), spent), snrs


class _Trained:
    """Messages of a task's test split through the semantic system."""

    def __init__(self, model: Any, examples: Sequence[Any], seed: int) -> None:
        self.n, self.seed = len(examples), seed
        self._model, self._examples = model, examples

    def side(self, way: _Given, channel: str, snr_db: float) -> tuple[Side, list[float]]:
        """What came of the messages, and the SNR of each."""
        import time

        from m4sc.evaluate.harness import point_rngs
        from m4sc.evaluate.measures import measures_of
        from m4sc.evaluate.metrics.bootstrap import crossed_interval
        from m4sc.evaluate.systems import Semantic

        system = Semantic(self._model, way=way)
        started = time.process_time()
        sent = system.send_all(
            self._examples, channel, snr_db, point_rngs(self.seed, self.n, channel, snr_db)
        )
        spent = time.process_time() - started
        measure = measures_of(self._examples[0].task)[0]
        values = measure.each([delivery.said for delivery in sent], self._examples)
        media = [example.media_id for example in self._examples]
        low, high = crossed_interval(values[None], measure.figure, media, seed=self.seed)
        snrs = [delivery.snr_db for delivery in sent]
        lost = sum(delivery.said is None for delivery in sent)
        score = float(measure.figure(values.mean(0)))
        return Side(*_interval(snrs), lost, spent, score, low, high), snrs


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
