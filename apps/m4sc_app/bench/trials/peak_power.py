"""Peak-to-average power of frames, and what a saturating amplifier does to their symbols."""

from __future__ import annotations

import numpy as np
from m4sc.phy.channel.amplifier import rapp
from m4sc.phy.channel.simulator import mean_sample_power
from m4sc.phy.frame import add_prefix
from m4sc.phy.modulation.mapping import round_to_grid
from m4sc.phy.modulation.precoder import precode, undo_precoding
from m4sc.phy.modulation.qam import map_bits
from m4sc.phy.waveform import WaveformConfig
from scipy.signal import resample as fourier_resample

KINDS = ("analog", "qam", "digital")
OVERSAMPLING = 4
_BATCH = 2000


def random_symbols(kind: str, count: int, rng: np.random.Generator, order: int = 256) -> np.ndarray:
    """Symbols as a payload kind has them: Gaussian latents, the same on a grid of `order`, or QPSK.

    Raises:
        ValueError: unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"payload kind '{kind}' is unknown; use one of {', '.join(KINDS)}")
    if kind == "digital":
        return map_bits(rng.integers(0, 2, 2 * count), 2)
    pairs = rng.standard_normal((2, count)) / np.sqrt(2.0)
    symbols = pairs[0] + 1j * pairs[1]
    return symbols if kind == "analog" else round_to_grid(symbols, order)


def ofdm_symbols(symbols: np.ndarray, waveform: WaveformConfig) -> np.ndarray:
    """Whole OFDM symbols with pilots and without prefix, complex (rows, fft_len), orthonormal."""
    data = np.asarray(symbols).reshape(-1, waveform.n_data_carriers)
    bins = np.zeros((len(data), waveform.fft_len), complex)
    bins[:, waveform.data_bins] = data
    bins[:, waveform.pilot_bins] = waveform.pilots(len(data))
    return np.asarray(np.fft.ifft(bins, axis=1, norm="ortho"))


def papr_db(rows: np.ndarray, mean_power: float) -> np.ndarray:
    """Peak power of each OFDM symbol, oversampled 4 times, over the mean power of all: dB, float (rows,)."""
    fine = fourier_resample(rows, OVERSAMPLING * rows.shape[1], axis=1)
    return np.asarray(10 * np.log10(np.max(np.abs(fine) ** 2, axis=1) / mean_power))


def exceeded_db(values_db: np.ndarray, probability: float = 1e-3) -> float:
    """Level that is exceeded with `probability`: a point of the complementary distribution, dB."""
    return float(np.quantile(values_db, 1.0 - probability))


def kind_papr_db(kind: str, precoder: str, n_rows: int, waveform: WaveformConfig, seed: int = 0) -> float:
    """PAPR exceeded by one in a thousand OFDM symbols of a payload kind, dB."""
    rng, found = np.random.default_rng(seed), []
    for start in range(0, n_rows, _BATCH):
        count = min(_BATCH, n_rows - start) * waveform.n_data_carriers
        symbols = precode(random_symbols(kind, count, rng), waveform.n_data_carriers, precoder)
        rows = ofdm_symbols(symbols, waveform)
        found.append(papr_db(rows, float(np.mean(np.abs(rows) ** 2))))
    return exceeded_db(np.concatenate(found))


def amplifier_evm_db(
    kind: str,
    precoder: str,
    backoff_db: float,
    smoothness: float,
    n_rows: int,
    waveform: WaveformConfig,
    seed: int = 0,
) -> float:
    """Error power over signal power of symbols behind a Rapp amplifier, dB.

    The symbols are taken as the receiver leaves them: transformed back, and scaled by the one factor that a
    channel estimate would take out. No noise; the amplifier works at 4 times the sample rate and a
    receiver's filter takes the band out of it.
    """
    rng = np.random.default_rng(seed)
    n = waveform.n_data_carriers
    sent = random_symbols(kind, n_rows * n, rng)
    rows = ofdm_symbols(precode(sent, n, precoder), waveform)
    fine = fourier_resample(rows, OVERSAMPLING * rows.shape[1], axis=1)
    power = float(np.mean(np.abs(rows) ** 2))  # of a grid it is below one: what lies outside is held
    fine = rapp(fine.ravel(), backoff_db, smoothness, power).reshape(fine.shape)
    bins = np.fft.fft(fourier_resample(fine, waveform.fft_len, axis=1), axis=1, norm="ortho")
    carriers = bins[:, waveform.data_bins].ravel()
    got, _ = undo_precoding(carriers, np.full(len(carriers), 1e-9), n, precoder)
    factor = np.vdot(sent, got) / np.vdot(sent, sent)
    error = np.mean(np.abs(got / factor - sent) ** 2)
    return float(10 * np.log10(error / np.mean(np.abs(sent) ** 2)))


def preamble_papr_db(waveform: WaveformConfig) -> float:
    """Highest PAPR of the two sync words, over a payload's mean power, dB."""
    words = np.stack([waveform.sync_bins(1), waveform.sync_bins(2)])
    rows = add_prefix(words, waveform).reshape(2, -1)[:, waveform.cp_len :]
    return float(papr_db(rows, mean_sample_power(waveform)).max())


def header_papr_db(headers: int, waveform: WaveformConfig, seed: int = 0) -> float:
    """PAPR exceeded by one in a thousand OFDM symbols of random headers, dB."""
    from m4sc.phy.header.code import header_code
    from m4sc.phy.header.fields import FrameHeader, PayloadKind
    from m4sc.phy.header.protection import NORMAL

    rng, code = np.random.default_rng(seed), header_code(waveform, NORMAL)
    symbols = [
        code.encode(FrameHeader(PayloadKind.ANALOG, int(a) % 0x8000, int(b), int(c) % 256).pack())
        for a, b, c in rng.integers(1, 60_000, (headers, 3))
    ]
    return exceeded_db(papr_db(ofdm_symbols(np.concatenate(symbols), waveform), mean_sample_power(waveform)))
