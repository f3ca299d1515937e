"""The widget of the answer view; importing this needs PyQt5."""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Callable
from typing import Any

from PyQt5 import QtCore, QtGui, QtWidgets

_PICTURE_PX = 174
_STATE = "<span style='font-size:14pt'>{}</span><br>{}"
_SYSTEM = {"analog": "semantic", "qam": "semantic", "digital": "classical"}


class AnswerWidget(QtWidgets.QWidget):
    """Left what was sent (and what the classical system decoded), right the answers, newest first.

    Signals ``sent`` and ``answered`` take a PDU's metadata and payload from any thread. What of them cannot
    be shown is handed to ``on_fault``: an exception that leaves a slot would end the process. ``on_shown``
    gets the port of each that was taken off its queue.
    """

    sent = QtCore.pyqtSignal(object, object)
    answered = QtCore.pyqtSignal(object, object)

    def __init__(
        self,
        title: str,
        n_answers: int,
        show_answers: bool,
        on_shown: Callable[[str], None],
        on_fault: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self._on_shown = on_shown
        self._on_fault = on_fault
        self._rows: deque[str] = deque(maxlen=n_answers)
        self._was_shown = False
        self._sent_box, self._sent = _pane("sent")
        self._sent_box.setVisible(not show_answers)  # a receiver's window may never see one
        self._decoded_box, self._decoded = _pane("decoded by the classical system")
        self._decoded_box.hide()
        self._n_answers = 0
        # two short lines: three of these widgets stand side by side on 1280 pixels
        self._state = QtWidgets.QLabel(_STATE.format("no frame yet", "&nbsp;"))
        self._answers = QtWidgets.QTextBrowser()
        self._answers.setHtml("<p style='color:gray'>no answer yet</p>")
        right = QtWidgets.QGroupBox("answers, newest first")
        right.setVisible(show_answers)
        inside = QtWidgets.QVBoxLayout(right)
        inside.addWidget(self._state)
        inside.addWidget(self._answers)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._sent_box, 0)
        row.addWidget(self._decoded_box, 0)
        row.addWidget(right, 1)
        if not show_answers:
            row.addStretch(1)
        column = QtWidgets.QVBoxLayout(self)
        self.setMinimumHeight(_PICTURE_PX + 80)
        if title:
            heading = QtWidgets.QLabel(f"<b>{html.escape(title)}</b>")
            column.addWidget(heading)
        column.addLayout(row)
        self.sent.connect(lambda meta, payload: self._guarded("sent", self._show_sent, meta, payload))
        self.answered.connect(lambda meta, payload: self._guarded("answers", self._add_answer, meta, payload))

    def showEvent(self, event: QtGui.QShowEvent) -> None:  # noqa: N802
        """Called by Qt; when the window opens for the first time, it is made as large as what it holds."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            QtCore.QTimer.singleShot(0, self._fit_window)  # what stands beside this widget is laid out then

    def _fit_window(self) -> None:
        """Companion's windows open small, and scroll; one that a person has sized stays as it was."""
        window = self.window()
        scroll = window.findChild(QtWidgets.QScrollArea)
        kept = getattr(window, "settings", None)  # where companion's windows keep their place and size
        if scroll is None or scroll.widget() is None or (kept is not None and kept.value("geometry")):
            return
        beside = window.size() - scroll.viewport().size()
        wanted = (scroll.widget().sizeHint() + beside).expandedTo(window.size())
        window.resize(wanted.boundedTo(window.screen().availableGeometry().size()))

    def _guarded(self, port: str, slot: Callable[..., None], meta: dict[str, Any], payload: bytes) -> None:
        try:
            slot(meta, payload)
        except Exception as exc:  # the next message must still be shown
            self._on_fault(exc)
        self._on_shown(port)

    def _show_sent(self, meta: dict[str, Any], payload: bytes) -> None:
        self._sent_box.show()
        _show(self._sent, payload, str(meta.get("modality", "text")), str(meta.get("name", "")))

    def _add_answer(self, meta: dict[str, Any], payload: bytes) -> None:
        system = _SYSTEM.get(str(meta.get("payload_kind", "")), "")
        where = f"#{meta.get('sequence', '?')} {meta.get('task', '')} {system}"
        if "user_id" in meta and meta.get("user_id"):
            where += f", user {meta['user_id']}"
        snr_db, seconds = _number(meta, "snr_db"), _number(meta, "seconds")
        heard = f"{snr_db:.1f} dB, {seconds:.2f} s"
        if int(meta.get("copies", 1)) > 1:
            heard += f", {meta['copies']} copies"
        asked = f"<i>{html.escape(str(meta['instruction']))}</i><br>" if meta.get("instruction") else ""
        is_picture = str(meta.get("mime", "")).startswith("image/")
        text = "(a picture)" if is_picture else html.escape(payload.decode("utf-8", "replace"))
        self._rows.appendleft(
            f"<p>{asked}<span style='font-size:large'>{text}</span><br>"
            f"<span style='color:gray'>{html.escape(where)}, {heard}</span></p>"
        )
        self._answers.setHtml("".join(self._rows))
        self._n_answers += 1
        offset_hz = _number(meta, "cfo_hz")
        below = f"offset {offset_hz:.0f} Hz, {self._n_answers} answers"
        self._state.setText(_STATE.format(f"SNR {snr_db:.1f} dB", below))
        if "received" in meta:
            self._decoded_box.show()
            _show(self._decoded, bytes(meta["received"]), str(meta.get("modality", "text")), "")


def _number(meta: dict[str, Any], key: str) -> float:
    """A figure of the metadata, not-a-number where there is none."""
    try:
        return float(meta[key])
    except (KeyError, TypeError, ValueError):
        return float("nan")


def _pane(title: str) -> tuple[QtWidgets.QGroupBox, QtWidgets.QLabel]:
    box = QtWidgets.QGroupBox(title)
    label = QtWidgets.QLabel("nothing yet")
    label.setAlignment(QtCore.Qt.AlignCenter)
    label.setWordWrap(True)
    label.setMinimumSize(_PICTURE_PX, _PICTURE_PX)
    label.setMaximumWidth(_PICTURE_PX + 20)
    QtWidgets.QVBoxLayout(box).addWidget(label)
    return box, label


def _show(label: QtWidgets.QLabel, payload: bytes, modality: str, name: str) -> None:
    """A picture as a picture, a text as text, a sound by its name and size."""
    if modality == "image":
        picture = QtGui.QPixmap()
        if picture.loadFromData(payload):
            size = QtCore.QSize(_PICTURE_PX, _PICTURE_PX)
            label.setPixmap(picture.scaled(size, QtCore.Qt.KeepAspectRatio, QtCore.Qt.SmoothTransformation))
            return
        label.setText(f"{name}: not a picture that Qt reads")
    elif modality == "text":
        label.setText(payload.decode("utf-8", "replace")[:400])
    else:
        label.setText(f"{name or 'sound'}\n{len(payload)} bytes of sound")
