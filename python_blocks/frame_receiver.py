"""A stream of samples to received symbols."""

from __future__ import annotations

import time
from collections import Counter
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pmt
from gnuradio import gr

from .frame_transmitter import DONE_TAG
from .handover import Handover
from .outbox import Outbox
from .pdu import done_pdu, make_entries, make_pdu

if TYPE_CHECKING:
    from m4sc.phy.header.fields import FrameHeader

_ESTIMATES = ("sequence", "source_id", "segment", "snr_db", "cfo_hz", "sfo_ppm", "start_sample")
_HEADER = ("user_id", "n_segments", "payload_kind", "modality")
ON_FULL = ("wait", "drop")
_WAITING = 64  # frames that wait for the blocks behind
_UNPUBLISHED = 256  # frames received whose PDUs are not built yet
_IDLE_S = 0.002
_TELL_S = 1.0
# Samples of the past that GNU Radio shall keep. None of them is looked at; but to keep them, it gives the
# block in front a buffer of twice as many, from which the receiver takes dozens of frames at once.
_HISTORY = 262_144
_AT_ONCE = 131_072  # samples: half of what the buffer has room for; the other half is filled meanwhile


class Shared(NamedTuple):
    """What PDUs of many frames have in common.

    meta: metadata; entries: the same as a PMT dictionary, None where there are none.
    """

    meta: dict[str, Any]
    entries: Any


NOTHING_SHARED = Shared({}, None)


@lru_cache(maxsize=1024)
def _said(header: FrameHeader, message: bytes) -> Shared:
    """What the header says of a frame's message, but for the message's number."""
    from m4sc.transport.message_header import TransportHeader

    joined = TransportHeader.join(header, message)
    meta = {
        "payload_kind": joined.payload_kind.name.lower(),
        "modality": joined.modality.label,
        "source_id": joined.source_id,
        "user_id": joined.user_id,
        "task_id": joined.task_id,
        "mcs": joined.mcs,
        "model_fingerprint": joined.model_fingerprint,
        "short_fingerprint": joined.short,
        "public": bool(joined.public),
        "segment": joined.segment,
        "n_segments": joined.n_segments,
        "payload_bytes": joined.payload_bytes,
        "interleaved": bool(joined.interleaved),
        "precoded": bool(joined.precoded),
    }
    return Shared(meta, make_entries(meta))


