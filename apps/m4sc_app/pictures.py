"""Received pictures kept as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from m4sc_flowgraphs.link_event import LinkEvent

from m4sc_app.errors import UserError


class Keeper:
    """Writes an answer's picture as PNG and names the file in the event's ``picture``.

    Args:
        folder: made when the first picture comes; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def keep(self, event: LinkEvent) -> LinkEvent:
        """The event, with the path of its picture where one was written.

        Raises:
            UserError: the folder cannot be written.
        """
        picture = event.data.get("picture")
        if event.kind != "answer" or picture is None or self._folder is None:
            return event
        path = self._folder / f"{event.values.get('source_id', 0)}_{event.values.get('sequence', 0)}.png"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture)
        except OSError as exc:
            raise UserError(f"{path} cannot be written ({exc.strerror}); give another --pictures") from exc
        return replace(event, values={**event.values, "picture": str(path)})
