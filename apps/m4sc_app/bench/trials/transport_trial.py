"""Messages of several frames: pictures over the radio, lost segments, restarts, parses of a frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

PICTURES = ("cat", "coffee", "motorcycle", "rocket")
_TASK = "reconstruct"


class PictureSystem:
    """The shipped picture codec alone, as the blocks take a model: no language model is loaded."""

    def __init__(self) -> None:
        from m4sc.codecs.picture import ReconstructionCodec
        from m4sc.coding.reconstruction.codec import load_codec
        from m4sc.shipped import weights_folder

        pictures = load_codec(weights_folder("reconstruct"))
        self.fingerprint = pictures.fingerprint
        self._codec = ReconstructionCodec(pictures, pictures.fingerprint)
        self.pictures = pictures

    def encode(self, message: Any, task: str, *_: Any, **__: Any) -> Any:
        """As ``SemanticSystem.encode``."""
        from m4sc.codecs.base import Budget
        from m4sc.tasks import get_task

        return self._codec.encode(message, get_task(task), Budget())

    def decode(
        self, symbols: np.ndarray, noise_var: np.ndarray, task: str, instruction: str | None = None
    ) -> Any:
        """As ``SemanticSystem.decode``."""
        from m4sc.codecs.base import Received
        from m4sc.tasks import get_task

        return self._codec.decode(Received(symbols, noise_var), get_task(task), instruction)


def samples_folder() -> Path:
    """Where the module's sample pictures lie."""
    from gnuradio import m4sc as blocks

    return Path(blocks.__file__).resolve().parent / "samples"


@dataclass(frozen=True)
class RadioPicture:
    """delivered: whether it arrived; psnr_db: over the radio, and over the same noise without a frame."""

    name: str
    delivered: bool
    symbols: int
    radio_psnr_db: float
    link_psnr_db: float


def pictures_over_radio(snr_db: float, advance: Callable[[int], None] = lambda _: None) -> list[RadioPicture]:
    """Each sample picture through the loopback flowgraph, beside its symbols through noise alone."""
    import io

    from m4sc.evaluate.metrics.image import psnr_db
    from m4sc.message import Message
    from m4sc_flowgraphs.config import LoopbackConfig
    from m4sc_flowgraphs.loopback import Loopback
    from m4sc_flowgraphs.messages import OutgoingMessage
    from PIL import Image

    system, found = PictureSystem(), []
    for number, name in enumerate(PICTURES):
        payload = (samples_folder() / f"{name}.jpg").read_bytes()
        message = Message.from_bytes(payload, "image")
        sent = system.encode(message, _TASK).symbols
        rng = np.random.default_rng(number)
        noise_var = 10 ** (-snr_db / 10)
        noise = (rng.standard_normal((2, len(sent))).T @ [1, 1j]) * np.sqrt(noise_var / 2)
        told = np.full(len(sent), noise_var, np.float32)
        wanted = system.pictures.fitted(message.data)
        direct = system.decode((sent + noise).astype(np.complex64), told, _TASK).image
        config = LoopbackConfig(snr_db=snr_db, seed=number + 1, timeout_s=120.0)
        (result,) = Loopback(system, config=config).send([OutgoingMessage(payload, _TASK, "image")])
        over_radio = 0.0
        if result.picture is not None:
            over_radio = psnr_db(np.asarray(Image.open(io.BytesIO(result.picture))), wanted)
        found.append(
            RadioPicture(name, result.picture is not None, len(sent), over_radio, psnr_db(direct, wanted))
        )
        advance(1)
    return found


@dataclass(frozen=True)
class ErasedSegment:
    """Fall of the PSNR when one frame is lost, and what grey in the lost area alone would cost, dB."""

    segment: int
    fall_db: float
    explained_db: float


