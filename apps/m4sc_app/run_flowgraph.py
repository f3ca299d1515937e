"""`m4sc run`: a companion flowgraph without its windows."""

from __future__ import annotations

from typing import Annotated

import typer

run_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@run_app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    }
)
def run_command(
    ctx: typer.Context,
    flowgraph: Annotated[
        str, typer.Argument(help="Path of a .grc, or the name of one of ours, such as loopback.")
    ],
) -> None:
    """Run a companion flowgraph without its windows; each of its parameters is an option.

    Examples:  m4sc run loopback --help  ·  m4sc run loopback --repeat 1 --snr-db 8
    """
    from m4sc_app.link_run import need_gnuradio

    need_gnuradio()
    from m4sc_flowgraphs.headless import run_grc

    run_grc(flowgraph, ctx.args)
