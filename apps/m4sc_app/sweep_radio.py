"""A sweep's points through the flowgraph of GNU Radio."""

from __future__ import annotations

from m4sc.evaluate.sweep.config import SweepConfig
from m4sc.evaluate.sweep.ground import Place
from m4sc.evaluate.sweep.measured import measure_through
from m4sc.evaluate.sweep.points import Point
from m4sc.evaluate.sweep.store import Rows


def measure_over_radio(config: SweepConfig, point: Point, place: Place) -> Rows:
    """Rows of a point, through the blocks; as :func:`m4sc.evaluate.sweep.measured.measure_one`."""
    from m4sc_flowgraphs.radio_way import RadioWay

    return measure_through(RadioWay(), config, point, place)
