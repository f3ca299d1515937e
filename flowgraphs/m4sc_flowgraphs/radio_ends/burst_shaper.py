"""Bursts as transmitters of hardware want them: whole, scaled, padded, and nothing between them."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

_LEN_KEY = pmt.intern("packet_len")
_TIME_KEY = pmt.intern("tx_time")
_LIMIT = 0.99


def shape_burst(burst: np.ndarray, gain: float, pad_samples: int) -> tuple[np.ndarray, bool]:
    """Scale a burst, keep its peak below full scale, put silence around it.

    Args:
        burst: complex64 (n,).
        gain: factor, linear.
        pad_samples: zeros before and after.

    Returns:
        complex64 (n + 2 pad_samples,), and whether the burst had to be scaled further down: the whole
        burst by one factor, which a receiver's channel estimate takes in, instead of clipping it.
    """
    shaped = burst * np.float32(gain)
    peak = float(np.max(np.abs(shaped), initial=0.0))
    limited = peak > _LIMIT
    if limited:
        shaped *= np.float32(_LIMIT / peak)
    return np.pad(shaped, pad_samples).astype(np.complex64), limited


class BurstShaper(gr.basic_block):
    """Passes tagged bursts only, complete, for a sink that reads length tags.

    Tags read and written: ``packet_len`` on a burst's first sample (written with the padding). Written:
    ``tx_time`` if ``clock`` is given. Samples outside bursts are dropped, so that a USRP sink finds no gap
    between tags. Counters: ``bursts``, ``limited`` (bursts scaled down to stay below full scale).

    Args:
        gain: factor on the samples, linear, > 0.
        pad_samples: zeros before and after each burst, for the ramps of the analogue filters.
        clock: returns the device's time, s; None sends as soon as possible.
        lead_s: a burst's start after the device's time when it is complete, s.
        samp_rate: samples a second; timed bursts do not overlap.
    """

    def __init__(
        self,
        gain: float,
        pad_samples: int = 64,
        clock: Any = None,
        lead_s: float = 0.01,
        samp_rate: float = 1e6,
    ) -> None:
        gr.basic_block.__init__(self, "m4sc_burst_shaper", [np.complex64], [np.complex64])
        if not gain > 0 or pad_samples < 0:
            raise ValueError(f"gain {gain} must be above 0 and pad_samples {pad_samples} not negative")
        self.counters: Counter[str] = Counter(bursts=0, limited=0)
        self._gain, self._pad, self._clock = float(gain), int(pad_samples), clock
        self._lead_s, self._samp_rate, self._free_s = float(lead_s), float(samp_rate), 0.0
        self._parts: list[np.ndarray] = []
        self._missing = 0
        self._ready: deque[tuple[np.ndarray, bool]] = deque()  # samples left, whether they begin a burst
        self.set_tag_propagation_policy(gr.TPP_DONT)

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        """Input is needed only while no burst waits."""
        return [0 if self._ready else 1] * ninputs

    def general_work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Collect bursts; copy those that are complete."""
        samples, out = input_items[0], output_items[0]
        if not self._ready and len(samples):
            self._collect(samples)
            self.consume(0, len(samples))
        made = 0
        while self._ready and made < len(out):
            burst, begins = self._ready[0]
            if begins:
                self._tag(self.nitems_written(0) + made, len(burst))
            count = min(len(burst), len(out) - made)
            out[made : made + count] = burst[:count]
            made += count
            self._ready.popleft()
            if count < len(burst):
                self._ready.appendleft((burst[count:], False))
        return made

    def _collect(self, samples: np.ndarray) -> None:
        place = 0
        base = self.nitems_read(0)
        tags = deque(
            (int(tag.offset) - base, pmt.to_long(tag.value))
            for tag in sorted(self.get_tags_in_window(0, 0, len(samples), _LEN_KEY), key=lambda t: t.offset)
        )
        while place < len(samples):
            if self._missing:
                part = samples[place : place + self._missing].copy()
                self._parts.append(part)
                self._missing -= len(part)
                place += len(part)
                if not self._missing:
                    self._finish()
                continue
            while tags and tags[0][0] < place:
                tags.popleft()
            if not tags:
                return
            place, self._missing = tags.popleft()

    def _finish(self) -> None:
        burst, limited = shape_burst(np.concatenate(self._parts), self._gain, self._pad)
        self._parts = []
        self.counters["bursts"] += 1
        self.counters["limited"] += int(limited)
        self._ready.append((burst, True))

    def _tag(self, offset: int, length: int) -> None:
        self.add_item_tag(0, offset, _LEN_KEY, pmt.from_long(length))
        if self._clock is None:
            return
        start = max(float(self._clock()) + self._lead_s, self._free_s)
        self._free_s = start + length / self._samp_rate
        whole = int(start)
        time = pmt.make_tuple(pmt.from_uint64(whole), pmt.from_double(start - whole))
        self.add_item_tag(0, offset, _TIME_KEY, time)
