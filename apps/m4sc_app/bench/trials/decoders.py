"""Everything that reads what others wrote, each with whole inputs to begin from."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from m4sc_app.bench.trials import sample_files

Read = Callable[[bytes], object]
Inputs = list[tuple[Read, bytes]]
_WHOLE_SOUND = 20_000  # bytes; longer files are of formats that may be cut anywhere
_SYMBOLS = 4096  # of a payload that a hostile frame header may have here


def picture_files() -> Inputs:
    """Picture files handed in."""
    from m4sc.message import Message

    return [(lambda raw: Message.from_bytes(raw, "image"), raw) for raw in sample_files.picture_files()]


def sound_files() -> Inputs:
    """Sound files handed in, short ones and beginnings of longer ones."""
    from m4sc.message import Message

    made = [make() for name, make in sample_files.SOUND_FILES.items() if "192" not in name]
    made = [raw if len(raw) < _WHOLE_SOUND else raw[:6000] for raw in made]
    return [(lambda raw: Message.from_bytes(raw, "speech"), raw) for raw in made]


def text_files() -> Inputs:
    """Text files handed in."""
    from m4sc.message import Message

    return [(lambda raw: Message.from_bytes(raw, "text"), raw) for raw in sample_files.TEXT_FILES.values()]


def pairs_of_files() -> Inputs:
    """A picture with a spoken question."""
    from m4sc.message import Message, join_files

    picture = sample_files.picture_file(sample_files.noise_picture())
    sound = sample_files.sound_file(sample_files.tone(8000, 0.2), 8000)
    return [(lambda raw: Message.from_bytes(raw, "image+speech"), join_files(picture, sound))]


def classical_payloads() -> Inputs:
    """What the classical system's receiver decodes: WebP, Opus packets, Brotli."""
    from m4sc.codecs.source_coding import source_decode, source_encode
    from m4sc.message import Message

    picture, sound = np.asarray(sample_files.noise_picture()), sample_files.tone(seconds=0.5)
    messages = [
        Message("image", picture),
        Message("speech", sound),
        Message("text", "two cats sleep on a red chair " * 5),
        Message("image+speech", (picture, sound)),
    ]
    return [
        (partial(source_decode, modality=message.modality), source_encode(message)) for message in messages
    ]


def rival_pictures() -> Inputs:
    """JPEG, JPEG 2000, WebP, AVIF, an H.265 frame and, where its package is there, JPEG XL from the air."""
    from m4sc.codecs.rivals.picture_files import FORMATS, JPEG_XL, PictureFiles, has_jpeg_xl
    from m4sc.message import Message

    message = Message("image", np.asarray(sample_files.noise_picture()))
    coders = [PictureFiles(form) for form in FORMATS if form != JPEG_XL or has_jpeg_xl()]
    return [(partial(one.source_decode, modality="image"), one.source_encode(message)) for one in coders]


def rival_sounds() -> Inputs:
    """Opus, FLAC and, where its library is there, Codec2 from the air."""
    from m4sc.codecs.rivals import codec2
    from m4sc.codecs.rivals.sounds import CODERS, SoundCoder
    from m4sc.message import Message

    message = Message("speech", sample_files.tone(seconds=0.3))
    coders = [SoundCoder(coder) for coder in CODERS if coder != "codec2" or codec2.available()]
    return [(partial(one.source_decode, modality="speech"), one.source_encode(message)) for one in coders]


def rival_texts() -> Inputs:
    """Brotli, Zstandard and five bits a letter from the air."""
    from m4sc.codecs.rivals.words import PLAIN, WordCoder
    from m4sc.message import Message

    message = Message("text", "the train from platform 4 leaves at 17.05; take the red bag. " * 3)
    coders = [WordCoder(coder) for coder in PLAIN]
    return [(partial(one.source_decode, modality="text"), one.source_encode(message)) for one in coders]


def latents() -> Inputs:
    """Quantised latents from the air."""
    from m4sc.phy.modulation.fsq import bytes_to_latents, latents_to_bytes

    some = np.random.default_rng(0).standard_normal((32, 2)).astype(np.float32)
    return [(bytes_to_latents, latents_to_bytes(some, levels)) for levels in (4, 16)]


