"""The link behind the live page: the semantic and the classical system over one kind of channel."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from m4sc.message import Message
from m4sc.phy.waveform import WaveformConfig
from m4sc.tasks import get_task
from m4sc_flowgraphs.link_events import LinkEvent
from m4sc_flowgraphs.messages import OutgoingMessage
from m4sc_flowgraphs.radio_ends import open_receive, parse_address
from m4sc_flowgraphs.radio_ends.address import read_options
from m4sc_flowgraphs.radio_ends.sim import ChannelOptions, channel_block
from m4sc_flowgraphs.station import Station, StationConfig

from m4sc_app.dashboard.events import History
from m4sc_app.errors import UserError

CLOSED = "closed"  # the event after which no other comes
SNR_RANGE_DB = (-15.0, 40.0)
CFO_RANGE_HZ = (-20_000.0, 20_000.0)
_POINTS = 240  # of a constellation, sent to the page
_KEPT, _KEPT_BYTES = 200, 64 << 20  # events told to a page that is opened later
_MIMES = {"image": "image/png", "speech": "audio/wav", "text": "text/plain"}


class LinkService:
    """Stations, their events for any number of pages, and the settings of the simulated channel.

    Args:
        address: ``sim:`` with options, or an end to listen to.
        model: semantic system.
        query: the receiver's question when listening.
    """

    def __init__(self, address: str, model: Any, query: str | None = None) -> None:
        where = parse_address(address)
        self.address, self.simulated = address, where.kind == "sim"
        self.channel = read_options(where, ChannelOptions) if self.simulated else ChannelOptions()
        self._model, self._query, self._waveform = model, query, WaveformConfig()
        self._lock = threading.Lock()  # held while stations are made, ended or sent to
        self._stations: dict[str, Any] = {}
        self._running = False
        self._made_for: Any = None  # settings
        self._events = threading.Lock()  # held, never long, for what follows and for `channel`
        self._listeners: list[Callable[[dict[str, Any]], None]] = []
        self._history = History(_KEPT, _KEPT_BYTES)
        self._sequence = 0
        self._pending: set[tuple[str, int]] = set()

    def begin(self) -> None:
        """Build and start the stations."""
        with self._lock:
            self._running = True
            self._begin_stations()

    def end(self) -> None:
        """Stop the stations; settings that come later start none."""
        with self._lock:
            self._running = False
            self._end_stations()

    def close(self) -> None:
        """Tell every page that nothing more comes."""
        self._tell({"event": CLOSED, "time_s": time.time()})

    def _begin_stations(self) -> None:
        if self.simulated:
            self._made_for = self._settings()
            self._stations = self._build(self.channel)
        else:
            end = open_receive(self.address, self._waveform, self._notify)
            config = StationConfig(query=self._query)
            self._stations = {"link": Station(self._model, self._emit_as("link"), receive=end, config=config)}
        for station in self._stations.values():
            station.begin()

    def _end_stations(self) -> None:
        for station in self._stations.values():
            station.end()
        self._stations = {}

    def _settings(self) -> Any:
        """What stations are made for: with others they are made anew."""
        return self.channel

    def _build(self, channel: ChannelOptions) -> dict[str, Any]:
        """Stations of a simulated channel."""
        return {name: self._simulated(name, channel) for name in ("semantic", "classical")}

    def _simulated(self, name: str, channel: ChannelOptions) -> Station:
        snr_db = min(max(channel.snr_db, SNR_RANGE_DB[0]), SNR_RANGE_DB[1])
        return Station(
            self._model, self._emit_as(name), channel=channel_block(channel, self._waveform),
            config=StationConfig(classical=name == "classical", snr_db=snr_db), waveform=self._waveform,
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """Settings and counters, plain values."""
        settings = {k: v if v != float("inf") else SNR_RANGE_DB[1] for k, v in asdict(self.channel).items()}
        counters = {name: station.counters() for name, station in self._stations.items()}
        return {
            "event": "state", "time_s": time.time(), "address": self.address, "simulated": self.simulated,
            "channel": settings, "counters": counters,
        }  # fmt: skip

    def set_channel(self, wanted: dict[str, Any]) -> None:
        """Another channel, by new stations; what is on its way is told as not answered.

        Of several settings at once, from different threads, the last holds, and one pair of stations is left.

        Raises:
            UserError: not a simulated link, unknown setting or out of range.
        """
        if not self.simulated:
            raise UserError("this page listens to a radio; only a simulated channel can be set")
        with self._events:
            self._change(wanted)
        with self._lock:
            if not self._running or self._made_for == self._settings():
                return  # ended, or made by a setting that came at the same time
            self._end_stations()  # a running channel has noise of the old strength in its buffers
            self._tell_unanswered("the channel was changed before it was answered")
            self._begin_stations()
        self._tell(self.state())

    def _change(self, wanted: dict[str, Any]) -> None:
        """Take other settings, if all are good; raises UserError."""
        ranges = {"snr_db": SNR_RANGE_DB, "cfo_hz": CFO_RANGE_HZ}
        for name, value in wanted.items():
            if name == "channel":
                continue
            if name not in ranges or isinstance(value, bool) or not isinstance(value, int | float):
                raise UserError(f"'{name}' cannot be set to {value!r}; settings are channel, snr_db, cfo_hz")
            low, high = ranges[name]
            if not low <= value <= high:
                raise UserError(f"{name} is {value}; give {low:g} to {high:g}")
        try:
            self.channel = replace(self.channel, **wanted)
        except ValueError as exc:
            raise UserError(str(exc)) from exc

    def _tell_unanswered(self, reason: str) -> None:
        with self._events:
            pending = sorted(self._pending)
        for system, sequence in pending:
            fault = {"event": "fault", "system": system, "sequence": sequence, "reason": reason}
            self._tell({**fault, "time_s": time.time()})

    def send(self, payload: bytes, task: str, instruction: str | None, name: str) -> int:
        """Send a message by both systems; returns its number.

        Raises:
            UserError: this page only listens. MessageError, UnknownTaskError: not a message, no such task.
        """
        if not self.simulated:
            raise UserError("this page listens to a radio; send with m4sc tx")
        message = self._sendable(payload, task, instruction, name)
        with self._lock:
            sequence, self._sequence = self._sequence, (self._sequence + 1) & 0xFFFF
            for station in self._stations.values():
                station.send(message, sequence)
        return sequence

    def _sendable(self, payload: bytes, task: str, instruction: str | None, name: str) -> OutgoingMessage:
        modality = get_task(task).modality
        Message.from_bytes(payload, modality)
        return OutgoingMessage(payload, task, modality, instruction or None, name)

    # --- events -----------------------------------------------------------------------------------------

    def listen(self, listener: Callable[[dict[str, Any]], None]) -> list[dict[str, Any]]:
        """Tell ``listener`` every event from now on, from any thread; returns what happened before."""
        state = self.state()
        with self._events:
            self._listeners.append(listener)
            return [state, *self._history.rows()]

    def leave(self, listener: Callable[[dict[str, Any]], None]) -> None:
        """Tell it no more."""
        with self._events:
            self._listeners.remove(listener)

    def _notify(self, kind: str, text: str) -> None:
        self._tell({"event": kind, "time_s": time.time(), "text": text})

    def _emit_as(self, system: str) -> Callable[[LinkEvent], None]:
        return lambda event: self._tell(for_page(event, system))

    def _tell(self, row: dict[str, Any]) -> None:
        with self._events:
            if row["event"] not in ("state", CLOSED):
                self._history.append(row)
            if row["event"] == "queued":
                self._pending.add((row["system"], row["sequence"]))
            elif row["event"] in ("answer", "fault"):
                self._pending.discard((row.get("system", ""), row.get("sequence", -1)))
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(row)


def for_page(event: LinkEvent, system: str) -> dict[str, Any]:
    """An event as JSON values; pictures, sounds and a thinned constellation with it."""
    row = {"system": system, **event.to_json()}
    data = event.data
    if data.get("symbols") is not None:
        symbols = np.asarray(data["symbols"])
        chosen = symbols[:: max(1, -(-symbols.size // _POINTS))]
        row["points"] = np.stack([chosen.real, chosen.imag], 1).round(3).tolist()
        if data.get("h_hat") is not None:
            level = np.abs(np.asarray(data["h_hat"]))  # lowest carrier first
            row["h_db"] = [None if a < 1e-6 else round(float(20 * np.log10(a)), 2) for a in level]
    modality = str(event.values.get("modality", ""))
    for name, mime in (("payload", _mime_of_payload(data.get("payload"), modality)),
                       ("received", _MIMES.get(modality)), ("picture", "image/png")):  # fmt: skip
        if data.get(name) is not None and mime is not None:
            row[name] = f"data:{mime};base64,{base64.b64encode(bytes(data[name])).decode()}"
    return row


def _mime_of_payload(payload: bytes | None, modality: str) -> str | None:
    if payload is None:
        return None
    if modality == "image" and payload[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    return _MIMES.get(modality)
