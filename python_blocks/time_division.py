"""Several transmitters take turns on one channel."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from .frame_transmitter import DONE_TAG
from .inbox import add_stop_port, begin_run

_IDLE_S = 0.002


class time_division(gr.basic_block):  # noqa: N801
    """Time division: tagged bursts of several transmitters in, one stream without collisions out.

    Ports: ``n_users`` complex streams and message ``stop`` in, one complex stream out.

    Each burst (a length tag on its first sample) goes out whole, then ``guard_samples`` zeros; after it the
    next input that holds a burst has its turn. Samples between bursts are left out. Tags read: the length
    tag; ``m4sc_done``, which goes out once every input has sent it. Tags written: the length tag,
    ``m4sc_done``. A PDU with ``done`` on ``stop`` ends the stream.

    Counters: ``bursts``, ``bursts_<input>`` and ``errors`` (a message on ``stop`` that is no PDU).

    Args:
        n_users: inputs, 1 to 16.
        guard_samples: zeros after each burst, >= 64: the receiver tells two bursts apart by them.
        packet_len_key: name of the length tag; give the transmitters the same.
    """

    def __init__(
        self, n_users: int = 2, guard_samples: int = 800, packet_len_key: str = "packet_len"
    ) -> None:
        if not 1 <= n_users <= 16:
            raise ValueError(f"n_users is {n_users}; give 1 to 16")
        if guard_samples < 64:
            raise ValueError(f"guard_samples is {guard_samples}; give at least 64")
        if not packet_len_key:
            raise ValueError("packet_len_key is empty; name the transmitters' length tag")
        gr.basic_block.__init__(self, "m4sc_time_division", [np.complex64] * n_users, [np.complex64])
        self.set_tag_propagation_policy(gr.TPP_DONT)
        self._key, self._done_key = pmt.intern(packet_len_key), pmt.intern(DONE_TAG)
        self._guard = int(guard_samples)
        self._turn = 0  # input that is looked at first
        self._burst_left = 0  # samples of the burst under way
        self._zeros_left = self._guard  # zeros before the next burst
        self._done = [False] * n_users
        self._ended = self._stopped = False
        self.counters: Counter[str] = Counter(bursts=0, errors=0)
        add_stop_port(self, self._accept_stop)

    def _accept_stop(self) -> None:
        self._stopped = True

    def start(self) -> bool:
        """Go on between two bursts, or begin anew after an end; called by the scheduler."""
        begin_run(self)
        if self._ended or self._stopped:
            self._done = [False] * len(self._done)
            self._ended = self._stopped = False
        self._burst_left, self._zeros_left = 0, self._guard
        return True

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        """Call whenever there is room: any input may have its turn."""
        return [0] * ninputs

    def general_work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """One step a call: zeros, a part of the burst under way, or the search for the next one."""
        out = output_items[0]
        if self._stopped:
            return -1  # WORK_DONE
        if self._zeros_left:
            made = min(self._zeros_left, len(out))
            out[:made] = 0
            self._zeros_left -= made
        elif self._burst_left:
            made = min(self._burst_left, len(input_items[self._turn]), len(out))
            out[:made] = input_items[self._turn][:made]
            self.consume(self._turn, made)
            self._burst_left -= made
            if self._burst_left == 0:
                self._zeros_left = self._guard
                self._turn = (self._turn + 1) % len(self._done)
        elif not self._find_burst(input_items) and all(self._done) and not self._ended:
            self._ended, made = True, 1
            self._zeros_left = self._guard  # filters downstream hold the last samples of a stream back
            out[0] = 0
            self.add_item_tag(0, self.nitems_written(0), self._done_key, pmt.from_long(1))
        else:
            made = 0
        if made == 0 and not self._burst_left:
            time.sleep(_IDLE_S)  # nothing to send: let others have the processor
        return made

    def _find_burst(self, input_items: list[Any]) -> bool:
        """Go to the next burst, this turn's input first; what lies before it is left out."""
        n_users = len(self._done)
        for user in (*range(self._turn, n_users), *range(self._turn)):
            first, waiting = self.nitems_read(user), len(input_items[user])
            for tag in sorted(self.get_tags_in_window(user, 0, waiting), key=lambda tag: tag.offset):
                if pmt.eq(tag.key, self._done_key):
                    self._done[user] = True
                elif pmt.eq(tag.key, self._key):
                    self.consume(user, tag.offset - first)
                    self._turn, self._burst_left = user, pmt.to_long(tag.value)
                    self.add_item_tag(0, self.nitems_written(0), self._key, tag.value)
                    self.counters["bursts"] += 1
                    self.counters[f"bursts_{user}"] += 1
                    return True
            self.consume(user, waiting)
        return False
