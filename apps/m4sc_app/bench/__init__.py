"""`m4sc bench`: measured figures, printed under their names."""

from __future__ import annotations

import typer

from m4sc_app.bench.ablation import ablation
from m4sc_app.bench.agreement import agreement
from m4sc_app.bench.alignment import alignment
from m4sc_app.bench.asking import asking
from m4sc_app.bench.batch import batch
from m4sc_app.bench.broker import broker
from m4sc_app.bench.frame import frame
from m4sc_app.bench.handed_in import handed_in
from m4sc_app.bench.header_code import header_code
from m4sc_app.bench.hearing import hearing
from m4sc_app.bench.impairments import impairments
from m4sc_app.bench.instruction import instruction
from m4sc_app.bench.look import look
from m4sc_app.bench.mcs import mcs
from m4sc_app.bench.multiuser import multiuser
from m4sc_app.bench.papr import papr
from m4sc_app.bench.photographs import photographs
from m4sc_app.bench.phy import phy
from m4sc_app.bench.pictures import pictures
from m4sc_app.bench.questions import questions
from m4sc_app.bench.separation import separation
from m4sc_app.bench.soak import soak
from m4sc_app.bench.sound import sound
from m4sc_app.bench.space import space
from m4sc_app.bench.speed import model
from m4sc_app.bench.summaries import summaries
from m4sc_app.bench.zmq import zmq

bench_app = typer.Typer(no_args_is_help=True, help="Measure parts of the system.")
bench_app.command("ablation")(ablation)
bench_app.command("agreement")(agreement)
bench_app.command("alignment")(alignment)
bench_app.command("asking")(asking)
bench_app.command("batch")(batch)
bench_app.command("broker")(broker)
bench_app.command("frame")(frame)
bench_app.command("header-code")(header_code)
bench_app.command("handed-in")(handed_in)
bench_app.command("hearing")(hearing)
bench_app.command("impairments")(impairments)
bench_app.command("instruction")(instruction)
bench_app.command("look")(look)
bench_app.command("mcs")(mcs)
bench_app.command("model")(model)
bench_app.command("multiuser")(multiuser)
bench_app.command("papr")(papr)
bench_app.command("photographs")(photographs)
bench_app.command("phy")(phy)
bench_app.command("pictures")(pictures)
bench_app.command("questions")(questions)
bench_app.command("separation")(separation)
bench_app.command("soak")(soak)
bench_app.command("space")(space)
bench_app.command("sound")(sound)
bench_app.command("summaries")(summaries)
bench_app.command("zmq")(zmq)


@bench_app.callback()
def _bench() -> None:
    """Options before the benchmark's name."""
