"""One transmitter, several users behind channels of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gnuradio.m4sc")

from flow import wait_until
from gnuradio import blocks, gr, m4sc
from gnuradio.m4sc.pdu import make_pdu
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.waveform import WaveformConfig
from m4sc.recordings import RecordingWriter
from m4sc_app.bench.free_ports import free_ports
from m4sc_flowgraphs.broker import Broker
from m4sc_flowgraphs.radio_ends.address import RadioEndError
from m4sc_flowgraphs.radio_ends.zmq import ZmqSink, ZmqSource

pytestmark = pytest.mark.timeout(120)
FRAMES, SYMBOLS = 6, 200


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames with silence between them, a tenth of a second of it at the end."""
    return recorded(tmp_path_factory.mktemp("broker") / "frames", FRAMES, 20_000)


def recorded(place: Path, frames: int, gap: int) -> Path:
    """So many frames with `gap` samples of silence before each."""
    waveform, rng = WaveformConfig(), np.random.default_rng(3)
    writer = RecordingWriter(
        place, float(waveform.samp_rate), extra={"waveform": json.loads(waveform.to_json())}
    )
    for number in range(frames):
        symbols = np.exp(0.5j * np.pi * (rng.integers(4, size=SYMBOLS) + 0.5))
        writer.append(np.zeros(gap, np.complex64))
        writer.append(modulate_frame(FrameHeader(PayloadKind.ANALOG, SYMBOLS, number), symbols, waveform))
    writer.append(np.zeros(100_000, np.complex64))
    writer.finish()
    return place.with_suffix(".sigmf-meta")


class Listener(gr.top_block):
    """A user's receiver up to its frames."""

    def __init__(self, port: int) -> None:
        gr.top_block.__init__(self, "listener", catch_exceptions=False)
        self.source = ZmqSource(f"127.0.0.1:{port}", "pub", lambda kind, text: None)
        self.frames, self.store = m4sc.frame_receiver(), blocks.message_debug(False)
        self.connect(self.source, self.frames)
        self.msg_connect(self.frames, "symbols", self.store, "store")

    def has(self, count: int, seconds: float) -> list[dict[str, Any]]:
        """Metadata of the frames that came; waits for so many."""
        from gnuradio.m4sc.pdu import read_pdu

        wait_until(lambda: self.store.num_messages() >= count, seconds)
        return [read_pdu(self.store.get_message(n))[0] for n in range(self.store.num_messages())]


def test_each_user_hears_all_through_a_channel_of_its_own(recording: Path) -> None:
    ports = free_ports(3)
    users = [f"zmq://127.0.0.1:{port}?snr_db={snr}" for port, snr in zip(ports, (25, 8, 8), strict=True)]
    heard: list[str] = []
    broker = Broker(f"file:{recording}", users, notify=lambda kind, text: heard.append(text))
    listeners = [Listener(port) for port in ports[:2]]  # the third user never comes
    for one in listeners:
        one.start()

    def both_are_there() -> bool:
        broker.look()
        return [user.peers for user in broker.users()] == [1, 1, 0]

    assert wait_until(both_are_there, 30)
    time.sleep(0.5)
    begun = time.monotonic()
    broker.begin()
    near, far = (one.has(FRAMES, 60) for one in listeners)
    assert wait_until(broker.has_ended, 30)
    took = time.monotonic() - begun
    assert broker.end()
    for one in listeners:
        one.stop()
        one.wait()
    assert [meta["sequence"] for meta in near] == [meta["sequence"] for meta in far] == list(range(FRAMES))
    assert np.median([meta["snr_db"] for meta in near]) == pytest.approx(25, abs=1.5)
    assert np.median([meta["snr_db"] for meta in far]) == pytest.approx(8, abs=1.5)
    samples = 20_000 * FRAMES + 100_000
    assert took > samples / 1e6  # in real time
    assert [user.overruns for user in broker.users()] == [0, 0, 0]
    assert all(user.samples > samples for user in broker.users())
    assert any(text.startswith("user 1: the receiver is connected") for text in heard)


