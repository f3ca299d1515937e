"""The `m4sc` command: thin front ends, each imported when it is called.

``m4sc --help`` imports neither torch nor GNU Radio. Every command returns an exit code:
0 done, 1 a defect in the program, 2 bad input (one sentence on stderr, a traceback only with ``--debug``),
130 interrupted by Ctrl-C or SIGTERM, 141 the reader of the output went away.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from m4sc_app.errors import (
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_PIPE,
    EXIT_USER,
    is_user_error,
    sentence,
)
from m4sc_app.streams import abandon_output, flush_streams, open_streams, output_fault

HELP = ("-h", "--help")

app = typer.Typer(
    name="m4sc",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": list(HELP)},
    help="Semantic communication over an OFDM radio: a picture, a sound or a text in, the answer out.",
    epilog="Examples:  [bold]m4sc demo[/bold]  ·  m4sc demo --snr-db 5 --json  ·  "
    "m4sc send cat.jpg --task caption --out burst  ·  m4sc receive burst.sigmf-meta",
)

Json = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON on stdout.")]
Model = Annotated[str, typer.Option(help="Name of a trained model, or its folder.")]


def _version(show: bool) -> None:
    if show:
        from m4sc_app.report.versions import own_version

        typer.echo(f"m4sc {own_version()}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command's name."""


@app.command(epilog="Example:  m4sc demo --snr-db 10 --snr-db 0 --channel fading --json")
def demo(
    snr_db: Annotated[
        list[float] | None,
        typer.Option(help="Es/N0 per data subcarrier in dB; repeat for several. Default: 10, 0 and -10."),
    ] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(
            help="awgn, fading, multipath, tdl-a or tdl-c; repeat for several (default: the first two)."
        ),
    ] = None,
    system: Annotated[
        list[str] | None, typer.Option(help="semantic or classical; repeat for both (the default).")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Send only this message of the set.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("runs/demo"),
    model: Model = "default",
    zero_latents: Annotated[
        bool, typer.Option("--zero-latents", help="Control: the semantic decoder gets zeros from the radio.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of noise and fading.")] = 1,
    json_: Json = False,
) -> None:
    """Send pictures, speech and text through the simulated radio; write a report."""
    from m4sc_app.demo.command import run_demo

    run_demo(
        snr_db=snr_db,
        channels=channel,
        systems=system,
        only=only,
        out=out,
        model=model,
        zero_latents=zero_latents,
        seed=seed,
        as_json=json_,
    )


_FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
_ELSEWHERE: dict[str, tuple[str, str]] = {}


def _register(name: str, module: str, attribute: str, help_: str) -> None:
    """Add a command that lives in another module and is imported only when it is called."""
    if importlib.util.find_spec(module) is None:
        return
    _ELSEWHERE[name] = (module, attribute)

    def forward(ctx: typer.Context) -> None:
        code = whole_command(name).main(
            args=ctx.args, prog_name=f"m4sc {name}", standalone_mode=False, help_option_names=list(HELP)
        )
        raise typer.Exit(code if isinstance(code, int) else EXIT_OK)

    app.command(name, help=help_, context_settings=_FORWARD)(forward)


