"""The command line of `m4sc dashboard`."""

from __future__ import annotations

import contextlib
import socket
from typing import Annotated

import typer

from m4sc_app.errors import UserError


def dashboard_command(
    address: Annotated[str, typer.Argument(help="sim:?snr_db=10 to send too, else an end to listen to.")] = (
        "sim:?snr_db=10"
    ),
    host: Annotated[
        str, typer.Option(help="Where the page is served; by default this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port of the page.")] = 8765,
    user: Annotated[
        list[str] | None,
        typer.Option(help="TASK@SNR, or TASK@SNR:QUESTION: one frame for several users, side by side."),
    ] = None,
    query: Annotated[str | None, typer.Option(help="The receiver's question, when listening.")] = None,
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
) -> None:
    """Serve a live page: link state, messages, pictures and answers; sliders for a simulated channel.

    Example:  m4sc dashboard

    Several users: m4sc dashboard --user caption@15 --user classify@5 --user "vqa@0:Is there a dog?"
    """
    from m4sc_app import loading
    from m4sc_app.link_run import need_gnuradio

    need_gnuradio()
    from m4sc_flowgraphs.radio_ends import parse_address

    from m4sc_app.dashboard.link import LinkService
    from m4sc_app.dashboard.server import PageServer
    from m4sc_app.dashboard.users import UsersService, read_users

    where = parse_address(address)
    _check_port(host, port)
    users = read_users(user) if user else []
    if users and (where.kind != "sim" or query is not None):
        raise UserError(
            "--user goes with a simulated channel (sim:) and each user's own question, no --query"
        )
    system = loading.warm_up(model)
    service = UsersService(address, system, users) if users else LinkService(address, system, query)
    try:
        service.begin()
        typer.echo(f"http://{host}:{port}  (Ctrl-C ends)")
        with contextlib.suppress(KeyboardInterrupt):  # the server has ended by itself and tells it again
            PageServer(service, host, port, (host, "localhost", "127.0.0.1")).run()
    finally:
        service.end()


def _check_port(host: str, port: int) -> None:
    """Raise UserError where the page cannot be served."""
    if not 0 < port < 0x10000:
        raise UserError(f"--port is {port}; give 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise UserError(
                f"cannot serve at {host}:{port} ({exc.strerror}); give another --port, or --host"
            ) from exc
