"""IQ over ZeroMQ between two processes, as gr-zeromq sends it: bare complex64; tags are left out."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pmt
import zmq
from gnuradio import gr
from zmq.utils.monitor import recv_monitor_message

from m4sc_flowgraphs.radio_ends.address import RadioEndError
from m4sc_flowgraphs.radio_ends.end import Notify
from m4sc_flowgraphs.radio_ends.sim import ChannelOptions
from m4sc_flowgraphs.radio_ends.tag_header import header_bytes

MODES = ("push", "pub")
_DONE_KEY = pmt.intern("m4sc_done")
_POLL_MS = 20
_MESSAGES_HELD = 16  # in ZeroMQ's own queue, each of at most one scheduler buffer
_CHUNK = 8192
_PUB_HELD = 512  # messages for each subscriber, of 64 KiB at most: 32 MiB
_TELL_S = 5.0
_SHARED = (
    "receivers share the samples, so that none can read a message; stop all but one, or send with ?mode=pub"
)
_TAGGED = "the transmitter sends tags with its samples (Pass Tags); they are left out"
_NO_SAMPLES = (
    "what the transmitter sends is not complex64; it is left out (another type, or tags of another version)"
)


@dataclass(frozen=True)
class ZmqOptions:
    """Options of ``zmq://HOST:PORT``.

    Attributes:
        mode: ``push``: one receiver, the transmitter waits for it; ``pub``: any number, who is not there
            hears nothing.
        channel: a simulated channel on the way.
    """

    mode: str = "push"
    channel: ChannelOptions = field(default_factory=ChannelOptions)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode is '{self.mode}'; use push or pub")


def endpoint(place: str) -> str:
    """``tcp://HOST:PORT`` of an address's place; no host means this machine alone.

    Raises:
        RadioEndError: no port, or one out of range.
    """
    host, _, port = place.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 0x10000:
        raise RadioEndError(f"'zmq://{place}' has no port; write zmq://127.0.0.1:5555")
    return f"tcp://{host or '127.0.0.1'}:{port}"


class _Context(zmq.Context):  # type: ignore[misc]
    """A context that may be forgotten: pyzmq's own waits for ever there for sockets that are still open."""

    def __del__(self) -> None:
        return


class _Peers:
    """Counts a socket's connections and tells of each that comes and goes; asked from the socket's thread."""

    def __init__(self, socket: Any, what: str, notify: Notify, *, shared_out: bool = False) -> None:
        self.count = 0
        self._shared_out = shared_out  # each peer gets only a part
        self._socket, self._what, self._notify = socket, what, notify
        self._monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)

    def look(self) -> None:
        """Take what has happened since the last look."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event not in (zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_DISCONNECTED):
                continue
            came = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            self.count = max(0, self.count + (1 if came else -1))
            state = "is connected" if came else "has gone; waiting for it to come back"
            self._notify("peer", f"{self._what} {state}")
            if came and self._shared_out and self.count > 1:
                self._notify("peer", f"{self.count} {_SHARED}")

    def close(self) -> None:
        """Stop watching."""
        self._socket.disable_monitor()
        self._monitor.close(0)


class ZmqSink(gr.sync_block):
    """Sends its input; binds, so that a transmitter is what others connect to.

    Counters: ``samples``, ``overruns`` (``pub``: how often 32 MiB waited for a receiver; what it misses from
    then on, until it has taken half of that, ZeroMQ does not count).
    """

    def __init__(self, place: str, mode: str, notify: Notify) -> None:
        gr.sync_block.__init__(self, "m4sc_zmq_sink", [np.complex64], [])
        self.counters: Counter[str] = Counter(samples=0, overruns=0)
        self._has_all, self._notify, self._last_told = False, notify, float("-inf")
        where, self._context = endpoint(place), _Context()
        self._socket = self._context.socket(zmq.PUSH if mode == "push" else zmq.PUB)
        self._socket.set_hwm(_MESSAGES_HELD if mode == "push" else _PUB_HELD)
        if mode == "pub":
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)  # so that a full queue is told
        self._socket.linger = 2000
        self._peers = _Peers(self._socket, "the receiver", notify, shared_out=mode == "push")
        try:
            self._socket.bind(where)
        except zmq.ZMQError as exc:
            self.close()
            raise RadioEndError(
                f"cannot listen at {where} ({exc.strerror}); another program may use this port"
            ) from exc

    @property
    def peers(self) -> int:
        """Connected receivers."""
        return self._peers.count

    def look(self) -> None:
        """Take notice of who came, before the flowgraph starts; afterwards :meth:`work` does."""
        self._peers.look()

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Hand samples to ZeroMQ; with ``push``, wait while no receiver takes them."""
        samples = input_items[0][:_CHUNK]
        tags = self.get_tags_in_window(0, 0, len(samples), _DONE_KEY)
        before = min((int(tag.offset) - self.nitems_read(0) for tag in tags), default=len(samples))
        if before == 0:  # behind the tag there is only silence: nothing to wait for
            self._has_all = True
        else:
            samples = samples[:before]
        try:
            self._peers.look()
            if not self._socket.poll(_POLL_MS, zmq.POLLOUT):
                return 0
            self._send(samples)
        except zmq.Again:
            return 0
        except zmq.ZMQError as exc:  # an exception here would hang the flowgraph
            self.logger.error(f"ZeroMQ: {exc}")
            return -1
        self.counters["samples"] += len(samples)
        return len(samples)

    def _send(self, samples: np.ndarray) -> None:
        """Hand on; with ``pub``, receivers whose queue is full miss it and the others do not."""
        data = samples.tobytes()
        try:
            self._socket.send(data, zmq.NOBLOCK)
        except zmq.Again:
            if self._socket.socket_type != zmq.PUB:
                raise
            self._socket.setsockopt(zmq.XPUB_NODROP, 0)
            self._socket.send(data, zmq.NOBLOCK)
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)
            self.counters["overruns"] += 1
            if time.monotonic() - self._last_told >= _TELL_S:
                self._last_told = time.monotonic()
                self._notify("overrun", "a receiver is too slow or has stopped, and misses samples")

    def close(self) -> None:
        """Send what is queued (at most two seconds) and free the port."""
        self._peers.close()
        self._socket.close()
        self._context.term()

    def has_all(self) -> bool:
        """Whether the last sample was handed to ZeroMQ; :meth:`close` waits until it has left."""
        return self._has_all

    def stop(self) -> bool:
        """Called by the scheduler."""
        if not self._socket.closed:
            self.close()
        return True


