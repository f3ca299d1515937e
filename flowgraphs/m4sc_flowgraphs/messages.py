"""What goes into a flowgraph and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OutgoingMessage:
    """One message to send.

    Attributes:
        payload: the file's bytes, or UTF-8.
        task: name of a task in :mod:`m4sc.tasks`.
        modality: ``image``, ``speech``, ``text`` or ``image+speech``.
        instruction: what the receiver is asked, None for the task's own wording.
        name: for reports.
        symbols: complex data symbols that it may take; None: what its task takes.
        look: of a picture send what the instruction points at alone.
    """

    payload: bytes
    task: str
    modality: str
    instruction: str | None = None
    name: str = ""
    symbols: int | None = None
    look: bool = False


@dataclass(frozen=True)
class MessageResult:
    """What came of one message.

    Attributes:
        complex_symbols: k, complex data symbols of all its frames.
        air_time_s: with preambles, headers, pilots and cyclic prefixes, s.
        frames_sent: frames put on the air.
        frames_lost: of those, not received or (digital) not decoded.
        answer: text; None when the message was lost or refused.
        picture: PNG bytes, where the answer is a picture.
        received: what the classical system decoded (PNG, WAV or UTF-8 bytes).
        symbols: complex64 (k',) equalised symbols that arrived, for the constellation.
        h_hat: complex64 (carriers,) channel estimate of the first frame that arrived.
        snr_db: mean of the frames' SNR estimates, dB; None without a frame.
        cfo_hz: mean of the frames' carrier offset estimates, Hz; None without a frame.
        seconds: the decoder's own time, s.
        confidence: 0 to 1, how probably the answer is right; None where the codec does not say.
        verified: whether a check over the message passed; None where there is none.
        error: why there is no answer, empty otherwise.
    """

    complex_symbols: int = 0
    air_time_s: float = 0.0
    frames_sent: int = 0
    frames_lost: int = 0
    answer: str | None = None
    picture: bytes | None = None
    received: bytes | None = None
    symbols: np.ndarray | None = None
    h_hat: np.ndarray | None = None
    snr_db: float | None = None
    cfo_hz: float | None = None
    seconds: float = 0.0
    confidence: float | None = None
    verified: bool | None = None
    error: str = ""
