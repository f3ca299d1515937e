"""Several users behind the live page: one frame for all, each user's channel, and the page in a browser."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from browser import Browser
from fake_system import FakeSystem
from flow import wait_until
from m4sc.tasks import UnknownTaskError
from m4sc_app.cli import main
from m4sc_app.dashboard.server import make_app
from m4sc_app.dashboard.users import UsersService, read_users
from m4sc_app.errors import UserError
from m4sc_flowgraphs.shared_station import ALL, SharedStation, StationUser
from test_dashboard import answers, png
from test_radio_ends import free_port

pytestmark = pytest.mark.timeout(90)
WISHES = ["classify@20", "vqa@10:Is it near?", "classify@5"]


class Picky(FakeSystem):
    """Cannot name what is bright."""

    def encode(self, message: Any, task: str, *rest: Any, **more: Any) -> Any:
        if task == "vqa" and message.data.mean() > 200:
            raise ValueError("too bright")
        return super().encode(message, task, *rest, **more)


@pytest.fixture
def service() -> Iterator[UsersService]:
    made = UsersService("sim:?cfo_hz=200", Picky(), read_users(WISHES))
    made.begin()
    yield made
    made.end()


def test_one_frame_brings_each_user_its_own_answer(service: UsersService) -> None:
    rows: list[dict[str, Any]] = []
    service.listen(rows.append)
    for number, level in enumerate((60, 100)):
        assert service.send(png(level), "ignored", "ignored too", "grey.png") == number
        assert wait_until(lambda n=number: len(answers(rows)) == 3 * (n + 1), 30)
    said = answers(rows)
    assert [said[f"user {n}", 0] for n in (1, 2, 3)] == ["dog", "Is it near? dog", "dog"]
    assert [said[f"user {n}", 1] for n in (1, 2, 3)] == ["ship", "Is it near? ship", "ship"]
    shared = [row for row in rows if row["event"] == "shared"]
    assert [(row["system"], row["sequence"], row["users"]) for row in shared] == [(ALL, 0, 3), (ALL, 1, 3)]
    assert all(row["public_share"] == 1.0 for row in shared)
    sent = [row for row in rows if row["event"] == "sent"]
    assert len(sent) == 2 and all(row["system"] == ALL for row in sent)
    heard = {r["system"]: r["snr_db"] for r in rows if r["event"] == "frame"}
    assert heard["user 1"] - heard["user 3"] == pytest.approx(15.0, abs=3.0)
    assert service.state()["counters"]["users"]["frames"] == 2


def test_what_cannot_be_sent_to_one_user_is_told_as_that_users_and_the_others_are_served(
    service: UsersService,
) -> None:
    rows: list[dict[str, Any]] = []
    service.listen(rows.append)
    service.send(png(250), "", None, "bright.png")
    assert wait_until(lambda: len(answers(rows)) == 2 and any(r["event"] == "fault" for r in rows), 30)
    (fault,) = (row for row in rows if row["event"] == "fault")
    assert fault["system"] == "user 2" and fault["sequence"] == 0 and "too bright" in fault["reason"]
    assert answers(rows) == {("user 1", 0): "harbour", ("user 3", 0): "harbour"}
    assert [row["users"] for row in rows if row["event"] == "shared"] == [2]


def test_one_users_channel_changes_and_the_others_stay(service: UsersService) -> None:
    service.set_channel({"user": 2, "snr_db": -3})
    assert [user["snr_db"] for user in service.state()["users"]] == [20.0, -3.0, 5.0]
    assert all("key" not in user for user in service.state()["users"])
    rows: list[dict[str, Any]] = []
    service.listen(rows.append)
    service.send(png(60), "", None, "")
    assert wait_until(lambda: len(answers(rows)) == 3, 30)
    heard = {r["system"]: r["snr_db"] for r in rows if r["event"] == "frame"}
    assert heard["user 2"] < 3 < heard["user 3"] < heard["user 1"]
    wrong: list[dict[str, Any]] = [
        {"snr_db": 3.0},
        {"user": 9, "snr_db": 3.0},
        {"user": 1},
        {"user": 1, "snr_db": 99},
        {"user": 1, "snr_db": True},
        {"user": 1, "snr_db": float("nan")},
        {"channel": "pigeon"},
        {"cfo_hz": 1e9},
    ]
    for wanted in wrong:
        with pytest.raises(UserError):
            service.set_channel(wanted)


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (["classify@10", "text@10"], "one message goes to all users"),
        (["classify"], "TASK@SNR"),
        (["classify@99"], "-15 to 40"),
        (["classify@nan"], "-15 to 40"),
    ],
)
def test_users_that_do_not_go_together_are_refused(wishes: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_users(wishes)


def test_the_command_refuses_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownTaskError):
        read_users(["sing@3"])
    assert main(["dashboard", "--port", str(free_port()), "--user", "sing@3"]) == 2
    assert "unknown task 'sing'" in capsys.readouterr().err
    assert main(["dashboard", "zmq://127.0.0.1:5599", "--user", "classify@3"]) == 2
    assert "--user goes with a simulated channel" in capsys.readouterr().err
    with pytest.raises(UserError, match="give sim:"):
        UsersService("zmq://127.0.0.1:5599", FakeSystem(), read_users(["classify@3"]))
    for users in ((), (StationUser(1, "classify"), StationUser(1, "vqa"))):
        with pytest.raises(ValueError, match="each user's id once"):
            SharedStation(FakeSystem(), lambda name: print, users, lambda user: None, None)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_shows_users_side_by_side(service: UsersService, tmp_path: Path, width: int) -> None:
    port = free_port()
    app = make_app(service, ("127.0.0.1",))
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert wait_until(lambda: server.started, 10)
    try:
        with Browser(tmp_path, width, 900, False) as browser:
            browser.open(f"http://127.0.0.1:{port}")
            assert browser.wait_for("document.querySelectorAll('#users input').length == 3")
            assert browser.value("document.querySelector('#go').textContent") == "Send to all users"
            for hidden in ("taskbox", "askbox", "snrbox", "textbox"):
                assert browser.value(f"document.querySelector('#{hidden}').hidden"), hidden
            service.send(png(60), "", None, "grey.png")
            whole = "[...document.querySelectorAll('.answer')].map(e => e.textContent).sort().join()"
            assert browser.wait_for(f"{whole} == 'Is it near? dog,dog,dog'")
            assert browser.wait_for("document.querySelector('article').textContent.includes('100 % public')")
            names = "[...document.querySelectorAll('.side strong')].map(e => e.textContent).join()"
            assert browser.value(names) == "user 1: classify,user 2: vqa,user 3: classify"
            assert browser.value("document.documentElement.scrollWidth") <= width
            bar = "document.querySelectorAll('#users input')[1]"
            browser.value(f"{bar}.value = 1.5")
            browser.value(f"{bar}.dispatchEvent(new Event('input'))")
            assert wait_until(lambda: service.state()["users"][1]["snr_db"] == 1.5, 10)
    finally:
        server.should_exit = True
        thread.join(10)
