"""What a person sees of a running link: a live table, plain lines, or JSON lines."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, deque
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from m4sc.phy.diagnosis_watch import CAUSES
from m4sc.transport.answering import NOT_SURE
from m4sc_flowgraphs.link_event import LinkEvent
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from m4sc_app.outcome import summary_sentence

_SHOWN = 12
_NO_LINES = ("queued", "sent", "frame")
_UNREAD_SHOWN = 3  # of each kind: a wrong waveform gives one a frame
_NO_NOISE_DB = 60.0  # an estimate above it is of the rounding of samples, not of noise
_COUNTED = ("queued", "sent", "frames", "answers", "faults", "lost", "unanswered", "messages_sent")


class LinkView:
    """Keeps the figures of a link and shows them.

    Args:
        title: of the table.
        as_json: one JSON object an event on stdout, nothing else there.
        live: a table where stdout is a terminal; otherwise lines.
        sends, receives: what the link does, for its last sentence.
    """

    def __init__(
        self, title: str, as_json: bool, live: bool = True, sends: bool = True, receives: bool = True
    ) -> None:
        self.title, self.as_json = title, as_json
        self._sends, self._receives = sends, receives
        self.figures: dict[str, Any] = dict.fromkeys(_COUNTED, 0)
        self.air_time_s, self.snr_db, self.cfo_hz, self.peer = 0.0, float("nan"), float("nan"), ""
        self.first_fault = ""
        self._waiting: Counter[tuple[int, int]] = Counter()  # frames without an answer, by message
        self._unread: Counter[str] = Counter()
        self._asked: set[str] = set()  # tasks told to have had no question
        self._lines: deque[str] = deque(maxlen=_SHOWN)
        self._console = Console()
        self._live: Live | None = None
        self._plain = as_json or not live or not self._console.is_terminal

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
        for line in filter(None, (self._line(event), self._question_line(event))):
            if self._plain:
                print(line, flush=True)
            else:
                self._lines.append(line)
        if self._live is not None:
            self._live.update(self.table())

    def say(self, kind: str, **values: Any) -> None:
        """Show an event of the command itself."""
        self.show(LinkEvent(kind, time.time(), values))

    def tell_lost(self, count: int, sequence: int) -> None:
        """Messages lost right before one; -1: that one was counted as lost, was asked for, and came."""
        if count > 0:
            self.say("lost", count=count, sequence=sequence)
        self.figures["lost"] += min(count, 0)

    # --- figures ----------------------------------------------------------------------------------------

    def _count(self, event: LinkEvent) -> None:
        v = event.values
        names = {"frame": "frames", "answer": "answers", "fault": "faults"}
        name = names.get(event.kind, event.kind)
        if name in self.figures:
            self.figures[name] += int(v.get("count", 1))
        if event.kind == "sent":
            is_first = v.get("segment") in (0, None) and not v.get("copy")
            self.figures["messages_sent"] += is_first  # its first frame went out
            self.air_time_s += float(v.get("air_time_s", 0.0))
        elif event.kind == "frame":
            self.snr_db, self.cfo_hz = float(v["snr_db"]), float(v["cfo_hz"])
            if v.get("wanted", True):
                self._waiting[_message(v)] += 1
        elif event.kind in ("answer", "fault"):
            self._waiting.pop(_message(v), None)
            if event.kind == "fault":
                self.first_fault = self.first_fault or str(v.get("reason", ""))
        elif event.kind == "unread":
            self._unread[str(v["what"])] += 1
            self.first_fault = self.first_fault or str(v["reason"])
        elif event.kind == "peer":
            self.peer = str(v.get("text", ""))

    # --- lines ------------------------------------------------------------------------------------------

    def _line(self, event: LinkEvent) -> str:
        v = event.values
        if event.kind == "answer":
            return f"#{v.get('sequence')} {v.get('task')} {shown_snr(v)} {v['system']}: {_said(v)}"
        if event.kind == "fault":
            return f"#{v.get('sequence', '-')} not {'answered' if self._receives else 'sent'}: {v['reason']}"
        if event.kind == "lost":
            return f"{v['count']} message(s) lost before #{v['sequence']}"
        if event.kind == "unread":
            return self._unread_line(v)
        if event.kind == "sent" and self._plain:
            air = f"{v['air_time_s'] * 1e3:.1f} ms on air"
            return f"#{v.get('sequence')} sent, {v['complex_symbols']} symbols, {air}"
        if event.kind in _NO_LINES:
            return ""
        return str(v.get("text", "")) or " ".join(f"{name} {value}" for name, value in v.items())

    def _unread_line(self, values: dict[str, Any]) -> str:
        if values["what"] in ("strangers", *CAUSES):  # of the stream as a whole
            return str(values["reason"])
        number = self._unread[str(values["what"])]
        if number > _UNREAD_SHOWN:
            return ""
        more = "; no more of these are told" if number == _UNREAD_SHOWN else ""
        return f"not read at sample {values['start_sample']}: {values['reason']}{more}"

    def _question_line(self, event: LinkEvent) -> str:
        """Once a task: it needs a question, and the receiver had none."""
        v = event.values
        if event.kind != "answer" or v.get("instruction") is not None or v.get("task") in self._asked:
            return ""
        from m4sc.tasks import TASKS

        task = TASKS.get(str(v.get("task")))
        self._asked.add(str(v.get("task")))
        if task is None or not task.needs_question:
            return ""
        return f'no --query was given, so "{task.instructions[0]}" was asked of {task.name}'

    def table(self) -> Table:
        """The live table."""
        f = self.figures
        table = Table(title=self.title, expand=True, show_header=False)
        table.add_row(
            f"sent {f['sent']}  frames {f['frames']}  answers {f['answers']}  lost {f['lost']}"
            f"  faults {f['faults']}  air {self.air_time_s * 1e3:.1f} ms"
        )
        values = {"snr_db": self.snr_db}
        state = f"SNR {shown_snr(values)}  CFO {self.cfo_hz:.0f} Hz" if f["frames"] else "no frame yet"
        table.add_row(f"{state}  {self.peer}")
        for line in self._lines:
            table.add_row(Text(line))
        return table

    def summary(self, counters: dict[str, int], **more: Any) -> None:
        """The last event: a sentence, or every figure as JSON."""
        self.figures["unanswered"] = max(0, sum(self._waiting.values()) - counters.get("others", 0))
        counts = {f"end_{k}": v for k, v in counters.items()}
        if self.as_json:
            self.say("summary", **self.figures, air_time_s=self.air_time_s, **counts, **more)
        else:
            sentence = summary_sentence(self.figures, self.air_time_s, self._sends, self._receives)
            self.say("summary", text=sentence)
            if self._live is not None:
                self._console.print(Text(sentence))
        sys.stdout.flush()


def shown_snr(values: dict[str, Any]) -> str:
    """An SNR for a person: nobody needs the 135.6 dB of a recording without noise."""
    snr_db = float(values.get("snr_db", float("nan")))
    return "no noise" if snr_db > _NO_NOISE_DB else f"{snr_db:.1f} dB"


def _said(values: dict[str, Any]) -> str:
    answer, kept = values.get("answer"), values.get("picture")
    picture = f"(picture: {kept})" if kept else "(a picture; --pictures FOLDER keeps it)"
    lost = values.get("lost_segments") or 0
    part = f" [{lost} of {values['n_segments']} frames lost]" if lost else ""
    copies = values.get("copies") or 1
    part += f" [{copies} copies]" if copies > 1 else ""
    return f"{answer if answer is not None else picture}{part}{_trust(values)}"


def _trust(values: dict[str, Any]) -> str:
    """How far an answer may be believed, where its codec says so."""
    confidence, verified = values.get("confidence"), values.get("verified")
    if verified:
        return " (verified)"
    if confidence is None or values.get("answer") in (None, NOT_SURE):
        return ""
    sure = "over 99" if confidence > 0.99 else f"{100 * confidence:.0f}"
    return f" ({'not verified, ' if verified is False else ''}{sure} % sure)"


def _message(values: dict[str, Any]) -> tuple[int, int]:
    number = values.get("sequence")
    return int(values.get("source_id") or 0), -1 if number is None else int(number)