class Talker(gr.top_block):
    """A transmitter that sends frames when it is told to, and zeros meanwhile; slow, for a busy machine."""

    def __init__(self, port: int) -> None:
        gr.top_block.__init__(self, "talker", catch_exceptions=False)
        self.sender, self._next = m4sc.frame_transmitter(idle="zeros"), 0
        throttle = blocks.throttle(gr.sizeof_gr_complex, self.sender.waveform.samp_rate / 5)
        self.sink = ZmqSink(f"127.0.0.1:{port}", "push", lambda kind, text: None)
        self.connect(self.sender, throttle, self.sink)

    def say(self, count: int) -> None:
        """So many more frames, numbered on."""
        for number in range(self._next, self._next + count):
            symbols = np.exp(0.5j * np.pi * (np.arange(SYMBOLS) % 4 + 0.5)).astype(np.complex64)
            self.sender.put(make_pdu({"sequence": number}, symbols), 10.0)
        self._next += count


def test_users_who_come_late_or_leave_hear_what_is_sent_meanwhile_and_the_others_all() -> None:
    port, *ports = free_ports(4)
    talker = Talker(port)
    broker = Broker(f"zmq://127.0.0.1:{port}", [f"zmq://127.0.0.1:{place}?snr_db=20" for place in ports])
    stays, leaves, late = (Listener(place) for place in ports)

    def there_are(*peers: int) -> None:
        assert wait_until(lambda: [user.peers for user in broker.users()] == list(peers), 30)
        time.sleep(0.5)  # a subscription comes a moment after its connection

    for graph in (stays, leaves, talker):
        graph.start()
    broker.begin()
    there_are(1, 1, 0)
    talker.say(4)
    heard_before = numbers_of(leaves, 4)
    leaves.stop()
    leaves.wait()
    there_are(1, 0, 0)
    talker.say(4)
    numbers_of(stays, 8)
    late.start()
    there_are(1, 0, 1)
    talker.say(8)
    heard = numbers_of(stays, 16), numbers_of(late, 8)
    assert broker.end()
    for graph in (stays, late, talker):
        graph.stop()
        graph.wait()
    assert heard_before == list(range(4))
    assert heard == (list(range(16)), list(range(8, 16)))
    assert broker.users()[0].overruns == 0


def numbers_of(listener: Listener, count: int) -> list[int]:
    """Of the frames that came; waits for so many."""
    return [meta["sequence"] for meta in listener.has(count, 60)]


@pytest.mark.parametrize(
    ("users", "words"),
    [
        ([], "no user"),
        (["file:here"], "no place for a user"),
        (["zmq://127.0.0.1"], "no port"),
        (["zmq://127.0.0.1:{port}?loudness=3"], "no option 'loudness'"),
        (["zmq://127.0.0.1:{port}", "zmq://127.0.0.1:{port}"], "cannot listen"),
    ],
)
def test_bad_users_are_told_and_no_port_stays_taken(recording: Path, users: list[str], words: str) -> None:
    port = free_ports(1)[0]
    with pytest.raises(RadioEndError, match=words):
        Broker(f"file:{recording}", [user.format(port=port) for user in users])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def run(*argv: str, seconds: float = 60.0, end: int | None = None) -> subprocess.CompletedProcess[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "m4sc_app", "broker", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    if end is not None:
        first = process.stdout.readline()
        process.send_signal(end)
        out, err = process.communicate(timeout=seconds)
        return subprocess.CompletedProcess(argv, process.returncode, first + out, err)
    out, err = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def test_the_command_says_what_it_passed_on(recording: Path) -> None:
    ports = free_ports(2)
    done = run(str(recording), *(f"zmq://127.0.0.1:{port}" for port in ports), "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "ready" and events[-1]["event"] == "summary"
    assert [user["overruns"] for user in events[-1]["users"]] == [0, 0]
    assert all(user["samples"] > 200_000 and user["peers"] == 0 for user in events[-1]["users"])


def test_the_command_refuses_in_a_sentence(recording: Path) -> None:
    port = free_ports(1)[0]
    more = run(str(recording), f"zmq://127.0.0.1:{port}", "--wait-for", "2")
    assert more.returncode == 2 and "there are 1 users" in more.stderr and "Traceback" not in more.stderr
    nobody = run(f"zmq://127.0.0.1:{port}", f"zmq://127.0.0.1:{free_ports(1)[0]}", "--seconds", "0.3")
    assert nobody.returncode == 2 and "no transmitter came" in nobody.stderr


@pytest.mark.parametrize("options", [[], ["--wait-for", "1"]])
def test_ctrl_c_ends_it(recording: Path, options: list[str]) -> None:
    first, second = free_ports(2)
    done = run(f"zmq://127.0.0.1:{first}", f"zmq://127.0.0.1:{second}", *options, end=signal.SIGINT)
    assert done.returncode in (2, 130) and "Traceback" not in done.stderr + done.stdout
