"""`m4sc doctor`: runs every check and names the cure for what fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer

from m4sc_app.doctor import flowgraphs, machine, model, radio
from m4sc_app.doctor.check import FAILED, OK, WARNING, Check


def run_checks() -> list[Check]:
    """Run every check; one that raises becomes a failed check, never a traceback."""
    probes: list[Callable[[], Check | list[Check]]] = [
        machine.check_system,
        radio.check_interpreter,
        radio.check_path_python,
        machine.check_numpy,
        machine.check_system_numpy,
        radio.check_gnuradio,
        radio.check_module,
        radio.check_module_version,
        radio.check_module_of_all_users,
        radio.check_grc_blocks,
        flowgraphs.check_flowgraphs,
        model.check_torch,
        model.check_torchvision,
        model.check_backbones,
        model.check_weights,
        radio.check_radios,
        model.check_memory,
    ]
    checks: list[Check] = []
    for probe in probes:
        try:
            result = probe()
        except Exception as error:
            name = probe.__name__.removeprefix("check_")
            result = Check(name, FAILED, f"{type(error).__name__}: {error}", "Run script/bootstrap.")
        checks.extend(result if isinstance(result, list) else [result])
    return checks


def doctor_command(
    json_: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON on stdout.")] = False,
) -> None:
    """Check interpreter, GNU Radio, module, weights, devices and memory; exit code 1 when one fails."""
    checks = run_checks()
    if json_:
        typer.echo(json.dumps({"checks": [asdict(check) for check in checks]}, indent=2))
    else:
        print_table(checks)
    if any(check.status == FAILED for check in checks):
        raise typer.Exit(1)


def print_table(checks: list[Check]) -> None:
    """Print the checks as a table and the cures below it."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    marks = {OK: "[green]ok[/]", WARNING: "[yellow]warning[/]", FAILED: "[red]failed[/]"}
    table = Table("check", "", "found", title="m4sc doctor")
    for check in checks:
        table.add_row(check.name, marks[check.status], escape(check.detail))
    console = Console()
    console.print(table)
    for check in checks:
        if check.cure:
            console.print(f"{marks[check.status]} {check.name}: {escape(check.cure)}")
