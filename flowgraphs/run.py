#!/usr/bin/env python3
"""Run a flowgraph without its windows: ``flowgraphs/run.py m4sc_loopback.grc --snr-db 8``, or ``--help``."""

import sys

from gnuradio import m4sc  # noqa: F401  finds the project's environment for GNU Radio's own interpreter
from m4sc_flowgraphs.headless import run_grc

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("run.py: name a flowgraph, such as m4sc_loopback.grc; its options follow, --help lists them")
    try:
        run_grc(sys.argv[1], sys.argv[2:])
    except ValueError as exc:
        print(f"run.py: {exc}", file=sys.stderr)
        sys.exit(2)
