"""`m4sc bench`: measured figures, printed under their names."""

from __future__ import annotations

import typer

from m4sc_app.bench.mcs import mcs
from m4sc_app.bench.papr import papr
from m4sc_app.bench.phy import phy

bench_app = typer.Typer(no_args_is_help=True, help="Measure parts of the system.")
bench_app.command("mcs")(mcs)
bench_app.command("papr")(papr)
bench_app.command("phy")(phy)


@bench_app.callback()
def _bench() -> None:
    """Options before the benchmark's name."""
