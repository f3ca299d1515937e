"""`m4sc bench broker`: users in processes of their own; where every message went."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from m4sc_app.bench.free_ports import free_ports

_CAT = Path(__file__).parents[3] / "python_blocks" / "samples" / "cat.jpg"
_EVERY_S = 5.0  # from one look at the processes' memory to the next
_LOAD_S = 120.0  # for each user's model to be loaded, on a machine that others use
_DRAIN_S = 30.0  # for the last answers


def broker(
    users: Annotated[
        int, typer.Option(min=1, help="Receivers, each a process behind a channel of its own.")
    ] = 8,
    minutes: Annotated[float, typer.Option(help="How long messages are sent.")] = 10.0,
    interval_s: Annotated[float, typer.Option(help="From one message to the next, s.")] = 3.0,
    snr_db: Annotated[
        str, typer.Option(help="Es/N0 of the users' channels, dB, with commas; taken in turn.")
    ] = "20,10,5,15",
    late: Annotated[
        int, typer.Option(min=0, help="Of the users, so many join after a third of the time.")
    ] = 1,
    picture: Annotated[Path, typer.Option(help="What is sent, to be captioned.")] = _CAT,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Run m4sc tx, m4sc broker and several m4sc rx, and account for every message of every user.

    Example:  m4sc bench broker --users 8 --minutes 10 --json
    """
    from m4sc_app.errors import UserError
    from m4sc_app.link_run import interruptible, need_gnuradio
    from m4sc_app.report.versions import versions

    if not (minutes > 0 and interval_s > 0) or late >= users:
        raise UserError(
            "--minutes and --interval-s must be above 0, and one user at least be there from the start"
        )
    need_gnuradio()
    plan = Plan(users, 60 * minutes, interval_s, _channels(snr_db), late, picture)
    with interruptible() as stopped:
        found = run(plan, stopped)
    if as_json:
        config = {
            "users": users,
            "minutes": minutes,
            "interval_s": interval_s,
            "snr_db": snr_db,
            "late": late,
        }
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": found}, indent=1))
        return
    for figure in found:
        typer.echo(f"{figure['name']}: {figure['value']} {figure['unit']} ({figure['detail']})")


def _channels(text: str) -> list[float]:
    from m4sc_app.errors import UserError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError as exc:
        raise UserError(f"--snr-db is '{text}'; give numbers with commas, such as 20,10") from exc


@dataclass(frozen=True)
class Plan:
    """What is run: see :func:`broker`."""

    users: int
    seconds: float
    interval_s: float
    snr_db: Sequence[float]
    late: int
    picture: Path


@dataclass
class Heard:
    """What one user's receiver said.

    Attributes:
        answers: message numbers that were answered, as they came.
        told: messages that it counted as lost, faulty or not answered.
    """

    answers: list[int] = field(default_factory=list)
    told: int = 0

    @classmethod
    def of(cls, events: Sequence[dict[str, Any]]) -> Heard:
        """From the events that `m4sc rx --json` printed."""
        answers = [int(one["sequence"]) for one in events if one["event"] == "answer"]
        ends = [one for one in events if one["event"] == "summary"]
        told = sum(int(ends[-1][name]) for name in ("lost", "faults", "unanswered")) if ends else 0
        return cls(answers, told)

    def unaccounted(self, sent: Sequence[int]) -> int:
        """Messages that were sent since its first answer, and neither answered nor told."""
        known = set(self.answers)
        first = next((n for n, number in enumerate(sent) if number in known), len(sent))
        missing = sum(number not in known for number in sent[first:])
        return max(0, missing - self.told)


