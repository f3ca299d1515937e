"""Sweeps: complete after kills, told what is wrong with a configuration, choices kept off the test split."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from m4sc.data.example import Example
from m4sc.evaluate.crossing import cross
from m4sc.evaluate.envelope import best_scheme
from m4sc.evaluate.metrics.bootstrap import crossed_interval
from m4sc.evaluate.sweep.config import SweepConfig, SweepConfigError, SystemSpec, load_config
from m4sc.evaluate.sweep.run import ROWS, Place, Point, SweepError, points_of, read_whole, run_sweep
from m4sc.evaluate.sweep.systems import Ground, build, carries, commonest

GOOD = """\
examples: 20
channels:
  - {channel: awgn, snr_db: [0, 5]}
  - {channel: tdl-a, snr_db: 10}
tasks: [classify, text]
systems:
  ours: {codec: semantic}
  webp: {codec: webp, side: 32, quality: [20, 60]}
  words: {codec: zstd, mcs: 2}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_configuration_becomes_its_points(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    keys = [point.key for point in points_of(config)]
    assert len(keys) == len(set(keys)) == 3 * 4  # webp carries no text, zstd no picture
    assert keys[0] == "ours/classify/awgn/0" and "words/text/tdl-a/10" in keys
    assert config.systems[1].quality == (20, 60) and config.systems[2].mcs == 2
    assert config.digest != load_config(written(tmp_path, GOOD.replace("20\n", "30\n"))).digest


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("examples: 20", "examples: many", 1),
        ("examples: 20", "exmples: 20", 1),
        ("channel: awgn", "channel: vacuum", 3),
        ("[0, 5]", "[0, 99]", 3),
        ("[classify, text]", "[classify, cook]", 5),
        ("[20, 60]", "[60, 20]", 8),
        ("side: 32", "size: 32", 8),
        ("mcs: 2", "mcs: 99", 9),
        ("words: {codec", "ours: {codec", 9),
        ("words: {codec: zstd, mcs: 2}", "words: {mcs: 2}", 9),
        ("words: {codec: zstd", "words: {codec: [zstd", 9),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int) -> None:
    assert old in GOOD
    with pytest.raises(SweepConfigError, match=f"line {line}:"):
        load_config(written(tmp_path, GOOD.replace(old, new, 1)))


@pytest.mark.parametrize("text", ["", "a", "[1]", "tasks: [text]"])
def test_no_sweep_at_all_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(SweepConfigError, match="line"):
        load_config(written(tmp_path, text))


def many_points(n: int = 200) -> SweepConfig:
    points = tuple(("awgn", float(snr) / 10) for snr in range(n))
    return SweepConfig((SystemSpec("a", "semantic"),), ("classify",), points)


def two_rows(config: SweepConfig, point: Point, place: Place) -> list[dict]:
    return [{"score": point.snr_db, "kind": kind} for kind in ("x", "all")]


def dies_once(config: SweepConfig, point: Point, place: Place) -> list[dict]:
    marker = place.cache / "died"
    if point.snr_db == 9.0 and not marker.exists():
        marker.touch()
        os._exit(9)
    return two_rows(config, point, place)


def always_dies(config: SweepConfig, point: Point, place: Place) -> list[dict]:
    os._exit(9)


def sorted_rows(folder: Path) -> list[str]:
    return sorted((folder / ROWS).read_text(encoding="utf-8").splitlines())


def test_two_workers_one_killed_midway_give_what_an_undisturbed_sweep_gives(tmp_path: Path) -> None:
    config, place = many_points(), Place(tmp_path, tmp_path)
    list(run_sweep(config, tmp_path / "calm", place, workers=0, measure_point=two_rows))
    list(run_sweep(config, tmp_path / "killed", place, workers=2, measure_point=dies_once))
    assert (tmp_path / "died").exists()
    assert sorted_rows(tmp_path / "calm") == sorted_rows(tmp_path / "killed")
    assert len(sorted_rows(tmp_path / "calm")) == 400


def test_workers_that_always_die_are_given_up_and_rows_kept(tmp_path: Path) -> None:
    config, place = many_points(4), Place(tmp_path, tmp_path)
    steps = run_sweep(config, tmp_path, place, workers=0, measure_point=two_rows)
    next(steps), next(steps)
    steps.close()
    with pytest.raises(SweepError, match="died 3 times"):
        list(run_sweep(config, tmp_path, place, workers=1, measure_point=always_dies))
    assert len(sorted_rows(tmp_path)) == 2


@pytest.mark.parametrize("keep", [1, 40, 200, 455])
def test_a_file_cut_off_anywhere_goes_on_whole(tmp_path: Path, keep: int) -> None:
    config, place, measured = many_points(5), Place(tmp_path, tmp_path), []

    def counted(*given) -> list[dict]:
        measured.append(given)
        return two_rows(*given)

    list(run_sweep(config, tmp_path, place, workers=0, measure_point=counted))
    whole, path = sorted_rows(tmp_path), tmp_path / ROWS
    path.write_bytes(path.read_bytes()[:keep])
    left = len({json.loads(line)["point"] for line in whole}) - len(
        {row["point"] for row in read_whole(path, config.digest)}
    )
    measured.clear()
    list(run_sweep(config, tmp_path, place, workers=0, measure_point=counted))
    assert sorted_rows(tmp_path) == whole and len(measured) == left > 0


