"""Frames of other users, left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .worker import pdu_worker


class user_filter(pdu_worker):  # noqa: N801
    """User filter: symbols PDU in, the same PDU out where its header says that it is for this user.

    Ports: ``symbols`` in, ``symbols`` and ``status`` out. A frame passes when it is ``public``, or when its
    ``user_id`` is this receiver's, and when its ``source_id`` is the wanted one. Everything passes on
    unchanged; ``counters['others']`` counts the frames of other users.

    Args:
        user_id: this receiver, 0 to 65535; -1: every user's frames pass.
        source_id: the wanted transmitter, 0 to 255; -1: any.
        take_public: whether frames for all users pass.
        queue_len: PDUs held at most, >= 1.
    """

    def __init__(
        self, user_id: int = -1, source_id: int = -1, take_public: bool = True, queue_len: int = 16
    ) -> None:
        super().__init__("m4sc_user_filter", "symbols", "symbols", queue_len)
        for name, value, most in (("user_id", user_id, 0xFFFF), ("source_id", source_id, 0xFF)):
            if not -1 <= value <= most:
                raise ValueError(f"{name} is {value}; give 0 to {most}, or -1 for any")
        self._user_id, self._source_id, self._take_public = int(user_id), int(source_id), bool(take_public)
        self.counters["others"] = 0

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One frame, or nothing."""
        wanted_source = self._source_id in (-1, int(meta.get("source_id", 0)))
        public = bool(meta.get("public", True))
        mine = self._user_id in (-1, int(meta.get("user_id", 0)))
        if wanted_source and (mine if not public else self._take_public or self._user_id == -1):
            yield meta, payload
        else:
            self.counters["others"] += 1