def erased_segments(snr_db: float, frames: int = 8) -> list[ErasedSegment]:
    """A picture of so many frames, each of them lost in turn."""
    from m4sc.evaluate.metrics.image import psnr_db
    from m4sc.message import Message
    from m4sc.transport.assembler import Assembler
    from m4sc.transport.config import TransportConfig
    from m4sc.transport.frames import Address, to_frames

    system = PictureSystem()
    message = Message.from_file(samples_folder() / "cat.jpg")
    payload, wanted = system.encode(message, _TASK), system.pictures.fitted(message.data)
    rest = len(payload.symbols) - payload.essential
    config = TransportConfig(segment_symbols=payload.essential + -(-rest // frames))
    sent = to_frames(payload, Address(), config)
    rng, noise_var = np.random.default_rng(0), 10 ** (-snr_db / 10)
    heard = [_noisy(frame, noise_var, snr_db, rng) for frame in sent]

    def received(lost: int) -> Any:
        assembler = Assembler(config.waveform.n_data_carriers)
        found = [m for i, frame in enumerate(heard) if i != lost for m in assembler.push(frame, 0.0)]
        (message,) = [*found, *assembler.flush()]
        return message.received

    whole = received(-1)
    full = system.decode(whole.symbols, whole.noise_var, _TASK).image
    rows = []
    for segment in range(len(sent)):
        part = received(segment)
        picture = system.decode(part.symbols, part.noise_var, _TASK).image
        grey = np.where(_touched(system, part, full)[..., None], np.uint8(128), full)
        base = psnr_db(full, wanted)
        rows.append(ErasedSegment(segment, base - psnr_db(picture, wanted), base - psnr_db(grey, wanted)))
    return rows


def _touched(system: PictureSystem, part: Any, full: np.ndarray) -> np.ndarray:
    """Pixels of the tiles that have an erased symbol, bool (H, W)."""
    from m4sc.coding.reconstruction.tiles import tile_pixels

    config = system.pictures.config
    erased = np.isinf(part.noise_var[-(len(part.noise_var) // config.symbols) * config.symbols :])
    tiles = erased.reshape(-1, config.symbols).any(axis=1)
    height, width = full.shape[:2]
    return tile_pixels(tiles, height, width, config.tile)


def _noisy(frame: Any, noise_var: float, snr_db: float, rng: np.random.Generator) -> Any:
    from m4sc.phy.receiver import ReceivedFrame

    n = len(frame.symbols)
    noise = (rng.standard_normal((2, n)).T @ [1, 1j]) * np.sqrt(noise_var / 2)
    y, told = (frame.symbols + noise).astype(np.complex64), np.full(n, noise_var, np.float32)
    return ReceivedFrame(frame.header, y, told, snr_db, 0.0, 0.0, np.zeros(0, np.complex64), 0)


@dataclass(frozen=True)
class Restarts:
    """broken: messages cut off by a restart; joined, whole: wrong and right ones delivered; lost: counted."""

    broken: int
    joined: int
    whole: int
    lost: int


def restarts(count: int, pause_s: float = 0.02, advance: Callable[[int], None] = lambda _: None) -> Restarts:
    """A transmitter started anew `count` times, each time cut off within a message."""
    from m4sc.codecs.base import Payload
    from m4sc.transport.assembler import Assembler
    from m4sc.transport.config import TransportConfig
    from m4sc.transport.frames import Address, to_frames
    from m4sc.transport.message_id import message_ids

    config, rng = TransportConfig(segment_bytes=100), np.random.default_rng(1)
    assembler = Assembler(config.waveform.n_data_carriers)
    texts: list[bytes] = []
    delivered: list[Any] = []
    for number in range(count):
        ids = message_ids()
        texts.append(f"message {number:4d} ".encode() * 40)
        frames = to_frames(Payload(7, "text", data=texts[-1]), Address(next(ids)), config)
        stop = int(rng.integers(1, len(frames)))
        for frame in frames[:stop]:
            delivered += assembler.push(_noisy(frame, 1e-2, 20.0, rng), time.monotonic())
        time.sleep(pause_s)
        advance(1)
    delivered += assembler.flush()
    good = [m for m in delivered if m.received is not None]
    right = sum(m.received.data in texts for m in good)
    return Restarts(count, len(good) - right, right, assembler.counters["lost"])


def parses_per_frame(messages: int = 20) -> float:
    """How often a frame's metadata are read from PMT between the shipped receiver and its answer."""
    import pmt
    from gnuradio import blocks, gr, m4sc
    from m4sc_flowgraphs.radio_ends.opening import GAP_SAMPLES

    from m4sc_app.bench.trials.parse_counter import counting_parses

    system, tb = PictureSystem(), gr.top_block("parses", catch_exceptions=True)
    sender = m4sc.transmitter(system, gap_samples=GAP_SAMPLES)
    taker, sink = m4sc.receiver(system), m4sc.answer_sink()
    tb.connect(sender, taker)
    tb.msg_connect(taker, "answers", sink, "answers")
    tb.msg_connect(taker, "status", sink, "status")
    done = blocks.message_debug()
    tb.msg_connect(sink, "done", done, "store")
    from gnuradio.m4sc.pdu import done_pdu, make_pdu

    picture = (samples_folder() / "cat.jpg").read_bytes()
    with counting_parses() as count:
        tb.start()
        entry = sender.encoder.to_basic_block()
        for number in range(messages):
            meta = {"task": _TASK, "modality": "image", "sequence": number}
            entry._post(pmt.intern("messages"), make_pdu(meta, picture))
        entry._post(pmt.intern("messages"), done_pdu())
        deadline = time.monotonic() + 120.0
        while not done.num_messages() and time.monotonic() < deadline:
            time.sleep(0.02)
        frames = taker.frames.counters["frames"]
        tb.stop()
        tb.wait()
    return count() / max(1, frames)
