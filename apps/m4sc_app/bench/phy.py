"""`m4sc bench phy`: the radio's figures, GNU Radio's own chain measured in the same run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

_SNRS_AWGN = (0.0, 5.0, 10.0, 20.0, 30.0)
_SNRS_TDL = (10.0, 20.0, 30.0)
_OFFSETS = ((0.0, 0.0), (1.5, 20.0), (-0.7, -20.0))  # subcarriers, ppm
_SPREADS = (0.5, 1.0, 1.5)  # samples RMS: up to about 15 samples of delay, within the prefix of 16
_LDPC_SNR_DB = 1.0
_STOCK_BYTES = 96


@dataclass(frozen=True)
class Work:
    """How much is done; `quick` is about a tenth."""

    link_frames: int
    false_samples: int
    equalizer_frames: int
    packets: int
    ldpc_blocks: int


FULL = Work(10_000, 100_000_000, 400, 2000, 2000)
QUICK = Work(1_000, 4_000_000, 30, 300, 200)


def phy(
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the work, or less.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Groups to measure: link, false, equalizer, stock, ldpc, noise. All if not given."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of payloads, channels and noise.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Measure the physical layer: losses, false headers, equaliser, throughput, LDPC, noise scaling.

    Examples:

        m4sc bench phy --quick

        m4sc bench phy --only link --only equalizer --json
    """
    from rich.console import Console
    from rich.table import Table

    from m4sc_app.report.versions import versions

    groups: dict[str, Callable[[Work, int], Iterator[dict[str, Any]]]] = {
        "link": _link,
        "false": _false,
        "equalizer": _equalizer,
        "stock": _stock,
        "ldpc": _ldpc,
        "noise": _noise,
    }
    unknown = sorted(set(only or ()) - set(groups))
    if unknown:
        raise typer.BadParameter(f"no group {', '.join(unknown)}; there are {', '.join(groups)}")
    work, console, figures = QUICK if quick else FULL, Console(stderr=True), []
    for name in only or groups:
        with console.status(f"measuring {name}"):
            figures += list(groups[name](work, seed))
    if as_json:
        config = {"quick": quick, "groups": list(only or groups), "seed": seed}
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": figures}, indent=1))
        return
    table = Table("figure", "value", "unit", "detail", title="Physical layer")
    for figure in figures:
        value = figure["value"]
        shown = f"{value:.3g}" if isinstance(value, float) else str(value)
        table.add_row(figure["name"], shown, figure["unit"], figure["detail"])
    Console().print(table)


def _figure(name: str, value: float, unit: str, detail: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "detail": detail}


