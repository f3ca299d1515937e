"""Write every .grc and every twin: ``cd flowgraphs && python -m recipes [NAME ...]``."""

from __future__ import annotations

import sys
from pathlib import Path

from recipes import all_graphs
from recipes.twin import twin_of

FOLDER = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    for graph in all_graphs():
        if sys.argv[1:] and graph.name not in sys.argv[1:]:
            continue
        grc, twin = FOLDER / f"{graph.name}.grc", FOLDER / f"{graph.name}.py"
        grc.write_text(graph.to_yaml(), encoding="utf-8")
        twin.write_text(twin_of(grc), encoding="utf-8")
        twin.chmod(0o755)
        print(grc.name, twin.name)
