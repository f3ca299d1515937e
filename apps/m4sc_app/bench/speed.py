"""`m4sc bench model`: how fast the model encodes and answers, llama.cpp in the same run, and its memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from m4sc_app.tables import show

_TASK, _SENTENCE, _LATENTS = "classify", "caption", "mosaic"  # answered by a word, a sentence, from latents
_PLACED = "What is at the top left?"  # where the transmitter is told to look
_PROMPT, _ANSWER = 40, 32  # tokens of the generation that is timed
_PEER = Path(__file__).with_name("llama_cpp_peer.py")
_RECEIVER = """
import sys, numpy as np, m4sc
system = m4sc.load(sys.argv[1])
count = int(sys.argv[2])
system.decode(np.ones(count, np.complex64), np.full(count, 0.1, np.float32), sys.argv[3])
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(status["VmHWM"].split()[0])
"""


@dataclass(frozen=True)
class Times:
    """Seconds to the first token and of the `_ANSWER` that follow, by the clock and of processor time."""

    first_s: float
    first_cpu_s: float
    rest_s: float
    rest_cpu_s: float


def model(
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each kind; the median counts.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Threads of ours and of llama.cpp.")] = 2,
    weights: Annotated[str, typer.Option(help="Name or folder of the weights.")] = "default",
    llama_python: Annotated[
        Path | None, typer.Option(help="Interpreter that has llama-cpp-python, to be measured beside ours.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Measure encoding a picture, its answers, the language model's first token, tokens a second, and memory.

    Examples:

        m4sc bench model --json

        m4sc bench model --llama-python ../llama/bin/python
    """
    from rich.table import Table

    from m4sc_app.report.versions import versions

    figures = list(measure(rounds, threads, weights, llama_python))
    if as_json:
        config = {"rounds": rounds, "threads": threads, "weights": weights}
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": figures}, indent=1))
        return
    table = Table("figure", "value", "unit", "detail", title="Model")
    for figure in figures:
        value = figure["value"]
        table.add_row(
            figure["name"], "-" if value is None else f"{value:.3g}", figure["unit"], figure["detail"]
        )
    show(table)


