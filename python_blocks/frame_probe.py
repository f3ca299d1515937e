"""What a received frame looked like, as streams for GNU Radio's own displays."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from .inbox import Puller, begin_run
from .pdu import carries_done, read_pdu

_IDLE_S = 0.005
_COPIES = 2  # of every item
_KEPT = 64  # frames that wait for a slow display; older ones are left out


class frame_probe(gr.sync_block):  # noqa: N801
    """Frame probe: symbols PDU in, two equal items a frame out, for stock Qt sinks.

    GNU Radio's vector sink shows the item behind the first one it is given (3.10, ``vector_sink_f``), and
    with a single one what its buffer held before: so every item is sent twice, both at once.

    Ports: message ``symbols`` in. Streams out, two items a frame: 0: complex64 vector of ``n_points``
    equalised symbols (the frame's first ones, repeated where it has fewer), for a constellation sink behind
    a vector-to-stream block; 1: float32 vector of ``n_carriers``, power gain of the channel estimate on each
    carrier, dB, lowest carrier first. Both must be connected.

    A frame that does not fit (other number of carriers) counts in ``counters['errors']``; when the display is
    slower than the frames come, the oldest are left out (``counters['dropped']``) and nobody waits; those
    shown count in ``counters['received']``.

    Args:
        n_points: symbols shown of a frame, >= 1.
        n_carriers: carriers of the channel estimate ``h_hat``, >= 1.
    """

    def __init__(self, n_points: int = 256, n_carriers: int = 48) -> None:
        if n_points < 1 or n_carriers < 1:
            raise ValueError(f"n_points is {n_points} and n_carriers {n_carriers}; give at least 1")
        points, carriers = (np.complex64, n_points), (np.float32, n_carriers)
        gr.sync_block.__init__(self, "m4sc_frame_probe", [], [points, carriers])
        self.set_output_multiple(_COPIES)
        self._n_points, self._n_carriers = int(n_points), int(n_carriers)
        self._frames: deque[Any] = deque()  # PDUs as they came; read when their turn comes
        self._ended = False
        self.counters: Counter[str] = Counter(received=0, errors=0, dropped=0)
        self.message_port_register_in(pmt.intern("symbols"))
        self._puller = Puller(self, {"symbols": self._accept})

    def start(self) -> bool:
        """Begin; called by the scheduler."""
        begin_run(self)
        self._ended = False
        self._puller.start()
        return True

    def stop(self) -> bool:
        """Count what was not shown; called by the scheduler."""
        self._puller.stop()
        self._puller.pull()
        waiting = len(self._frames)
        self._frames.clear()
        self.counters["dropped"] += waiting
        return True

    def _accept(self, message: Any) -> None:
        if carries_done(message):
            self._ended = True
            return
        self._frames.append(message)
        if len(self._frames) > _KEPT:
            self._frames.popleft()
            self.counters["dropped"] += 1

    def _shown(self, message: Any) -> tuple[np.ndarray, np.ndarray] | None:
        """Points, complex64 (n_points,), and gains, float32 (n_carriers,) in dB; None for no such frame."""
        try:
            meta, symbols = read_pdu(message)
            self.counters["received"] += 1
            h_hat = np.asarray(meta["h_hat"], dtype=np.complex64)
            if h_hat.size != self._n_carriers or symbols.size == 0:
                raise ValueError(f"{h_hat.size} carriers in the frame; n_carriers is {self._n_carriers}")
            points = np.resize(symbols.astype(np.complex64), self._n_points)
            gain_db = 20.0 * np.log10(np.abs(h_hat) + 1e-6)
            return points, gain_db.astype(np.float32)
        except Exception as exc:  # in work() it would hang the flowgraph
            self.counters["errors"] += 1
            self.logger.warn(f"frame not shown: {exc}")
            return None

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Two items a frame; ends after the last one."""
        self._puller.pull()
        made = 0
        while self._frames and made < len(output_items[0]):
            shown = self._shown(self._frames.popleft())
            if shown is not None:
                for port, value in enumerate(shown):
                    output_items[port][made : made + _COPIES] = value
                made += _COPIES
        if made:
            return made
        if self._ended:
            return -1  # WORK_DONE
        time.sleep(_IDLE_S)
        return 0
