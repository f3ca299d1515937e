"""Jobs over the workers of Dask distributed: processes of this machine, or those of a scheduler that runs.

A worker that dies is replaced and its job done again, by another where there is one. A scheduler that goes
away is waited for; its jobs are given to it again when it is back.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any
from uuid import uuid4

from m4sc.evaluate.sweep.errors import SweepError

DEATHS = 3
"""How many workers may die of one job before the sweep gives up."""
_POLL_S = 0.5
_CONNECT_S = 5.0

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Workers:
    """Where jobs run.

    Attributes:
        count: processes of this machine, each with one thread.
        scheduler: address such as "tcp://host:8786" of a scheduler that is used instead; "" for none.
        patience_s: how long a scheduler that is away, or has no worker, is waited for.
    """

    count: int = 1
    scheduler: str = ""
    patience_s: float = 300.0

    def __post_init__(self) -> None:
        if self.scheduler and not re.fullmatch(r"(tcp|tls|ucx|wss?)://[^\s/]+:\d+/?", self.scheduler):
            raise ValueError(f"'{self.scheduler}' is no scheduler; give an address such as tcp://host:port")
        if self.count < 1 and not self.scheduler:
            raise ValueError(f"{self.count} workers; give 1 or more, or the address of a scheduler")


class _AwayError(Exception):
    """The scheduler is not there."""


def over_workers(
    jobs: Mapping[str, tuple[Any, ...]], run: Callable[..., Any], workers: Workers, tell: Tell
) -> Iterator[tuple[str, Any]]:
    """Do each job once; yield its name and result as they come.

    Args:
        jobs: arguments of `run` by name, begun in this order.
        run: what a worker does; picklable.
        workers: where.
        tell: is told in a sentence what is waited for.

    Raises:
        SweepError: workers die of a job, or the scheduler stays away.
        Exception: what a job raised.
    """
    left = dict(jobs)
    while left:
        try:
            with _client(workers, tell) as client:
                for name, result in _results(client, left, run, workers, tell):
                    del left[name]
                    yield name, result
        except _AwayError:
            tell(f"the scheduler {workers.scheduler} went away; {len(left)} points wait for it")


@contextmanager
def _client(workers: Workers, tell: Tell) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what a dying worker says is told by us
    if workers.scheduler:
        with _connected(workers, tell) as client:
            yield client
        return
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // workers.count))
    settings = {
        "distributed.scheduler.allowed-failures": DEATHS - 1,
        "distributed.scheduler.worker-ttl": None,  # loading a model blocks a worker's event loop
        "distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": threads,
        "distributed.admin.large-graph-warning-threshold": "1GB",
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers.count, threads_per_worker=1, processes=True, memory_limit=None,
            dashboard_address=None, silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client


@contextmanager
def _connected(workers: Workers, tell: Tell) -> Iterator[Any]:
    """A client of a scheduler, which is waited for."""
    from distributed import Client

    end = time.monotonic() + workers.patience_s
    told = False
    while True:
        try:
            client = Client(workers.scheduler, timeout=_CONNECT_S)
            break
        except (OSError, TimeoutError) as exc:
            if time.monotonic() > end:
                raise SweepError(
                    f"no scheduler answers at {workers.scheduler} for {workers.patience_s:.0f} s; start one "
                    "with 'dask scheduler', or leave --scheduler out; what was measured is kept, the same "
                    "command goes on"
                ) from exc
            if not told:
                tell(f"waiting for a scheduler at {workers.scheduler}")
                told = True
            time.sleep(_POLL_S)
    try:
        yield client
    finally:
        client.close(timeout=2)


def _results(
    client: Any, jobs: Mapping[str, tuple[Any, ...]], run: Callable[..., Any], workers: Workers, tell: Tell
) -> Iterator[tuple[str, Any]]:
    done: Queue[Any] = Queue()
    waiting = list(jobs.items())
    running: dict[str, tuple[str, Any]] = {}
    idle_since = time.monotonic()
    scheduler_id = _scheduler_id(client)
    try:
        while waiting or running:
            threads = _threads(client, scheduler_id)
            # one for each thread, so that a death is blamed on the job that ran
            while waiting and len(running) < max(1, threads):
                name, job = waiting.pop(0)
                future = client.submit(run, *job, key=f"{name}-{uuid4().hex[:8]}", pure=False)
                running[future.key] = (name, future)
                future.add_done_callback(done.put)
            try:
                future = done.get(timeout=_POLL_S)
            except Empty:
                idle_since = _mind_the_idle(threads, idle_since, workers, tell)
                continue
            name, _ = running.pop(future.key)
            yield name, _result(name, future)
            future.release()
            idle_since = time.monotonic()
    finally:
        if client.status == "running":
            client.cancel([future for _, future in running.values()], force=True)


def _mind_the_idle(threads: int, since: float, workers: Workers, tell: Tell) -> float:
    """When the last worker was there; a sentence, then an error where there is none for long."""
    now = time.monotonic()
    if threads:
        return now
    if now - since > workers.patience_s:
        raise SweepError(
            f"there has been no worker for {workers.patience_s:.0f} s; 'dask worker ADDRESS' starts one for "
            "a scheduler; what was measured is kept, the same command goes on"
        )
    if now - since < 2 * _POLL_S:
        tell("waiting for a worker")
    return since


def _threads(client: Any, scheduler_id: str) -> int:
    """Threads of all workers of the scheduler that the jobs were given to."""
    if _scheduler_id(client) != scheduler_id:  # a client connects again by itself, to one that knows no job
        raise _AwayError
    try:
        return sum(client.nthreads().values())
    except (OSError, TimeoutError) as exc:
        raise _AwayError from exc


def _scheduler_id(client: Any) -> str:
    """Another one at the same address has another."""
    if client.status != "running":
        raise _AwayError
    try:
        return str(client.sync(client.scheduler.identity)["id"])
    except (OSError, TimeoutError) as exc:
        raise _AwayError from exc


def _result(name: str, future: Any) -> Any:
    from distributed import KilledWorker

    if future.status in ("cancelled", "lost"):
        raise _AwayError
    try:
        return future.result(timeout=60)
    except KilledWorker as exc:
        raise SweepError(
            f"the workers died {DEATHS} times over {name} (too little memory?); what was measured is kept, "
            "the same command goes on"
        ) from exc
    except (OSError, TimeoutError) as exc:
        if isinstance(exc, FileNotFoundError):
            raise
        raise _AwayError from exc
