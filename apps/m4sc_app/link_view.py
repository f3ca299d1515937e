"""What a person sees of a running link: a live table, plain lines, or JSON lines."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from m4sc_flowgraphs.link_events import LinkEvent
from rich.console import Console
from rich.live import Live
from rich.table import Table

_SHOWN = 12
_NO_LINES = ("queued", "sent", "frame")


class LinkView:
    """Keeps the figures of a link and shows them.

    Args:
        title: of the table.
        as_json: one JSON object an event on stdout, nothing else there.
    """

    def __init__(self, title: str, as_json: bool) -> None:
        self.title, self.as_json = title, as_json
        self.figures: dict[str, Any] = {
            "queued": 0,
            "sent": 0,
            "frames": 0,
            "answers": 0,
            "faults": 0,
            "lost": 0,
        }
        self.air_time_s, self.snr_db, self.cfo_hz, self.peer = 0.0, float("nan"), float("nan"), ""
        self.sequences_sent = 0
        self._lines: deque[str] = deque(maxlen=_SHOWN)
        self._console = Console()
        self._live: Live | None = None
        self._plain = as_json or not self._console.is_terminal

    def running(self) -> AbstractContextManager[Any]:
        """Context in which the live table is shown, where there is a terminal."""
        if self._plain:
            return nullcontext()
        self._live = Live(self.table(), console=self._console, refresh_per_second=4)
        return self._live

    def show(self, event: LinkEvent) -> None:
        """Take one event in and show it."""
        self._count(event)
        if self.as_json:
            print(json.dumps(event.to_json()), flush=True)
            return
        line = self._line(event)
        if line and self._plain:
            print(line, flush=True)
        elif line:
            self._lines.append(line)
        if self._live is not None:
            self._live.update(self.table())

    def say(self, kind: str, **values: Any) -> None:
        """Show an event of the command itself."""
        self.show(LinkEvent(kind, time.time(), values))

    def _count(self, event: LinkEvent) -> None:
        names = {"frame": "frames", "answer": "answers", "fault": "faults"}
        name = names.get(event.kind, event.kind)
        if name in self.figures:
            self.figures[name] += int(event.values.get("count", 1))
        if event.kind == "sent" and event.values.get("segment") in (0, None):
            self.sequences_sent += 1  # messages of which the first frame went out
        if event.kind == "frame":
            self.snr_db, self.cfo_hz = float(event.values["snr_db"]), float(event.values["cfo_hz"])
        self.air_time_s += float(event.values.get("air_time_s", 0.0)) if event.kind == "sent" else 0.0
        if event.kind == "peer":
            self.peer = str(event.values.get("text", ""))

    def _line(self, event: LinkEvent) -> str:
        v = event.values
        if event.kind == "answer":
            text = v["answer"] if v["answer"] is not None else "(a picture)"
            return f"#{v.get('sequence')} {v.get('task')} {v.get('snr_db', 0.0):.1f} dB {v['system']}: {text}"
        if event.kind == "fault":
            return f"#{v.get('sequence', '-')} not answered: {v['reason']}"
        if event.kind == "lost":
            return f"{v['count']} message(s) lost before #{v['sequence']}"
        if event.kind == "sent" and self._plain:
            air = f"{v['air_time_s'] * 1e3:.1f} ms on air"
            return f"#{v.get('sequence')} sent, {v['complex_symbols']} symbols, {air}"
        if event.kind in _NO_LINES:
            return ""
        return str(v.get("text", "")) or " ".join(f"{name} {value}" for name, value in v.items())

    def table(self) -> Table:
        """The live table."""
        f = self.figures
        table = Table(title=self.title, expand=True, show_header=False)
        table.add_row(
            f"sent {f['sent']}  frames {f['frames']}  answers {f['answers']}  lost {f['lost']}"
            f"  faults {f['faults']}  air {self.air_time_s * 1e3:.1f} ms"
        )
        state = f"SNR {self.snr_db:.1f} dB  CFO {self.cfo_hz:.0f} Hz" if f["frames"] else "no frame yet"
        table.add_row(f"{state}  {self.peer}")
        for line in self._lines:
            table.add_row(line)
        return table

    def summary(self, counters: dict[str, int]) -> None:
        """The last event."""
        self.say(
            "summary",
            **self.figures,
            air_time_s=self.air_time_s,
            **{f"end_{k}": v for k, v in counters.items()},
        )
        sys.stdout.flush()
