"""What a worker does: the rows of one point. What points of a system and task share is kept between them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

from m4sc.data.example import Example
from m4sc.evaluate.catalogue import test_examples
from m4sc.evaluate.envelope import choose_scheme, size_of
from m4sc.evaluate.foreign_system import Foreign
from m4sc.evaluate.harness import Controls, measure, measure_controls
from m4sc.evaluate.sweep.config import SweepConfig, SystemSpec
from m4sc.evaluate.sweep.ground import Ground, Place
from m4sc.evaluate.sweep.points import Point
from m4sc.evaluate.sweep.samples import samples_of
from m4sc.evaluate.sweep.store import Rows
from m4sc.evaluate.sweep.systems import Built, build
from m4sc.evaluate.sweep.training_sets import training_examples
from m4sc.evaluate.systems import Classical, Delivery, Semantic, System
from m4sc.evaluate.ways import LINK, RADIO, SAMPLES, SYMBOLS, SampleWay, SymbolWay, Way

SNR_DEFINITION = "Es/N0 per data subcarrier"
_TRAINING = 2000
_ONE_AT_A_TIME = Lock()  # a worker of somebody else's cluster may have several threads


@dataclass(frozen=True)
class _Work:
    """What the points of one system and task share."""

    built: Built
    examples: list[Example]
    controls: Controls


@lru_cache(maxsize=1)
def _model(weights: str) -> Any:
    import m4sc

    return m4sc.load(weights)


_PLAIN_WAYS: dict[str, Way] = {SYMBOLS: SymbolWay(), SAMPLES: SampleWay()}


@lru_cache(maxsize=3)
def _way(name: str) -> Way:
    if name in _PLAIN_WAYS:
        return _PLAIN_WAYS[name]
    from m4sc.evaluate.link_way import LinkWay  # with torch, which one process that only writes does not need

    return LinkWay()


def _choosing(way: Way) -> Way:
    """The way by which a way's schemes are chosen: the link's for the radio, many times as fast."""
    return way if way.name in _PLAIN_WAYS else _way(LINK)


@lru_cache(maxsize=2)
def _work(config: SweepConfig, spec: SystemSpec, task: str, place: Place, way: Way) -> _Work:
    model = _model(config.weights)
    examples = test_examples(task, place.data, config.examples, cache_dir=place.cache, seed=config.seed)
    training = training_examples(task, place.data, _TRAINING, config.seed)
    ground = Ground(model, training, config.validation, place, config.seed, way, _choosing(way))
    built = build(spec, task, ground)
    return _Work(built, examples, measure_controls(built.system, examples, dict(config.controls).get(task)))


def measure_one(config: SweepConfig, point: Point, place: Place) -> Rows:
    """Rows of a point: each measure, over all examples and by kind.

    Raises:
        ValueError: the way across needs GNU Radio (``m4sc_app.sweep_radio`` has that one).
    """
    if config.through == RADIO:
        raise ValueError("the way 'radio' needs GNU Radio; use m4sc_app.sweep_radio.measure_over_radio")
    return measure_through(_way(config.through), config, point, place)


def measure_through(way: Way, config: SweepConfig, point: Point, place: Place) -> Rows:
    """The same by a way across, by which schemes are chosen too; for the radio by the link."""
    with _ONE_AT_A_TIME:
        return _measure(way, config, point, place)


def _measure(way: Way, config: SweepConfig, point: Point, place: Place) -> Rows:
    work = _work(config, point.system, point.task, place, way)
    samples: list[dict[str, Any]] = []

    def keep(sent: list[Delivery]) -> None:
        samples.extend(samples_of(work.examples, sent))

    rows = measure(
        work.built.system, work.examples, point.channel, point.snr_db, work.controls, config.seeds, keep
    )
    more = {
        "system": point.system.name,
        "codec": point.system.codec,
        "chosen": work.built.chosen,
        "weights": config.weights,
        "weights_hash": f"{int(_model(config.weights).fingerprint) & 0xFFFFFFFF:08x}",
        "snr_definition": SNR_DEFINITION,
        "through": config.through,
        "draw_seed": config.seed,
        "messages": len({example.media_id for example in work.examples}),
        "protection": _protection(work.built.system, point),
        "schemes": _schemes(work.built.system, point, _choosing(way)) if point.system.mcs < 0 else [],
    }
    found = [{**asdict(row), **more} for row in rows]
    found[0]["samples"] = samples
    return found


def _protection(system: System, point: Point) -> int | None:
    """Of the headers of symbols; None where bytes are sent, whose scheme says it."""
    header = system.header if isinstance(system, Semantic | Foreign) else None
    return None if header is None else header(point.channel, point.snr_db)


def _schemes(system: System, point: Point, way: Way) -> list[dict[str, Any]]:
    """The schemes that a point was sent with, and what the draws that chose them say of their loss."""
    used = system.used.get((point.channel, point.snr_db), ()) if isinstance(system, Classical) else ()
    found = []
    for size in sorted({size_of(n_bytes) for _, n_bytes in used}):
        choice = choose_scheme(point.channel, point.snr_db, size, way)
        low, high = choice.interval
        found.append(
            {"mcs": choice.mcs, "bytes": size, "lost": choice.lost, "draws": choice.draws,
             "loss_low": low, "loss_high": high}
        )  # fmt: skip
    return found
