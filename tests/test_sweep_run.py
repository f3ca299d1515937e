"""Running a sweep: complete after kills of workers, the whole, the scheduler; Parquet that others read."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from m4sc.evaluate.sweep.config import SweepConfig, SystemSpec
from m4sc.evaluate.sweep.errors import SweepError
from m4sc.evaluate.sweep.ground import Place
from m4sc.evaluate.sweep.points import Point
from m4sc.evaluate.sweep.run import run_sweep
from m4sc.evaluate.sweep.store import COLUMNS, FOLDER, JOINED, OLD_FILE, Rows, add_point, read_rows
from m4sc.evaluate.sweep.workers import Workers
from m4sc_app.bench.free_ports import free_ports


def many_points(n: int = 200) -> SweepConfig:
    points = tuple(("awgn", float(snr) / 10) for snr in range(n))
    return SweepConfig((SystemSpec("a", "semantic"),), ("classify",), points)


def two_rows(config: SweepConfig, point: Point, place: Place) -> Rows:
    noise = float(np.random.default_rng(round(10 * point.snr_db)).normal())
    return [{"score": point.snr_db + noise, "kind": kind, "seeds": [1, 2]} for kind in ("x", "all")]


def dies_once(config: SweepConfig, point: Point, place: Place) -> Rows:
    marker = place.cache / "died"
    if point.snr_db == 9.0 and not marker.exists():
        marker.touch()
        os._exit(9)
    return two_rows(config, point, place)


def always_dies(config: SweepConfig, point: Point, place: Place) -> Rows:
    os._exit(9)


def wrong(config: SweepConfig, point: Point, place: Place) -> Rows:
    raise FileNotFoundError("DAQUAR is not there")


def slow_rows(config: SweepConfig, point: Point, place: Place) -> Rows:
    time.sleep(0.05)
    return two_rows(config, point, place)


def sorted_rows(folder: Path) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in read_rows(folder))


def swept(config: SweepConfig, folder: Path, measure=two_rows, workers: Workers | None = None) -> list[str]:
    """What was told while the sweep ran; its rows are in the folder."""
    told: list[str] = []
    place = Place(folder.parent, folder.parent)
    list(run_sweep(config, folder, place, workers=workers, measure_point=measure, tell=told.append))
    return told


@pytest.mark.timeout(120)
def test_two_workers_one_killed_midway_give_what_an_undisturbed_sweep_gives(tmp_path: Path) -> None:
    config = many_points()
    swept(config, tmp_path / "calm")
    swept(config, tmp_path / "killed", dies_once, Workers(2))
    assert (tmp_path / "died").exists()
    assert sorted_rows(tmp_path / "calm") == sorted_rows(tmp_path / "killed")
    assert len(sorted_rows(tmp_path / "calm")) == 400


SWEEPER = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[2])
import test_sweep_run as t

if __name__ == "__main__":
    t.swept(t.many_points(), Path(sys.argv[1]), t.slow_rows, t.Workers(2))
"""


@pytest.mark.timeout(180)
def test_a_sweep_killed_as_a_whole_goes_on_where_it_stood(tmp_path: Path) -> None:
    """SIGKILL to the process that writes and gives out the points, at three moments."""
    config, out = many_points(), tmp_path / "killed"
    script = tmp_path / "sweeper.py"
    script.write_text(SWEEPER, encoding="utf-8")
    seen = [0]
    for _ in range(3):
        with subprocess.Popen([sys.executable, str(script), str(out), str(Path(__file__).parent)]) as sweeper:
            end = time.monotonic() + 40
            while time.monotonic() < end and len(parts(out)) < seen[-1] + 20:
                time.sleep(0.02)
            sweeper.kill()
        seen.append(len(parts(out)))
    assert seen == sorted(set(seen)) and seen[1] >= 20 and seen[-1] < 200
    measured = []

    def counted(config: SweepConfig, point: Point, place: Place) -> Rows:
        measured.append(point.key)
        return two_rows(config, point, place)

    swept(config, out, counted)
    assert len(measured) == 200 - seen[-1]
    swept(config, tmp_path / "calm")
    assert sorted_rows(tmp_path / "calm") == sorted_rows(out)
    assert [path.name for path in parts(out)] == [JOINED]


