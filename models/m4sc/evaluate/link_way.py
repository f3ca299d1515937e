"""Frames of many messages at once over a simulated air, in torch, behind a receiver that estimates.

Each frame has its header, its message fields and its payload on the data carriers of OFDM symbols, under one
draw of the channel: AWGN, one Rayleigh gain, or a TDL profile. Channel, phase and noise are what the real
receiver estimates on the header (:func:`m4sc.coding.torch_link.receiver.receive`). That the preamble is
found, and carrier offset and timing undone, is taken for granted: the flowgraph has both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from m4sc.codecs.base import Payload
from m4sc.coding.torch_link.config import EstimationConfig, LinkConfig
from m4sc.coding.torch_link.noise import draw_normal
from m4sc.coding.torch_link.receiver import receive
from m4sc.coding.torch_link.tdl import draw_responses
from m4sc.evaluate.channels import SYMBOL_CHANNELS
from m4sc.evaluate.crossing import Crossing, crossing_of, error_snr_db
from m4sc.evaluate.ways import LINK
from m4sc.phy.air_time import header_ofdm_symbols
from m4sc.phy.channel.config import TDL_FADINGS
from m4sc.phy.header.code import header_code
from m4sc.phy.header.fields import HeaderError
from m4sc.phy.waveform import WaveformConfig
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, OutgoingFrame, to_frames
from m4sc.transport.message_header import HeardFrame

_AT_ONCE = 256  # frames


@dataclass(frozen=True)
class _Blocks:
    """A frame's data symbols: coded header and message fields, and all of them on their carriers.

    Attributes:
        coded: bytes of each block and its code's symbols.
        grid: complex64 (OFDM symbols, data carriers).
    """

    coded: tuple[tuple[bytes, int], ...]
    grid: np.ndarray


@dataclass(frozen=True)
class LinkWay:
    """Frames in torch."""

    name: str = LINK
    framed: bool = True

    def cross_all(
        self,
        payloads: Sequence[Payload],
        channel: str,
        snr_db: float,
        rngs: Sequence[np.random.Generator],
        configs: Sequence[TransportConfig],
    ) -> list[Crossing]:
        """As :meth:`m4sc.evaluate.ways.Way.cross_all`; messages in one call share a source of noise."""
        if channel not in SYMBOL_CHANNELS:
            raise ValueError(f"channel {channel!r} is none of {', '.join(SYMBOL_CHANNELS)}")
        if not payloads:
            return []
        waveform = configs[0].waveform
        if any(config.waveform != waveform for config in configs):
            raise ValueError("messages of several waveforms; give those of one at a time")
        sent = [
            to_frames(payload, Address(), config) for payload, config in zip(payloads, configs, strict=True)
        ]
        flat = [frame for frames in sent for frame in frames]
        generator = torch.Generator().manual_seed(int(rngs[0].integers(2**62)))
        heard = iter(_hear(flat, channel, snr_db, waveform, generator))
        found = []
        for frames in sent:
            own = [next(heard) for _ in frames]
            snrs = [error_snr_db(f.symbols, h.symbols) for f, h in zip(frames, own, strict=True) if h]
            found.append(crossing_of(frames, [one for one in own if one], waveform, snrs))
        return found


def _hear(
    frames: Sequence[OutgoingFrame],
    channel: str,
    snr_db: float,
    waveform: WaveformConfig,
    generator: torch.Generator,
) -> list[HeardFrame | None]:
    """What the receiver makes of each frame; None where header or message fields are not read."""
    laid = [_laid_out(frame, waveform) for frame in frames]
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, (frame, blocks) in enumerate(zip(frames, laid, strict=True)):
        alike[len(blocks.grid), header_ofdm_symbols(waveform, frame.protection)].append(i)
    found: list[HeardFrame | None] = [None] * len(frames)
    for (_, training), members in sorted(alike.items()):
        for start in range(0, len(members), _AT_ONCE):
            part = members[start : start + _AT_ONCE]
            grid = np.stack([laid[i].grid for i in part])
            y, noise_var = _through(grid, channel, snr_db, waveform, training, generator)
            for i, own, own_noise in zip(part, y, noise_var, strict=True):
                found[i] = _heard(frames[i], laid[i], own, own_noise, snr_db, waveform)
    return found


def _laid_out(frame: OutgoingFrame, waveform: WaveformConfig) -> _Blocks:
    header, fields = frame.header.split()
    coded = []
    for block in (header.pack(), fields):
        if block:
            coded.append((block, header_code(waveform, frame.protection, len(block)).encode(block)))
    carriers = waveform.n_data_carriers
    body = np.zeros(-(-len(frame.symbols) // carriers) * carriers, np.complex64)
    body[: len(frame.symbols)] = frame.symbols
    grid = np.concatenate([*(symbols for _, symbols in coded), body]).reshape(-1, carriers)
    return _Blocks(tuple((block, len(symbols)) for block, symbols in coded), grid)


def _through(
    grid: np.ndarray,
    channel: str,
    snr_db: float,
    waveform: WaveformConfig,
    training: int,
    generator: torch.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Equalised symbols, complex64 (n, rows, data carriers), and their noise variances, float32."""
    n, rows = grid.shape[:2]
    if channel in TDL_FADINGS:
        h = draw_responses(channel[-1].upper(), n, training + rows, LinkConfig(waveform), generator)
    elif channel == "rayleigh":
        gain = torch.view_as_complex(draw_normal((n, 1, 1, 2), generator, torch.device("cpu")) * 0.5**0.5)
        h = gain.expand(n, 1, waveform.fft_len)
    else:
        h = torch.ones(n, 1, waveform.fft_len, dtype=torch.complex64)
    noise_var = torch.full((n,), 10.0 ** (-snr_db / 10.0))
    with torch.inference_mode():
        y, told = receive(
            torch.from_numpy(grid), h, noise_var, waveform, EstimationConfig(), generator, training
        )
    return y.numpy(), told.clamp_max(1e4).numpy()


def _heard(
    frame: OutgoingFrame,
    blocks: _Blocks,
    y: np.ndarray,
    noise_var: np.ndarray,
    snr_db: float,
    waveform: WaveformConfig,
) -> HeardFrame | None:
    y, noise_var = y.reshape(-1), noise_var.reshape(-1)
    start = 0
    for block, size in blocks.coded:
        part = slice(start, start + size)
        try:
            read = header_code(waveform, frame.protection, len(block)).decode_symbols(
                y[part], noise_var[part]
            )
        except HeaderError:
            return None
        if read != block:
            return None
        start += size
    part = slice(start, start + len(frame.symbols))
    return HeardFrame(frame.header, y[part], noise_var[part], snr_db)
