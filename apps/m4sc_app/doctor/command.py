"""`m4sc doctor`: runs every check and names the cure for what fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from m4sc_app.doctor import flowgraphs, machine, model, radio
from m4sc_app.doctor.check import FAILED, OK, WARNING, Check
from m4sc_app.errors import UserError

Probe = Callable[[], Check | list[Check]]


def run_checks() -> list[Check]:
    """Run every check; one that raises becomes a failed check, never a traceback."""
    probes: list[Probe] = [
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
    # those that ask other interpreters or read large files wait beside those that import things here
    waiting = (  # the longest first
        model.check_torch,
        radio.check_path_python,
        machine.check_numpy,
        machine.check_system_numpy,
        radio.check_module,
        radio.check_module_version,
        radio.check_module_of_all_users,
        model.check_torchvision,
        model.check_backbones,
    )
    with ThreadPoolExecutor(2) as pool:
        begun = {probe: pool.submit(_checked, probe) for probe in waiting}
        here = {probe: _checked(probe) for probe in probes if probe not in waiting}
    found = here | {probe: future.result() for probe, future in begun.items()}
    return [check for probe in probes for check in found[probe]]


def _checked(probe: Probe) -> list[Check]:
    try:
        result = probe()
    except Exception as error:
        name = probe.__name__.removeprefix("check_")
        result = Check(name, FAILED, f"{type(error).__name__}: {error}", "Run script/bootstrap.")
    return result if isinstance(result, list) else [result]


def doctor_command(
    recording: Annotated[
        Path | None,
        typer.Option(help="Look at this recording instead: frames in it, and what is wrong with it."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON on stdout.")] = False,
) -> None:
    """Check interpreter, GNU Radio, module, weights, devices and memory; exit code 1 when one fails.

    Example: m4sc doctor --recording burst.sigmf-meta
    """
    checks = _checks_of(recording) if recording else run_checks()
    if json_:
        typer.echo(json.dumps({"checks": [asdict(check) for check in checks]}, indent=2))
    else:
        print_table(checks)
    if any(check.status == FAILED for check in checks):
        raise typer.Exit(1)


def _checks_of(recording: Path) -> list[Check]:
    from m4sc.recordings import RecordingError

    from m4sc_app.doctor.recording import check_recording

    try:
        return check_recording(recording)
    except (RecordingError, OSError) as exc:
        raise UserError(str(exc)) from exc


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
