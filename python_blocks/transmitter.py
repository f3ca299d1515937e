"""Messages to samples in one box."""

from __future__ import annotations

from typing import Any

from gnuradio import gr

from .frame_transmitter import frame_transmitter
from .message_encoder import message_encoder
from .symbol_mapper import symbol_mapper


class transmitter(gr.hier_block2):  # noqa: N801
    """M4SC transmitter: message PDU in, complex baseband samples out.

    Ports: message ``messages``, ``requests`` and ``stop`` in, ``status`` out; stream out, complex64. Inside:
    message encoder, symbol mapper, frame transmitter. Message keys, tags and status are those of these
    blocks.

    Args:
        model: semantic system, or the name or folder of one.
        system: ``semantic`` or ``classical``.
        snr_db: SNR (Es/N0 per data subcarrier, dB) that the encoder may assume; None where unknown: it
            thinks of every link then, and the scheme of digital payloads is chosen for 15 dB.
        payload_kind: ``analog``, ``qam`` or ``digital``, for the semantic system.
        qam_order: points of the grid for ``qam``.
        mcs: fixed scheme of digital payloads, -1 to choose by ``snr_db``.
        levels: of a real, for ``digital``.
        waveform, gap_samples, idle, packet_len_key, amplitude, end_on_done, clip_db: see
            :class:`frame_transmitter`.
        interleave, precode: see :class:`symbol_mapper`; the header tells the receiver.
        linger_s: see :class:`message_encoder`; the time to ask for more after ``done``.
    """

    def __init__(
        self,
        model: Any = "default",
        system: str = "semantic",
        snr_db: float | None = None,
        payload_kind: str = "analog",
        qam_order: int = 256,
        mcs: int = -1,
        waveform: Any = None,
        gap_samples: int = 800,
        idle: str = "wait",
        packet_len_key: str = "",
        amplitude: float = 1.0,
        end_on_done: bool = False,
        interleave: bool = True,
        precode: bool = False,
        clip_db: float = float("inf"),
        levels: int = 16,
        linger_s: float = 0.0,
    ) -> None:
        gr.hier_block2.__init__(
            self, "m4sc_transmitter", gr.io_signature(0, 0, 0), gr.io_signature(1, 1, gr.sizeof_gr_complex)
        )
        for port in ("messages", "requests", "stop"):
            self.message_port_register_hier_in(port)
        self.message_port_register_hier_out("status")

        # --- encoder ------------------------------------------------------------------------------------
        self.frames = frame_transmitter(
            waveform, gap_samples, idle, packet_len_key, amplitude, end_on_done, clip_db
        )
        order = {"interleave": interleave, "precode": precode, "waveform": waveform}
        self.encoder = message_encoder(model, system, snr_db, linger_s=linger_s)
        digital = {"levels": levels, "mcs": mcs, "snr_db": snr_db}
        self.mapper = symbol_mapper(payload_kind, qam_order, **digital, **order)
        self.msg_connect(self.encoder, "payload", self.mapper, "payload")
        self.msg_connect(self.mapper, "symbols", self.frames, "symbols")
        self.msg_connect(self.mapper, "status", self, "status")

        # --- border -------------------------------------------------------------------------------------
        self.msg_connect(self, "messages", self.encoder, "messages")
        self.msg_connect(self, "requests", self.encoder, "requests")
        self.msg_connect(self, "stop", self.frames, "stop")
        self.msg_connect(self.encoder, "status", self, "status")
        self.msg_connect(self.frames, "status", self, "status")
        self.connect(self.frames, self)

    def put(self, message: Any, timeout: float | None = None) -> bool:
        """Hand a message in from Python, waiting for room; see ``message_worker.put``."""
        return bool(self.encoder.put(message, timeout))

    def set_snr_db(self, snr_db: float | None) -> None:
        """Tell the encoder another SNR, dB, None for an unknown one; safe while running."""
        self.encoder.set_snr_db(snr_db)
        self.mapper.set_snr_db(snr_db)
