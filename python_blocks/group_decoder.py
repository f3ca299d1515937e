"""Of a frame of several users, what is for one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pmt

from .frame_assembly import frame_of
from .pdu import make_pdu
from .worker import pdu_worker

_CLEAN = 1e-6  # complex noise variance of bytes that were decoded already


class group_decoder(pdu_worker):  # noqa: N801
    """Group decoder: received symbols PDU in, one user's message as a symbols PDU of its own out.

    Ports: ``symbols`` in, ``symbols``, ``feedback`` and ``status`` out; behind :class:`frame_receiver`,
    before a user's :class:`message_decoder`. Frames of one message pass unchanged.

    Of a frame of several users the public tokens and the user's own are put together: out goes a PDU of kind
    ``analog`` (``digital`` of bytes) for this user. Where the own part did not arrive or is hidden, the
    public part goes on with the rest erased, ``private_lost`` and ``reason`` in the metadata, and ``status``
    says so (``event`` ``private_lost``). A frame whose directory failed, and bytes that failed their check,
    are reported as ``lost``. Of every frame of several users, readable or not, ``feedback`` tells ``user_id``
    and ``snr_db``: where there is a way back, the :class:`group_encoder` protects the next one accordingly.

    What another task's public symbols say of this user's own, where both are of one source, is joined with
    them (:mod:`m4sc.sharing.aside`).

    Counters: ``groups`` read, ``others`` (frames with nothing for this user), ``lost``, ``private_lost``,
    ``aside`` (messages that another task's public symbols said something of).

    Args:
        user_id: this receiver, 0 to 65535.
        key: the user's key, 64 hex digits, as ``m4sc keys add`` prints it; empty for none.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default.
        queue_len: PDUs held at most, >= 1.
    """

    def __init__(self, user_id: int = 1, key: str = "", waveform: Any = None, queue_len: int = 16) -> None:
        super().__init__("m4sc_group_decoder", "symbols", "symbols", queue_len)
        from m4sc.phy.waveform import WaveformConfig
        from m4sc.sharing.privacy import UserKey

        if not 0 <= user_id <= 0xFFFF:
            raise ValueError(f"user_id is {user_id}; give 0 to 65535")
        try:
            self._key = UserKey(int(user_id), bytes.fromhex(key)) if key else None
        except ValueError as exc:
            raise ValueError(f"key takes 64 hex digits ({exc})") from exc
        self._user_id = int(user_id)
        self._carriers = (WaveformConfig() if waveform is None else waveform).n_data_carriers
        self.counters.update(groups=0, others=0, lost=0, private_lost=0, aside=0)
        self.message_port_register_out(pmt.intern("feedback"))

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One frame; yields this user's message, or nothing."""
        from m4sc.sharing.aside import shipped_aside
        from m4sc.sharing.directory import DirectoryError
        from m4sc.sharing.receiving import NotServedError, read_parts

        if meta.get("payload_kind") != "group":
            yield meta, payload
            return
        frame = frame_of(meta, payload)
        if np.isfinite(frame.snr_db):
            heard = make_pdu({"user_id": self._user_id, "snr_db": float(frame.snr_db)}, b"")
            self.publish("feedback", heard)
        try:
            size = int(meta.get("payload_bytes", 0))
            parts = read_parts(frame.symbols, frame.noise_var, int(meta.get("mcs", 0)), size, self._carriers)
            self.counters["groups"] += 1
            taken = parts.take(self._user_id, self._key, shipped_aside())
        except NotServedError:
            self.counters["others"] += 1
            return
        except DirectoryError as exc:
            self._lost(str(exc), meta)
            return
        if taken.received is None:
            self._lost(taken.reason, {**meta, "user_id": self._user_id})
            return
        if taken.private_lost:
            self.counters["private_lost"] += 1
            self.report("private_lost", taken.reason, {**meta, "user_id": self._user_id})
        self.counters["aside"] += taken.aside
        yield self._frame_of_its_own(meta, taken)

    def _lost(self, reason: str, meta: dict[str, Any]) -> None:
        self.counters["lost"] += 1
        self.report("lost", reason, meta)

    def _frame_of_its_own(self, meta: dict[str, Any], taken: Any) -> tuple[dict[str, Any], np.ndarray]:
        """The user's message as if it had been sent alone."""
        from m4sc.phy.modulation.digital import encode_transport
        from m4sc.transport.message_header import modality_of_task

        received, mcs = taken.received, 0
        symbols, noise_var = received.symbols, received.noise_var
        if received.data:
            symbols = encode_transport(received.data, mcs)
            noise_var = np.full(len(symbols), _CLEAN, np.float32)
        told = {
            "payload_kind": "digital" if received.data else "analog",
            "payload_bytes": len(received.data),
            "mcs": mcs,
            "user_id": self._user_id,
            "public": False,
            "task_id": taken.task_id,
            "modality": modality_of_task(taken.task_id).label,
            "public_symbols": taken.public_symbols,
            "private_symbols": taken.private_symbols,
            "private_lost": taken.private_lost,
            "reason": taken.reason or None,
            "noise_var": np.asarray(noise_var, np.float32),
        }
        if received.data:
            told |= {"model_fingerprint": 0, "short_fingerprint": False}
        return {**meta, **told}, np.ascontiguousarray(symbols, np.complex64)
