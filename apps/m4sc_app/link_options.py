"""What a person wants of a transmitter, and of a receiver: the same for every kind of address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from m4sc.sharing.privacy import UserKey


@dataclass(frozen=True)
class Sending:
    """Options of ``m4sc tx`` and ``m4sc send``; see their ``--help``.

    Attributes:
        task: name, None for the usual one of each modality.
        instruction: what is asked, None for the task's own wording.
        classical: by source codec, LDPC and QAM.
        repeat: rounds, 0 for ever. interval_s: from one message to the next, s. seconds: at most, s; 0: any.
        paced: in real time, with silence between bursts.
        payload_kind, qam_order, levels, mcs: of :class:`m4sc.phy.modulation.payload.PayloadFormat`.
        symbols: complex data symbols of a message at most; None: what its task takes.
        look: of a picture send what the instruction points at alone.
        snr_db: of the link, dB; None where unknown. cfo_hz, seed: of a simulated one.
        source_id: this transmitter. user_id: for whom, -1 for everybody.
        reports: where the receiver tells what it has, None for no way back.
        ask_below: of a simulated link's receiver: it asks for more of what it is less sure of; 0 for never.
        waveform: file of it, None for the default.
        model: name or folder of the weights, or a loaded system.
        as_json: events as JSON.
    """

    task: str | None = None
    instruction: str | None = None
    classical: bool = False
    repeat: int = 1
    interval_s: float = 0.0
    seconds: float = 0.0
    paced: bool = False
    payload_kind: str = "analog"
    qam_order: int = 256
    levels: int = 16
    mcs: int = -1
    symbols: int | None = None
    look: bool = False
    snr_db: float | None = None
    cfo_hz: float | None = None
    seed: int | None = None
    source_id: int = 0
    user_id: int = -1
    reports: str | None = None
    ask_below: float = 0.0
    waveform: Path | None = None
    model: object = "default"
    as_json: bool = False


@dataclass(frozen=True)
class Listening:
    """Options of ``m4sc rx`` and ``m4sc receive``; see their ``--help``.

    Attributes:
        query: the receiver's own question, None for the tasks' wordings.
        count: end after so many messages, 0 for any number. seconds: at most, s; 0: any.
        record: also write what is received. pictures: folder to keep received pictures in.
        datatype, rate: of a recording that does not say them.
        snr_db, cfo_hz, seed: of a simulated channel behind a recording.
        source_id, user_id: the wanted transmitter and this receiver, -1 for any.
        min_confidence: below it an answer is "not sure".
        reports: where to tell the transmitter what came, None for nowhere. ask_below: below this confidence
            more of a message is asked for there; 0 for never.
        keys: file of ``m4sc keys`` with this receiver's own, None for none.
        waveform, model, as_json: as of :class:`Sending`.
    """

    query: str | None = None
    count: int = 0
    seconds: float = 0.0
    record: Path | None = None
    pictures: Path | None = None
    datatype: str | None = None
    rate: float | None = None
    snr_db: float | None = None
    cfo_hz: float | None = None
    seed: int | None = None
    source_id: int = -1
    user_id: int = -1
    min_confidence: float = 0.0
    keys: Path | None = None
    reports: str | None = None
    ask_below: float = 0.0
    waveform: Path | None = None
    model: object = "default"
    as_json: bool = False

    def key(self) -> UserKey | None:
        """This receiver's own key.

        Raises:
            UserError: there is a key file, but it is not said whose key is meant.
            KeyFileError: it has none for this user.
        """
        if self.keys is None:
            return None
        from m4sc.sharing.privacy import KeyRing

        from m4sc_app.errors import UserError

        if self.user_id < 0:
            raise UserError("--keys needs --user-id: a key is one user's")
        return KeyRing(self.keys).get(self.user_id)
