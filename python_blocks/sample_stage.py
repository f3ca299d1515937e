"""Stages of ``m4sc.phy.channel`` as stream blocks; parts of :class:`channel`, not blocks of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from .frame_transmitter import DONE_TAG


class sample_stage(gr.sync_block):  # noqa: N801
    """Complex samples through stages that give as many as they take; tags pass.

    Args:
        stages: objects with ``process(samples) -> samples`` and a state of their own.
    """

    def __init__(self, stages: Sequence[Any]) -> None:
        gr.sync_block.__init__(self, "m4sc_sample_stage", [np.complex64], [np.complex64])
        self._stages = list(stages)

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Process what came."""
        samples = input_items[0]
        for stage in self._stages:
            samples = stage.process(samples)
        output_items[0][:] = samples
        return len(output_items[0])


class clock_stage(gr.basic_block):  # noqa: N801
    """A sampling clock that is off: slightly more or fewer samples out than in.

    Tags move with their samples. The interpolator holds 16 samples back; ``m4sc_done`` flushes them, so that
    a stream that waits for its end behind that tag still ends.

    Args:
        clock: ``m4sc.phy.channel.resampler.ClockOffset``.
        sfo_ppm: its offset, for the places of tags.
    """

    def __init__(self, clock: Any, sfo_ppm: float) -> None:
        gr.basic_block.__init__(self, "m4sc_clock_stage", [np.complex64], [np.complex64])
        self._clock, self._ratio = clock, 1.0 + sfo_ppm * 1e-6
        self._waiting = np.zeros(0, np.complex64)
        self._tags: list[tuple[int, Any, Any]] = []  # (output sample, key, value)
        self.set_tag_propagation_policy(gr.TPP_DONT)

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        """One sample is enough, and none while output waits."""
        return [0 if len(self._waiting) else 1] * ninputs

    def general_work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Resample what fits."""
        out = output_items[0]
        samples = input_items[0][: max(0, len(out) - len(self._waiting) - 32)]
        made = [self._waiting]
        if len(samples):
            made.append(self._clock.process(samples))
            done = False
            for tag in self.get_tags_in_window(0, 0, len(samples)):
                self._tags.append((round(tag.offset / self._ratio), tag.key, tag.value))
                done = done or pmt.symbol_to_string(tag.key) == DONE_TAG
            if done:
                made.append(self._clock.flush())
        ready = np.concatenate(made).astype(np.complex64)
        count = min(len(ready), len(out))
        out[:count], self._waiting = ready[:count], ready[count:]
        written = self.nitems_written(0)
        for place, key, value in [tag for tag in self._tags if tag[0] < written + count]:
            self.add_item_tag(0, max(place, written), key, value)
        self._tags = [tag for tag in self._tags if tag[0] >= written + count]
        self.consume(0, len(samples))
        return count
