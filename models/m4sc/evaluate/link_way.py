"""Frames of many messages at once over a simulated air, behind a receiver that estimates.

Each frame has its header, its message fields and its payload on the data carriers of OFDM symbols, under one
draw of the channel: AWGN, one Rayleigh gain, or a TDL profile of the link in torch. Channel, phase and noise
are estimated as the real receiver does (:mod:`m4sc.evaluate.link_receiver`). That the preamble is found, and
carrier offset and timing undone, is taken for granted, and no path is longer than the prefix: the flowgraph
has all of that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from m4sc.codecs.base import Payload
from m4sc.coding.torch_link.config import LinkConfig
from m4sc.coding.torch_link.noise import draw_normal
from m4sc.coding.torch_link.tdl import draw_responses
from m4sc.evaluate.channels import check_symbol_channel
from m4sc.evaluate.crossing import Crossing, crossing_of, error_snr_db
from m4sc.evaluate.link_receiver import equalised, estimate, smoothers, timed
from m4sc.evaluate.ways import LINK
from m4sc.phy.channel.config import TDL_FADINGS
from m4sc.phy.header.code import header_code
from m4sc.phy.header.fields import HeaderError
from m4sc.phy.header.protection import Protection
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
        head: OFDM symbols of the blocks.
    """

    coded: tuple[tuple[bytes, int], ...]
    grid: np.ndarray
    head: int


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
        return self.cross_given(payloads, channel, snr_db, rngs, configs)

    def cross_given(
        self,
        payloads: Sequence[Payload],
        channel: str,
        snr_db: float,
        rngs: Sequence[np.random.Generator],
        configs: Sequence[TransportConfig],
        responses: np.ndarray | None = None,
    ) -> list[Crossing]:
        """The same under channels that are given.

        Args:
            payloads, channel, snr_db, rngs, configs: as of :meth:`cross_all`.
            responses: complex64 (messages, fft_len), of messages of one frame; None: drawn.
        """
        check_symbol_channel(channel)
        if not payloads:
            return []
        waveform = configs[0].waveform
        if any(config.waveform != waveform for config in configs):
            raise ValueError("messages of several waveforms; give those of one at a time")
        sent = [
            to_frames(payload, Address(), config) for payload, config in zip(payloads, configs, strict=True)
        ]
        flat = [frame for frames in sent for frame in frames]
        if responses is not None and len(responses) != len(flat):
            raise ValueError(f"{len(responses)} channels for {len(flat)} frames; give messages of one frame")
        seed = int(rngs[0].integers(2**62))
        heard = iter(_hear(flat, channel, snr_db, waveform, seed, responses))
        found = []
        for frames in sent:
            own = [next(heard) for _ in frames]
            snrs = [error_snr_db(f.symbols, h.symbols) for f, h in zip(frames, own, strict=True) if h]
            found.append(crossing_of(frames, [one for one in own if one], waveform, snrs))
        return found


def draw_channels(channel: str, n: int, waveform: WaveformConfig, seed: int) -> np.ndarray:
    """Draws of a channel for :meth:`LinkWay.cross_given`, complex64 (n, fft_len)."""
    return _channels(channel, n, waveform, torch.Generator().manual_seed(seed))


def _hear(
    frames: Sequence[OutgoingFrame],
    channel: str,
    snr_db: float,
    waveform: WaveformConfig,
    seed: int,
    given: np.ndarray | None = None,
) -> list[HeardFrame | None]:
    """What the receiver makes of each frame; None where header or message fields are not read.

    given: complex64 (frames, fft_len), the channel of each instead of a draw.
    """
    laid = [_laid_out(frame, waveform) for frame in frames]
    alike: dict[tuple[int, Protection], list[int]] = defaultdict(list)
    for i, (frame, blocks) in enumerate(zip(frames, laid, strict=True)):
        alike[len(blocks.grid), frame.protection].append(i)
    found: list[HeardFrame | None] = [None] * len(frames)
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    for (_, protection), members in alike.items():
        for start in range(0, len(members), _AT_ONCE):
            part = members[start : start + _AT_ONCE]
            h = _channels(channel, len(part), waveform, generator) if given is None else given[part]
            received = _received([laid[i] for i in part], timed(h), protection, snr_db, waveform, rng)
            for i, symbols in zip(part, received, strict=True):
                found[i] = _heard(frames[i], laid[i], *symbols, snr_db, waveform)
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
    sizes = tuple((block, len(symbols)) for block, symbols in coded)
    return _Blocks(sizes, grid, sum(size for _, size in sizes) // carriers)


def _channels(channel: str, n: int, waveform: WaveformConfig, generator: torch.Generator) -> np.ndarray:
    """Draws of the channel, complex64 (n, fft_len), that stand still for a message each."""
    if channel in TDL_FADINGS:
        return np.array(draw_responses(channel[-1].upper(), n, 1, LinkConfig(waveform), generator)[:, 0])
    if channel == "rayleigh":
        gain = torch.view_as_complex(draw_normal((n, 1, 2), generator, torch.device("cpu")) * 0.5**0.5)
        return np.array(gain.expand(n, waveform.fft_len))
    return np.ones((n, waveform.fft_len), np.complex64)


_Symbols = tuple[np.ndarray, np.ndarray]  # equalised, and their noise variances


def _received(
    laid: Sequence[_Blocks],
    h: np.ndarray,
    protection: Protection,
    snr_db: float,
    waveform: WaveformConfig,
    rng: np.random.Generator,
) -> Iterator[tuple[_Symbols, _Symbols]]:
    """Of each frame the symbols of its head, then all of them under the estimate that the head allows."""
    noise_var = 10.0 ** (-snr_db / 10.0)
    grid, head = np.stack([blocks.grid for blocks in laid]), max(blocks.head for blocks in laid)
    first, second = (estimate(h, noise_var, one, rng) for one in smoothers(waveform, protection))
    coded = equalised(grid[:, :head], h, first, noise_var, waveform, rng)
    own = equalised(grid, h, second, noise_var, waveform, rng)
    for y, told, all_y, all_told in zip(*coded, *own, strict=True):
        yield (y, told), (all_y, all_told)


def _heard(
    frame: OutgoingFrame,
    blocks: _Blocks,
    head: tuple[np.ndarray, np.ndarray],
    own: tuple[np.ndarray, np.ndarray],
    snr_db: float,
    waveform: WaveformConfig,
) -> HeardFrame | None:
    """A frame of equalised symbols and their noise variances: those for its head, those for its payload."""
    y, noise_var = (values.reshape(-1) for values in head)
    start = 0
    for block, size in blocks.coded:
        part = slice(start, start + size)
        code = header_code(waveform, frame.protection, len(block))
        try:
            read = code.decode_symbols(y[part], noise_var[part])
        except HeaderError:
            return None
        if read != block:
            return None
        start += size
    y, noise_var = (values.reshape(-1) for values in own)
    part = slice(start, start + len(frame.symbols))
    return HeardFrame(frame.header, y[part], noise_var[part], snr_db)
