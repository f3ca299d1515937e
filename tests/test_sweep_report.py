"""The report of a sweep: what it leaves out, its figures with their CSV, samples, a paper's figures."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from m4sc.data.example import Example
from m4sc.evaluate.sweep.config import load_config
from m4sc.evaluate.sweep.samples import SAMPLES, samples_of
from m4sc.evaluate.sweep.store import OLD_FILE, add_point, read_rows
from m4sc.evaluate.systems import Delivery
from m4sc_app.cli import main
from m4sc_app.errors import UserError
from m4sc_app.sweep_report import report_command


def report_row(system: str, task: str, snr_db: float, n: int, **more: object) -> dict:
    return {
        "system": system, "task": task, "kind": "all", "metric": "exact", "channel": "awgn", "snr_db": snr_db,
        "score": 0.5, "ci_low": 0.4, "ci_high": 0.6, "air_time_ms": 2.0, "frames": n, "frames_lost": 1,
        "n": n, "chosen": "", "weights_hash": "0", "commit": "c", "last": True,
        "point": f"{system}/{task}/awgn/{snr_db:g}", "symbols": 8.0, "no_channel_score": 0.5, "lost": 0,
        "seeds": [0], **more,
    }  # fmt: skip


def test_a_report_leaves_out_what_too_few_examples_say(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="m4sc sweep"):
        report_command(tmp_path, None, 200, False, None)
    rows = [report_row("<ours>", "classify", snr, 200, score=0.625) for snr in (0.0, 5.0)]
    rows += [report_row("scant", "classify", 0.0, 199), report_row("scant", "sound", 0.0, 10)]
    (tmp_path / OLD_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    report_command(tmp_path, None, 200, False, None)
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "&lt;ours&gt;" in page and "0.625" in page and "scant" not in page and "sound" not in page
    with (tmp_path / "report" / "rows.csv").open(encoding="utf-8") as file:
        assert [row["snr_db"] for row in csv.DictReader(file)] == ["0.0", "5.0"]
    for name in ("classify-air-time", "classify-snr"):
        assert (tmp_path / "report" / f"{name}.svg").read_text(encoding="utf-8").count("<path") > 4
        assert (tmp_path / "report" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(UserError, match="--least"):
        report_command(tmp_path, None, 500, False, None)


def test_figures_of_a_paper_show_our_system_by_modality_and_by_task(tmp_path: Path) -> None:
    ours = {"codec": "semantic", "modality": "image", "blind_score": 0.125, "schemes": []}
    scheme = {"mcs": 4, "bytes": 64, "lost": 0, "draws": 40, "loss_low": 0.0, "loss_high": 0.088}
    other = {"codec": "webp", "modality": "image", "blind_score": None, "schemes": [scheme]}
    rows = [
        report_row("semantic", task, snr, 200, **ours) for task in ("classify", "vqa") for snr in (0.0, 5.0)
    ]
    rows.append(report_row("webp", "classify", 0.0, 200, **other))
    (tmp_path / OLD_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    report_command(tmp_path, None, 200, True, None)
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "4 (0.000 to 0.088, 64 bytes)" in page and "0.125" in page and "paper-multi-task.svg" in page
    told = {}
    for name in ("multi-modal", "multi-task"):
        with (tmp_path / "report" / f"paper-{name}.csv").open(encoding="utf-8") as file:
            told[name] = [row["task"] for row in csv.DictReader(file)]
        assert (tmp_path / "report" / f"paper-{name}.pdf").read_bytes().startswith(b"%PDF")
    assert told == {"multi-modal": ["classify"] * 2, "multi-task": ["classify"] * 2 + ["vqa"] * 2}
    (tmp_path / OLD_FILE).write_text(json.dumps(rows[-1]) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="semantic system"):
        report_command(tmp_path, None, 200, True, None)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_figure_has_the_rows_that_it_draws_beside_it(tmp_path: Path) -> None:
    rows = []
    for snr in (0.0, 10.0):
        for system, symbols in (
            ("semantic", 64.0),
            ("semantic-32", 32.0),
            ("webp", 900.0),
            ("constant", 0.0),
        ):
            rows.append(
                report_row(
                    system, "classify", snr, 200, codec=system.split("-")[0], symbols=symbols, lost=20,
                    no_channel_score=0.8, seeds=[0], air_time_ms=symbols / 50, frames=200 * (symbols > 0),
                )
            )  # fmt: skip
    for row in rows:
        row.pop("last")
        add_point(tmp_path, row["point"], [row])
    assert main(["report", str(tmp_path)]) == 0
    told = {name: read_csv(tmp_path / "report" / f"classify-{name}.csv") for name in ("rate", "snr", "cliff")}
    assert {row["system"] for row in told["rate"]} == {"semantic", "semantic-32", "webp"}  # what is sent
    assert len(told["snr"]) == 8 and len(told["cliff"]) == 6
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    for name in ("air-time", "snr", "rate", "cliff"):
        assert f'href="classify-{name}.csv"' in page and f'src="classify-{name}.svg"' in page
        assert (tmp_path / "report" / f"classify-{name}.pdf").read_bytes().startswith(b"%PDF")


def test_kinds_of_too_few_examples_are_not_shown(tmp_path: Path) -> None:
    rows = [report_row("semantic", "vqa", 0.0, 400), report_row("semantic", "vqa", 0.0, 200, kind="colour")]
    rows += [report_row("semantic", "vqa", 0.0, 199, kind="number")]
    for row in rows:
        row.pop("last")
    add_point(tmp_path, "p", rows)
    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "colour" in page and "number" not in page


def test_samples_stand_side_by_side(tmp_path: Path) -> None:
    picture = np.full((300, 200, 3), 90, np.uint8)
    examples = [
        Example(f"e{i}", "image", "classify", "What <is> it?", (f"cat{i}",), "k", picture, f"m{i // 2}")
        for i in range(2 * SAMPLES + 2)
    ]
    sent = [Delivery("dog", 1, 0.1) for _ in examples]
    sent[2] = Delivery(None, 1, 0.1)
    samples = samples_of(examples, sent)
    assert [one["id"] for one in samples] == ["e0", "e2", "e4"]  # of different messages
    assert samples[1]["said"] == "(lost)" and samples[0]["message"].startswith(b"\x89PNG")
    shown = samples_of(examples, [Delivery(picture, 1, 0.1)] * len(examples))
    assert shown[0]["received"].startswith(b"\x89PNG") and shown[0]["said"] == ""
    for system in ("semantic", "webp"):
        row = report_row(system, "classify", 0.0, 200, samples=samples if system == "webp" else shown)
        row.pop("last")
        add_point(tmp_path, row["point"], [row])
    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "What &lt;is&gt; it?" in page and page.count("(lost)") == 1
    assert page.count("data:image/png") == 2 * SAMPLES  # the message once, and what one system received


def test_several_users_are_drawn_from_their_benchmark(tmp_path: Path) -> None:
    row = report_row("semantic", "classify", 0.0, 200, codec="semantic", modality="image")
    row.pop("last")
    add_point(tmp_path, row["point"], [row])
    lines = tmp_path / "users.jsonl"
    assert main(["report", str(tmp_path), "--paper", "--users", str(lines)]) == 2
    point = {"plot": "beside_others", "series": "tasks", "value": 0.99, "low": 0.9, "high": 1.1, "unit": ""}
    written = [json.dumps({**point, "x": snr}) for snr in (0.0, 10.0)]
    lines.write_text("\n".join([json.dumps({"name": "other"}), *written, '{"cut']), encoding="utf-8")
    assert main(["report", str(tmp_path), "--users", str(lines)]) == 2
    assert main(["report", str(tmp_path), "--paper", "--users", str(lines)]) == 0
    told = read_csv(tmp_path / "report" / "paper-multi-user.csv")
    assert [(one["x"], one["value"]) for one in told] == [("0.0", "0.99"), ("10.0", "0.99")]
    lines.write_text(json.dumps({"name": "other"}), encoding="utf-8")
    assert main(["report", str(tmp_path), "--paper", "--users", str(lines)]) == 2


def test_the_rows_of_the_comparison_are_those_of_its_sweep() -> None:
    results = Path(__file__).parents[1] / "results"
    config, rows = load_config(results / "sweep.yaml"), read_rows(results)
    systems = {system.name: system for system in config.systems}
    points = {str(row["point"]) for row in rows}
    assert len(points) > 100 and len({row["score"] is not None for row in rows}) == 1
    for row in rows:
        assert row["config_hash"] == config.digest_of(systems[row["system"]]), row["point"]
        assert row["commit"] and row["weights_hash"] and row["n"] <= config.examples
