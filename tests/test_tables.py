"""Tables of commands are whole where nobody's terminal is."""

from __future__ import annotations

import pytest
from m4sc_app.tables import show
from rich.table import Table


def made() -> Table:
    table = Table(*[f"column {n}" for n in range(10)])
    table.add_row(*["0.123456"] * 10)
    return table


def test_a_pipe_gets_every_digit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    show(made())
    assert capsys.readouterr().out.count("0.123456") == 10


def test_a_width_that_is_asked_for_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    show(made())
    lines = capsys.readouterr().out.splitlines()
    assert lines and max(map(len, lines)) <= 60
