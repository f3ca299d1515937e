"""The loopback flowgraph: messages, encoder, OFDM transmitter, channel, receiver, decoder, answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from gnuradio import gr, m4sc
from gnuradio.m4sc.pdu import done_pdu, make_pdu
from gnuradio.m4sc.systems import find_system

from m4sc_flowgraphs.collector import Collector
from m4sc_flowgraphs.config import FADING, SYSTEMS, LoopbackConfig
from m4sc_flowgraphs.messages import MessageResult, OutgoingMessage
from m4sc_flowgraphs.remembering import RememberingSource, RememberingSystem


class Loopback(gr.top_block):
    """One system over one simulated channel; the headless twin of ``m4sc_loopback.grc``.

    Args:
        model: semantic system or the name of one. The classical system's decoded messages are read by the
            same one;
            None there: the decoded message itself is the answer.
        system: ``semantic`` or ``classical``.
        config: parameters of the run.
        codec: source codec of the classical system, None for ``m4sc.codecs.source_coding``'s.
    """

    def __init__(
        self,
        model: Any = "default",
        system: str = "semantic",
        config: LoopbackConfig | None = None,
        codec: Any = None,
    ) -> None:
        super().__init__("M4SC loopback", catch_exceptions=True)
        if system not in SYSTEMS:
            raise ValueError(f"system is '{system}'; use one of {', '.join(SYSTEMS)}")
        self.config = LoopbackConfig() if config is None else config
        self.system = system
        c = self.config

        # --- transmitter -------------------------------------------------------------------------------
        self.transmitter = m4sc.frame_transmitter(c.waveform, c.gap_samples)
        self.encoder = m4sc.message_encoder(model, system, c.snr_db, codec)
        self.mapper = m4sc.symbol_mapper(
            c.payload_kind,
            c.qam_order,
            waveform=c.waveform,
            levels=c.levels,
            mcs=c.mcs,
            snr_db=c.snr_db,
            margin_db=c.margin_db,
            segment_bytes=c.segment_bytes,
        )
        self.msg_connect(self.encoder, "payload", self.mapper, "payload")
        self.msg_connect(self.mapper, "symbols", self.transmitter, "symbols")

        # --- channel -----------------------------------------------------------------------------------
        self.channel = m4sc.channel(
            c.snr_db,
            c.waveform,
            taps=c.taps,
            cfo_hz=c.cfo_hz,
            sfo_ppm=c.sfo_ppm,
            doppler_hz=c.doppler_hz,
            seed=c.seed,
            fading=FADING[c.channel],
        )
        self.receiver = m4sc.frame_receiver(c.waveform)
        self.connect(self.transmitter, self.channel, self.receiver)

        # --- receiver ----------------------------------------------------------------------------------
        self.decoder = m4sc.message_decoder(
            model,
            c.zero_latents,
            codec,
            c.timeout_s,
            min_confidence=c.min_confidence,
            waveform=c.waveform,
        )
        self.msg_connect(self.receiver, "symbols", self.decoder, "symbols")

        # --- results; the decoder's `done` ends the stream ------------------------------------------------
        self.collector = Collector()
        self.msg_connect(self.decoder, "answers", self.collector, "events")
        self.msg_connect(self.decoder, "answers", self.transmitter, "stop")
        for block in (self.encoder, self.mapper, self.transmitter, self.receiver, self.decoder):
            self.msg_connect(block, "status", self.collector, "events")

    def send(self, messages: Sequence[OutgoingMessage]) -> list[MessageResult]:
        """Run the flowgraph over the messages; ends by itself, at the latest after ``timeout_s``.

        Returns:
            One result a message, in their order; a lost one has ``answer`` None and counts its lost frames.

        Raises:
            ValueError: more than 65536 messages (the sequence number has 16 bits).
        """
        if len(messages) > 0x10000:
            raise ValueError(f"{len(messages)} messages; at most 65536 in one run")
        try:
            self.start()  # inside: what interrupts it must not leave threads running
            end = time.monotonic() + self.config.timeout_s
            for sequence, message in enumerate(messages):
                if message.instruction is not None:
                    self.decoder.set_query(0, sequence, message.instruction)
                if not self.encoder.put(_message_pdu(message, sequence), max(0.0, end - time.monotonic())):
                    break
            self.encoder.put(done_pdu())
            self.collector.done.wait(max(0.0, end - time.monotonic()))
        finally:
            self.stop()
            self.wait()
        return [self.collector.result(sequence) for sequence in range(len(messages))]


def _message_pdu(message: OutgoingMessage, sequence: int) -> Any:
    return make_pdu(
        {
            "task": message.task,
            "modality": message.modality,
            "instruction": message.instruction,
            "sequence": sequence,
            "name": message.name or None,
        },
        message.payload,
    )


def run_loopback(
    messages: Sequence[OutgoingMessage],
    system: str = "semantic",
    config: LoopbackConfig | None = None,
    model: Any = "default",
    codec: Any = None,
) -> list[MessageResult]:
    """Build a :class:`Loopback`, send the messages, return one result each."""
    return Loopback(model, system, config, codec).send(messages)


def open_radio(model: Any = "default", min_confidence: float = 0.0) -> Callable[..., list[MessageResult]]:
    """The loopback with one model, loaded once, as a function of messages, system, channel and SNR.

    The messages need ``payload``, ``task``, ``modality``, ``instruction`` and ``name``. An answer below
    ``min_confidence`` is "not sure".

    Raises:
        ValueError: the model cannot be loaded.
    """
    loaded, source = RememberingSystem(find_system(model)), RememberingSource()

    def radio(
        messages: Sequence[Any],
        *,
        system: str,
        channel: str,
        snr_db: float,
        zero_latents: bool = False,
        seed: int = 1,
        **more: Any,
    ) -> list[MessageResult]:
        more = {"min_confidence": min_confidence, **more}
        config = LoopbackConfig(snr_db=snr_db, channel=channel, zero_latents=zero_latents, seed=seed, **more)
        outgoing = [OutgoingMessage(m.payload, m.task, m.modality, m.instruction, m.name) for m in messages]
        return run_loopback(outgoing, system, config, loaded, source)

    return radio
