"""What a sweep measures one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from m4sc.evaluate.sweep.config import SweepConfig, SystemSpec
from m4sc.evaluate.sweep.systems import carries


@dataclass(frozen=True)
class Point:
    """One system on one task at one point of a channel."""

    system: SystemSpec
    task: str
    channel: str
    snr_db: float

    @property
    def key(self) -> str:
        """Names the point in the rows."""
        return f"{self.system.name}/{self.task}/{self.channel}/{self.snr_db:g}"


def points_of(config: SweepConfig) -> list[Point]:
    """All points, those of one system and task together: a worker keeps what they share."""
    return [
        Point(system, task, channel, snr_db)
        for task in config.tasks
        for system in config.systems
        if carries(system, task)
        for channel, snr_db in config.points
    ]
