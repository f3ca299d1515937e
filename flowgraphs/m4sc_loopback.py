#!/usr/bin/env python3
"""Headless twin of m4sc_loopback.grc: messages through the simulated radio, one line an answer.

m4sc_loopback.py photo.jpg --task caption --snr-db 10
m4sc_loopback.py "Any text." --task summarize --system classical
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gnuradio import m4sc  # noqa: F401  finds package m4sc for the system's interpreter too
from m4sc_flowgraphs.config import CHANNELS, SYSTEMS, LoopbackConfig

DEFAULT_TEXT = "Radio waves carry messages through the air, but every channel adds noise."
DEFAULT_TASK = "summarize"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; defaults are those of :class:`LoopbackConfig`."""
    c = LoopbackConfig()
    parser = argparse.ArgumentParser(description="Messages through a simulated OFDM radio.")
    parser.add_argument("messages", nargs="*", default=[DEFAULT_TEXT], help="files, or texts")
    parser.add_argument("--task", default=DEFAULT_TASK)
    parser.add_argument("--instruction", default=None, help="what the receiver is asked")
    parser.add_argument("--model", default="default", help="name or folder of the semantic system")
    parser.add_argument("--system", choices=SYSTEMS, default="semantic")
    parser.add_argument("--channel", choices=CHANNELS, default=c.channel)
    parser.add_argument("--snr-db", type=float, default=c.snr_db, help="Es/N0 per data subcarrier, dB")
    parser.add_argument("--cfo-hz", type=float, default=c.cfo_hz)
    parser.add_argument("--sfo-ppm", type=float, default=c.sfo_ppm)
    parser.add_argument("--payload-kind", choices=("analog", "qam"), default=c.payload_kind)
    parser.add_argument("--qam-order", type=int, default=c.qam_order)
    parser.add_argument("--gap-samples", type=int, default=c.gap_samples)
    parser.add_argument("--seed", type=int, default=c.seed)
    parser.add_argument("--timeout-s", type=float, default=c.timeout_s)
    parser.add_argument("--json", action="store_true", help="one JSON object a message")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, model: Any = None) -> int:
    """Run it; ``model`` replaces ``--model`` in tests. Returns 0, 1 (a message lost) or 2 (misuse)."""
    args = parse(argv)
    from m4sc.message import modality_of
    from m4sc.tasks import get_task
    from m4sc_flowgraphs.loopback import run_loopback
    from m4sc_flowgraphs.messages import OutgoingMessage

    try:
        modality = get_task(args.task).modality
        outgoing = []
        for entry in args.messages:
            is_file = len(entry) < 4096 and Path(entry).is_file()
            payload = Path(entry).read_bytes() if is_file else entry.encode()
            kind = modality_of(entry) if is_file else "text"
            outgoing.append(OutgoingMessage(payload, args.task, kind, args.instruction, entry[:40]))
            if kind != modality:
                raise ValueError(f"task '{args.task}' needs {modality}; '{entry[:40]}' is {kind}")
        names = LoopbackConfig.__dataclass_fields__
        config = LoopbackConfig(**{key: value for key, value in vars(args).items() if key in names})
        results = run_loopback(outgoing, args.system, config, args.model if model is None else model)
    except (ValueError, OSError) as exc:
        print(f"m4sc_loopback: {exc}", file=sys.stderr)
        return 2
    for message, result in zip(outgoing, results, strict=True):
        row = {
            "message": message.name,
            "answer": result.answer,
            "error": result.error,
            "frames_sent": result.frames_sent,
            "frames_lost": result.frames_lost,
            "complex_symbols": result.complex_symbols,
            "air_time_s": result.air_time_s,
            "snr_db": result.snr_db,
            "cfo_hz": result.cfo_hz,
        }
        text = result.answer if result.answer is not None else f"({result.error})"
        print(json.dumps(row) if args.json else f"{message.name}: {text}")
    return 0 if all(result.answer is not None for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