def frames() -> Inputs:
    """Frame headers, message fields and what the assembler makes of frames that carry them."""
    from m4sc.codecs.base import Payload
    from m4sc.phy.header.fields import HEADER_BYTES, FrameHeader
    from m4sc.transport.assembler import Assembler
    from m4sc.transport.config import TransportConfig
    from m4sc.transport.frames import Address, to_frames
    from m4sc.transport.message_header import HeardFrame, TransportHeader

    rng, assembler = np.random.default_rng(0), Assembler(48)

    def push(raw: bytes) -> None:
        header = TransportHeader.join(FrameHeader.unpack(raw[:HEADER_BYTES]), raw[HEADER_BYTES:])
        if header.n_symbols > _SYMBOLS:
            raise ValueError("more symbols than this receiver is set to take")
        symbols = rng.standard_normal(2 * header.n_symbols).astype(np.float32).view(np.complex64)
        assembler.push(
            HeardFrame(header, symbols, np.full(len(symbols), 0.1, np.float32)), float(rng.random())
        )

    symbols = rng.standard_normal((900, 2)).astype(np.float32)
    payloads = [Payload(1, "image", 7, symbols[:128]), Payload(1, "image", 7, symbols, essential=8)]
    payloads.append(Payload(1, "text", 0, data=bytes(range(200))))
    made: Inputs = []
    for payload in payloads:
        config = TransportConfig(segment_symbols=300, segment_bytes=64)
        for frame in to_frames(payload, Address(3), config)[:2]:
            header, message = frame.header.split()
            made.append((push, header.pack() + message))
    return made


def directories() -> Inputs:
    """Directories of frames of several users."""
    from m4sc.sharing.directory import ByteFamily, Directory, Member, SymbolFamily

    members = (Member(1, 3, (0, 1, -1)), Member(300, 4, (1, 0, 2), True, 77))
    family = SymbolFamily(3, 8, (0, 1), 1, members)
    whole = Directory(0, (family,), (ByteFamily(20, 3, (Member(5, 6),)),), 12345)
    return [(Directory.unpack, whole.pack())]


def tag_headers() -> Inputs:
    """The header that GNU Radio's ZeroMQ blocks put before samples."""
    from m4sc_flowgraphs.radio_ends.tag_header import header_bytes

    tag = bytes(8) + b"\x02\x00\x03abc" + b"\x03\x00\x00\x00\x05" + b"\x06"
    whole = (0x5FF0).to_bytes(2, "little") + b"\x01" + bytes(8) + (2).to_bytes(8, "little") + 2 * tag
    return [(header_bytes, whole + bytes(16))]


def descriptions() -> Inputs:
    """SigMF metadata."""
    from m4sc.recordings.description import parse_description

    return [(partial(parse_description, where="a.sigmf-meta"), json.dumps(_META).encode())]


def archives() -> Inputs:
    """SigMF archives and WAV files with IQ samples, by way of the disk."""
    from m4sc.recordings import open_recording

    folder = Path(tempfile.mkdtemp(prefix="m4sc-archives-"))
    meta, data = json.dumps(_META).encode(), np.arange(64, dtype="<f4").tobytes()
    made: Inputs = []

    def read(raw: bytes, suffix: str) -> None:
        path = folder / f"a{suffix}"
        path.write_bytes(raw)
        found = open_recording(path)
        found.read(0, 1000)

    for suffix, mode in ((".sigmf", "w"), (".sigmf.gz", "w:gz"), (".sigmf.xz", "w:xz")):
        made.append((partial(read, suffix=suffix), _tar(meta, data, mode)))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a/a.sigmf-meta", meta)
        zipped.writestr("a/a.sigmf-data", data)
    made.append((partial(read, suffix=".sigmf.zip"), buffer.getvalue()))
    wav = sample_files.sound_file(sample_files.stereo(8000)[:200], 48000)
    return [*made, (partial(read, suffix=".wav"), wav)]


