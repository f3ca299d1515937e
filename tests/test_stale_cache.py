"""Compiled code goes when a source is newer."""

from __future__ import annotations

import os
from pathlib import Path

from m4sc.phy.stale_cache import drop_stale


def test_compiled_code_goes_with_any_change_of_a_source(tmp_path: Path) -> None:
    kept = tmp_path / "__pycache__"
    kept.mkdir()
    source, other = tmp_path / "a.py", tmp_path / "b.py"
    for number, path in enumerate([source, other, kept / "a.f.nbi", kept / "a.f.1.nbc"]):
        path.write_text("x")
        os.utime(path, (1000 + number, 1000 + number))
    assert drop_stale(tmp_path) == 0 and len(list(kept.iterdir())) == 2
    os.utime(other, (2000, 2000))
    assert drop_stale(tmp_path) == 2 and not list(kept.iterdir())
    assert drop_stale(tmp_path) == 0 and source.exists()
