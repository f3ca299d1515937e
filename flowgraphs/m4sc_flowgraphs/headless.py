"""Run a flowgraph without a window: one sentence for bad input, exit codes, what a block could not finish."""

from __future__ import annotations

import gc
import importlib.util
import signal
import sys
from collections.abc import Callable
from typing import Any

from m4sc_flowgraphs.twin import find_grc, twin_of


def run_twin(main: Callable[..., None], top_block: Callable[..., Any]) -> None:
    """Run a generated ``main``; what its blocks refuse is told in one sentence instead of a traceback.

    Ends the process: 0 done, 2 refused (a wrong value, a missing file or device, a full disk) or nothing but
    faults in the place of answers, 130 stopped by the user.

    Args:
        main: of the generated script.
        top_block: its class.
    """
    made: list[Any] = []
    stopped = False

    def keep(**options: Any) -> Any:
        made.append(top_block(**options))
        return made[0]

    name = sys.argv[0].rsplit("/", 1)[-1]
    handlers = signal_handlers()
    try:
        main(keep)
    except (ValueError, OSError, RuntimeError) as exc:
        print(f"{name}: {(str(exc).strip() or type(exc).__name__).splitlines()[0]}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        stopped = True
    except SystemExit:
        if not made:  # of options
            raise
        stopped = True  # by the generated handler of signals
    if stopped:
        release(made, handlers)
        sys.exit(130)
    faults = (
        [fault for block in vars(made[0]).values() if (fault := getattr(block, "fault", None))]
        if made
        else []
    )
    if not faults and made and not _answered(made[0]):
        faults = ["no message was answered, as told above"]
    for fault in faults:
        print(f"{name}: {fault}", file=sys.stderr)
    release(made, handlers)
    sys.exit(2 if faults else 0)


def signal_handlers() -> dict[int, Any]:
    """What a generated ``main`` replaces by functions that hold its flowgraph."""
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


def release(made: list[Any], handlers: dict[int, Any]) -> None:
    """Let go of a flowgraph that has ended, so that its blocks are destroyed before the process ends.

    A socket of gr-zeromq that is destroyed waits up to a second for what is queued; where the process ends
    first, the last samples are lost, and a receiver waits for ever for the end of the stream.
    """
    for number, handler in handlers.items():
        signal.signal(number, handler)
    made.clear()
    gc.collect()


def _answered(top_block: Any) -> bool:
    """False where its answer sinks together were told of faults and got no answer."""
    sinks = [block for block in vars(top_block).values() if type(block).__name__ == "answer_sink"]
    return any(sink.counters["received"] for sink in sinks) or not any(
        sink.counters["faults"] for sink in sinks
    )


def load(script: Any) -> tuple[Callable[..., None], Callable[..., Any]]:
    """``main`` and the top block's class of a generated script."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main, getattr(module, script.stem)


def run_grc(name: str, options: list[str]) -> None:
    """Run a .grc, by its path or name, with the options of its parameters; ends as :func:`run_twin`.

    Raises:
        FlowgraphError: there is none, or it does not compile.
    """
    script = twin_of(find_grc(name))
    sys.argv = [script.stem, *options]
    run_twin(*load(script))