def _link(work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc.phy.link_trial import run_link
    from m4sc.phy.waveform import WaveformConfig

    how = "random lengths 1 to 400 symbols, gaps or back to back, chunks 1 k to 1 M, CFO to 1.5 subcarriers"
    for name, snr_db in (("frames_lost_10db", 10.0), ("frames_lost_3db", 3.0), ("frames_lost_0db", 0.0)):
        trial = run_link(snr_db, work.link_frames, WaveformConfig(), seed)
        detail = f"of {trial.sent}; {trial.duplicated} duplicated, {trial.misplaced} misplaced; {how}"
        yield _figure(name, trial.lost, "frames", detail)
        if snr_db == 3.0:
            yield _figure("frames_lost_3db_pct", 100.0 * trial.lost / trial.sent, "%", detail)


def _false(work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc.phy.link_trial import SOURCES, false_headers
    from m4sc.phy.waveform import WaveformConfig

    total = 0
    for source in SOURCES:
        found, tried = false_headers(source, work.false_samples, WaveformConfig(), seed)
        total += found
        detail = f"of {tried} tried, in {work.false_samples / 1e6:g} M samples"
        yield _figure(f"false_headers_{source}", found, "headers", detail)
    yield _figure("false_headers", total, "headers", "noise, carrier and foreign OFDM together")


def _equalizer(work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc.phy.equalizer_loss import EqualizerTrial, equalizer_loss
    from m4sc.phy.waveform import WaveformConfig

    flat = [EqualizerTrial(snr, cfo, ppm) for snr in _SNRS_AWGN for cfo, ppm in _OFFSETS]
    tdl = [EqualizerTrial(s, 0.3, 0.0, p, spread) for p in "AC" for s in _SNRS_TDL for spread in _SPREADS]
    for name, trials in (("eq_loss_awgn_db", flat), ("eq_loss_tdl_db", tdl)):
        found = [equalizer_loss(trial, work.equalizer_frames, WaveformConfig(), seed) for trial in trials]
        worst = max(range(len(found)), key=lambda i: found[i].loss_db)
        mean = sum(f.loss_db for f in found) / len(found)
        lost = sum(f.lost for f in found)
        detail = (
            f"worst of {len(found)} cases, at {trials[worst]}; mean {mean:.2f} dB; {lost} frames lost; "
            f"noise_var is off by {max((f.noise_var_db for f in found), key=abs):+.2f} dB at most"
        )
        yield _figure(name, found[worst].loss_db, "dB", detail)


def _stock(work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc_app.bench import stock

    n_symbols = 4 * _STOCK_BYTES
    theirs_tx, theirs = stock.stock_transmitter(work.packets, _STOCK_BYTES)
    ours_tx, ours = stock.our_transmitter(work.packets, n_symbols)
    theirs_rx = stock.stock_receiver(
        stock.spread_packets(theirs, work.packets, 30.0), work.packets, _STOCK_BYTES
    )
    ours_rx = stock.our_receiver(stock.spread_packets(ours, work.packets, 30.0), work.packets)
    detail = f"{work.packets} packets of {n_symbols} QPSK symbols at 30 dB; each receives its own frames"
    yield _figure("rx_msps", ours_rx.msps, "Msps", f"received {ours_rx.received} of {ours_rx.sent}; {detail}")
    yield _figure(
        "stock_rx_msps",
        theirs_rx.msps,
        "Msps",
        f"received {theirs_rx.received} of {theirs_rx.sent}; {detail}",
    )
    yield _figure("rx_speedup", ours_rx.msps / theirs_rx.msps, "x", detail)
    yield _figure("tx_msps", ours_tx.msps, "Msps", detail)
    yield _figure("stock_tx_msps", theirs_tx.msps, "Msps", detail)
    yield _figure("tx_speedup", ours_tx.msps / theirs_tx.msps, "x", detail)


def _ldpc(work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc_app.bench import fec

    ours = fec.our_decoder(work.ldpc_blocks, _LDPC_SNR_DB)
    theirs = fec.gr_fec_decoder(max(work.ldpc_blocks // 10, 20), _LDPC_SNR_DB)
    detail = f"n = {fec.N}, k = {fec.K}, BPSK at Es/N0 {_LDPC_SNR_DB} dB, 50 iterations at most, one thread"
    yield _figure("ldpc_mbps", ours.mbps, "Mbit/s", f"bit errors {ours.wrong:.2g}; {detail}")
    yield _figure("gr_fec_ldpc_mbps", theirs.mbps, "Mbit/s", f"bit errors {theirs.wrong:.2g}; {detail}")
    yield _figure("ldpc_speedup", ours.mbps / theirs.mbps, "x", detail)
    gap_db, cases = fec.decoder_gap(fec.QUICK_GAP if work is QUICK else fec.FULL_GAP, seed)
    yield _figure("ldpc_gap_db", gap_db, "dB", cases)


def _noise(work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc.phy.link_trial import noise_voltage_error_db
    from m4sc.phy.waveform import WaveformConfig

    worst, cases = 0.0, 0
    for fft_len in (64, 128, 256, 1024):
        for used in (fft_len // 8, fft_len // 3, fft_len // 2 - 2):
            plan = WaveformConfig(
                fft_len=fft_len,
                cp_len=fft_len // 4,
                occupied_carriers=tuple(c for c in range(-used, used) if c),
                pilot_carriers=(),
                pilot_symbols=((),),
                sync_word1=(0.0,) * fft_len,
                sync_word2=(0.0,) * fft_len,
            )
            error = noise_voltage_error_db(plan, 7.0, seed)
            worst, cases = max(worst, error, key=abs), cases + 1
    yield _figure("noise_voltage_error_db", worst, "dB", f"worst of {cases} FFT lengths and carrier plans")
