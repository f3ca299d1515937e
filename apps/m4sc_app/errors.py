"""What the command line tells a person when something is wrong: one sentence and an exit code."""

from __future__ import annotations

from types import TracebackType

EXIT_OK = 0
EXIT_INTERNAL = 1
EXIT_USER = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141
"""As a shell shows a program that SIGPIPE ended."""

_OUR_PACKAGES = ("m4sc", "m4sc_app", "m4sc_flowgraphs", "gnuradio.m4sc")


class UserError(ValueError):
    """Something the person can put right; the message is one sentence that says how."""


class MissingPartError(UserError):
    """A part of the installation (GNU Radio, espeak-ng, trained weights) is not there."""


def is_user_error(exc: BaseException) -> bool:
    """True when ``exc`` tells of bad input rather than of a defect in the program.

    A ``ValueError`` or ``TypeError`` counts when its class or the line that raised it is ours (those are
    the checks at our borders); an ``OSError`` counts when it names a file.
    """
    if isinstance(exc, UserError):
        return True
    if isinstance(exc, OSError):
        return exc.filename is not None
    if isinstance(exc, ValueError):
        return _ours(type(exc).__module__) or _ours(_raising_module(exc.__traceback__))
    return False


def sentence(exc: BaseException) -> str:
    """The error as one line of text."""
    if isinstance(exc, OSError) and exc.filename is not None:
        return f"{exc.strerror or type(exc).__name__}: {exc.filename}"
    return " ".join(str(exc).split()) or type(exc).__name__


def _raising_module(trace: TracebackType | None) -> str:
    name = ""
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        trace = trace.tb_next
    return name


def _ours(module: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in _OUR_PACKAGES)
