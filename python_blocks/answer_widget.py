"""The widget of the answer view; importing this needs PyQt5."""

from __future__ import annotations

import html
from collections import deque
from typing import Any

from PyQt5 import QtCore, QtGui, QtWidgets

_PICTURE_PX = 220
_SYSTEM = {"analog": "semantic", "qam": "semantic", "digital": "classical"}


class AnswerWidget(QtWidgets.QWidget):
    """Left what was sent (and what the classical system decoded), right the answers, newest first.

    Signals ``sent`` and ``answered`` take a PDU's metadata and payload from any thread.
    """

    sent = QtCore.pyqtSignal(object, object)
    answered = QtCore.pyqtSignal(object, object)

    def __init__(self, title: str, n_answers: int) -> None:
        super().__init__()
        self._rows: deque[str] = deque(maxlen=n_answers)
        sent_box, self._sent = _pane("sent")
        self._decoded_box, self._decoded = _pane("decoded by the classical system")
        self._decoded_box.hide()
        self._n_answers = 0
        self._state = QtWidgets.QLabel("no frame received yet")
        self._state.setStyleSheet("font-size: 16pt")
        self._answers = QtWidgets.QTextBrowser()
        self._answers.setHtml("<p style='color:gray'>no answer yet</p>")
        right = QtWidgets.QGroupBox("received answers, newest first")
        inside = QtWidgets.QVBoxLayout(right)
        inside.addWidget(self._state)
        inside.addWidget(self._answers)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(sent_box, 0)
        row.addWidget(self._decoded_box, 0)
        row.addWidget(right, 1)
        column = QtWidgets.QVBoxLayout(self)
        self.setMinimumHeight(_PICTURE_PX + 80)
        if title:
            heading = QtWidgets.QLabel(f"<b>{html.escape(title)}</b>")
            column.addWidget(heading)
        column.addLayout(row)
        self.sent.connect(self._on_sent)
        self.answered.connect(self._on_answered)

    def _on_sent(self, meta: dict[str, Any], payload: bytes) -> None:
        _show(self._sent, payload, str(meta.get("modality", "text")), str(meta.get("name", "")))

    def _on_answered(self, meta: dict[str, Any], payload: bytes) -> None:
        system = _SYSTEM.get(str(meta.get("payload_kind", "")), "")
        where = f"#{meta.get('sequence', '?')} {meta.get('task', '')} {system}"
        if "user_id" in meta and meta.get("user_id"):
            where += f", user {meta['user_id']}"
        heard = f"{float(meta.get('snr_db', float('nan'))):.1f} dB, {float(meta.get('seconds', 0)):.2f} s"
        asked = f"<i>{html.escape(str(meta['instruction']))}</i><br>" if meta.get("instruction") else ""
        is_picture = str(meta.get("mime", "")).startswith("image/")
        text = "(a picture)" if is_picture else html.escape(payload.decode("utf-8", "replace"))
        self._rows.appendleft(
            f"<p>{asked}<span style='font-size:large'>{text}</span><br>"
            f"<span style='color:gray'>{html.escape(where)}, {heard}</span></p>"
        )
        self._answers.setHtml("".join(self._rows))
        self._n_answers += 1
        cfo_hz = float(meta.get("cfo_hz", float("nan")))
        self._state.setText(
            f"SNR {float(meta.get('snr_db', float('nan'))):.1f} dB, offset {cfo_hz:.0f} Hz, "
            f"{self._n_answers} answers"
        )
        if "received" in meta:
            self._decoded_box.show()
            _show(self._decoded, bytes(meta["received"]), str(meta.get("modality", "text")), "")


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
