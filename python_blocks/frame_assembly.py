"""The transport's receiving side, as the blocks that read frames share it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .frame_transmitter import header_of

if TYPE_CHECKING:
    from m4sc.transport.assembler import ReceivedMessage

_UNKNOWN_NOISE = 1e-3  # complex noise variance of a frame whose receiver told none


class FrameAssembly:
    """Symbols PDUs to whole messages, for one user.

    A frame is taken when it is public or for ``user_id``, and when ``source_id`` sent it; -1 takes all.

    Args:
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default.
        timeout_s: from a message's last frame until it is closed incomplete, s, > 0.
        user_id, source_id: this receiver and the wanted transmitter, -1 for any.
        counters: of the block; gets those of :class:`m4sc.transport.assembler.Assembler` and ``others``.
    """

    def __init__(
        self,
        waveform: Any,
        timeout_s: float,
        user_id: int,
        source_id: int,
        counters: Counter[str],
    ) -> None:
        from m4sc.phy.waveform import WaveformConfig
        from m4sc.transport.assembler import Assembler
        from m4sc.transport.config import AssemblerConfig

        shape = WaveformConfig() if waveform is None else waveform
        self._assembler = Assembler(shape.n_data_carriers, AssemblerConfig(timeout_s=float(timeout_s)))
        self._user_id, self._source_id = int(user_id), int(source_id)
        self._counters = counters
        counters.update(others=0)
        self._update()

    def push(self, meta: dict[str, Any], payload: np.ndarray) -> Iterator[ReceivedMessage]:
        """Messages that a frame completes or closes; raises ValueError for what is no frame."""
        if not self._is_wanted(meta):
            self._counters["others"] += 1
            return
        yield from self._assembler.push(frame_of(meta, payload), time.monotonic())
        self._update()

    def expire(self) -> Iterator[ReceivedMessage]:
        """Messages whose time is over."""
        yield from self._assembler.expire(time.monotonic())
        self._update()

    def flush(self) -> Iterator[ReceivedMessage]:
        """All that is incomplete: nothing more will come."""
        yield from self._assembler.flush()
        self._update()

    def _is_wanted(self, meta: dict[str, Any]) -> bool:
        mine = self._user_id < 0 or meta.get("public") or meta.get("user_id", 0) == self._user_id
        return bool(mine) and (self._source_id < 0 or meta.get("source_id", 0) == self._source_id)

    def _update(self) -> None:
        for name, count in self._assembler.counters.items():
            self._counters[name] = count


def frame_of(meta: dict[str, Any], payload: np.ndarray) -> Any:
    """A symbols PDU as the physical layer's received frame.

    Raises:
        ValueError: no complex symbols, or noise variances that do not fit them.
    """
    from m4sc.phy.receiver import ReceivedFrame

    if payload.dtype != np.complex64 or payload.size == 0:
        raise ValueError(f"a symbols PDU holds complex64 symbols; got {payload.size} of {payload.dtype}")
    given = meta.get("noise_var")
    if given is None and (meta.get("interleaved") or meta.get("precoded")):
        raise ValueError("the symbols PDU has no noise_var; connect the frame receiver")
    noise_var = np.full(payload.size, _UNKNOWN_NOISE, np.float32) if given is None else np.asarray(given)
    if noise_var.size != payload.size:
        raise ValueError(f"noise_var has {noise_var.size} entries for {payload.size} symbols; give one each")
    return ReceivedFrame(
        header_of(meta, payload.size),
        payload,
        noise_var.astype(np.float32, copy=False),
        float(meta.get("snr_db", float("nan"))),
        float(meta.get("cfo_hz", float("nan"))),
        float(meta.get("sfo_ppm", float("nan"))),
        np.asarray(meta.get("h_hat", np.zeros(0, np.complex64))),
        int(meta.get("start_sample", 0)),
    )


def meta_of_message(message: ReceivedMessage) -> dict[str, Any]:
    """What a PDU says of a received message."""
    header = message.header
    return {
        "sequence": header.sequence,
        "source_id": header.source_id,
        "user_id": header.user_id,
        "public": bool(header.public),
        "task_id": header.task_id,
        "modality": header.modality.label,
        "model_fingerprint": header.model_fingerprint,
        "short_fingerprint": header.short,
        "payload_kind": header.payload_kind.name.lower(),
        "n_segments": message.n_segments,
        "lost_segments": message.lost_segments,
        "snr_db": message.snr_db,
        "cfo_hz": message.cfo_hz,
    }
