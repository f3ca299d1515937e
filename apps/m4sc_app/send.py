"""`m4sc send`: messages -> semantic encoder -> frames -> a file of IQ samples."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from m4sc.message import Message
from m4sc.recordings import write_recording
from m4sc.tasks import Task, get_task

from m4sc_app.errors import MissingPartError, UserError
from m4sc_app.waveform_file import read_waveform

_GAP_SAMPLES = 400  # silence before, between and after the bursts


def read_messages(files: list[Path], task: Task) -> list[Message]:
    """Messages of the files, each of the modality that ``task`` takes.

    Raises:
        MessageError: a file is missing or broken. UserError: its modality is not the task's.
    """
    messages = []
    for file in files:
        message = Message.from_file(file)
        if message.modality != task.modality:
            raise UserError(f"{file.name}: task '{task.name}' takes {task.modality}, not {message.modality}")
        messages.append(message)
    return messages


def part(module: str, what: str) -> Any:
    """A module of ours, or MissingPartError when this build has none."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        raise MissingPartError(f"{what} is not part of this build of m4sc (no module '{exc.name}')") from exc


def load_system(model: str) -> Any:
    """The named semantic system; MissingPartError when there is no model in this build."""
    import m4sc

    if not hasattr(m4sc, "load"):
        raise MissingPartError("the semantic model is not part of this build of m4sc")
    return m4sc.load(model)


def run_send(
    files: list[Path],
    *,
    task: str,
    out: Path,
    instruction: str | None,
    snr_db: float | None,
    cfo_hz: float,
    source_id: int,
    shape: Path | None,
    model: str,
    seed: int,
    as_json: bool,
) -> None:
    """Write the recording; see ``m4sc send --help``."""
    task_ = get_task(task)
    if task_.needs_question and not instruction:
        raise UserError(f"task '{task}' needs a question; give --instruction \"{task_.instructions[0]}\"")
    if not math.isfinite(cfo_hz) or (snr_db is not None and not math.isfinite(snr_db)):
        raise UserError("--snr-db and --cfo-hz must be finite numbers")
    messages = read_messages(files, task_)
    waveform = read_waveform(shape)
    system = load_system(model)
    bursts, sent = [], []
    for sequence, (file, message) in enumerate(zip(files, messages, strict=True)):
        encoded = system.encode(message, task_.name, instruction=instruction, snr_db=snr_db)
        burst = _modulate(encoded, task_, system.fingerprint, sequence, source_id, waveform)
        bursts += [np.zeros(_GAP_SAMPLES, np.complex64), burst]
        sent.append({"file": str(file), "complex_symbols": len(encoded.latents), "samples": int(burst.size)})
    samples = np.concatenate([*bursts, np.zeros(_GAP_SAMPLES, np.complex64)])
    if snr_db is not None or cfo_hz:
        voltage = 0.0 if snr_db is None else _noise_voltage(snr_db, waveform)
        samples = disturb(samples, voltage, cfo_hz / waveform.samp_rate, seed)
    extra = {"fingerprint": int(system.fingerprint), "waveform": json.loads(waveform.to_json())}
    data, meta = write_recording(out, samples, waveform.samp_rate, extra)
    seconds = samples.size / waveform.samp_rate
    result = {"data": str(data), "meta": str(meta), "duration_s": seconds, "task": task, "messages": sent}
    if as_json:
        print(json.dumps(result))
    else:
        print(f"{len(sent)} message(s), {seconds * 1e3:.1f} ms at {waveform.samp_rate / 1e6:g} Msps: {data}")


def disturb(samples: np.ndarray, noise_voltage: float, cfo: float, seed: int) -> np.ndarray:
    """Carrier offset and white noise: x exp(j 2 pi cfo n) + w, E|w|^2 = noise_voltage^2.

    Args:
        samples: complex64 (n,). noise_voltage: as GNU Radio's. cfo: cycles per sample. seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    turned = samples * np.exp(2j * np.pi * cfo * np.arange(samples.size))
    noise = rng.normal(size=samples.size) + 1j * rng.normal(size=samples.size)
    return (turned + noise * (noise_voltage / np.sqrt(2.0))).astype(np.complex64)


def _noise_voltage(snr_db: float, waveform: Any) -> float:
    return float(part("m4sc.phy.snr", "the physical layer").noise_voltage(snr_db, waveform))


def _modulate(
    encoded: Any, task: Task, fingerprint: int, sequence: int, source_id: int, waveform: Any
) -> np.ndarray:
    headers = part("m4sc.transport.message_header", "the transport")
    kinds = part("m4sc.phy.header.fields", "the physical layer").PayloadKind
    frames = part("m4sc.phy.frame", "the physical layer")
    latents = np.asarray(encoded.latents, dtype=np.float32)  # (k, 2)
    symbols = (latents[:, 0] + 1j * latents[:, 1]).astype(np.complex64)
    header = headers.TransportHeader(
        payload_kind=kinds.ANALOG,
        n_symbols=int(symbols.size),
        sequence=sequence,
        source_id=source_id,
        user_id=0,
        task_id=task.task_id,
        modality=headers.Modality.of(task.modality),
        mcs=0,
        model_fingerprint=int(fingerprint),
        public=True,
        segment=0,
        n_segments=1,
        payload_bytes=0,
    )
    frame, message = header.split()
    return np.asarray(frames.modulate_frame(frame, symbols, waveform, message=message), dtype=np.complex64)
