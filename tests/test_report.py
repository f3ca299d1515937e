"""The HTML report on made-up rows."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from m4sc_app.demo.link import Delivery, DemoRow
from m4sc_app.demo.messages import DemoMessage
from m4sc_app.errors import UserError
from m4sc_app.report.plots import comparable
from m4sc_app.report.render import load_curves, render, write_report

EVIL = "<script>alert('x')</script>"


def rows():
    message = DemoMessage("note", "text", "text", EVIL, EVIL.encode(), ("hello",), "made up")
    rng = np.random.default_rng(0)
    symbols = (rng.normal(size=200) + 1j * rng.normal(size=200)).astype(np.complex64)
    symbols[3] = np.nan
    return [
        DemoRow(message, system, channel, snr, "word_accuracy", 0.5,
                Delivery(200, 0.0123, 2, 1, EVIL, None, symbols, np.ones(48, np.complex64)))
        for system in ("semantic", "classical") for channel in ("awgn", "multipath") for snr in (-10.0, 10.0)
    ]  # fmt: skip


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value)
            if key in ("src", "href", "xlink:href"):
                self.links.append(value)


def test_page_is_self_contained_and_escapes():
    page = Page()
    page.feed(render(rows(), {"seed": 1}))
    assert "script" not in page.tags
    assert page.links and all(link.startswith(("#", "data:")) for link in page.links)
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links if link[0] == "#"} <= set(page.ids)


def test_page_says_what_was_measured():
    text = re.sub(r"\s+", " ", render(rows(), {"seed": 4711}))
    for wanted in (
        "200 symbols",
        "12.3 ms",
        "1 of 2 frames lost",
        "Es/N0 per data subcarrier",
        "4711",
        "multipath",
    ):
        assert wanted in text
    assert "Control run" not in text and "no intervals are drawn" in text


def test_curves_are_drawn_with_intervals(tmp_path):
    results = tmp_path / "results.jsonl"
    results.write_text(
        '{"system":"semantic","channel":"awgn","snr_db":0,"score":0.5,"ci_low":0.4,"ci_high":0.6}\n{"task":"x"}\n'
    )
    assert len(load_curves(results)) == 1 and load_curves(tmp_path / "none") == []
    assert "95 % intervals" in write_report(tmp_path / "a" / "r.html", rows(), {}, results).read_text()
    results.write_text("{oops\n")
    with pytest.raises(UserError, match="JSON lines"):
        load_curves(results)


def test_only_tasks_that_every_system_has_at_every_snr_are_averaged():
    def row(system, task, snr_db, kind="all"):
        return {"system": system, "task": task, "snr_db": snr_db, "kind": kind, "score": 0.5}

    shared = [row(system, "text", snr) for system in ("semantic", "classical") for snr in (0.0, 10.0)]
    partial = [
        row("semantic", "caption", 0.0),
        row("semantic", "caption", 10.0),
        row("classical", "digits", 0.0),
    ]
    assert comparable([*partial, *shared, row("semantic", "text", 0.0, "2x2-count")]) == shared
    assert comparable([]) == []


def test_nothing_to_report():
    with pytest.raises(UserError, match="no rows"):
        render([], {})