def parts(folder: Path) -> list[Path]:
    return list((folder / FOLDER).glob("*.parquet"))


def test_workers_that_always_die_are_given_up_and_rows_kept(tmp_path: Path) -> None:
    config, place = many_points(4), Place(tmp_path, tmp_path)
    steps = run_sweep(config, tmp_path, place, measure_point=two_rows)
    next(steps), next(steps)
    steps.close()
    with pytest.raises(SweepError, match=r"died 3 times over a/classify/awgn/0\.1 "):
        swept(config, tmp_path, always_dies, Workers(1))
    assert len(sorted_rows(tmp_path)) == 2


def test_what_a_point_raises_ends_the_sweep_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="DAQUAR"):
        swept(many_points(3), tmp_path, wrong, Workers(1))


@contextmanager
def dask_process(after_s: float, *words: str) -> Iterator[None]:
    """A command of Dask's, begun after a while, killed at the end."""
    command = ["sh", "-c", f'sleep {after_s}; exec "$0" "$@"', sys.executable, "-m", *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, start_new_session=True, **quiet) as one:
        try:
            yield
        finally:
            os.killpg(one.pid, signal.SIGKILL)


@contextmanager
def cluster(port: int, after_s: float = 0) -> Iterator[None]:
    """A scheduler and a worker of it."""
    scheduler = (
        "distributed.cli.dask_scheduler",
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
        "--no-dashboard",
    )
    worker = ("distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}", "--nthreads", "1", "--no-dashboard")
    with dask_process(after_s, *scheduler), dask_process(after_s, *worker, "--death-timeout", "60"):
        yield


@pytest.mark.parametrize("pause_s", [0, 8], ids=["seen to go", "back before it was missed"])
@pytest.mark.timeout(180)
def test_a_scheduler_that_goes_away_is_waited_for(tmp_path: Path, pause_s: float) -> None:
    config, port = many_points(60), free_ports(1)[0]
    address = f"tcp://127.0.0.1:{port}"
    told: list[str] = []
    steps = run_sweep(
        config, tmp_path / "far", Place(tmp_path, tmp_path), workers=Workers(0, address, 60),
        measure_point=slow_rows, tell=told.append,
    )  # fmt: skip
    with cluster(port):
        for done, _, _ in steps:
            if done == 20:
                break
    with cluster(port, after_s=3):  # another one, which knows nothing of the jobs
        time.sleep(pause_s)
        assert [done for done, _, _ in steps][-1] == 60
    assert any("went away" in text for text in told)
    swept(config, tmp_path / "calm")
    assert sorted_rows(tmp_path / "far") == sorted_rows(tmp_path / "calm")