def whole_command(name: str = "") -> Any:
    """A command with all its parameters, its module imported now; the root when no name is given.

    Raises:
        KeyError: no such command.
    """
    root: Any = typer.main.get_command(app)
    if not name:
        return root
    if name not in _ELSEWHERE:
        return root.commands[name]
    module, attribute = _ELSEWHERE[name]
    target: Any = getattr(importlib.import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        inner = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        inner.command()(target)
        target = inner
    return typer.main.get_command(target)


_register("tx", "m4sc_app.tx", "tx_command", "Send messages to a radio end, or through a simulated one.")
_register("rx", "m4sc_app.rx", "rx_command", "Receive from a radio end and answer.")
_register("run", "m4sc_app.run_flowgraph", "run_app", "Run a companion flowgraph without its windows.")
_register("tasks", "m4sc_app.task_list", "tasks_command", "List the tasks, what they take and reach.")
_register("send", "m4sc_app.tx", "tx_command", "The same as tx: m4sc send cat.jpg --out burst.")
_register("receive", "m4sc_app.rx", "rx_command", "The same as rx: m4sc receive burst.sigmf-meta.")
_register("calibrate", "m4sc_app.calibrate", "calibrate_command", "Search the gains of a radio.")
_register("dashboard", "m4sc_app.dashboard", "dashboard_command", "A live page of the link in the browser.")
_register("doctor", "m4sc_app.doctor", "doctor_command", "Check the installation and name each cure.")
_register("multiuser", "m4sc_app.multiuser", "multiuser_command", "Serve several users with one frame.")
_register(
    "broker", "m4sc_app.broker", "broker_command", "Pass a transmitter on to users, a channel for each."
)
_register("keys", "m4sc_app.keys", "keys_app", "Keys that hide users' own parts.")
_register("bench", "m4sc_app.bench", "bench_app", "Measure parts of the system.")
_register("eval", "m4sc_app.evaluate", "eval_command", "Score the systems on test sets against SNR.")
_register("sweep", "m4sc_app.sweep", "sweep_command", "Measure systems against each other.")
_register("report", "m4sc_app.sweep_report", "report_command", "Draw the figures and tables of a sweep.")
_register("data", "m4sc_app.datasets", "data_app", "Data sets: what training and test splits share.")
_register("kb", "m4sc_app.knowledge", "kb_app", "Knowledge bases: sentences that both ends share.")
_register("train", "m4sc_app.train", "train_app", "Train the model, stage by stage.")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code and never raises for bad input."""
    args = list(sys.argv[1:] if argv is None else argv)
    heard: list[int] = []
    if argv is None:  # of a process of its own; a caller's signals are the caller's
        _raise_on_signals(heard)
    # GNU Radio's log goes to stdout by default, into the middle of what --json prints.
    os.environ.setdefault("GR_CONF_LOG_LOG_FILE", "stderr")
    try:
        open_streams()
        command = typer.main.get_command(app)
        result = command.main(args=args, prog_name="m4sc", standalone_mode=False)
        flush_streams()
    except SystemExit as exc:
        if isinstance(exc.__context__, OSError) and output_fault(exc.__context__) is not None:
            return _report(exc.__context__, debug=False)
        return exc.code if isinstance(exc.code, int) else EXIT_INTERNAL
    except KeyboardInterrupt:
        print("m4sc: interrupted", file=sys.stderr)
        return 130
    except Exception as exc:
        if heard and "--debug" not in args:  # a library that was interrupted in its midst may raise anything
            print("m4sc: interrupted", file=sys.stderr)
            return EXIT_INTERRUPTED
        return _report(exc, debug="--debug" in args)
    return result if isinstance(result, int) else EXIT_OK


def _raise_on_signals(heard: list[int]) -> None:
    """Ctrl-C, where it is not ignored, and SIGTERM raise KeyboardInterrupt, and are kept in the list."""

    def raised(number: int, _: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, raised)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, raised)
    sys.unraisablehook = _raise_again


def _raise_again(told: Any) -> None:
    """An interruption that came where nothing can be raised (a finaliser) comes again a moment later."""
    if issubclass(told.exc_type, KeyboardInterrupt):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
    else:
        sys.__unraisablehook__(told)


def _report(exc: Exception, debug: bool) -> int:
    fault = output_fault(exc) if isinstance(exc, OSError) else None
    if fault is not None:
        abandon_output()
        if fault:
            print(f"m4sc: {fault}", file=sys.stderr)
        return EXIT_USER if fault else EXIT_PIPE
    show = getattr(exc, "show", None)  # a usage error of the command-line library prints itself
    if callable(show):
        show()
        return int(getattr(exc, "exit_code", EXIT_USER))
    if type(exc).__name__ == "Abort":
        print("m4sc: interrupted", file=sys.stderr)
        return 130
    if debug:
        traceback.print_exc()
    if is_user_error(exc):
        print(f"m4sc: {sentence(exc)}", file=sys.stderr)
        return EXIT_USER
    hint = "" if debug else " (a defect in m4sc; `m4sc --debug ...` shows where)"
    print(f"m4sc: {type(exc).__name__}: {sentence(exc)}{hint}", file=sys.stderr)
    return EXIT_INTERNAL


if __name__ == "__main__":
    sys.exit(main())
