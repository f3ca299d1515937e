"""Takes docs/images/*.png anew: windows of flowgraphs, companion, dashboard, the demo's report.

`.venv/bin/python script/docs_site/take_pictures.py [NAME ...]`, with the shipped model, Xvfb and Chromium; minutes.
`--size 1920x1080` is that of the screen, `--into FOLDER` another folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser import Browser  # noqa: E402
from own_module import module_environment  # noqa: E402

from m4sc_flowgraphs.twin import compile_grc  # noqa: E402

_FEW = ["--repeat", "4", "--interval-s", "0"]
_PORT = 8790
_SITE = f"http://127.0.0.1:{_PORT}"
WINDOWS: dict[str, list[str]] = {
    "m4sc_loopback": _FEW,
    "m4sc_side_by_side": [*_FEW, "--snr-db", "8"],
    "m4sc_picture_question": _FEW,
}


@contextmanager
def screen(size: str) -> Iterator[str]:
    """A virtual X display of one screen."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24", "-nolisten", "tcp"],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            yield f":{pipe.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10)


def environment(display: str, folder: Path, picture: Path) -> dict[str, str]:
    """Of a program of GNU Radio's own interpreter that draws on the display and saves what it drew."""
    kept = {key: os.environ[key] for key in ("M4SC_HOME", "HF_HOME") if key in os.environ}
    return {
        **module_environment(), **kept, "PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", str(folder)),
        "OMP_NUM_THREADS": "1", "DISPLAY": display, "MODEL": "real", "PICTURE": str(picture),
    }  # fmt: skip


def window(
    name: str, options: list[str], display: str, folder: Path, picture: Path
) -> subprocess.Popen[bytes]:
    """A flowgraph with its window, which is saved when its messages are through."""
    script = compile_grc(ROOT / "flowgraphs" / f"{name}.grc", folder)
    command = ["/usr/bin/python3", str(ROOT / "tests" / "run_flowgraph.py"), str(script), *options]
    return subprocess.Popen(command, cwd=folder, env=environment(display, folder, picture))


def two_windows(display: str, folder: Path, picture: Path) -> None:
    """The ZeroMQ transmitter's window; its receiver runs beside it."""
    address = ["--address", f"ipc://{folder}/radio"]
    ends = [
        window("m4sc_zmq_receiver", address, display, folder, folder / "receiver.png"),
        window("m4sc_zmq_transmitter", [*address, *_FEW], display, folder, picture),
    ]
    try:
        ends[1].wait(600)
    finally:
        for end in ends:
            end.kill()
            end.wait()


def companion(display: str, folder: Path, picture: Path) -> None:
    """The loopback as companion draws it."""
    command = ["/usr/bin/python3", str(ROOT / "tests" / "companion_boxes.py")]
    command.append(str(ROOT / "flowgraphs" / "m4sc_loopback.grc"))
    subprocess.run(command, check=True, env=environment(display, folder, picture), stdout=subprocess.DEVNULL)


def dashboard(display: str, folder: Path, picture: Path) -> None:
    """The page after its four kinds of messages went through a channel with echoes."""
    samples = ROOT / "python_blocks" / "samples"
    mosaic, asked = (samples / "mosaic.jpg").read_bytes(), "What is at the top left?"
    with _dashboard(["sim:?snr_db=8&channel=multipath&cfo_hz=400"], folder, 1050, picture):
        _send("coffee", (samples / "coffee.jpg").read_bytes(), task="caption")
        _send("mosaic", mosaic, task="mosaic", instruction=asked)
        _send("digits", (samples / "digits.wav").read_bytes(), task="digits")
        _send("note", b"The small boat came back to the harbour before the storm.", task="text")


def users(display: str, folder: Path, picture: Path) -> None:
    """The page of four users of two pictures."""
    wishes = ["caption@15", "classify@5", "vqa@0:Is there a dog?", "vqa@20:What color is the cup?"]
    options = ["sim:", *(part for wish in wishes for part in ("--user", wish))]
    with _dashboard(options, folder, 900, picture):
        for name in ("coffee", "cat"):
            _send(name, (ROOT / "python_blocks" / "samples" / f"{name}.jpg").read_bytes())


@contextmanager
def _dashboard(options: list[str], folder: Path, height: int, picture: Path) -> Iterator[None]:
    """A dashboard to send to; behind it, the picture of its page once eight answers are there."""
    server = subprocess.Popen(
        [sys.executable, "-m", "m4sc_app", "dashboard", *options, "--port", str(_PORT)]
    )
    try:
        with Browser(folder / "browser", 1280, height) as browser:
            if not _reachable(_SITE):
                raise SystemExit("the dashboard did not start")
            browser.open(_SITE)
            yield
            answers = "[...document.querySelectorAll('.answer')]"
            browser.wait_for(f"{answers}.length == 8 && !{answers}.some(e => e.textContent == '…')", 300)
            browser.screenshot(picture)
    finally:
        server.terminate()
        server.wait(60)


def _send(name: str, payload: bytes, **more: str) -> None:
    query = urllib.parse.urlencode({"name": name, **more})
    request = urllib.request.Request(f"{_SITE}/send?{query}", payload, {"X-M4SC": "1"})
    urllib.request.urlopen(request, timeout=60).read()


def _reachable(site: str, seconds: float = 180.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(site, timeout=2).read()
            return True
        except OSError:
            time.sleep(0.5)
    return False


def report(display: str, folder: Path, picture: Path) -> None:
    """The top of the demo's report."""
    command = [sys.executable, "-m", "m4sc_app", "demo", "--out", str(folder / "demo")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with Browser(folder / "browser", 1100, 1000) as browser:
        browser.open((folder / "demo" / "report.html").as_uri())
        browser.wait_for("document.readyState == 'complete'")
        browser.screenshot(picture)


def _alone(name: str) -> Callable[[str, Path, Path], None]:
    def take(display: str, folder: Path, picture: Path) -> None:
        window(name, WINDOWS[name], display, folder, picture).wait(600)

    return take


PICTURES: dict[str, Callable[[str, Path, Path], None]] = {
    **{name: _alone(name) for name in WINDOWS},
    "m4sc_zmq_transmitter": two_windows,
    "companion": companion,
    "dashboard": dashboard,
    "users": users,
    "report": report,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    for name in given.names or list(PICTURES):
        with tempfile.TemporaryDirectory() as folder, screen(given.size) as display:
            picture = given.into.resolve() / f"{name}.png"
            PICTURES[name](display, Path(folder), picture)
            print(picture)


if __name__ == "__main__":
    main()
