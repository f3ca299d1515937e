"""Compile the headless twin of every flowgraph: ``build_twins.py FOLDER``; prints the scripts' names."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "flowgraphs"), str(ROOT / "models")]  # GNU Radio's interpreter need not have them

from m4sc_flowgraphs.twin import FlowgraphError, build_twin  # noqa: E402

for grc in sorted((ROOT / "flowgraphs").glob("*.grc")):
    try:
        print(build_twin(grc, Path(sys.argv[1])).name)
    except FlowgraphError as exc:  # as where GNU Radio has no UHD
        print(f"{exc}; it is installed without its twin", file=sys.stderr)