def measure(
    rounds: int, threads: int, weights: str, llama_python: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Yield every figure; those that cannot be had are None, with a sentence why."""
    import m4sc
    import numpy as np
    import torch
    from m4sc.codecs.base import Budget, Received
    from m4sc.codecs.semantic import SemanticCodec
    from m4sc.message import Message
    from m4sc.mllm.late import LateNetwork
    from m4sc.tasks import get_task

    torch.set_num_threads(threads)
    system = m4sc.load(weights)
    rng = np.random.default_rng(0)

    def new_picture() -> Message:
        """One that was never encoded: a model remembers what it has seen."""
        return Message("image", rng.integers(256, size=(480, 640, 3), dtype=np.uint8))

    message = new_picture()
    how = f"{threads} threads, median of {rounds}, warm"

    clock, cpu = _median(rounds, lambda: system.encode(new_picture(), _TASK))
    detail = f"a new picture of 480 x 640 for '{_TASK}'; {how}; {cpu * 1e3:.0f} ms of processor time"
    yield _figure("encode_ms", clock * 1e3, "ms", detail)

    if system.second_look is not None:
        clock, cpu = _median(rounds, lambda: system.encode(new_picture(), _TASK, _PLACED, look=True))
        detail = f"the same, told '{_PLACED}': a look at all of it, and one there; {how}; {cpu * 1e3:.0f} ms"
        yield _figure("encode_look_ms", clock * 1e3, "ms", f"{detail} of processor time")

    for name, task in (("answer_ms", _TASK), ("sentence_ms", _SENTENCE)):
        symbols = system.encode(message, task).symbols
        noise_var = np.full(len(symbols), 0.1, np.float32)
        clock, cpu = _median(rounds, partial(system.decode, symbols, noise_var, task))
        detail = (
            f"{len(symbols)} symbols of '{task}' to its answer; {how}; {cpu * 1e3:.0f} ms of processor time"
        )
        yield _figure(name, clock * 1e3, "ms", detail)

    codec, latents_task = SemanticCodec(LateNetwork.of(system.network), system.senses), get_task(_LATENTS)
    sent = codec.encode(message, latents_task, Budget()).symbols
    received = Received(sent, np.full(len(sent), 0.1, np.float32))

    def first() -> None:
        with torch.inference_mode():
            latents = codec.latents(received, latents_task)
            system.network.llm.generate([system.network.llm.prompt(latents_task.instructions[0], latents)], 1)

    clock, cpu = _median(rounds, first)
    detail = (
        f"{len(sent)} symbols of '{_LATENTS}' to the language model's first token; {how}; "
        f"{cpu * 1e3:.0f} ms of processor time"
    )
    yield _figure("first_token_ms", clock * 1e3, "ms", detail)
    yield from _generation(system.network.llm, rounds, threads, llama_python)
    yield _memory(weights, len(system.encode(message, _TASK).symbols), _TASK)


def _generation(llm: Any, rounds: int, threads: int, llama_python: Path | None) -> Iterator[dict[str, Any]]:
    """Ours, transformers' and llama.cpp's tokens a second, in turn."""
    import torch

    prompt = llm.embed_ids([1 + i % 50 for i in range(_PROMPT)])[None]
    kinds: dict[str, Callable[[], Times]] = {"transformers": lambda: _by_transformers(llm, prompt)}
    if llm.decoder is not None:
        kinds["ours"] = lambda: _by_decoder(llm.decoder, prompt)
    found: dict[str, list[Times]] = {}
    with torch.inference_mode(), _llama_cpp(llama_python, threads) as (peer, missing):
        if peer is not None:
            kinds["llama_cpp"] = peer
        for turn in range(rounds + 1):  # in turn: what else the machine does meets all alike
            for name, run in kinds.items():
                times = run()
                if turn:  # the first warms up
                    found.setdefault(name, []).append(times)
    found.setdefault("ours", found["transformers"])
    reasons = {"llama_cpp": missing}
    rates = {}
    for name, title in (
        ("ours", "tokens_per_s"),
        ("llama_cpp", "llama_cpp_tokens_per_s"),
        ("transformers", "transformers_tokens_per_s"),
    ):
        if name not in found:
            yield _figure(title, None, "tokens/s", reasons[name])
            continue
        turns = found[name]
        rates[name] = _ANSWER / statistics.median(t.rest_s for t in turns)
        spent = statistics.median(t.rest_cpu_s for t in turns) / _ANSWER * 1e3
        begun = statistics.median(t.first_s for t in turns) * 1e3
        detail = (
            f"{_ANSWER} tokens behind {_PROMPT}, {threads} threads, median of {len(turns)} turns of all; "
            f"{spent:.1f} ms of processor time a token; prompt to first token {begun:.0f} ms"
        )
        note = f"; {missing}" if name == "llama_cpp" and missing else ""
        yield _figure(title, rates[name], "tokens/s", detail + note)
    faster = rates["ours"] / rates["llama_cpp"] if "llama_cpp" in rates else None
    yield _figure("llama_cpp_speedup", faster, "x", missing or "tokens_per_s over llama.cpp's")


def _by_decoder(decoder: Any, prompt: Any) -> Times:
    import torch

    begun = _now()
    logits, cache = decoder.prefill(prompt, torch.zeros(1, dtype=torch.long), _ANSWER)
    ids = logits.argmax(-1)
    first = _now()
    for _ in range(_ANSWER):
        ids = decoder.step(ids, cache).argmax(-1)
    return _times(begun, first, _now())


def _by_transformers(llm: Any, prompt: Any) -> Times:
    marks = [_now()]
    for tokens in (1, _ANSWER + 1):
        llm.model.generate(
            inputs_embeds=prompt.to(llm.embedding.dtype),
            attention_mask=prompt.new_ones(prompt.shape[:2]).long(),
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            do_sample=False,
            eos_token_id=llm.end_id,
            pad_token_id=llm.end_id,
        )
        marks.append(_now())
    both = _times(marks[0], marks[1], marks[2])
    return Times(
        both.first_s, both.first_cpu_s, both.rest_s - both.first_s, both.rest_cpu_s - both.first_cpu_s
    )


@contextmanager
def _llama_cpp(python: Path | None, threads: int) -> Iterator[tuple[Callable[[], Times] | None, str]]:
    """A process that measures llama.cpp when asked, and what is to be said of it; or None, and why."""
    from m4sc.pretrained.registry import find_backbone
    from m4sc.pretrained.resolver import package_folder

    if python is None:
        yield None, "not measured: give --llama-python an interpreter that has llama-cpp-python"
        return
    row = find_backbone("smollm2-135m-instruct")
    assert row is not None
    path = package_folder(row) / row.files[0][0]
    command = [str(python), str(_PEER), str(path), str(threads), str(_PROMPT), str(_ANSWER)]
    note = ""
    for more in ([], ["plain"]):
        with _peer_process([*command, *more]) as (ask, why):
            if ask is not None:
                yield ask, note
                return
        note = "with weights as they are in its file: rearranged ones crash it here"
    yield None, why


@contextmanager
def _peer_process(command: list[str]) -> Iterator[tuple[Callable[[], Times] | None, str]]:
    """A process of `_PEER` that has measured once, or None and a sentence why there is none."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        yield None, f"not measured: {command[0]} cannot be run ({error.strerror})"
        return
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    stdin, stdout = process.stdin, process.stdout

    def ask() -> Times:
        stdin.write("\n")
        stdin.flush()
        return Times(**json.loads(stdout.readline()))

    try:
        if stdout.readline().strip() != "ready":
            lines = process.stderr.read().strip().splitlines() or ["it said nothing"]
            yield None, f"not measured: llama-cpp-python does not run there ({lines[-1]})"
            return
        try:
            ask()
        except (ValueError, OSError):  # it died of its first tokens
            process.wait(10)
            yield None, f"not measured: llama-cpp-python ends by itself there (status {process.returncode})"
            return
        yield ask, ""
    finally:
        with suppress(OSError):
            stdin.close()
        process.terminate()
        process.wait(10)


def _memory(weights: str, symbols: int, task: str) -> dict[str, Any]:
    """Most memory of a process of its own that loads the model and answers once."""
    detail = f"most resident memory of a process that loads '{weights}' and answers one message"
    if not Path("/proc/self/status").exists():
        return _figure("receiver_peak_rss_gb", None, "GB", "not measured: this system has no /proc")
    done = subprocess.run(
        [sys.executable, "-c", _RECEIVER, weights, str(symbols), task],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return _figure("receiver_peak_rss_gb", None, "GB", f"not measured: the process failed ({reason})")
    return _figure("receiver_peak_rss_gb", int(done.stdout.split()[-1]) * 1024 / 1e9, "GB", detail)


def _median(rounds: int, action: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock and of processor time, after one unmeasured run."""
    action()
    found = []
    for _ in range(rounds):
        begun = _now()
        action()
        ended = _now()
        found.append((ended[0] - begun[0], ended[1] - begun[1]))
    return statistics.median(f[0] for f in found), statistics.median(f[1] for f in found)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _times(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> Times:
    return Times(b[0] - a[0], b[1] - a[1], c[0] - b[0], c[1] - b[1])


def _figure(name: str, value: float | None, unit: str, detail: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "detail": detail}
