"""Samples to answers in one box."""

from __future__ import annotations

from typing import Any

from gnuradio import gr

from .classical_decoder import classical_decoder
from .frame_receiver import frame_receiver
from .semantic_decoder import semantic_decoder
from .symbol_demapper import symbol_demapper
from .transmitter import check_system
from .user_filter import user_filter


class receiver(gr.hier_block2):  # noqa: N801
    """M4SC receiver: complex baseband samples in, answer PDU out.

    Ports: stream in, complex64; message ``query`` in; ``answers``, ``symbols`` and ``status`` out. Inside:
    frame receiver, user filter, symbol demapper and semantic decoder; or classical decoder. ``symbols`` are
    the frames received for this user, for a frame probe.

    Args:
        model: semantic system, or the name or folder of one; the classical system's decoded messages are
            read by the same one (None there: they are the answer themselves).
        system: ``semantic`` or ``classical``.
        user_id: this receiver; frames of other users are left out; -1 takes all.
        source_id: the wanted transmitter, -1 for any.
        zero_latents: the control experiment: the semantic decoder reads zeros.
        timeout_s: classical: from a message's first segment to its last, s.
        waveform: see :class:`frame_receiver`.
    """

    def __init__(
        self,
        model: Any = "default",
        system: str = "semantic",
        user_id: int = -1,
        source_id: int = -1,
        zero_latents: bool = False,
        timeout_s: float = 10.0,
        waveform: Any = None,
    ) -> None:
        check_system(system)
        gr.hier_block2.__init__(
            self, "m4sc_receiver", gr.io_signature(1, 1, gr.sizeof_gr_complex), gr.io_signature(0, 0, 0)
        )
        self.message_port_register_hier_in("query")
        for port in ("answers", "symbols", "status"):
            self.message_port_register_hier_out(port)

        # --- frames of this user ------------------------------------------------------------------------
        self.frames = frame_receiver(waveform)
        self.filter = user_filter(user_id, source_id)
        self.connect(self, self.frames)
        self.msg_connect(self.frames, "symbols", self.filter, "symbols")
        self.msg_connect(self.filter, "symbols", self, "symbols")

        # --- decoder ------------------------------------------------------------------------------------
        self.decoder: Any
        if system == "semantic":
            self.demapper = symbol_demapper(waveform=waveform)
            self.decoder = semantic_decoder(model, zero_latents)
            self.msg_connect(self.filter, "symbols", self.demapper, "symbols")
            self.msg_connect(self.demapper, "latents", self.decoder, "latents")
            self.msg_connect(self.demapper, "status", self, "status")
        else:
            self.decoder = classical_decoder(model, timeout_s=timeout_s, waveform=waveform)
            self.msg_connect(self.filter, "symbols", self.decoder, "symbols")

        # --- border -------------------------------------------------------------------------------------
        self.msg_connect(self, "query", self.decoder, "query")
        self.msg_connect(self.decoder, "answers", self, "answers")
        self.msg_connect(self.decoder, "status", self, "status")
        self.msg_connect(self.frames, "status", self, "status")
