"""GNU Radio's own OFDM transmitter and receiver, timed beside ours on as many samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

_KEY = "packet_len"
_BITS = 2  # QPSK payload
_GAP = 400


@dataclass(frozen=True)
class Speed:
    """msps: million samples a second; received: packets whose content came through, of `sent`; cpu_msps:
    million samples a second of processor time, of all threads together, whatever else the machine does."""

    msps: float
    received: int
    sent: int
    cpu_msps: float


def _now() -> tuple[float, float]:
    """Seconds by the clock and of processor time."""
    return time.perf_counter(), time.process_time()


def _since(begun: tuple[float, float]) -> tuple[float, float]:
    return time.perf_counter() - begun[0], time.process_time() - begun[1]


def _speed(samples: np.ndarray, took: tuple[float, float], received: int, sent: int) -> Speed:
    return Speed(len(samples) / took[0] / 1e6, received, sent, len(samples) / took[1] / 1e6)


def median_speeds(runs: Sequence[Callable[[], Speed]], turns: int) -> list[Speed]:
    """Median speed of each run, all of them in turn, so that what else the machine does meets each alike.

    The packets received are the fewest of a run's turns.
    """
    rounds = [[run() for run in runs] for _ in range(turns)]
    return [
        Speed(
            median(s.msps for s in own),
            min(s.received for s in own),
            own[0].sent,
            median(s.cpu_msps for s in own),
        )
        for own in zip(*rounds, strict=True)
    ]


def _payloads(packets: int, n_bytes: int) -> np.ndarray:
    """Bytes of all packets; each begins with its number."""
    rng = np.random.default_rng(5)
    data = rng.integers(256, size=(packets, n_bytes), dtype=np.uint8)
    data[:, :2] = np.arange(packets, dtype=">u2").view(np.uint8).reshape(-1, 2)
    return data


def stock_transmitter(packets: int, n_bytes: int) -> tuple[Speed, np.ndarray]:
    """Run `digital.ofdm_tx` over the packets; the second value is its samples, complex64."""
    import pmt
    from gnuradio import blocks, digital, gr

    data = _payloads(packets, n_bytes)
    tags = []
    for number in range(packets):
        tag = gr.tag_t()
        tag.offset, tag.key, tag.value = number * n_bytes, pmt.intern(_KEY), pmt.from_long(n_bytes)
        tags.append(tag)
    graph = gr.top_block("stock transmitter", catch_exceptions=False)
    source = blocks.vector_source_b(data.ravel().tolist(), False, 1, tags)
    modulator = digital.ofdm_tx(packet_length_tag_key=_KEY, bps_header=1, bps_payload=_BITS)
    sink = blocks.vector_sink_c()
    graph.connect(source, modulator, sink)
    begun = _now()
    graph.run()
    took = _since(begun)
    samples = np.asarray(sink.data(), dtype=np.complex64)
    return _speed(samples, took, packets, packets), samples


def stock_receiver(samples: np.ndarray, packets: int, n_bytes: int) -> Speed:
    """Run `digital.ofdm_rx` over samples of :func:`stock_transmitter`."""
    from gnuradio import blocks, digital, gr

    graph = gr.top_block("stock receiver", catch_exceptions=False)
    source = blocks.vector_source_c(samples, False)
    demodulator = digital.ofdm_rx(packet_length_tag_key=_KEY, bps_header=1, bps_payload=_BITS)
    sink = blocks.vector_sink_b()
    graph.connect(source, demodulator, sink)
    begun = _now()
    graph.run()
    took = _since(begun)
    got = np.asarray(sink.data(), dtype=np.uint8)
    rows = {bytes(row) for row in got[: len(got) // n_bytes * n_bytes].reshape(-1, n_bytes)}
    known = {bytes(row) for row in _payloads(packets, n_bytes)}
    return _speed(samples, took, len(rows & known), packets)


def spread_packets(samples: np.ndarray, packets: int, snr_db: float) -> np.ndarray:
    """The packets with gaps between them, and noise of `snr_db` under the packets' mean power."""
    rng = np.random.default_rng(6)
    rows = samples[: len(samples) // packets * packets].reshape(packets, -1)
    gaps = np.zeros((packets, _GAP), np.complex64)
    stream = np.concatenate([rows, gaps], axis=1).ravel()
    noise = rng.standard_normal((len(stream), 2), np.float32).view(np.complex64).ravel()
    level = np.sqrt(np.mean(np.abs(rows) ** 2) * 10 ** (-snr_db / 10) / 2)
    return np.asarray(stream + np.float32(level) * noise, np.complex64)


def our_transmitter(packets: int, n_symbols: int) -> tuple[Speed, np.ndarray]:
    """Our modulator, one call a frame; the second value is its samples, complex64."""
    from m4sc.phy.frame import modulate_frame
    from m4sc.phy.header.fields import FrameHeader, PayloadKind
    from m4sc.phy.waveform import WaveformConfig

    waveform, rng = WaveformConfig(), np.random.default_rng(5)
    symbols = np.exp(0.5j * np.pi * (rng.integers(4, size=(packets, n_symbols)) + 0.5))
    modulate_frame(FrameHeader(PayloadKind.ANALOG, n_symbols), symbols[0], waveform)  # tables, compiled code
    begun = _now()
    parts = [
        modulate_frame(FrameHeader(PayloadKind.ANALOG, n_symbols, number), row, waveform)
        for number, row in enumerate(symbols)
    ]
    took = _since(begun)
    samples = np.concatenate(parts)
    return _speed(samples, took, packets, packets), samples


def our_receiver(samples: np.ndarray, packets: int) -> Speed:
    """Our `frame_receiver` in a flowgraph, over samples of :func:`our_transmitter`."""
    from gnuradio import m4sc

    _receive(m4sc.frame_receiver(), samples[: 2 * len(samples) // packets])  # tables, compiled code
    took, messages = _receive(m4sc.frame_receiver(), samples)
    return _speed(samples, took, len(messages), packets)


def our_packet_receiver(samples: np.ndarray, packets: int, n_bytes: int) -> Speed:
    """Our `packet_receiver` in a flowgraph, over samples of :func:`stock_transmitter`."""
    import pmt
    from gnuradio import m4sc

    few = samples[: 2 * len(samples) // packets]
    _receive(m4sc.packet_receiver(bits_per_symbol=_BITS), few)  # tables, compiled code
    took, messages = _receive(m4sc.packet_receiver(bits_per_symbol=_BITS), samples)
    known = {bytes(row) for row in _payloads(packets, n_bytes)}
    found = {bytes(pmt.u8vector_elements(pmt.cdr(message))) for message in messages}
    return _speed(samples, took, len(known & found), packets)


def our_packet_loop(samples: np.ndarray, packets: int, n_bytes: int, chunk: int = 8192) -> Speed:
    """Our receiver of packets by itself, without a flowgraph, in chunks as a scheduler gives."""
    from m4sc.phy.gr_digital.demodulator import packet_receiver
    from m4sc.phy.gr_digital.packet import PacketFormat
    from m4sc.phy.waveform import WaveformConfig

    def push_all(part: np.ndarray) -> list[Any]:
        receiver = packet_receiver(WaveformConfig(), PacketFormat(_BITS))
        found = [p for i in range(0, len(part), chunk) for p in receiver.push(part[i : i + chunk])]
        return found + receiver.flush()

    push_all(samples[: 2 * len(samples) // packets])  # tables, compiled code
    begun = _now()
    found = push_all(samples)
    took = _since(begun)
    known = {bytes(row) for row in _payloads(packets, n_bytes)}
    return _speed(samples, took, len(known & {p.payload for p in found if p.valid}), packets)


def _receive(receiver: Any, samples: np.ndarray) -> tuple[tuple[float, float], list[Any]]:
    """What a flowgraph that receives the samples takes, by both clocks, and its messages with content."""
    from gnuradio import blocks, gr

    graph = gr.top_block("our receiver", catch_exceptions=False)
    source, store = blocks.vector_source_c(samples, False), blocks.message_debug(False)
    graph.connect(source, receiver)
    graph.msg_connect(receiver, "symbols", store, "store")
    begun = _now()
    graph.run()
    took = _since(begun)
    return took, [store.get_message(number) for number in range(store.num_messages())]
