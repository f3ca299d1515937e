"""The Qt view of what was sent and answered, on Qt's offscreen platform."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pmt
import pytest
from flow import post, wait_until
from gnuradio import gr, m4sc
from gnuradio.m4sc.pdu import done_pdu, make_pdu
from PIL import Image

pytest.importorskip("PyQt5.QtWidgets")
from PyQt5 import QtWidgets, sip

pytestmark = pytest.mark.timeout(60)


def picture(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(buffer, "PNG")
    return buffer.getvalue()


def shown(view: Any, until: Callable[[], bool]) -> bool:
    """Let Qt handle its signals until something is seen."""

    def look() -> bool:
        QtWidgets.QApplication.processEvents()
        return until()

    return wait_until(look, 10.0)


def panes(view: Any) -> dict[str, QtWidgets.QGroupBox]:
    """The view's boxes by their titles."""
    return {box.title(): box for box in view.widget.findChildren(QtWidgets.QGroupBox)}


def colour_of(box: QtWidgets.QGroupBox) -> tuple[int, int, int] | None:
    """Middle colour of the picture in a box."""
    pixmap = box.findChild(QtWidgets.QLabel).pixmap()
    if pixmap is None or pixmap.isNull():
        return None
    middle = pixmap.toImage().pixelColor(pixmap.width() // 2, pixmap.height() // 2)
    return middle.red(), middle.green(), middle.blue()


def answers(view: Any) -> str:
    return view.widget.findChild(QtWidgets.QTextBrowser).toPlainText()


@pytest.fixture(scope="module", autouse=True)
def application() -> Iterator[Any]:
    yield QtWidgets.QApplication.instance() or QtWidgets.QApplication(["test"])


@pytest.fixture
def running() -> Iterator[Callable[..., Any]]:
    """Makes a view in a running flowgraph."""
    flowgraphs = []

    def make(**options: Any) -> Any:
        tb, view = gr.top_block("view", catch_exceptions=True), m4sc.answer_view(**options)
        source = m4sc.message_source(["text:x"], "text", repeat=1)  # something that sends
        tb.msg_connect(source, "messages", view, "sent")
        tb.start()
        flowgraphs.append((tb, source, view))
        assert wait_until(lambda: view.counters["sent"] == 1)
        return view

    yield make
    for tb, _, view in flowgraphs:
        tb.stop()
        tb.wait()
        # here and now: the collector might run in a thread of GNU Radio, where no widget may die
        sip.delete(view.widget)


def test_the_picture_sent_is_shown(running: Any) -> None:
    view = running()
    for colour in ((200, 10, 10), (10, 10, 200)):
        post(view, "sent", make_pdu({"modality": "image", "name": "a.png"}, picture(colour)))
        assert shown(view, lambda colour=colour: colour_of(panes(view)["sent"]) == colour)


def test_answers_are_listed_newest_first_with_their_figures_and_only_so_many(running: Any) -> None:
    view = running(n_answers=2)
    for number, text in enumerate(("<b>dog</b>", "ship", "cat")):
        meta = {
            "sequence": number,
            "task": "classify",
            "payload_kind": "analog",
            "snr_db": 7.5,
            "seconds": 0.2,
        }
        post(
            view, "answers", make_pdu({**meta, "cfo_hz": 120.0, "instruction": f"q{number}?"}, text.encode())
        )
    assert shown(view, lambda: "cat" in answers(view))
    text = answers(view)
    assert text.index("cat") < text.index("ship") and "dog" not in text
    assert "q2?" in text and "#2 classify semantic, 7.5 dB, 0.20 s" in text
    state = [label.text() for label in view.widget.findChildren(QtWidgets.QLabel)]
    assert any("SNR 7.5 dB<" in text and "offset 120 Hz, 3 answers" in text for text in state)
    assert view.counters["received"] == 3 and view.counters["errors"] == 0


def test_an_answer_is_text_not_markup(running: Any) -> None:
    view = running()
    post(view, "answers", make_pdu({"sequence": 1, "seconds": 0.1}, b"<b>loud</b>"))
    assert shown(view, lambda: "<b>loud</b>" in answers(view))


def test_what_the_classical_system_decoded_has_a_place_of_its_own(running: Any) -> None:
    view = running()
    box = panes(view)["decoded by the classical system"]
    assert box.isHidden()
    received = np.frombuffer(picture((10, 200, 10)), np.uint8)
    meta = {"sequence": 0, "payload_kind": "digital", "modality": "image", "received": received}
    post(view, "answers", make_pdu(meta, b"frog"))
    assert shown(view, lambda: not box.isHidden()) and colour_of(box) == (10, 200, 10)
    assert "classical" in answers(view)


def test_a_text_a_sound_and_a_broken_picture_are_named(running: Any) -> None:
    view = running()
    label = panes(view)["sent"].findChild(QtWidgets.QLabel)
    post(view, "sent", make_pdu({"modality": "text"}, "Sturm über See".encode()))
    assert shown(view, lambda: label.text() == "Sturm über See")
    post(view, "sent", make_pdu({"modality": "speech", "name": "a.wav"}, bytes(100)))
    assert shown(view, lambda: label.text() == "a.wav\n100 bytes of sound")
    post(view, "sent", make_pdu({"modality": "image", "name": "b.png"}, b"no picture"))
    assert shown(view, lambda: label.text() == "b.png: not a picture that Qt reads")


def test_a_bad_message_is_counted_and_the_next_is_shown(running: Any) -> None:
    view = running()
    for bad in (pmt.PMT_T, pmt.from_long(3), pmt.cons(pmt.make_dict(), pmt.from_long(1))):
        post(view, "answers", bad)
    bad_values = {"sequence": 0, "snr_db": "loud", "seconds": "long", "cfo_hz": "far"}
    post(view, "answers", make_pdu(bad_values, b"odd figures"))
    assert shown(view, lambda: "odd figures" in answers(view))
    post(view, "answers", make_pdu({"sequence": 0, "received": 3.5}, b"half shown"))
    post(view, "answers", make_pdu({"sequence": 1, "seconds": 0.1}, b"still here"))
    assert shown(view, lambda: "still here" in answers(view))
    assert view.counters["errors"] == 4 and view.counters["received"] == 3


def test_the_end_is_no_answer(running: Any) -> None:
    view = running()
    post(view, "answers", done_pdu())
    post(view, "answers", make_pdu({"sequence": 4}, b"cat"))
    assert shown(view, lambda: "cat" in answers(view)) and view.counters["received"] == 1


def test_a_receivers_view_has_no_place_for_what_is_sent_elsewhere(running: Any) -> None:
    view = running()  # its source has sent, but no signal was handled yet
    assert panes(view)["sent"].isHidden()
    assert shown(view, lambda: not panes(view)["sent"].isHidden())


def test_a_transmitters_view_has_no_answers(running: Any) -> None:
    for wanted in (True, False):
        view = running(show_answers=wanted)
        assert panes(view)["answers, newest first"].isHidden() != wanted
    with pytest.raises(ValueError, match="at least 1"):
        m4sc.answer_view(n_answers=0)


@pytest.mark.parametrize("kept", [None, b"a place and a size"])
def test_a_window_opens_as_large_as_what_it_holds_unless_a_person_has_sized_it(
    kept: bytes | None, running: Callable[..., Any]
) -> None:
    """A window as companion makes it: everything in one scrolled widget, and settings with its geometry."""
    window, view = QtWidgets.QWidget(), running()
    window.settings = SimpleNamespace(value=lambda key: kept if key == "geometry" else None)
    scroll, inside = QtWidgets.QScrollArea(window), QtWidgets.QWidget()
    scroll.setWidgetResizable(True)
    scroll.setWidget(inside)
    QtWidgets.QVBoxLayout(window).addWidget(scroll)
    layout = QtWidgets.QVBoxLayout(inside)
    layout.addWidget(view.widget)
    plots = QtWidgets.QLabel("plots")
    plots.setMinimumSize(700, 200)
    layout.addWidget(plots)
    window.resize(300, 300)
    window.show()
    if kept:
        QtWidgets.QApplication.processEvents()
        assert (window.width(), window.height()) == (300, 300)
    else:
        assert shown(view, lambda: scroll.horizontalScrollBar().maximum() == 0 and window.width() > 700)
    view.widget.setParent(None)
    window.close()