class ZmqSource(gr.sync_block):
    """Receives samples; connects when the flowgraph starts, and again whenever the transmitter comes back.

    Connected before, it would take samples that nobody reads yet, and keep them from other receivers.

    Counters: ``samples``, ``bad_messages`` (not a whole number of samples).
    """

    def __init__(self, place: str, mode: str, notify: Notify) -> None:
        gr.sync_block.__init__(self, "m4sc_zmq_source", [], [np.complex64])
        self.counters: Counter[str] = Counter(samples=0, bad_messages=0)
        self._left: np.ndarray = np.zeros(0, np.complex64)
        self._notify, self._told_tags, self._last_told = notify, False, float("-inf")
        self._where, self._context = endpoint(place), _Context()
        self._socket = self._context.socket(zmq.PULL if mode == "push" else zmq.SUB)
        self._socket.set_hwm(_MESSAGES_HELD if mode == "push" else 1000)
        self._socket.linger = 0
        self._socket.reconnect_ivl, self._socket.reconnect_ivl_max = 100, 1000
        if mode == "pub":
            self._socket.subscribe(b"")
        self._peers = _Peers(self._socket, "the transmitter", notify)

    def start(self) -> bool:
        """Connect; called by the scheduler."""
        try:
            self._socket.connect(self._where)
        except zmq.ZMQError as exc:
            self._notify("broken_off", f"cannot use {self._where} ({exc.strerror}); give a host and port")
            return False
        return True

    @property
    def peers(self) -> int:
        """1 while the transmitter is connected."""
        return self._peers.count

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        """Copy what came."""
        if not len(self._left) and not self._take():
            return 0
        count = min(len(self._left), len(output_items[0]))
        output_items[0][:count] = self._left[:count]
        self._left = self._left[count:]
        self.counters["samples"] += count
        return count

    def _take(self) -> bool:
        try:
            self._peers.look()
            if not self._socket.poll(_POLL_MS, zmq.POLLIN):
                return False
            data = self._socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as exc:
            self.logger.error(f"ZeroMQ: {exc}")
            time.sleep(_POLL_MS / 1e3)
            return False
        at = self._behind_tags(data)
        if (len(data) - at) % 8:
            self.counters["bad_messages"] += 1
            if time.monotonic() - self._last_told >= _TELL_S:
                self._last_told = time.monotonic()
                self._notify("bad_messages", _NO_SAMPLES)
            return False
        self._left = np.frombuffer(data, np.complex64, offset=at)
        return bool(len(self._left))

    def _behind_tags(self, data: bytes) -> int:
        """Where the samples of a message begin: 0, or behind gr-zeromq's header of tags."""
        at = header_bytes(data)
        if at is None or (len(data) - at) % 8:
            return 0
        if not self._told_tags:
            self._told_tags = True
            self._notify("peer", _TAGGED)
        return at

    def close(self) -> None:
        """Leave the transmitter."""
        self._peers.close()
        self._socket.close()
        self._context.term()

    def stop(self) -> bool:
        """Called by the scheduler."""
        if not self._socket.closed:
            self.close()
        return True