def test_a_scheduler_that_stays_away_is_reported_and_rows_kept(tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    swept(many_points(2), tmp_path)
    with pytest.raises(SweepError, match=f"no scheduler answers at {address} for 1 s.*kept"):
        swept(many_points(4), tmp_path, two_rows, Workers(0, address, 1))
    assert len(sorted_rows(tmp_path)) == 4


@pytest.mark.parametrize("word", ["nonsense", "tcp://", "ftp://a:1"])
def test_an_address_that_is_none_is_told(tmp_path: Path, word: str) -> None:
    with pytest.raises(ValueError, match=r"tcp://host:port"):
        Workers(0, word)


def test_two_sweeps_never_write_to_one_folder(tmp_path: Path) -> None:
    steps = run_sweep(many_points(2), tmp_path, Place(tmp_path, tmp_path), measure_point=two_rows)
    next(steps)
    with pytest.raises(SweepError, match="another sweep"):
        swept(many_points(2), tmp_path)
    steps.close()
    swept(many_points(2), tmp_path)
    assert len(sorted_rows(tmp_path)) == 4


def test_other_tools_read_the_folder_while_it_grows(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    steps = run_sweep(many_points(3), tmp_path, Place(tmp_path, tmp_path), measure_point=two_rows)
    for done in (0, 1, 2):
        assert next(steps)[0] == done
        if done:
            (tmp_path / FOLDER / ".cut.parquet.part").write_bytes(b"PAR1")  # as a kill leaves it
            table = pq.read_table(tmp_path / FOLDER)
            assert table.num_rows == 2 * done and set(COLUMNS) == set(table.column_names)
    steps.close()
    swept(many_points(3), tmp_path)
    assert not list((tmp_path / FOLDER).glob(".*.part"))


def test_a_kill_between_joining_and_deleting_doubles_nothing(tmp_path: Path) -> None:
    steps = run_sweep(many_points(3), tmp_path, Place(tmp_path, tmp_path), measure_point=two_rows)
    for _ in range(4):
        next(steps)
    kept = {path.name: path.read_bytes() for path in parts(tmp_path)}
    assert len(kept) == 3 and list(steps) == [] and [path.name for path in parts(tmp_path)] == [JOINED]
    whole = sorted_rows(tmp_path)
    for name, content in kept.items():
        (tmp_path / FOLDER / name).write_bytes(content)
    assert sorted_rows(tmp_path) == whole
    swept(many_points(3), tmp_path)
    assert [path.name for path in parts(tmp_path)] == [JOINED] and sorted_rows(tmp_path) == whole


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    swept(many_points(2), tmp_path)
    (path,) = parts(tmp_path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(SweepError, match=f"{path.name} is damaged; delete it"):
        swept(many_points(2), tmp_path)


def test_a_column_that_no_table_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="colour"):
        add_point(tmp_path, "a", [{"colour": 3.0}])
    with pytest.raises(SweepError, match="no row"):
        add_point(tmp_path, "a", [])


@pytest.mark.parametrize("keep", [1, 40, 200, 455, 10_000])
def test_the_lines_of_earlier_versions_go_on_wherever_they_were_cut_off(tmp_path: Path, keep: int) -> None:
    config, measured = many_points(5), []

    def counted(*given) -> Rows:
        measured.append(given)
        return two_rows(*given)

    swept(config, tmp_path / "new")
    whole = sorted_rows(tmp_path / "new")
    rows = read_rows(tmp_path / "new")
    lines = "".join(
        json.dumps({**{k: v for k, v in row.items() if v is not None}, "last": row["kind"] == "all"}) + "\n"
        for row in rows
    )
    old = tmp_path / "old"
    old.mkdir()
    (old / OLD_FILE).write_bytes(lines.encode()[:keep])
    there = len({row["point"] for row in read_rows(old)})
    swept(config, old, counted)
    assert sorted_rows(old) == whole and len(measured) == 5 - there and not (old / OLD_FILE).exists()
    assert there == (5 if keep == 10_000 else 0 if keep < 455 else 1)


def test_lines_that_are_none_are_told(tmp_path: Path) -> None:
    (tmp_path / OLD_FILE).write_text('{"a": 1}\n{"point": "a", "last": true}\n', encoding="utf-8")
    with pytest.raises(SweepError, match="line 1"):
        read_rows(tmp_path)


def test_rows_of_another_configuration_are_never_mixed(tmp_path: Path) -> None:
    config = many_points(2)
    swept(config, tmp_path)
    before = sorted_rows(tmp_path)
    for other in (
        replace(config, examples=7),
        replace(config, seeds=(1,)),
        replace(config, systems=(SystemSpec("a", "semantic", symbols=9),)),
    ):
        with pytest.raises(SweepError, match="another configuration"):
            swept(other, tmp_path)
        assert sorted_rows(tmp_path) == before


def test_a_sweep_may_grow_and_shrink(tmp_path: Path) -> None:
    measured = []

    def counted(config: SweepConfig, point: Point, place: Place) -> Rows:
        measured.append(point.key)
        return two_rows(config, point, place)

    def go(config: SweepConfig) -> None:
        measured.clear()
        swept(config, tmp_path, counted)

    go(many_points(2))
    go(many_points(4))
    assert measured == ["a/classify/awgn/0.2", "a/classify/awgn/0.3"]
    go(replace(many_points(1), systems=(SystemSpec("b", "constant"),)))
    assert measured == ["b/classify/awgn/0"]
    go(many_points(4))
    assert not measured and len(sorted_rows(tmp_path)) == 10
