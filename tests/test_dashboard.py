"""The live page: its service, its server, and the page itself in a headless browser."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from browser import Browser
from child import child_env
from fake_system import FakeSystem
from flow import wait_until
from hypothesis import given
from hypothesis import strategies as st
from m4sc.media.kinds import join_files
from m4sc_app.cli import main
from m4sc_app.dashboard.events import Backlog, History, size_of
from m4sc_app.dashboard.link import LinkService
from m4sc_app.dashboard.server import make_app
from m4sc_app.errors import UserError
from m4sc_flowgraphs.station import Station
from PIL import Image
from test_radio_ends import free_port

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def service() -> Iterator[LinkService]:
    made = LinkService("sim:?snr_db=15&cfo_hz=200", FakeSystem())
    made.begin()
    yield made
    made.end()


@pytest.fixture
def site(service: LinkService) -> Iterator[str]:
    port = free_port()
    app = make_app(service, ("127.0.0.1",))
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert wait_until(lambda: server.started, 10)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def get(url: str, data: bytes | None = None, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, data, {name.replace("_", "-"): v for name, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read().decode()


def answers(rows: list[dict[str, Any]]) -> dict[tuple[str, int], str]:
    return {(r["system"], r["sequence"]): r["answer"] for r in rows if r["event"] == "answer"}


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 60, 3), level, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_message_goes_by_both_systems_and_all_channels(service: LinkService) -> None:
    rows: list[dict[str, Any]] = []
    service.listen(rows.append)
    for number, kind in enumerate(("awgn", "multipath")):
        service.set_channel({"channel": kind})
        assert service.send(png(100), "classify", None, "grey.png") == number
        assert wait_until(lambda n=number: len(answers(rows)) == 2 * (n + 1), 20)
    assert set(answers(rows).values()) == {"ship"}
    frame = next(row for row in rows if row["event"] == "answer" and row["system"] == "semantic")
    assert len(frame["points"]) <= 240 and len(frame["h_db"]) == 48
    assert any(
        r.get("received", "").startswith("data:image/png") for r in rows if r.get("system") == "classical"
    )
    json.dumps(rows)


def test_the_sliders_change_a_running_channel(service: LinkService) -> None:
    rows: list[dict[str, Any]] = []
    service.listen(rows.append)
    for number, snr_db in enumerate((25.0, 5.0)):
        service.set_channel({"snr_db": snr_db, "cfo_hz": 900.0 * number})
        service.send(b"storm", "text", None, "")
        assert wait_until(lambda n=number: ("semantic", n) in answers(rows), 20)
    first, second = (r for r in rows if r["event"] == "frame" and r["system"] == "semantic")
    assert first["snr_db"] - second["snr_db"] == pytest.approx(20.0, abs=4.0)
    # at 5 dB the offset is the search's: within 3 % of a subcarrier
    assert second["cfo_hz"] - first["cfo_hz"] == pytest.approx(900.0, abs=470.0)


def test_of_settings_at_once_the_last_holds_and_one_pair_of_stations_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running: list[Station] = []
    begin, end = Station.begin, Station.end
    monkeypatch.setattr(Station, "begin", lambda self: running.append(self) or begin(self))
    monkeypatch.setattr(Station, "end", lambda self: running.remove(self) or end(self))
    service = LinkService("sim:?snr_db=15", FakeSystem())
    service.begin()
    try:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda snr_db: service.set_channel({"snr_db": snr_db}), range(6)))
        assert len(running) == 2
        service.set_channel({"snr_db": 30.0})
        assert len(running) == 2 and {station.config.snr_db for station in running} == {30.0}
        service.send(b"storm", "text", None, "")
    finally:
        service.end()
    assert not running
    service.set_channel({"snr_db": 3.0})  # a request that was on its way
    assert not running


@given(
    sizes=st.lists(st.integers(0, 5000), max_size=40),
    most=st.integers(1, 20),
    most_bytes=st.integers(1000, 9000),
)
def test_kept_events_are_bounded_in_number_and_bytes(sizes: list[int], most: int, most_bytes: int) -> None:
    history, backlog = History(most, most_bytes), Backlog(most, most_bytes)
    rows = [{"event": "queued", "sequence": n, "payload": "x" * size} for n, size in enumerate(sizes)]
    for row in rows:
        history.append(row)
        backlog.put(row)
    kept = history.rows()
    assert len(kept) <= most and size_of(kept) <= most_bytes
    assert [row["sequence"] for row in kept] == list(range(len(sizes)))[len(sizes) - len(kept) :]
    held = list(iter(backlog.take, None))
    assert len(held) <= most and size_of(held) <= most_bytes and backlog.n_bytes == 0
    assert len(held) + backlog.take_lost() == len(rows) and backlog.take_lost() == 0
    assert all(row["payload"] == "x" * sizes[row["sequence"]] for row in held + kept if "payload" in row)


def test_large_pictures_do_not_fill_the_memory(service: LinkService) -> None:
    for number in range(12):
        big = {"event": "answer", "system": "semantic", "sequence": number, "picture": "x" * (10 << 20)}
        service._tell(big)
    kept = service.listen(lambda row: None)
    assert len(kept) > 1 and size_of(kept) <= 65 << 20 and kept[-1]["sequence"] == 11


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_ends_without_a_traceback_while_a_page_is_open(number: signal.Signals) -> None:
    port = free_port()
    program = (
        "import m4sc_app.loading\nfrom fake_system import FakeSystem\nfrom m4sc_app.cli import main\n"
        "m4sc_app.loading.warm_up = lambda *_: FakeSystem()\n"
        f"raise SystemExit(main(['dashboard', '--port', '{port}']))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_env(),
        text=True,
    )
    try:
        assert child.stdout is not None and child.stdout.readline().startswith("http://")

        def opened() -> Any:
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(f"http://127.0.0.1:{port}/events", timeout=10)

        assert wait_until(lambda: (pages := opened()) and pages.readline().startswith(b"data: "), 20)
        page = opened()
        page.readline()
        child.send_signal(number)
        _, told = child.communicate(timeout=20)
        page.close()
    finally:
        child.kill()
        child.communicate()
    own = [line for line in told.splitlines() if "vmcircbuf" not in line]  # GNU Radio, of shared memory
    assert own == [] and child.returncode in (0, -number)


@pytest.mark.parametrize("wanted", [{"snr_db": 99}, {"cfo_hz": "x"}, {"colour": 1}, {"channel": "pigeon"}])
def test_settings_out_of_range_are_refused(service: LinkService, wanted: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        service.set_channel(wanted)


def test_requests_and_their_refusals(site: str) -> None:
    status, text = get(site)
    assert status == 200 and "M4SC link" in text
    assert not re.search(r"(src|href)=\"?https?:", text)  # nothing is fetched from elsewhere
    assert "classify" in get(site + "/tasks")[1] and json.loads(get(site + "/state")[1])["simulated"]
    assert get(site, Host="evil.example")[0] == 400
    assert get(site + "/send?task=text", b"storm")[0] == 400  # without the page's own header
    assert get(site + "/send?task=text", b"storm", X_M4SC="1")[0] == 200
    for path, body, word in (
        ("/send?task=sing", b"x", "unknown task"), ("/send?task=classify", b"x", "picture"),
        ("/channel", b'{"snr_db": 1e9}', "snr_db"), ("/channel", b"[", "Expecting"),
        ("/channel", b"3", "object"),
    ):  # fmt: skip
        status, text = get(site + path, body, X_M4SC="1")
        assert status == 400 and word in json.loads(text)["error"], text


def test_a_page_that_only_listens_says_so() -> None:
    service = LinkService(f"zmq://127.0.0.1:{free_port()}", FakeSystem(), "what?")
    service.begin()
    try:
        assert not service.state()["simulated"]
        with pytest.raises(UserError, match="m4sc tx"):
            service.send(b"x", "text", None, "")
    finally:
        service.end()


def test_a_port_in_use_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4sc_app.loading.warm_up", lambda model: FakeSystem())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["dashboard", "--port", str(taken.getsockname()[1])]) == 2
    assert "another --port" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_picture_goes_with_its_spoken_question_and_a_question_with_its_task(
    site: str, tmp_path: Path
) -> None:
    def choose(task: str) -> None:
        browser.value(f"document.querySelector('#task').value = '{task}'")
        browser.value("document.querySelector('#task').dispatchEvent(new Event('change'))")

    with Browser(tmp_path, 1280, 900, False) as browser:
        browser.open(site)
        assert browser.wait_for("document.querySelector('#task').value == 'text'")
        assert browser.value("document.querySelector('#soundbox').hidden")
        choose("vqa")
        browser.value("document.querySelector('#ask').value = 'Is it red?'")
        choose("spoken-question")
        assert browser.value("document.querySelector('#ask').value") == ""
        assert not browser.value("document.querySelector('#soundbox').hidden")
        browser.value("document.querySelector('#form').requestSubmit()")
        assert "a sound" in browser.value("document.querySelector('#error').textContent")
        joined = "both(new Blob(['ab']), new Blob(['c'])).arrayBuffer()"
        browser.value(f"{joined}.then(b => window.joined = [...new Uint8Array(b)].join())")
        assert browser.wait_for(f"window.joined == '{','.join(map(str, join_files(b'ab', b'c')))}'")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_works_in_a_browser(
    site: str, service: LinkService, tmp_path: Path, width: int, dark: bool
) -> None:
    answered = (
        "document.querySelectorAll('.answer').length == {0} && ![...document.querySelectorAll('.answer')]"
    )
    answered += ".some(e => e.textContent == '…')"
    service.send(png(100), "classify", None, "grey.png")
    with Browser(tmp_path, width, 900, dark) as browser:
        browser.open(site)
        assert browser.wait_for(answered.format(2))
        assert browser.wait_for("document.querySelector('#task').value == 'text'")
        browser.value("document.querySelector('#text').value = 'harbour <b>lights</b>'")
        browser.value("document.querySelector('#form').requestSubmit()")
        assert browser.wait_for(answered.format(4))
        shown = browser.value("[...document.querySelectorAll('.answer')].map(e => e.textContent)")
        assert sorted(shown) == ["harbour", "harbour <b>lights</b>", "ship", "ship"]
        browser.value("document.querySelector('#snr_db').value = 3")
        browser.value("document.querySelector('#snr_db').dispatchEvent(new Event('input'))")
        assert wait_until(lambda: service.channel.snr_db == 3, 10)
        assert browser.value("document.images.length") >= 2  # sent, and decoded by the classical system
        assert browser.value("document.documentElement.scrollWidth") <= width
        background = browser.value("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(20, 23, 27)") == dark
