"""Where `m4sc` begins and ends: a Ctrl-C while its parts are imported or taken down shows no traceback."""

from __future__ import annotations

import os
import signal

_INTERRUPTED = 130
_ENDING = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Run the command line; the exit code."""
    heard = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, lambda *_: _end(b"m4sc: interrupted\n", _INTERRUPTED))
    from m4sc_app.cli import main as run

    code = run()  # hears them in its own way
    for number in heard:
        signal.signal(number, lambda *_: _end(b"", code))
    return code


def _end(said: bytes, code: int) -> None:
    """End at once: nothing has begun, or all is done."""
    os.write(2, said)
    os._exit(code)
