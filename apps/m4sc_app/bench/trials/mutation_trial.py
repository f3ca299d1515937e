"""Each decoder fed with mutated inputs in a process of its own: crashes, memory and time."""

from __future__ import annotations

import importlib
import json
import mmap
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from m4sc_app.bench.trials import decoders
from m4sc_app.bench.trials.allocation_watch import build_watch, largest_allocation, preloaded
from m4sc_app.bench.trials.mutation import DecoderError, feed

MOST_BYTES = 64_000_000
MOST_S = 1.0
_HANG_S = 20  # a decode that takes more processor time is ended
_WAIT_S = 600  # so is one that waits for something: a loaded machine may hold back any of them for a minute
_ROOM = 1 << 17  # bytes of the file that keeps the input under way


def mutation_trial(decoder: str, count: int, seed: int, module: str = decoders.__name__) -> dict[str, Any]:
    """Feed a decoder in a child process.

    Args:
        decoder: by its name in the module's ``DECODERS``.
        count: inputs.
        seed: of the mutations.
        module: that has the decoder.

    Returns:
        ``fault``: empty, or why the child ended early; ``input``: the input under way then, hexadecimal;
        ``inputs``, ``read``; ``largest_bytes``, a single allocation (None without a C compiler);
        ``peak_bytes``, growth of the process in any one decode, Linux only; ``slowest_s``, processor time.
    """
    with tempfile.TemporaryDirectory(prefix="m4sc-mutations-") as name:
        folder = Path(name)
        under_way = folder / "input"
        under_way.write_bytes(bytes(_ROOM))
        command = [sys.executable, "-m", __name__, module, decoder, str(count), str(seed), str(under_way)]
        env = {**preloaded(build_watch(folder)), "TMPDIR": name}
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        if done.returncode == 0:
            return dict(json.loads(done.stdout.splitlines()[-1]))
        kept = under_way.read_bytes()
        length = int.from_bytes(kept[:8], "little")
        fault = f"ended by {_name_of(done.returncode)}: {done.stderr.strip()[-200:]}"
        return {"decoder": decoder, "fault": fault, "input": kept[8 : 8 + min(length, 4096)].hex()}


def _name_of(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _child(module: str, decoder: str, count: int, seed: int, under_way: Path) -> dict[str, Any]:
    """What the child does: decode, and keep the worst of what it cost."""
    found: dict[str, Any] = {"decoder": decoder, "fault": "", "input": "", "inputs": 0}
    worst = {"largest_bytes": 0, "peak_bytes": 0, "slowest_s": 0.0}
    costly: dict[str, str] = {}
    with under_way.open("r+b") as file, mmap.mmap(file.fileno(), _ROOM) as kept:
        meter = _Meter()

        def before(payload: bytes) -> None:
            kept[: 8 + min(len(payload), _ROOM - 8)] = (
                len(payload).to_bytes(8, "little") + payload[: _ROOM - 8]
            )
            signal.setitimer(signal.ITIMER_PROF, _HANG_S)
            signal.alarm(_WAIT_S)
            meter.start()

        def after(seconds: float) -> None:
            found["inputs"] += 1
            for key, value in {**meter.taken(), "slowest_s": seconds}.items():
                if value is None:
                    worst[key] = None  # type: ignore[assignment]
                elif value > worst[key]:
                    length = int.from_bytes(kept[:8], "little")
                    worst[key], costly[key] = value, kept[8 : 8 + min(length, 4096)].hex()

        try:
            whole = importlib.import_module(module).DECODERS[decoder]()
            found["read"] = feed(whole, count, seed, before, after)
        except DecoderError as exc:
            length = int.from_bytes(kept[:8], "little")
            found |= {"fault": str(exc), "input": kept[8 : 8 + min(length, 4096)].hex()}
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    over = {"largest_bytes": MOST_BYTES, "slowest_s": MOST_S}
    found["costly"] = {key: costly[key] for key, most in over.items() if (worst[key] or 0) > most}
    return {**found, **worst}


class _Meter:
    """Memory of one decode."""

    def __init__(self) -> None:
        self._before = 0

    def start(self) -> None:
        """Forget what was."""
        largest_allocation()
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self._before = -1
            return
        self._before = _peak_bytes()

    def taken(self) -> dict[str, Any]:
        """The largest piece asked for since, and by how much the process was larger."""
        grown = _peak_bytes() - self._before if self._before >= 0 else None
        return {"largest_bytes": largest_allocation(), "peak_bytes": grown}


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    module, decoder, count, seed, path = sys.argv[1:]
    print(json.dumps(_child(module, decoder, int(count), int(seed), Path(path))))
