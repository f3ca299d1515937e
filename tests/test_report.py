"""The HTML report on made-up rows."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from m4sc_app.demo.link import Delivery, DemoRow
from m4sc_app.demo.messages import DemoMessage
from m4sc_app.errors import UserError
from m4sc_app.report.equal_score import equal_score
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


def compared(score, other, air_s=0.001, system="semantic", name="a", snr_db=0.0):
    message = DemoMessage(name, "text", "text", "x", b"x", ("x",), "made up")
    peer = {"semantic": "classical", "classical": "semantic"}[system]
    return [
        DemoRow(message, who, "awgn", snr_db, "accuracy", value, Delivery(1, air, 1, 0, "x"))
        for who, value, air in ((system, score, air_s), (peer, other, 4 * air_s))
    ]


def test_air_time_is_compared_where_both_scored_equally():
    rows = [
        *compared(1.0, 0.97, 0.001),
        *compared(0.5, 0.5, 0.003, name="b"),
        *compared(1.0, 0.0, 9.0, name="c"),
        *compared(0.2, 0.9, 9.0, name="d"),
        *compared(0.0, 0.0, 9.0, name="e"),
        compared(1.0, 1.0, 9.0, name="alone")[0],
    ]
    found = equal_score(rows)
    assert found.equal == 2 and found.neither == 1 and found.better == {"semantic": 1, "classical": 1}
    assert found.air_s == pytest.approx({"semantic": 0.002, "classical": 0.008}) and found.pairs == 5
    assert equal_score(rows[-1:]).pairs == 0
    assert [row.outcome for row in rows[:5]] == ["right", "right", "in part", "in part", "right"]


def test_a_withheld_answer_is_no_wrong_one():
    message = DemoMessage("a", "text", "text", "x", b"x", ("x",), "made up")
    deliveries = {
        "withheld": Delivery(1, 0.001, 1, 0, "not sure", confidence=0.35),
        "wrong": Delivery(1, 0.001, 1, 0, "a frog", confidence=0.9),
        "lost": Delivery(1, 0.001, 1, 1, None),
    }
    found = [DemoRow(message, name, "awgn", 0.0, "exact", 0.0, one) for name, one in deliveries.items()]
    for row in found:
        assert row.outcome == row.system == row.to_json()["outcome"]
        page = re.sub(r"\s+", " ", render([row], {}))
        assert (f'<div class="soft">{row.outcome}, score 0.00' in page) is (row.outcome == "wrong")
    assert "1 answers withheld, 0 wrong" in re.sub(r"\s+", " ", render(found[:1], {}))
    said = DemoRow(message, "semantic", "awgn", 0.0, "exact", 1.0, Delivery(1, 0.001, 1, 0, "not sure"))
    assert said.outcome == "right"  # a text may say so itself


def test_the_report_leads_with_air_time_at_equal_score():
    page = re.sub(r"\s+", " ", render(compared(1.0, 1.0, 0.001), {}))
    lead, rest = page.index("Air time at equal score"), page.index("mean score of")
    assert lead < rest and "semantic 1.00 ms, classical 4.00 ms" in page and "right, score 1.00" in page
    assert "Of 1 deliveries" in page and ">4.00 ms<" in page.replace("> ", ">")
    page = render(compared(1.0, 0.0), {})
    assert "no air times are compared" in page and "wrong, score 0.00" in page


def test_axes_have_units_and_every_line_a_name():
    curve = {"channel": "awgn", "snr_db": 0.0, "score": 0.5, "ci_low": 0.4, "ci_high": 0.6, "task": "text"}
    curves = [{**curve, "system": system} for system in ("semantic", "classical")]
    page = render(rows(), {}, curves)
    for name in ("frequency from the carrier, kHz", "channel |H|, dB", "in phase, of unit mean power",
                 "semantic, this run", "classical, test set", "semantic, 95 % interval"):  # fmt: skip
        assert name in page, name
    assert "occupied carrier<" not in page
