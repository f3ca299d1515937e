"""Packets between our modem and GNU Radio's own OFDM blocks, each way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_KEY = "packet_len"
_GAP = 500
_MAX_OFFSET_CARRIERS = 0.2


@dataclass(frozen=True)
class Exchange:
    """Packets sent in one direction and those whose bytes came through, and where the others went."""

    sent: int
    received: int

    @property
    def percent(self) -> float:
        """Received of sent."""
        return 100.0 * self.received / self.sent


def numbered_payloads(packets: int, n_bytes: int, seed: int) -> list[bytes]:
    """Random bytes, no two alike."""
    rng = np.random.default_rng(seed)
    return [number.to_bytes(4, "big") + rng.bytes(n_bytes - 4) for number in range(packets)]


def stock_samples(payloads: list[bytes], bits: int, scramble: bool) -> np.ndarray:
    """What `digital.ofdm_tx` makes of the payloads, back to back, complex64."""
    import pmt
    from gnuradio import blocks, digital, gr

    tags, place = [], 0
    for payload in payloads:
        tag = gr.tag_t()
        tag.offset, tag.key, tag.value = place, pmt.intern(_KEY), pmt.from_long(len(payload))
        tags.append(tag)
        place += len(payload)
    graph = gr.top_block("stock transmitter", catch_exceptions=False)
    source = blocks.vector_source_b(list(b"".join(payloads)), False, 1, tags)
    modulator = digital.ofdm_tx(packet_length_tag_key=_KEY, bps_payload=bits, scramble_bits=scramble)
    sink = blocks.vector_sink_c()
    graph.connect(source, modulator, sink)
    graph.run()
    return np.asarray(sink.data(), np.complex64)


def our_samples(payloads: list[bytes], bits: int, scramble: bool) -> np.ndarray:
    """What our modulator makes of them, in the scale of `digital.ofdm_tx`, complex64."""
    from m4sc.phy.gr_digital.packet import PacketFormat, modulate_packet
    from m4sc.phy.waveform import WaveformConfig

    waveform, how = WaveformConfig(), PacketFormat(bits, scramble)
    parts = [modulate_packet(payload, n, waveform, how) for n, payload in enumerate(payloads)]
    return np.concatenate(parts) * np.float32(np.sqrt(waveform.fft_len))


def on_air(samples: np.ndarray, packets: int, snr_db: float, seed: int) -> np.ndarray:
    """Equally long packets with gaps of random length, noise and a small carrier offset, complex64."""
    rng = np.random.default_rng(seed)
    rows = samples.reshape(packets, -1)
    parts = [np.concatenate([np.zeros(_GAP + int(rng.integers(100)), np.complex64), row]) for row in rows]
    stream = np.concatenate([*parts, np.zeros(2 * _GAP, np.complex64)])
    offset = rng.uniform(-_MAX_OFFSET_CARRIERS, _MAX_OFFSET_CARRIERS) / 64
    stream = stream * np.exp(2j * np.pi * offset * np.arange(len(stream)))
    level = np.sqrt(np.mean(np.abs(rows) ** 2) * 10 ** (-snr_db / 10) / 2)
    pairs = rng.standard_normal((2, len(stream)), np.float32)
    return np.asarray(stream + level * (pairs[0] + 1j * pairs[1]), np.complex64)


def stock_decodes(samples: np.ndarray, payloads: list[bytes], bits: int, scramble: bool) -> Exchange:
    """Run `digital.ofdm_rx` over the samples; payloads are equally long."""
    from gnuradio import blocks, digital, gr

    graph = gr.top_block("stock receiver", catch_exceptions=False)
    source = blocks.vector_source_c(samples, False)
    demodulator = digital.ofdm_rx(packet_length_tag_key=_KEY, bps_payload=bits, scramble_bits=scramble)
    sink = blocks.vector_sink_b()
    graph.connect(source, demodulator, sink)
    graph.run()
    got, length = bytes(sink.data()), len(payloads[0])
    found = {got[i : i + length] for i in range(0, len(got), length)}
    return Exchange(len(payloads), len(found & set(payloads)))


def we_decode(samples: np.ndarray, payloads: list[bytes], bits: int, scramble: bool) -> Exchange:
    """Run our receiver over the samples; a packet counts once, and only in its place."""
    from m4sc.phy.gr_digital.demodulator import packet_receiver
    from m4sc.phy.gr_digital.packet import PacketFormat
    from m4sc.phy.waveform import WaveformConfig

    receiver = packet_receiver(WaveformConfig(), PacketFormat(bits, scramble))
    found = receiver.push(samples) + receiver.flush()
    numbers = {p.number for p in found if p.valid and p.payload == payloads[p.number % len(payloads)]}
    return Exchange(len(payloads), len(numbers))
