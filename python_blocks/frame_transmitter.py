"""Symbols PDUs to a stream of OFDM bursts."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from .inbox import Inbox, Waiting, add_stop_port
from .message_worker import put_message
from .pdu import make_pdu, read_pdu

DONE_TAG = "m4sc_done"
IDLE = ("wait", "zeros")
_IDLE_S = 0.002
_LEAD_IN = 64
_LOOK_AHEAD = 1700  # samples from a burst's start that a receiver waits for, of the default waveform
_KINDS = {"analog": "ANALOG", "qam": "QAM", "digital": "DIGITAL", "group": "GROUP"}


def header_of(meta: dict[str, Any], n_symbols: int) -> Any:
    """The header of a symbols PDU and of its message; raises ValueError where a field is missing or out of
    range.
    """
    from m4sc.phy.header.fields import PayloadKind
    from m4sc.transport.message_header import Modality, TransportHeader

    kind, modality = str(meta.get("payload_kind", "analog")), str(meta.get("modality", "image"))
    if kind not in _KINDS:
        raise ValueError(f"payload_kind is '{kind}'; use {', '.join(_KINDS)}")
    return TransportHeader(
        payload_kind=PayloadKind[_KINDS[kind]],
        n_symbols=n_symbols,
        sequence=int(meta.get("sequence", 0)) & 0xFFFF,
        source_id=int(meta.get("source_id", 0)),
        user_id=int(meta.get("user_id", 0)),
        task_id=int(meta.get("task_id", 0)),
        modality=Modality.of(modality),
        mcs=int(meta.get("mcs", 0)),
        model_fingerprint=int(meta.get("model_fingerprint", 0)),
        public=bool(meta.get("public", False)),
        segment=int(meta.get("segment", 0)),
        n_segments=int(meta.get("n_segments", 1)),
        payload_bytes=int(meta.get("payload_bytes", 0)),
        interleaved=bool(meta.get("interleaved", False)),
        precoded=bool(meta.get("precoded", False)),
        short=bool(meta.get("short_fingerprint", False)),
    )


class frame_transmitter(gr.sync_block):  # noqa: N801
    """Frame transmitter: symbols PDU in, complex baseband samples out.

    Ports: message ``symbols`` and ``stop`` in, ``status`` out; stream out, complex64 at
    ``waveform.samp_rate``.

    Each symbols PDU (complex64 (k,)) becomes one burst: preamble, header, payload; then ``gap_samples``
    zeros, and as many before the first. Header fields come from its metadata: ``payload_kind``,
    ``sequence``, ``source_id``, ``user_id``, ``task_id``, ``modality``, ``mcs``, ``model_fingerprint``,
    ``public``, ``segment``, ``n_segments``, ``payload_bytes``, ``interleaved``, ``precoded``.
    Tags written: ``packet_len`` (samples, on a burst's first sample, gap excluded), if ``packet_len_key``
    is given; ``m4sc_done`` after the last burst once a ``done`` PDU came. Any PDU with ``done`` on port
    ``stop`` ends the stream. ``status`` carries one PDU a frame (``event`` = ``sent``, ``sequence``,
    ``segment``, ``copy``, ``n_symbols``, ``air_time_s``) and one a fault.

    A PDU becomes samples when its turn comes, so that ``queue_len`` bounds what is held, however long the
    bursts; its slot is free again once its samples have left. How senders wait for one, and what happens to
    what comes without: see ``message_worker``.

    Counters: ``received``, ``sent``, ``errors``, ``dropped`` (no room, or the flowgraph stopped before their
    turn).

    Args:
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default.
        gap_samples: zeros after each burst, >= 0; more after a burst so short that a receiver would wait for
            the next one, where ``idle`` gives it no silence.
        idle: ``wait`` gives no samples between messages (simulation), ``zeros`` gives silence (a radio).
        packet_len_key: name of the length tag, empty for none.
        amplitude: factor on the samples, linear; 1.0 keeps the waveform's own power, on which the SNR is
            defined.
        end_on_done: end the stream right after the last burst instead of waiting for ``stop``.
        clip_db: soft clipping of the samples at this power over a payload's mean, dB, >= 0; ``float('inf')``
            for none.
        queue_len: PDUs held at most, >= 1.
        protection: number of the header's protection, ``m4sc.phy.header.protection.PROTECTIONS``: 0 from 3
            dB on to 3 down to -9.4 dB, of PDUs whose metadata name none. A receiver sees which it is.
    """

    def __init__(
        self,
        waveform: Any = None,
        gap_samples: int = 800,
        idle: str = "wait",
        packet_len_key: str = "",
        amplitude: float = 1.0,
        end_on_done: bool = False,
        clip_db: float = float("inf"),
        queue_len: int = 64,
        protection: int = 1,
    ) -> None:
        self._block_name = f"m4sc_{type(self).__name__}"
        gr.sync_block.__init__(self, self._block_name, [], [np.complex64])
        from m4sc.phy.header.protection import get_protection
        from m4sc.phy.waveform import WaveformConfig

        if gap_samples < 0:
            raise ValueError(f"gap_samples is {gap_samples}; give 0 or more")
        if idle not in IDLE:
            raise ValueError(f"idle is '{idle}'; use 'wait' or 'zeros'")
        if not amplitude > 0:
            raise ValueError(f"amplitude is {amplitude}; give a factor above 0")
        self.waveform = WaveformConfig() if waveform is None else waveform
        self.counters: Counter[str] = Counter(received=0, sent=0, errors=0)
        if not clip_db >= 0:
            raise ValueError(f"clip_db is {clip_db}; give 0 dB or more, or inf for no clipping")
        self._clip_db, self._protection = float(clip_db), get_protection(protection)
        self._gap, self._idle, self._amplitude = gap_samples, idle, float(amplitude)
        self._key = pmt.intern(packet_len_key) if packet_len_key else None
        self._end_on_done = end_on_done
        self._ended = self._begun = self._closing = False
        self._chunks: deque[tuple[np.ndarray, Any]] = deque()  # of one PDU: (samples left, tag or None)
        self._holds_slot = False  # whether the PDU that the chunks are of still has its slot
        self._status = pmt.intern("status")
        self._inbox = Inbox(self, {"symbols": queue_len}, self.counters, self._report_losses, pulled=True)
        add_stop_port(self, self._accept_stop)
        self.message_port_register_out(self._status)

    def start(self) -> bool:
        """Begin a new stream; called by the scheduler."""
        self._ended = self._begun = self._closing = False
        self._inbox.open()
        return True

    def stop(self) -> bool:
        """Drop and count what was not sent; called by the scheduler."""
        self._inbox.close()
        self._inbox.clear()
        self._chunks.clear()
        self._holds_slot = False
        return True

    def put(self, message: Any, timeout: float | None = None) -> bool:
        """Hand a symbols PDU in from Python; waits for a free slot on the caller's thread.

        Args:
            message: PDU as PMT.
            timeout: longest wait, s; None: until there is a slot or the flowgraph stops.

        Returns:
            Whether it was taken; False when the time was over or the flowgraph has stopped.
        """
        return put_message(self, self._inbox, "symbols", message, timeout)

    def _next(self) -> bool:
        """Have the chunks of the next PDU made; False if none waits."""
        if self._holds_slot:
            self._holds_slot = False
            self._inbox.gates["symbols"].release()
        waiting = self._inbox.take()
        if waiting is not None:
            self._holds_slot = not waiting.done
            self._modulate(waiting)
        return waiting is not None

    def _modulate(self, waiting: Waiting) -> None:
        if waiting.done:
            self._chunks.append((np.zeros(max(1, self._gap), np.complex64), (DONE_TAG, 1)))
            return
        meta: dict[str, Any] = {}
        try:
            meta, payload = read_pdu(waiting.message)
            self.counters["received"] += 1
            burst = self._clipped(self._burst(meta, np.asarray(payload))) * np.float32(self._amplitude)
            if not self._begun:  # filters on the way swallow the first samples of a stream
                self._chunks.append((np.zeros(max(_LEAD_IN, self._gap), np.complex64), None))
                self._begun = True
            self._chunks.append((burst, ("packet_len", burst.size)))
            gap = self._gap if self._idle == "zeros" else max(self._gap, _LOOK_AHEAD - burst.size)
            if gap:
                self._chunks.append((np.zeros(gap, np.complex64), None))
            self.counters["sent"] += 1
            seconds = burst.size / self.waveform.samp_rate
            self._report(
                meta, event="sent", n_symbols=payload.size, air_time_s=seconds, copy=meta.get("copy")
            )
        except Exception as exc:  # the next message must still be sent
            self.counters["errors"] += 1
            reason = str(exc) if isinstance(exc, ValueError) else f"{type(exc).__name__}: {exc}"
            self.logger.warn(f"frame not sent: {reason}")
            self._report(meta, event="error", reason=reason)

    def _burst(self, meta: dict[str, Any], payload: np.ndarray) -> np.ndarray:
        """Samples of one PDU, complex64; raises ValueError where it cannot be sent."""
        from m4sc.phy.frame import modulate_frame
        from m4sc.phy.header.protection import get_protection

        if payload.dtype != np.complex64 or payload.size == 0:
            raise ValueError(f"a symbols PDU holds complex64 symbols; got {payload.size} of {payload.dtype}")
        header, message = header_of(meta, payload.size).split()
        asked = meta.get("protection")
        protection = self._protection if asked is None else get_protection(int(asked))
        return np.asarray(modulate_frame(header, payload, self.waveform, protection, message))

    def _clipped(self, burst: np.ndarray) -> np.ndarray:
        from m4sc.phy.channel.simulator import mean_sample_power
        from m4sc.phy.modulation.clipping import soft_clip

        if np.isinf(self._clip_db):
            return burst
        return soft_clip(burst, self._clip_db, mean_sample_power(self.waveform))

    def _accept_stop(self) -> None:
        self._ended = True

    def _report_losses(self, reason: str, count: int) -> None:
        self.logger.warn(f"dropped: {reason}")
        self._report({}, event="dropped", reason=reason, count=count)

    def _report(self, meta: dict[str, Any], **fields: Any) -> None:
        known = {key: meta.get(key) for key in ("sequence", "source_id", "user_id", "segment", "n_segments")}
        self.message_port_pub(self._status, make_pdu({"block": self._block_name, **known, **fields}, b""))

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Copy what waits into the output buffer."""
        self._inbox.tell_losses()
        out = output_items[0]
        made = 0
        while made < len(out):
            if not self._chunks:
                if not self._next():
                    break
                continue
            samples, tag = self._chunks[0]
            if tag is not None:
                self._tag(self.nitems_written(0) + made, *tag)
            n = min(samples.size, len(out) - made)
            out[made : made + n] = samples[:n]
            made += n
            if n == samples.size:
                self._chunks.popleft()
            else:
                self._chunks[0] = (samples[n:], None)
        if made:
            return made
        if self._ended or (self._closing and self._end_on_done):
            return -1  # WORK_DONE
        if self._idle == "zeros":
            out[:] = 0
            return len(out)
        time.sleep(_IDLE_S)  # nothing to send: let others have the processor
        return 0

    def _tag(self, offset: int, name: str, value: int) -> None:
        if name == DONE_TAG:
            self._closing = True
            self.add_item_tag(0, offset, pmt.intern(DONE_TAG), pmt.from_long(value))
        elif self._key is not None:
            self.add_item_tag(0, offset, self._key, pmt.from_long(value))