def test_rows_of_another_configuration_are_never_mixed(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path)
    list(run_sweep(many_points(2), tmp_path, place, workers=0, measure_point=two_rows))
    before = sorted_rows(tmp_path)
    with pytest.raises(SweepError, match="another configuration"):
        list(run_sweep(many_points(3), tmp_path, place, workers=0, measure_point=two_rows))
    assert sorted_rows(tmp_path) == before


def examples(n: int = 12) -> list[Example]:
    return [
        Example(str(i), "image", "classify", "What?", ("cat" if i % 3 else "dog",), "k",
                np.full((32, 32, 3), 40 * (i % 3), np.uint8), str(i))
        for i in range(n)
    ]  # fmt: skip


def test_the_lowest_quality_that_still_answers_is_chosen() -> None:
    def read(message, task, instruction):
        return SimpleNamespace(text="dog" if np.asarray(message.data).mean() < 20 else "cat", image=None)

    model = SimpleNamespace(read=lambda *given: _answer(read(*given).text))
    spec = SystemSpec("webp", "webp", side=32, quality=(5, 50, 90))
    built = build(spec, "classify", Ground(model, examples(), 10))
    assert built.chosen.startswith("side 32, quality 5") and "10 validation" in built.chosen
    assert built.system.all_without_channel(examples()) == [e.answers[0] for e in examples()]


def _answer(text: str):
    from m4sc.codecs.base import Answer

    return Answer(text, None, 0.0)


def test_constant_says_the_commonest_and_costs_nothing() -> None:
    assert commonest(examples()) == {"": "cat", "k": "cat"}
    built = build(SystemSpec("c", "constant"), "classify", Ground(None, examples(), 1))
    (delivery,) = built.system.send_all(examples(1), "awgn", 0.0, [np.random.default_rng(0)])
    assert delivery.said == "cat" and delivery.air_time_s == 0
    assert not carries(SystemSpec("c", "constant"), "text")


def test_the_scheme_of_an_envelope_holds_where_a_faster_one_breaks() -> None:
    from m4sc.codecs.base import Payload
    from m4sc.evaluate.systems import frames_for
    from m4sc.phy.modulation.payload import PayloadFormat

    chosen = best_scheme("awgn", 5.0, 200)
    lost = []
    for mcs in (chosen, chosen + 2):
        config = frames_for(5.0, PayloadFormat(mcs=mcs))
        crossings = [
            cross(Payload(1, "image", data=bytes(200)), "awgn", 5.0, np.random.default_rng(i), config)
            for i in range(12)
        ]
        lost.append(sum(crossing.received is None for crossing in crossings))
    assert lost[0] <= 1 and lost[1] >= 10
    assert best_scheme("awgn", 5.0, 200) > best_scheme("awgn", -3.0, 200)


def test_questions_about_one_picture_are_drawn_together() -> None:
    pictures = np.random.default_rng(0).integers(0, 2, 60).astype(float)
    values = np.repeat(pictures, 6)[None, :, None]  # six questions, right or wrong together
    groups = [str(i) for i in range(60) for _ in range(6)]

    def mean(means: np.ndarray) -> np.ndarray:
        return means[:, 0]

    low, high = crossed_interval(values, mean, groups)
    one_each = crossed_interval(pictures[None, :, None], mean)
    blind = crossed_interval(values, mean)
    assert high - low == pytest.approx(one_each[1] - one_each[0], rel=0.1)
    assert high - low > 2 * (blind[1] - blind[0])
    with pytest.raises(ValueError, match="groups"):
        crossed_interval(values, mean, groups[:-1])


def report_row(system: str, task: str, snr_db: float, n: int, **more: object) -> dict:
    return {
        "system": system, "task": task, "kind": "all", "metric": "exact", "channel": "awgn", "snr_db": snr_db,
        "score": 0.5, "ci_low": 0.4, "ci_high": 0.6, "air_time_ms": 2.0, "frames": n, "frames_lost": 1,
        "n": n, "chosen": "", "weights_hash": "0", "commit": "c", **more,
    }  # fmt: skip


def test_a_report_leaves_out_what_too_few_examples_say(tmp_path: Path) -> None:
    import csv

    from m4sc_app.errors import UserError
    from m4sc_app.sweep_report import report_command

    with pytest.raises(UserError, match="m4sc sweep"):
        report_command(tmp_path, None, 200)
    rows = [report_row("<ours>", "classify", snr, 200, score=0.625) for snr in (0.0, 5.0)]
    rows += [report_row("scant", "classify", 0.0, 199), report_row("scant", "sound", 0.0, 10)]
    (tmp_path / ROWS).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    report_command(tmp_path, None, 200)
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "&lt;ours&gt;" in page and "0.625" in page and "scant" not in page and "sound" not in page
    with (tmp_path / "report" / "rows.csv").open(encoding="utf-8") as file:
        assert [row["snr_db"] for row in csv.DictReader(file)] == ["0.0", "5.0"]
    for name in ("classify-air-time", "classify-snr"):
        assert (tmp_path / "report" / f"{name}.svg").read_text(encoding="utf-8").count("<path") > 4
        assert (tmp_path / "report" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(UserError, match="--least"):
        report_command(tmp_path, None, 500)
