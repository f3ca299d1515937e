"""`m4sc receive`: a file of IQ samples -> frames -> answers. Needs no GNU Radio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from m4sc.recordings import open_recording
from m4sc.tasks import UnknownTaskError, task_by_id

from m4sc_app.errors import UserError
from m4sc_app.send import load_system, part

_CHUNK = 1 << 18  # samples pushed at a time


def run_receive(
    recording: Path, *, query: str | None, model: str, as_json: bool, pictures: Path | None = None
) -> None:
    """Print one answer per frame; see ``m4sc receive --help``."""
    iq = open_recording(recording)
    waveforms = part("m4sc.phy.waveform", "the physical layer")
    receivers = part("m4sc.phy.receiver", "the physical layer")
    stored = iq.extra.get("waveform")
    waveform = (
        waveforms.WaveformConfig.from_json(json.dumps(stored)) if stored else waveforms.WaveformConfig()
    )
    receiver = receivers.BurstReceiver(waveform)
    frames: list[Any] = []
    for start in range(0, len(iq), _CHUNK):
        frames += receiver.push(iq.read(start, _CHUNK))
    frames += receiver.flush()
    if not frames:
        found = "; ".join(fault.reason for fault in receiver.take_faults() if fault.strong)
        why = f": {found}" if found else ""
        raise UserError(f"no frame was found in {recording.name} ({len(iq)} samples){why}")
    system = load_system(model)
    join = part("m4sc.transport.message_header", "the transport").TransportHeader.join
    known = [frame._replace(header=join(frame.header, frame.message)) for frame in frames if frame.message]
    rows = [answer_frame(frame, system, query, pictures) for frame in known]
    if as_json:
        print(json.dumps({"frames": rows}))
        return
    for row in rows:
        label = f"frame {row['sequence']} ({row['task']}, {row['snr_db']:.1f} dB)"
        said = row["answer"] or row["picture"] or "(a picture; --pictures FOLDER keeps it)"
        print(f"{label}: {said if row['error'] is None else row['error']}")
    if all(row["error"] is not None for row in rows):
        raise UserError(f"none of the {len(rows)} frames could be answered")


def answer_frame(frame: Any, system: Any, query: str | None, pictures: Path | None = None) -> dict[str, Any]:
    """One frame's answer, or why there is none (``error``); a bad frame does not stop the others.

    A picture is kept in the folder ``pictures``, if one is given, and named in ``picture``.
    """
    header = frame.header
    row: dict[str, Any] = {
        "sequence": int(header.sequence),
        "task": f"#{header.task_id}",
        "complex_symbols": int(frame.symbols.size),
        "snr_db": float(frame.snr_db),
        "cfo_hz": float(frame.cfo_hz),
        "answer": None,
        "picture": None,
        "error": None,
    }
    try:
        task = task_by_id(header.task_id)
    except UnknownTaskError as exc:
        return row | {"error": str(exc)}
    row["task"] = task.name
    if header.model_fingerprint != system.fingerprint:
        return row | {
            "error": f"sent with other weights ({header.model_fingerprint:08x}) than this receiver's "
            f"({system.fingerprint:08x}); give the sender's with --model"
        }
    if task.needs_question and not query:
        return row | {"error": f"task '{task.name}' needs the receiver's question; give --query"}
    symbols, noise_var = part("m4sc.phy.modulation.arrangement", "the physical layer").restore(
        frame.symbols,
        frame.noise_var,
        len(frame.h_hat),
        frame.header.interleaved,
        frame.header.precoded,
    )
    payloads = part("m4sc.phy.modulation.payload", "the physical layer")
    kind = header.payload_kind.name.lower()
    found = payloads.unmap_symbols(symbols, noise_var, kind, header.mcs, header.payload_bytes)
    if found is None:
        return row | {"error": "its CRC failed: the message is lost"}
    latents, own = found
    try:
        answer = system.decode(latents[:, 0] + 1j * latents[:, 1], own, task.name, instruction=query)
    except ValueError as exc:
        return row | {"error": str(exc)}
    return row | {"answer": answer.text, "picture": _keep(answer, header, pictures)}


def _keep(answer: Any, header: Any, folder: Path | None) -> str | None:
    """Write an answer's picture as PNG; its path."""
    picture = getattr(answer, "image", None)
    if picture is None or folder is None:
        return None
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{header.source_id}_{header.sequence}.png"
    Image.fromarray(picture).save(path)
    return str(path)
