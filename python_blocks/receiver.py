"""Samples to answers in one box."""

from __future__ import annotations

from typing import Any

from gnuradio import gr

from .frame_receiver import frame_receiver
from .group_decoder import group_decoder
from .message_decoder import message_decoder


class receiver(gr.hier_block2):  # noqa: N801
    """M4SC receiver: complex baseband samples in, answer PDU out.

    Ports: stream in, complex64; message ``query`` in; ``answers``, ``symbols``, ``feedback``, ``requests``
    and ``status`` out. Inside: frame receiver and message decoder, which answers messages of every system;
    between them, for a receiver with a ``user_id``, a group decoder, which takes that user's part of frames
    of several users. ``symbols`` are the frames received, for a frame probe; ``feedback`` is the group
    decoder's, ``requests`` the message decoder's, for a transmitter's port of that name.

    Args:
        model, zero_latents, timeout_s, user_id, source_id, min_confidence, ask_below, ask_copies,
            ask_timeout_s: see :class:`message_decoder`.
        waveform, on_full: see :class:`frame_receiver`.
        key: see :class:`group_decoder`; only with a ``user_id``.
        question: asked of every message that no ``query`` names; empty for the task's own wording.
    """

    def __init__(
        self,
        model: Any = "default",
        user_id: int = -1,
        source_id: int = -1,
        zero_latents: bool = False,
        timeout_s: float = 10.0,
        waveform: Any = None,
        min_confidence: float = 0.0,
        on_full: str = "wait",
        key: str = "",
        question: str = "",
        ask_below: float = 0.0,
        ask_copies: int = 4,
        ask_timeout_s: float = 1.0,
    ) -> None:
        gr.hier_block2.__init__(
            self, "m4sc_receiver", gr.io_signature(1, 1, gr.sizeof_gr_complex), gr.io_signature(0, 0, 0)
        )
        self.message_port_register_hier_in("query")
        for port in ("answers", "symbols", "feedback", "requests", "status"):
            self.message_port_register_hier_out(port)

        if key and user_id < 0:
            raise ValueError("a key is one user's: give its user_id too")

        # --- frames, messages, answers ------------------------------------------------------------------
        self.frames = frame_receiver(waveform, on_full)
        self.decoder = message_decoder(
            model,
            zero_latents,
            timeout_s=timeout_s,
            user_id=user_id,
            source_id=source_id,
            min_confidence=min_confidence,
            waveform=waveform,
            ask_below=ask_below,
            ask_copies=ask_copies,
            ask_timeout_s=ask_timeout_s,
        )
        self.decoder.set_default_query(question or None)
        self.connect(self, self.frames)
        if user_id < 0:
            self.msg_connect(self.frames, "symbols", self.decoder, "symbols")
        else:
            self.own = group_decoder(user_id, key, waveform)
            self.msg_connect(self.frames, "symbols", self.own, "symbols")
            self.msg_connect(self.own, "symbols", self.decoder, "symbols")
            self.msg_connect(self.own, "feedback", self, "feedback")
            self.msg_connect(self.own, "status", self, "status")

        # --- border -------------------------------------------------------------------------------------
        self.msg_connect(self.frames, "symbols", self, "symbols")
        self.msg_connect(self, "query", self.decoder, "query")
        self.msg_connect(self.decoder, "answers", self, "answers")
        self.msg_connect(self.decoder, "requests", self, "requests")
        self.msg_connect(self.decoder, "status", self, "status")
        self.msg_connect(self.frames, "status", self, "status")
