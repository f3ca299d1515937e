"""The page of `m4sc multiuser --report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from m4sc_app.multiuser.serving import Totals, UserRow

_TEMPLATE = Path(__file__).parents[1] / "report" / "multiuser.html.j2"


def write_page(path: Path, rows: Sequence[UserRow], totals: Totals) -> None:
    """One self-contained page."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    path.parent.mkdir(parents=True, exist_ok=True)
    scored = any(way.score is not None for way in totals.ways)
    most = max(way.ms for way in totals.ways)
    most_of_one = max(totals.shared_ms, *(row.alone_ms for row in rows))
    page = template.render(rows=rows, totals=totals, scored=scored, most=most, most_of_one=most_of_one)
    path.write_text(page, encoding="utf-8")
