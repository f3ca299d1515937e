"""`m4sc bench phy`: the radio's figures, GNU Radio's own chain measured in the same run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from m4sc_app.bench.meter import Meter
from m4sc_app.bench.phy_receiver import arq, clock, diagnosis
from m4sc_app.tables import show

if TYPE_CHECKING:
    from m4sc_app.bench.trials.noise_trial import NoiseTrial, ToldNoise

_SNRS_AWGN = (0.0, 5.0, 10.0, 20.0, 30.0)
_SNRS_TDL = (10.0, 20.0, 30.0)
_OFFSETS = ((0.0, 0.0), (1.5, 20.0), (-0.7, -20.0))  # subcarriers, ppm
_SPREADS = (0.5, 1.0, 1.5)  # samples RMS: up to about 15 samples of delay, within the prefix of 16
_LDPC_SNR_DB = 1.0
_LONG_BLOCK, _LONG_SNR_DB = (8448, 16896), 0.3
_STOCK_BYTES = 96
_PACKET_BITS = (1, 2)  # a symbol
_EXCHANGES = (
    "compat_stock_rx_decodes_ours_pct",
    "compat_stock_rx_decodes_stock_pct",
    "compat_ours_decodes_stock_pct",
)


@dataclass(frozen=True)
class Work:
    """How much is done; `quick` is about a tenth."""

    link_frames: int
    false_samples: int
    equalizer_frames: int
    packets: int
    ldpc_blocks: int
    exchanged: int
    header_frames: int
    turns: int  # of each transmitter and receiver, in alternation; the median counts
    told_frames: int
    interfered_frames: int
    clock_frames: int
    staged: int
    clean_frames: int
    messages: int


FULL = Work(10_000, 100_000_000, 400, 2000, 2000, 1000, 1000, 5, 200, 400, 200, 16, 1000, 1000)
QUICK = Work(1_000, 4_000_000, 30, 300, 200, 100, 200, 1, 10, 40, 20, 4, 104, 100)
_LONG_FRAME = 200  # OFDM symbols; a quarter as many of such frames are sent
_HEADER_SNRS = tuple(0.5 * n for n in range(0, -25, -1))
_REPEATED_HEADER_SNRS = tuple(0.5 * n for n in range(-12, -29, -1))


def phy(
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the work, or less.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Groups: link, header, false, equalizer, stock, compat, ldpc, noise, interference, clock, "
            "diagnosis, arq, voltage. All if not given."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of payloads, channels and noise.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Measure the physical layer: losses, header, equaliser, throughput, foreign packets, LDPC, noise.

    Examples:

        m4sc bench phy --quick

        m4sc bench phy --only link --only equalizer --json
    """
    from rich.console import Console
    from rich.table import Table

    from m4sc_app.report.versions import versions

    console = Console(stderr=True)
    meter = Meter(console)
    groups: dict[str, Callable[[Work, int], Iterator[dict[str, Any]]]] = {
        "link": partial(_link, meter),
        "header": partial(_header, meter),
        "false": partial(_false, meter),
        "equalizer": partial(_equalizer, meter),
        "stock": _stock,
        "compat": partial(_compat, meter),
        "ldpc": _ldpc,
        "noise": partial(_noise, meter),
        "interference": partial(_interference, meter),
        "clock": partial(clock, meter),
        "diagnosis": partial(diagnosis, meter),
        "arq": partial(arq, meter),
        "voltage": _voltage,
    }
    unknown = sorted(set(only or ()) - set(groups))
    if unknown:
        raise typer.BadParameter(f"no group {', '.join(unknown)}; there are {', '.join(groups)}")
    work, figures, started = QUICK if quick else FULL, [], time.perf_counter()
    with meter:
        for name in only or groups:
            with meter.group(name):
                figures += list(groups[name](work, seed))
    seconds = time.perf_counter() - started
    console.print(f"measured in {seconds:.0f} s", highlight=False)
    if as_json:
        config = {"quick": quick, "groups": list(only or groups), "seed": seed, "seconds": round(seconds, 1)}
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": figures}, indent=1))
        return
    table = Table("figure", "value", "unit", "detail", title="Physical layer")
    for figure in figures:
        value = figure["value"]
        shown = f"{value:.3g}" if isinstance(value, float) else str(value)
        table.add_row(figure["name"], shown, figure["unit"], figure["detail"])
    show(table)


