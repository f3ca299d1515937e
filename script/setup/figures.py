"""Scores and speeds of the model in the roots of script/test-systems, one beside the other. Not run by hand.

figures.py tell SCORES SPEED      prints what `m4sc eval --json` and `m4sc bench model --json` wrote, a figure a line
figures.py compare LOG LOG        compares such lines of two logs, the first the reference; exit code 1 when they differ
"""

import json
import re
import sys
from pathlib import Path

SCORE_MARGIN = 0.005  # of scores between 0 and 1
LEAST_SPEED = 0.9
SLOWER_WHEN_MORE = ("encode_ms", "first_token_ms")
FASTER_WHEN_MORE = ("tokens_per_s",)
LINE = re.compile(r"^system: figure (score|speed) (.+) (-?[\d.]+(?:e-?\d+)?)\s*$", re.MULTILINE)


def lines_of(scores, speed):
    """Lines `system: figure score|speed NAME VALUE` of the rows and the figures that the commands print.

    Of each task's metrics, those of all its examples: parts of them are too few for the margin.
    """
    for row in scores:
        if row["kind"] == "all":
            name = f"{row['task']} {row['metric']} {row['channel']} {row['snr_db']:g} dB"
            yield f"system: figure score {name} {row['score']:.5f}"
    for figure in speed["figures"]:
        if figure["name"] in (*SLOWER_WHEN_MORE, *FASTER_WHEN_MORE) and figure["value"] is not None:
            yield f"system: figure speed {figure['name']} {figure['value']:.5g}"


def compare(reference, other):
    """Table of the figures in both logs, and whether all of `reference` are in `other` and good enough."""
    wanted, found = ({(m[1], m[2]): float(m[3]) for m in LINE.finditer(log)} for log in (reference, other))
    table, good = [], bool(wanted)
    for (kind, name), value in wanted.items():
        if (kind, name) not in found:
            table.append(f"{name}: {value:g}, none")
            good = False
            continue
        new = found[kind, name]
        if kind == "score":
            fine, said = abs(new - value) <= SCORE_MARGIN, f"{100 * (new - value):+.2f} points"
        else:
            ratio = (value / new if name in SLOWER_WHEN_MORE else new / value) if new and value else 0.0
            fine, said = ratio >= LEAST_SPEED, f"{ratio:.2f} of the speed"
        table.append(f"{name}: {value:g}, {new:g}: {said}{'' if fine else ' FAILED'}")
        good = good and fine
    return table, good


def main(arguments):
    if arguments[:1] == ["tell"]:
        scores, speed = (json.loads(Path(name).read_text(encoding="utf-8")) for name in arguments[1:3])
        print("\n".join(lines_of(scores, speed)))
        return 0
    logs = (Path(name).read_text(encoding="utf-8", errors="replace") for name in arguments[1:3])
    table, good = compare(*logs)
    print("\n".join(table) or "no figures")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