class frame_receiver(gr.sync_block):  # noqa: N801
    """Frame receiver: complex baseband samples in, symbols PDU out.

    Ports: stream in, complex64 at ``waveform.samp_rate``; message ``symbols``, ``csi`` and ``status`` out.

    Burst detection, carrier offset, channel estimate, phase tracking and equalising are done here: nobody
    downstream corrects them again. The payload out is complex64 (k,), unbiased; metadata: the header's
    fields, ``noise_var`` (float32 (k,), complex noise variance of each symbol), ``snr_db``, ``cfo_hz``,
    ``sfo_ppm``, ``h_hat`` (complex64 (carriers,)), ``start_sample``. Tag read: ``m4sc_done`` flushes what
    is under way and sends a ``done`` PDU. ``csi`` carries one PDU a frame: ``h_hat`` as complex64
    (carriers,), in the order of ``occupied_carriers``, with ``snr_db``, ``cfo_hz``, ``sfo_ppm``,
    ``start_sample``, ``sequence``, ``source_id`` and ``segment``. ``status`` carries one PDU a frame
    (``event`` = ``received``, estimates) and one a fault (``event`` = ``fault``, ``kind`` = the counter's
    name, ``start_sample``, ``reason``); a fault is logged as well. A weak preamble without a header, as
    noise gives about fifty of a million samples, is only counted (``false_alarms``). What is wrong with the
    samples as a whole is a fault too, told once and a minute later again, with ``figure`` and ``unit``;
    ``kind`` is one of ``m4sc.phy.diagnosis_watch.CAUSES`` then: an inverted spectrum, sample rates or clocks
    apart, clipping, a DC offset, a carrier, collisions, missing samples, too weak, no signal.

    Where a block of this module behind ``symbols`` is full, up to 64 frames wait here; then ``on_full`` says
    what gives.

    The scheduler's thread runs the compiled receiver, without the GIL; a second one builds and publishes
    PDUs. Of a stream that ends, all that is received is published before the blocks behind hear of the end.
    The block in front gets an output buffer of 524,288 samples, of which none waits for others. PDUs of
    frames are published while the samples behind them are looked at, 3 ms later where none come.

    Counters: ``frames``, ``dropped`` (received, but no room behind), ``errors`` and those of
    ``m4sc.phy.receiver.BurstReceiver``.

    Args:
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default.
        on_full: ``wait`` takes no samples until there is room (simulation, recordings); ``drop`` goes on,
            drops frames and tells so on ``status`` (a radio, whose samples cannot wait).
    """

    def __init__(self, waveform: Any = None, on_full: str = "wait") -> None:
        if on_full not in ON_FULL:
            raise ValueError(f"on_full is '{on_full}'; use 'wait' or 'drop'")
        self._block_name = f"m4sc_{type(self).__name__}"
        gr.sync_block.__init__(self, self._block_name, [np.complex64], [])
        self.set_history(_HISTORY)
        from m4sc.phy.waveform import WaveformConfig

        self.waveform = WaveformConfig() if waveform is None else waveform
        self._counts: Counter[str] = Counter(frames=0, dropped=0, errors=0)
        self._symbols, self._csi, self._status = (pmt.intern(port) for port in ("symbols", "csi", "status"))
        for port in (self._symbols, self._csi, self._status):
            self.message_port_register_out(port)
        self._on_full, self._outbox = on_full, Outbox(self, "symbols", _WAITING)
        self._handover = Handover(self._failed)
        self._untold, self._last_told = 0, float("-inf")
        self._tables = self._demodulator()  # what it keeps is the same for every stream
        self._receiver = self._fresh()

    def _fresh(self) -> Any:
        from m4sc.phy.receiver import BurstReceiver

        return BurstReceiver(self.waveform, self._tables, at_work=self._handover.proceed)

    def _demodulator(self) -> Any:
        """Of the frames that this block receives."""
        from m4sc.phy.demodulator import FrameDemodulator

        return FrameDemodulator(self.waveform)

    def _warm_up(self) -> None:
        from m4sc.phy.warm_up import frames_are_warm

        frames_are_warm(self.waveform)

    @property
    def counters(self) -> dict[str, int]:
        """Counts of this block and of the receiver behind it."""
        inner = self._receiver.counters
        inner = inner if isinstance(inner, dict) else vars(inner)
        return {**{key: int(value) for key, value in inner.items()}, **self._counts}

    def start(self) -> bool:
        """Compile what is not compiled yet, and begin with an empty receiver; called by the scheduler."""
        self._warm_up()
        self._receiver = self._fresh()
        self._outbox.start()
        self._handover.start()
        return True

    def stop(self) -> bool:
        """Hand on a burst that the end of the stream cut off; called by the scheduler."""
        self._take(self._receiver.flush)
        self._handover.stop()
        self._lost(self._outbox.stop())
        self._tell_losses(now=True)
        return True

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Feed the receiver; end where the tag says so."""
        self._tell_losses()
        if self._on_full == "wait" and self._outbox.full:
            time.sleep(_IDLE_S)
            return 0
        samples = input_items[0][_HISTORY - 1 :][:_AT_ONCE]
        if not self._handover.wait(0 if len(samples) == 1 else _UNPUBLISHED, _IDLE_S):
            return 0
        # The last sample stays while PDUs are being built: a stream whose samples are all taken has ended,
        # and blocks behind that hear so take no more messages.
        self._receive(samples[:-1], 0)
        if len(samples) > 1 and len(self._handover):
            return len(samples) - 1
        self._receive(samples[-1:], len(samples) - 1)
        while not self._handover.wait(0, _TELL_S):
            pass
        return len(samples)

    def _receive(self, samples: np.ndarray, place: int) -> None:
        """Feed samples that begin at `place` of those at hand; flush where the tag says so."""
        first, position = self.nitems_read(0) + place, 0
        for tag in self.get_tags_in_window(0, place, place + len(samples), pmt.intern(DONE_TAG)):
            end = tag.offset - first + 1
            self._push(samples[position:end])
            self._take(self._receiver.flush)
            self._handover.put(lambda: self._outbox.offer(done_pdu(self._block_name)))
            position = end
        if position < len(samples):
            self._push(samples[position:])

    def _push(self, samples: np.ndarray) -> None:
        self._take(lambda: self._receiver.push(samples))

    def _take(self, call: Any) -> None:
        """Have the frames that ``call`` returns published; a fault costs these samples, not the flowgraph."""
        try:
            frames = call()
        except Exception as exc:  # an exception in work() would hang the flowgraph
            self._failed(exc)
            return
        self._report_faults()
        if not frames:
            return
        heard = self._is_heard(self._csi) or self._is_heard(self._status)
        self._handover.put(*(partial(self._publish, frame, heard) for frame in frames))

    def _failed(self, exc: Exception) -> None:
        self._counts["errors"] += 1
        self._fault(f"{type(exc).__name__}: {exc}")

    def _shared(self, frame: Any) -> Shared:
        """Metadata that other frames have as well."""
        return _said(frame.header._replace(message_id=0, n_symbols=0), frame.message)

    def _meta(self, frame: Any) -> dict[str, Any]:
        """Metadata of one frame: its number, estimates, noise variances."""
        return {
            "sequence": frame.header.message_id,
            "snr_db": float(frame.snr_db),
            "cfo_hz": float(frame.cfo_hz),
            "sfo_ppm": float(frame.sfo_ppm),
            "start_sample": int(frame.start_sample),
            "noise_var": np.asarray(frame.noise_var, dtype=np.float32),
            "h_hat": np.asarray(frame.h_hat, dtype=np.complex64),
        }

    def _payload(self, frame: Any) -> np.ndarray:
        return np.ascontiguousarray(frame.symbols, dtype=np.complex64)

    def _publish(self, frame: Any, heard: bool) -> None:
        """One received frame on every port; heard: whether anybody listens to its estimates."""
        shared, meta = self._shared(frame), self._meta(frame)
        if self._on_full == "drop" and self._outbox.full:
            self._lost(1)
        else:
            self._outbox.offer(make_pdu(meta, self._payload(frame), shared.entries))
        self._counts["frames"] += 1
        if not heard:
            return
        every = shared.meta | meta
        known = {key: every.get(key) for key in _ESTIMATES}
        self.message_port_pub(self._csi, make_pdu(known, meta["h_hat"]))
        told = {key: every.get(key) for key in _HEADER} | {"n_symbols": len(frame.symbols)}
        status = {"block": self._block_name, "event": "received", **known, **told}
        self.message_port_pub(self._status, make_pdu(status, b""))

    def _lost(self, count: int) -> None:
        self._counts["dropped"] += count
        self._untold += count

    def _tell_losses(self, now: bool = False) -> None:
        """Tell how many frames were dropped, at most once a second."""
        clock = time.monotonic()
        if not self._untold or (not now and clock - self._last_told < _TELL_S):
            return
        count, self._untold, self._last_told = self._untold, 0, clock
        reason = f"{count} frames lost: the blocks behind had no room"
        self.logger.warn(reason)
        status = {"block": self._block_name, "event": "dropped", "reason": reason, "count": count}
        self.message_port_pub(self._status, make_pdu(status, b""))

    def _is_heard(self, port: Any) -> bool:
        """Whether anything is connected: a message for nobody need not be built."""
        return not pmt.is_null(self.message_subscribers(port))

    def _report_faults(self) -> None:
        """Publish and log what the receiver found wrong with the samples."""
        for fault in self._receiver.take_faults():
            if not fault.strong:
                continue
            self._handover.put(partial(self._report_fault, fault))

    def _report_fault(self, fault: Any) -> None:
        self.logger.warn(f"{fault.kind} at sample {fault.sample}: {fault.reason}")
        status = {"block": self._block_name, "event": "fault", "kind": fault.kind}
        status |= {"start_sample": fault.sample, "reason": fault.reason}
        if fault.figure is not None:
            status |= {"figure": float(fault.figure), "unit": fault.unit}
        self.message_port_pub(self._status, make_pdu(status, b""))

    def _fault(self, reason: str) -> None:
        self.logger.warn(f"samples lost: {reason}")
        status = {"block": self._block_name, "event": "error", "reason": reason}
        self.message_port_pub(self._status, make_pdu(status, b""))