def _figure(name: str, value: float, unit: str, detail: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "detail": detail}


def _link(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials.link_trial import run_link

    how = "random lengths 1 to 400 symbols, gaps or back to back, chunks 1 k to 1 M, CFO to 1.5 subcarriers"
    for name, snr_db in (("frames_lost_10db", 10.0), ("frames_lost_3db", 3.0), ("frames_lost_0db", 0.0)):
        with meter.track(f"frames at {snr_db:g} dB", work.link_frames) as advance:
            trial = run_link(snr_db, work.link_frames, WaveformConfig(), seed, advance)
        detail = f"of {trial.sent}; {trial.duplicated} duplicated, {trial.misplaced} misplaced; {how}"
        yield _figure(name, trial.lost, "frames", detail)
        if snr_db == 3.0:
            yield _figure("frames_lost_3db_pct", 100.0 * trial.lost / trial.sent, "%", detail)


def _header(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc.phy.header.protection import NORMAL, PROTECTIONS
    from m4sc.phy.modulation.mcs import get_mcs
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials.header_trial import header_snr_db

    detail = (
        f"1 % of frames lost by detection or header, AWGN, CFO to 1.5 subcarriers; {work.header_frames} "
        "frames at each of the two points around it"
    )
    more = f"protection {PROTECTIONS[-1].name}, {PROTECTIONS[-1].preambles} preambles; {detail}"
    for name, protection, grid, how in (
        ("header_snr_db", NORMAL, _HEADER_SNRS, detail),
        ("repeated_header_snr_db", PROTECTIONS[-1], _REPEATED_HEADER_SNRS, more),
    ):
        with meter.track(name, None) as advance:
            found = header_snr_db(WaveformConfig(), work.header_frames, seed, grid, 0.01, advance, protection)
        interval = f"95 % interval {found.low_db:.2f} to {found.high_db:.2f} dB, {found.frames} frames in all"
        yield _figure(name, found.snr_db, "dB", f"{interval}; {how}")
    robust = get_mcs(0)
    detail = f"table of schemes: rate {robust.rate:g}, {robust.bits_per_symbol} bit, 256 bytes, BLER 1 %"
    yield _figure("most_robust_payload_snr_db", robust.snr_db, "dB", detail)


def _false(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials.link_trial import SOURCES, false_headers

    total = 0
    for source in SOURCES:
        with meter.track(f"samples of {source}", work.false_samples) as advance:
            found, tried = false_headers(source, work.false_samples, WaveformConfig(), seed, advance)
        total += found
        detail = f"of {tried} tried, in {work.false_samples / 1e6:g} M samples"
        yield _figure(f"false_headers_{source}", found, "headers", detail)
    yield _figure("false_headers", total, "headers", "noise, carrier and foreign OFDM together")


def _equalizer(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials.equalizer_loss import EqualizerTrial, equalizer_loss

    waveform = WaveformConfig()
    flat = [EqualizerTrial(snr, cfo, ppm) for snr in _SNRS_AWGN for cfo, ppm in _OFFSETS]
    tdl = [EqualizerTrial(s, 0.3, 0.0, p, spread) for p in "AC" for s in _SNRS_TDL for spread in _SPREADS]
    for name, short in (("eq_loss_awgn_db", flat), ("eq_loss_tdl_db", tdl)):
        long = [replace(t, n_symbols=_LONG_FRAME * waveform.n_data_carriers) for t in short]
        worst, everywhere = [], []
        for trials, frames in ((short, work.equalizer_frames), (long, max(work.equalizer_frames // 4, 6))):
            found = []
            with meter.track(f"{name}, frames of {trials[0].n_symbols}", len(trials)) as advance:
                for trial in trials:
                    found.append(equalizer_loss(trial, frames, waveform, seed))
                    advance(1)
            top = max(range(len(found)), key=lambda i: found[i].loss_db)
            worst.append((found[top].loss_db, trials[top]))
            everywhere += found
        loss, trial = max(worst, key=lambda pair: pair[0])
        detail = (
            f"worst of {len(everywhere)} cases, at {trial}; with 200 symbols of QAM {worst[0][0]:.2f}, with "
            f"{_LONG_FRAME} of OFDM {worst[1][0]:.2f} dB at worst; {sum(f.lost for f in everywhere)} lost; "
            f"noise_var is off by {max((f.noise_var_db for f in everywhere), key=abs):+.2f} dB at most"
        )
        yield _figure(name, loss, "dB", detail)


def _stock(work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc_app.bench import stock

    n_symbols = 4 * _STOCK_BYTES
    _, theirs = stock.stock_transmitter(work.packets, _STOCK_BYTES)
    _, ours = stock.our_transmitter(work.packets, n_symbols)
    theirs, ours = (stock.spread_packets(s, work.packets, 30.0) for s in (theirs, ours))
    theirs_tx, ours_tx, theirs_rx, own, same, alone = stock.median_speeds(
        (
            lambda: stock.stock_transmitter(work.packets, _STOCK_BYTES)[0],
            lambda: stock.our_transmitter(work.packets, n_symbols)[0],
            lambda: stock.stock_receiver(theirs, work.packets, _STOCK_BYTES),
            lambda: stock.our_receiver(ours, work.packets),
            lambda: stock.our_packet_receiver(theirs, work.packets, _STOCK_BYTES),
            lambda: stock.our_packet_loop(theirs, work.packets, _STOCK_BYTES),
        ),
        work.turns,
    )
    detail = (
        f"{work.packets} packets of {n_symbols} QPSK symbols at 30 dB, 400 samples apart; "
        f"median of {work.turns}, all in turn"
    )
    for name, speed, what in (
        ("rx_msps", same, "packet_receiver in a flowgraph, on the very samples of digital.ofdm_rx"),
        ("rx_own_frames_msps", own, "frame_receiver in a flowgraph, frames of its own, which are longer"),
        ("rx_loop_msps", alone, "our receiver without a flowgraph, on the very samples of digital.ofdm_rx"),
        ("stock_rx_msps", theirs_rx, "digital.ofdm_rx in a flowgraph"),
    ):
        yield _figure(
            name, speed.msps, "Msps", f"{what}; received {speed.received} of {speed.sent}; {detail}"
        )
    yield _figure("rx_speedup", same.msps / theirs_rx.msps, "x", f"of rx_msps; {detail}")
    own_speedup = own.msps / theirs_rx.msps
    yield _figure("rx_own_frames_speedup", own_speedup, "x", f"of rx_own_frames_msps; {detail}")
    yield _figure("rx_loop_speedup", alone.msps / theirs_rx.msps, "x", f"of rx_loop_msps; {detail}")
    spent = min(own.cpu_msps, same.cpu_msps) / theirs_rx.cpu_msps
    yield _figure("rx_cpu_speedup", spent, "x", f"samples a second of processor time, all threads; {detail}")
    yield _figure("tx_msps", ours_tx.msps, "Msps", detail)
    yield _figure("stock_tx_msps", theirs_tx.msps, "Msps", detail)
    yield _figure("tx_speedup", ours_tx.msps / theirs_tx.msps, "x", detail)


def _compat(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc_app.bench import compatibility as exchange

    count, sums = work.exchanged, dict.fromkeys(_EXCHANGES, 0)
    with meter.track("packets exchanged", len(_PACKET_BITS)) as advance:
        for bits in _PACKET_BITS:
            payloads = exchange.numbered_payloads(count, 60, seed)
            theirs = exchange.on_air(exchange.stock_samples(payloads, bits, True), count, 30.0, seed)
            ours = exchange.on_air(exchange.our_samples(payloads, bits, True), count, 30.0, seed)
            for name, samples, decode in zip(
                _EXCHANGES,
                (ours, theirs, theirs),
                (exchange.stock_decodes, exchange.stock_decodes, exchange.we_decode),
                strict=True,
            ):
                sums[name] += decode(samples, payloads, bits, True).received
            advance(1)
    total = count * len(_PACKET_BITS)
    for name, received in sums.items():
        detail = f"{received} of {total} packets, BPSK and QPSK, scrambled, 30 dB, CFO to 0.2 subcarriers"
        yield _figure(name, 100.0 * received / total, "%", detail)


def _ldpc(work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc_app.bench import fec

    ours = fec.our_decoder(work.ldpc_blocks, _LDPC_SNR_DB)
    theirs = fec.gr_fec_decoder(max(work.ldpc_blocks // 10, 20), _LDPC_SNR_DB)
    detail = f"n = {fec.N}, k = {fec.K}, BPSK at Es/N0 {_LDPC_SNR_DB} dB, 50 iterations at most, one thread"
    yield _figure("ldpc_mbps", ours.mbps, "Mbit/s", f"bit errors {ours.wrong:.2g}; {detail}")
    k, n = _LONG_BLOCK
    long = fec.our_decoder(max(work.ldpc_blocks // 20, 20), _LONG_SNR_DB, k, n)
    detail_long = (
        f"n = {n}, k = {k}, BPSK at Es/N0 {_LONG_SNR_DB} dB, 2 dB above where 1 % of the blocks are lost; "
        f"bit errors {long.wrong:.2g}; one thread, soft bits to bits"
    )
    yield _figure("ldpc_long_mbps", long.mbps, "Mbit/s", detail_long)
    yield _figure("gr_fec_ldpc_mbps", theirs.mbps, "Mbit/s", f"bit errors {theirs.wrong:.2g}; {detail}")
    yield _figure("ldpc_speedup", ours.mbps / theirs.mbps, "x", detail)
    gap_db, cases = fec.decoder_gap(fec.QUICK_GAP if work is QUICK else fec.FULL_GAP, seed)
    yield _figure("ldpc_gap_db", gap_db, "dB", cases)


def _told(
    meter: Meter, name: str, trials: Sequence[NoiseTrial], frames: int, seed: int
) -> list[tuple[str, ToldNoise]]:
    """What was told of each trial's frames, by the trial's name."""
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials.noise_trial import told_noise

    found = []
    with meter.track(name, len(trials)) as advance:
        for trial in trials:
            found.append((trial.name, told_noise(trial, frames, WaveformConfig(), seed)))
            advance(1)
    return found


def _noise(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc_app.bench.trials.noise_trial import TOLD

    found = _told(meter, "noise told", TOLD, work.told_frames, seed)
    worst = max((told.worst_db for _, told in found), key=abs)
    every = "; ".join(
        f"{name}: {told.ratio_db:+.2f}, deciles {min(told.deciles_db):+.1f} to {max(told.deciles_db):+.1f}, "
        f"{told.lost} lost"
        for name, told in found
    )
    detail = f"|error|^2 over told, worst of all symbols and of deciles of what was told; {every}"
    yield _figure("told_ratio_db", worst, "dB", f"{detail}; {work.told_frames} frames each")
    overall = max((told.ratio_db for _, told in found), key=abs)
    yield _figure("told_overall_db", overall, "dB", "the same over all symbols of a condition")
    share = 100.0 * sum(told.lost for _, told in found) / sum(told.frames for _, told in found)
    detail = "frames not received in these conditions, of which nothing was told; the ratios are without them"
    yield _figure("told_lost_pct", share, "%", detail)


def _interference(meter: Meter, work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc_app.bench.trials.noise_trial import HIT_ANYWHERE, INTERFERED

    for figure, trials, what in (
        ("interference_decoded", INTERFERED, "hits come behind the preamble"),
        ("hit_anywhere_decoded", HIT_ANYWHERE, "a preamble that is hit may go unseen"),
    ):
        found = _told(meter, what, trials, work.interfered_frames, seed)
        fewest = min(40 * told.decoded / told.frames for _, told in found)
        every = "; ".join(f"{name}: {told.decoded}, {told.lost} not received" for name, told in found)
        detail = (
            f"payloads decoded, in the worst row, of 40; {what}; of {work.interfered_frames} frames at "
            f"15 dB: {every}"
        )
        yield _figure(figure, fewest, "frames", detail)


def _voltage(work: Work, seed: int) -> Iterator[dict[str, Any]]:
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials.link_trial import noise_voltage_error_db

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