@dataclass
class Member:
    """One process: what it prints goes to a file, and its memory is looked at.

    Attributes:
        name: for a person.
        process, log: of it.
        rss_mb: resident memory, at each look.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    rss_mb: list[float] = field(default_factory=list)

    def events(self) -> list[dict[str, Any]]:
        """What it has printed, whole lines."""
        lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def look(self) -> None:
        """Keep the memory that it takes now."""
        import psutil

        if self.process.poll() is None:
            self.rss_mb.append(psutil.Process(self.process.pid).memory_info().rss / 1e6)

    def growth_mb(self) -> float:
        """Memory at the end less that in the middle of its time, MB: the means of a few looks each."""
        late = self.rss_mb[len(self.rss_mb) // 2 :]
        few = max(1, len(late) // 5)
        return sum(late[-few:]) / few - sum(late[:few]) / few if len(late) > 1 else 0.0


def run(plan: Plan, stopped: Any) -> list[dict[str, Any]]:
    """Run all of it; the figures.

    Raises:
        UserError: a process ended before it should.
    """
    ports = free_ports(plan.users + 1)
    source, places = f"zmq://127.0.0.1:{ports[0]}", [f"zmq://127.0.0.1:{port}" for port in ports[1:]]
    there = plan.users - plan.late
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="m4sc-broker-")))

        def start(name: str, *argv: str) -> Member:
            log = ending.enter_context((folder / name).open("wb"))
            return ending.enter_context(_member(name, argv, log, folder / name))

        def listen(number: int) -> Member:
            where = f"{places[number]}?mode=pub"
            return start(f"user {number + 1}", "rx", where, "--user-id", str(number + 1), "--json")

        users = [listen(number) for number in range(there)]
        for user in users:
            _wait(user, "ready", _LOAD_S * plan.users, stopped)
        channels = [
            f"{at}?snr_db={plan.snr_db[n % len(plan.snr_db)]}&seed={n}" for n, at in enumerate(places)
        ]
        passing = start("broker", "broker", source, *channels, "--wait-for", str(there), "--json")
        _wait(passing, "ready", 60.0, stopped)
        how = ("--task", "caption", "--repeat", "0", "--interval-s", str(plan.interval_s), "--json")
        sender = start("tx", "tx", source, str(plan.picture), *how, "--seconds", str(plan.seconds))
        _wait(sender, "ready", _LOAD_S, stopped)
        begun, members = time.monotonic(), [passing, sender, *users]
        while sender.process.poll() is None and not stopped():
            for member in members:
                member.look()
            if len(users) < plan.users and time.monotonic() - begun > plan.seconds / 3:
                users += [listen(number) for number in range(there, plan.users)]
                members = [passing, sender, *users]
            _check([passing, *users])
            time.sleep(_EVERY_S)
        _drained(users, sender, stopped)
        for member in (*users, passing):
            member.process.send_signal(signal.SIGINT)
            member.process.wait(60)
        return figures(plan, sender, passing, users)


@contextmanager
def _member(name: str, argv: Sequence[str], log: IO[bytes], path: Path) -> Iterator[Member]:
    """A process that is killed when the context is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "m4sc_app", *argv],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
    )
    try:
        yield Member(name, process, path)
    finally:
        process.kill()
        process.wait()


def _check(members: Sequence[Member]) -> None:
    from m4sc_app.errors import UserError

    for member in members:
        if member.process.poll() is not None:
            raise UserError(f"{member.name} ended early, with exit code {member.process.returncode}")


def _wait(member: Member, kind: str, seconds: float, stopped: Any) -> None:
    """Until a process has told of something."""
    from m4sc_app.errors import UserError

    deadline = time.monotonic() + seconds
    while not any(event["event"] == kind for event in member.events()):
        _check([member])
        if stopped() or time.monotonic() > deadline:
            raise UserError(f"{member.name} was not ready within {seconds:.0f} s")
        time.sleep(0.2)


def _sent(sender: Member) -> list[int]:
    """Numbers of the messages that left, in order."""
    return [int(event["sequence"]) for event in sender.events() if event["event"] == "sent"]


def _drained(users: Sequence[Member], sender: Member, stopped: Any) -> None:
    """Wait for the answers to the last message, at most `_DRAIN_S`."""
    last, deadline = _sent(sender)[-1:], time.monotonic() + _DRAIN_S
    while last and time.monotonic() < deadline and not stopped():
        if all(Heard.of(user.events()).answers[-1:] == last for user in users):
            return
        time.sleep(0.5)


def figures(plan: Plan, sender: Member, passing: Member, users: Sequence[Member]) -> list[dict[str, Any]]:
    """Losses, what nobody accounts for, and memory."""
    sent = _sent(sender)
    heard = [Heard.of(user.events()) for user in users]
    answered = [len(set(one.answers)) for one in heard]
    ends = [event for event in passing.events() if event["event"] == "summary"]
    full = sum(int(user["overruns"]) for end in ends[-1:] for user in end["users"])
    grown = {member.name: member.growth_mb() for member in (passing, sender, *users)}
    most = max(grown, key=lambda name: grown[name])
    told = sum(one.told for one in heard)
    return [
        {"name": "broker_sent", "value": len(sent), "unit": "messages", "detail": f"{plan.seconds:.0f} s"},
        {"name": "broker_answered", "value": sum(answered), "unit": "answers",
         "detail": f"of each user: {', '.join(map(str, answered))}"},
        {"name": "broker_unaccounted", "value": sum(one.unaccounted(sent) for one in heard),
         "unit": "messages", "detail": f"told as lost or not answered: {told}; full queues: {full}"},
        {"name": "broker_rss_growth_mb", "value": round(grown[most], 2), "unit": "MB",
         "detail": f"of {most}, the most of all, in the second half of its time; the broker "
         f"{grown['broker']:.2f}"},
    ]  # fmt: skip