def settings() -> Inputs:
    """Settings and configurations in JSON, and the sweep's YAML."""
    from m4sc.coding.reconstruction.config import ReconstructionConfig
    from m4sc.config import ModelConfig
    from m4sc.encoders.hearing.config import HearingConfig
    from m4sc.evaluate.sweep.config import read_config
    from m4sc.phy.channel.config import ChannelConfig
    from m4sc.phy.waveform import WaveformConfig
    from m4sc.questions.network import QuestionConfig
    from m4sc.space.config import SpaceConfig

    kinds: tuple[Any, ...] = (
        ModelConfig, HearingConfig, ReconstructionConfig, ChannelConfig, WaveformConfig, QuestionConfig,
        SpaceConfig,
    )  # fmt: skip
    made: Inputs = [
        (lambda raw, kind=kind: kind.from_json(_text(raw)), kind().to_json().encode())  # type: ignore[misc]
        for kind in kinds
    ]
    sweep = (
        b"systems:\n  a: {codec: semantic}\n  b: {codec: webp, quality: [10, 40], mcs: 4}\ntasks: [caption]\n"
    )
    sweep += b"channels:\n  - {channel: awgn, snr_db: [0, 10]}\nexamples: 20\n"
    made.append((lambda raw: read_config(_text(raw), "sweep.yaml"), sweep))
    return made


def weights() -> Inputs:
    """Files of tensors: broken ones, and whole ones of another network."""
    import torch
    from m4sc.coding.reconstruction.codec import load_codec
    from m4sc.coding.reconstruction.config import ReconstructionConfig
    from m4sc.coding.reconstruction.network import ReconstructionNetwork
    from m4sc.space.knowledge_base import KnowledgeBase
    from safetensors.torch import save

    folder = Path(tempfile.mkdtemp(prefix="m4sc-weights-"))
    config = ReconstructionConfig(encoder_width=8, decoder_width=8, encoder_blocks=1, decoder_blocks=1)
    network = ReconstructionNetwork(config)
    points = torch.nn.functional.normalize(torch.randn(3, 8), dim=-1)
    KnowledgeBase.of(["a cat.", "a dog.", "two red cups."], points).save(folder / "knowledge.safetensors")

    def codec(tensors: bytes, text: bytes) -> None:
        (folder / "model.safetensors").write_bytes(tensors)
        (folder / "config.json").write_bytes(text)
        load_codec(folder)

    def knowledge(raw: bytes) -> None:
        (folder / "knowledge.safetensors").write_bytes(raw)
        KnowledgeBase.load(folder / "knowledge.safetensors")

    small = {key: value.half().contiguous() for key, value in network.state_dict().items()}
    tensors, text = save(small), config.to_json().encode()
    return [
        (partial(codec, text=text), tensors),
        (partial(codec, tensors), text),
        (knowledge, (folder / "knowledge.safetensors").read_bytes()),
    ]


_META = {
    "global": {
        "core:datatype": "cf32_le",
        "core:sample_rate": 1e6,
        "core:version": "1.2.0",
        "m4sc:x": {"a": [1]},
    },
    "captures": [{"core:sample_start": 0, "core:frequency": 1e9}, {"core:sample_start": 8}],
    "annotations": [{"core:sample_start": 1, "core:sample_count": 3, "core:label": "a"}],
}


def _tar(meta: bytes, data: bytes, mode: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in (("a/a.sigmf-meta", meta), ("a/a.sigmf-data", data)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


DECODERS: dict[str, Callable[[], Inputs]] = {
    "a picture file": picture_files,
    "a sound file": sound_files,
    "a text file": text_files,
    "two files": pairs_of_files,
    "a classical payload": classical_payloads,
    "a picture from the air": rival_pictures,
    "a sound from the air": rival_sounds,
    "a text from the air": rival_texts,
    "latents": latents,
    "a frame": frames,
    "a directory of users": directories,
    "a header of tags": tag_headers,
    "a SigMF description": descriptions,
    "a SigMF archive": archives,
    "settings": settings,
    "weights": weights,
}
