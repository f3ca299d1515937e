"""From a stream of samples, in chunks of any size, to frames of equalised symbols."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from m4sc.phy.airtime import frame_samples, header_ofdm_symbols, payload_ofdm_symbols
from m4sc.phy.equalizer import smooth, straighten, track, used_bins
from m4sc.phy.frame import header_order, header_symbols, scrambler
from m4sc.phy.header import HEADER_BYTES, FrameHeader, HeaderError
from m4sc.phy.sync import Burst, find_burst
from m4sc.phy.waveform import WaveformConfig

_MIN_NOISE_VAR = 1e-6


@dataclass(frozen=True)
class ReceivedFrame:
    """One frame.

    Attributes:
        header: decoded, CRC checked.
        symbols: complex64 (n,), unbiased: sent symbol plus noise.
        noise_var: float32 (n,), complex noise variance of each symbol.
        snr_db: Es/N0 over the data carriers, dB.
        cfo_hz, sfo_ppm: carrier and sampling-clock offset.
        h_hat: complex64 (data carriers,), channel in the order of ``occupied_carriers``.
        start_sample: where the preamble began in the stream.
    """

    header: FrameHeader
    symbols: np.ndarray
    noise_var: np.ndarray
    snr_db: float
    cfo_hz: float
    sfo_ppm: float
    h_hat: np.ndarray
    start_sample: int


class BurstReceiver:
    """Receiver of bursts.

    ``counters`` holds ``frames``, ``header_errors``, ``too_long``, ``truncated`` and ``non_finite``.
    A frame is dropped for its header alone, never for a noisy payload.
    """

    def __init__(self, waveform: WaveformConfig | None = None) -> None:
        self.waveform = waveform or WaveformConfig()
        self.counters: Counter[str] = Counter(
            frames=0, header_errors=0, too_long=0, truncated=0, non_finite=0
        )
        self._buffer = np.zeros(0, dtype=np.complex64)
        self._origin = 0  # sample number of the buffer's first sample
        self._place = 0  # where in the buffer the search goes on
        self._backoff = max(self.waveform.cp_len // 4, 1)

    def push(self, samples: np.ndarray) -> list[ReceivedFrame]:
        """Take complex samples (n,), of any number; return the frames that they complete."""
        samples = np.asarray(samples, dtype=np.complex64)
        finite = np.isfinite(samples)
        if not finite.all():
            self.counters["non_finite"] += int(len(samples) - finite.sum())
            samples = np.where(finite, samples, 0)
        self._buffer = np.concatenate([self._buffer, samples])
        frames = self._search(final=False)
        self._trim()
        return frames

    def flush(self) -> list[ReceivedFrame]:
        """End of the stream: frames still under way; an incomplete one counts as truncated."""
        self._buffer = np.concatenate([self._buffer, np.zeros(4 * self.waveform.symbol_len, np.complex64)])
        frames = self._search(final=True)
        self._origin += len(self._buffer)
        self._buffer, self._place = self._buffer[:0], 0
        return frames

    def _trim(self) -> None:
        keep = max(self._place - self.waveform.symbol_len, 0)
        self._buffer, self._origin, self._place = self._buffer[keep:], self._origin + keep, self._place - keep

    def _search(self, final: bool) -> list[ReceivedFrame]:
        frames: list[ReceivedFrame] = []
        preamble_len = 2 * self.waveform.symbol_len
        while True:
            burst, self._place = find_burst(self._buffer, self._place, self.waveform)
            if burst is None:
                return frames
            missing, frame = self._receive(burst)
            if missing:
                if not final:
                    return frames
                self.counters["truncated"] += 1
                self._place = burst.start + preamble_len
            elif frame is None:
                self._place = burst.start + preamble_len
            else:
                frames.append(frame)
                self.counters["frames"] += 1
                self._place = (
                    burst.start + frame_samples(frame.header.n_symbols, self.waveform) - self._backoff
                )

    def _bins(self, burst: Burst, first: int, count: int) -> np.ndarray | None:
        """FFT of OFDM symbols `first` to `first + count` of a burst, or None where samples are missing."""
        w = self.waveform
        begin = burst.start + first * w.symbol_len
        end = begin + count * w.symbol_len
        if end > len(self._buffer):
            return None
        n = np.arange(begin, end) - burst.start
        time = (self._buffer[begin:end] * np.exp(-2j * np.pi * burst.cfo * n)).reshape(count, w.symbol_len)
        skip = w.cp_len - self._backoff  # the window opens inside the prefix
        spectrum = np.fft.fft(time[:, skip : skip + w.fft_len], axis=1, norm="ortho")
        return spectrum * np.exp(2j * np.pi * self._backoff * np.arange(w.fft_len) / w.fft_len)

    def _receive(self, burst: Burst) -> tuple[bool, ReceivedFrame | None]:
        """(samples are missing, frame or None)."""
        w, n_head = self.waveform, header_ofdm_symbols(self.waveform)
        if self._bins(burst, 0, 2 + n_head) is None:
            return True, None
        burst = self._fine_offset(burst)
        head = self._bins(burst, 0, 2 + n_head)
        assert head is not None
        h, noise_var = self._first_estimate(head[:2])
        phase, slope, _ = track(head[2:], h, w)
        straight = straighten(head[2:], phase, slope, w)
        try:
            header = self._header(straight, h)
        except HeaderError:
            self.counters["header_errors"] += 1
            return False, None
        if not 0 < header.n_symbols <= w.max_payload_symbols:
            self.counters["too_long"] += 1
            return False, None
        n_body = payload_ofdm_symbols(header.n_symbols, w)
        bins = self._bins(burst, 2, n_head + n_body)
        if bins is None:
            return True, None
        return False, self._payload(burst, header, head, bins, h, noise_var)

    def _fine_offset(self, burst: Burst) -> Burst:
        """What the phase between both sync words says of the offset that is left."""
        w = self.waveform
        words = self._bins(burst, 0, 2)
        assert words is not None
        one, two = w.sync_bins(1), w.sync_bins(2)
        turn = np.sum(np.conj(words[0] * np.conj(one)) * (words[1] * np.conj(two)))
        return Burst(burst.start, burst.cfo + float(np.angle(turn)) / (2 * np.pi * w.symbol_len))

    def _first_estimate(self, words: np.ndarray) -> tuple[np.ndarray, float]:
        """Channel and noise variance from the sync words."""
        w = self.waveform
        sync = np.stack([w.sync_bins(1), w.sync_bins(2)])
        weight = np.sum(np.abs(sync) ** 2, axis=0)
        h_ls = np.sum(words * np.conj(sync), axis=0) / np.where(weight > 0, weight, 1)
        quiet = weight == 0
        quiet[0] = False  # a radio's DC offset stays there
        noise = float(np.mean(np.abs(words[:, quiet]) ** 2))
        power = max(float(np.mean(np.abs(h_ls[weight > 0]) ** 2)), 1e-30)
        return smooth(h_ls, weight, min(noise / power, 1.0), w), noise

    def _header(self, straight: np.ndarray, h: np.ndarray) -> FrameHeader:
        w = self.waveform
        order = header_order(w)
        soft = np.real(straight[:, w.data_bins] * np.conj(h[w.data_bins])).ravel() * scrambler(len(order))
        bits = np.bincount(order, weights=soft, minlength=8 * HEADER_BYTES) < 0
        return FrameHeader.unpack(np.packbits(bits).tobytes())

    def _payload(
        self,
        burst: Burst,
        header: FrameHeader,
        head: np.ndarray,
        bins: np.ndarray,
        h: np.ndarray,
        noise: float,
    ) -> ReceivedFrame:
        """Second estimate, with the decoded header as a long training sequence, then the payload."""
        w, n_head = self.waveform, header_ofdm_symbols(self.waveform)
        phase, slope, ppm = track(bins, h, w)
        straight = straighten(bins, phase, slope, w)
        sent = np.zeros((n_head, w.fft_len), dtype=complex)
        sent[:, w.data_bins] = header_symbols(header, w).reshape(n_head, -1)
        sent[:, w.pilot_bins] = w.pilots(n_head)
        weight = np.sum(np.abs(sent) ** 2, axis=0)
        h_ls = np.sum(straight[:n_head] * np.conj(sent), axis=0) / np.where(weight > 0, weight, 1)
        power = max(float(np.mean(np.abs(h_ls[weight > 0]) ** 2)), 1e-30)
        h = smooth(h_ls, weight, min(noise / power, 1.0), w)
        used = used_bins(w)
        error = straight[:n_head, used] - h[used] * sent[:, used]
        noise = float(np.mean(np.abs(error) ** 2))
        h_data = h[w.data_bins]
        gain = np.maximum(np.abs(h_data) ** 2, 1e-12 * power)
        symbols = (straight[n_head:, w.data_bins] * np.conj(h_data) / gain).ravel()[: header.n_symbols]
        noise_var = np.maximum(np.tile(noise / gain, len(bins) - n_head)[: header.n_symbols], _MIN_NOISE_VAR)
        return ReceivedFrame(
            header=header,
            symbols=symbols.astype(np.complex64),
            noise_var=noise_var.astype(np.float32),
            snr_db=float(10 * np.log10(np.mean(gain) / max(noise, 1e-30))),
            cfo_hz=burst.cfo * w.samp_rate,
            sfo_ppm=ppm,
            h_hat=h_data.astype(np.complex64),
            start_sample=self._origin + burst.start,
        )
