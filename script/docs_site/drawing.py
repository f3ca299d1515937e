"""A small SVG sheet of boxes, arrows and labels that reads on light and on dark pages.

Letters and lines have the colour of the text around them (``currentColor``); boxes are tinted, not filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

TINTS = {
    "model": "#2f7fd6",  # trained
    "frozen": "#7a8793",
    "radio": "#2a9d78",
    "classical": "#d9772b",
    "plain": "none",
}
_STYLE = (
    "svg:root{color:#24292f;font-family:sans-serif}"
    "@media (prefers-color-scheme:dark){svg:root{color:#d7dde3}}"
)
_LINE_HEIGHT = 15.0
_TINT = 0.18


class Drawing:
    """One figure.

    Args:
        name: prefix of its ids.
        width, height: user units; 1 is a pixel at full width.
        title: what a screen reader says.
    """

    def __init__(self, name: str, width: float, height: float, title: str) -> None:
        self.name, self.width, self.height, self.title = name, width, height, title
        self._parts: list[str] = []

    def box(self, x: float, y: float, w: float, h: float, text: str, tint: str = "plain") -> None:
        """A rounded box with centred lines of text; its first line is bold."""
        colour = TINTS[tint]
        stroke = "currentColor" if colour == "none" else colour
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="5" fill="{colour}" '
            f'fill-opacity="{_TINT}" stroke="{stroke}" stroke-width="1.5"/>'
        )
        lines = text.split("\n")
        top = y + h / 2 - (len(lines) - 1) * _LINE_HEIGHT / 2
        for number, line in enumerate(lines):
            self.label(
                x + w / 2, top + number * _LINE_HEIGHT, line, "middle", bold=number == 0 and len(lines) > 1
            )

    def label(
        self, x: float, y: float, text: str, anchor: str = "start", bold: bool = False, size: float = 12.5
    ) -> None:
        """A line of text, its middle at height y."""
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" dy="0.35em" text-anchor="{anchor}" font-size="{size:g}"{weight} '
            f'fill="currentColor">{escape(text)}</text>'
        )

    def arrow(self, points: Sequence[tuple[float, float]], dashed: bool = False) -> None:
        """A line through the points with a head at the last one."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-width="1.4"{dash} '
            f'marker-end="url(#{self.name}-head)"/>'
        )

    def bracket(self, x: float, w: float, y: float, text: str) -> None:
        """A measure from x to x + w with its text below."""
        self._parts.append(
            f'<path d="M{x:g},{y - 5:g} v5 h{w:g} v-5" fill="none" stroke="currentColor" stroke-width="1"/>'
        )
        self.label(x + w / 2, y + 13, text, "middle", size=11.5)

    def cell(self, x: float, y: float, w: float, h: float, colour: str, opacity: float) -> None:
        """A filled rectangle without a border."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" fill="{colour}" '
            f'fill-opacity="{opacity:g}"/>'
        )

    def svg(self) -> str:
        """The file's text."""
        head = (
            f'<marker id="{self.name}-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'role="img" style="max-width:{self.width:g}px;width:100%;height:auto">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style><defs>{head}</defs>"
            + "\n".join(["", *self._parts])
            + "\n</svg>\n"
        )
