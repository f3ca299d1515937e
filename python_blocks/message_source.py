"""Files or texts as message PDUs, one after another."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pmt
from gnuradio import gr

from .gate import Publisher, wake_senders
from .inbox import add_stop_port, begin_run
from .pdu import done_pdu, make_pdu


class message_source(gr.basic_block):  # noqa: N801
    """Message source: sends each file as a message PDU, then ``done``.

    Ports: ``stop`` in, ``messages`` out. A PDU with ``done`` on ``stop`` ends this block and those behind
    it: connect the decoder's ``answers`` to let a flowgraph end by itself. The payload is the file's bytes;
    metadata ``task``, ``modality`` (by suffix), ``instruction`` (if given), ``look`` (if true), ``name``,
    ``sequence``, ``source_id``, ``user_id`` and ``public``. It waits
    until the block behind has room. Stopped and started again (``lock`` and ``unlock`` too), it goes on with
    the message after the last one sent, or anew if ``stop`` had ended it; sequence numbers run on.

    Args:
        files: paths; ``PICTURE+SOUND`` is a picture with a spoken question; ``sample:NAME`` is a file of the
            module's own folder ``samples``; ``text:WORDS``, or a sentence that is not like a path, is a text.
            A folder, a URL or a path without a file is refused.
        task: task name for all, or one for each file.
        instruction: what is asked of all, empty for the task's own wording.
        repeat: how often the list is sent, 0 for ever.
        interval_s: pause between messages, s.
        source_id: transmitter in the frame header, 0 to 255.
        user_id: addressee, 0 to 65535.
        public: whether the messages are for every user, or for ``user_id`` alone.
        look: of pictures send what the instruction points at alone.
    """

    def __init__(
        self,
        files: Sequence[str],
        task: str | Sequence[str] = "classify",
        instruction: str = "",
        repeat: int = 1,
        interval_s: float = 0.0,
        source_id: int = 0,
        user_id: int = 0,
        public: bool = False,
        look: bool = False,
    ) -> None:
        gr.basic_block.__init__(self, "m4sc_message_source", [], [])
        self._files = [sample_path(entry) for entry in ([files] if isinstance(files, str) else files)]
        tasks = [task] * len(self._files) if isinstance(task, str) else list(task)
        if not self._files:
            raise ValueError("files is empty; name at least one file or text")
        if len(tasks) != len(self._files):
            raise ValueError(f"{len(tasks)} tasks for {len(self._files)} files; give one, or one each")
        if repeat < 0 or interval_s < 0:
            raise ValueError("repeat and interval_s cannot be negative")
        for label, value, most in (("source_id", source_id, 0xFF), ("user_id", user_id, 0xFFFF)):
            if not 0 <= value <= most:
                raise ValueError(f"{label} is {value}; give 0 to {most}")
        if look and not (instruction or "").strip():
            raise ValueError("look needs an instruction that says where, such as 'What is at the top left?'")
        self._check_tasks(tasks)
        self._check_entries(self._files)
        self._tasks, self._instruction, self._look = tasks, instruction, bool(look)
        self._address = {"source_id": int(source_id), "user_id": int(user_id), "public": bool(public)}
        self._repeat, self._interval_s = repeat, interval_s
        self.counters: Counter[str] = Counter(sent=0, errors=0)
        self._next = self._sequence = 0  # messages of this pass sent so far; number of the next
        self._answered = False  # all that was sent: the run is over, the next one begins anew
        self._publisher = Publisher(self)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.message_port_register_out(pmt.intern("messages"))
        add_stop_port(self, self._accept_stop)

    @staticmethod
    def _check_tasks(tasks: Sequence[str]) -> None:
        from m4sc.tasks import get_task

        for name in tasks:
            get_task(name)

    @staticmethod
    def _check_entries(entries: Sequence[str]) -> None:
        from m4sc.media.entries import TEXT, check_path, is_sentence
        from m4sc.media.kinds import modality_of

        for entry in entries:
            if not entry.startswith(TEXT) and not is_sentence(entry):
                check_path(entry)
                if Path(entry).is_dir():
                    raise ValueError(f"{entry} is a folder; name its files")
                modality_of(entry)

    def start(self) -> bool:
        """Start sending, or go on; called by the scheduler."""
        begin_run(self)
        if self._answered:
            self._next, self._answered = 0, False
        self._publisher.forget()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stopping,), name="m4sc_message_source", daemon=True
        )
        self._thread.start()
        return True

    def stop(self) -> bool:
        """Stop sending; called by the scheduler."""
        self._stopping.set()
        wake_senders()
        if self._thread is not None:
            self._thread.join(5.0)
        return True

    def _accept_stop(self) -> None:
        """Everything was answered: end this block, and by the scheduler's rule all that hang on it."""
        self._answered = True
        ended = pmt.cons(pmt.intern("done"), pmt.from_long(1))
        self.to_basic_block()._post(pmt.intern("system"), ended)

    def _run(self, stopping: threading.Event) -> None:
        last = self._repeat * len(self._files)  # 0: none is the last
        while not last or self._next < last:
            place = self._next % len(self._files)
            try:
                message = self._pdu(self._files[place], self._tasks[place], self._sequence)
            except (OSError, ValueError) as exc:  # the file is gone since this block was made
                self.counters["errors"] += 1
                self.logger.warn(f"{self._files[place]}: {exc}; it is not sent")
                self._next += 1
                if stopping.wait(max(self._interval_s, 0.05)):
                    return
                continue
            if not self._publisher.publish("messages", message, stopping.is_set):
                return
            self.counters["sent"] += 1
            self._next += 1
            self._sequence = (self._sequence + 1) & 0xFFFF
            if stopping.wait(self._interval_s):
                return
        self._publisher.publish("messages", done_pdu(), stopping.is_set)

    def _pdu(self, entry: str, task: str, sequence: int) -> Any:
        meta: dict[str, Any] = {
            **self._address,
            "task": task,
            "sequence": sequence,
            "instruction": self._instruction or None,
        }
        if self._look:
            meta["look"] = True
        from m4sc.media.entries import TEXT, file_message, is_sentence, text_message

        if entry.startswith(TEXT) or is_sentence(entry):
            handed = text_message(entry.removeprefix(TEXT))
        else:
            handed = file_message(entry)
        return make_pdu({**meta, "name": handed.name, "modality": handed.modality}, handed.payload)


def sample_path(entry: str) -> str:
    """``sample:NAME`` as a path, anything else as it is; raises ValueError naming the samples there are."""
    if not entry.startswith("sample:"):
        return entry
    folder = Path(__file__).resolve().parent / "samples"
    path = folder / Path(entry.removeprefix("sample:")).name
    if not path.is_file():
        known = ", ".join(sorted(f.name for f in folder.glob("*") if f.suffix in (".jpg", ".wav")))
        raise ValueError(f"no sample '{path.name}'; there are {known}")
    return str(path)
