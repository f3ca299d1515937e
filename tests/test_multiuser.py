"""`m4sc multiuser` and `m4sc keys`, and what the benchmark measures with, on a system without weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from m4sc.codecs.base import Answer, Payload
from m4sc.data.example import Example
from m4sc.evaluate.multiuser import (
    Ends,
    KeptPayloads,
    Prepared,
    Session,
    air_times,
    answers_air_time,
    classical_air_time,
    divide,
    prepare,
)
from m4sc.evaluate.multiuser_sets import sessions
from m4sc.message import Message
from m4sc.phy.waveform import WaveformConfig
from m4sc.sharing.group import SharingConfig
from m4sc.sharing.privacy import UserKey
from m4sc.tasks import get_task
from m4sc_app.bench.trials.hidden_trial import WORDS, Seen, attack
from m4sc_app.bench.trials.multiuser_catalogue import SETS
from m4sc_app.bench.trials.multiuser_growth import air_by_size
from m4sc_app.bench.trials.multiuser_plots import write_plots
from m4sc_app.bench.trials.multiuser_scores import compared, scored_set
from m4sc_app.bench.trials.multiuser_trial import Figure, Trial
from m4sc_app.cli import main
from m4sc_app.multiuser import multiuser_command
from m4sc_app.multiuser.serving import serve
from PIL import Image

WAVEFORM = WaveformConfig()


def code(brightness: int, rate: int) -> np.ndarray:
    whole = np.random.default_rng(brightness).normal(scale=0.5**0.5, size=(16, 8, 2)).astype(np.float32)
    return whole[:, :rate].reshape(-1, 2)


class Reader:
    """Says how bright a picture is; captions have symbols of their own."""

    fingerprint = 0x1234ABCD

    def encode(
        self,
        message: Message,
        task: str,
        instruction: str | None = None,
        snr_db: float | None = None,
        rate: int | None = None,
    ) -> Payload:
        unit = rate or (4 if task == "classify" else 8)
        latents = code(int(message.data[0, 0, 0]) + 1000 * (task == "caption"), unit)
        return Payload(get_task(task).task_id, "image", self.fingerprint, latents, unit=unit)

    def decode_many(
        self,
        received: Sequence[tuple[np.ndarray, np.ndarray]],
        task: str,
        instructions: Sequence[str | None],
    ) -> list[Answer]:
        answers = []
        for y, noise in received:
            weight, best = 1 / (1e-3 + noise), []
            for value in (0, 100, 200):
                x = code(value + 1000 * (task == "caption"), len(y) // 16)
                best.append((float(np.sum(weight * (y * (x[:, 0] - 1j * x[:, 1])).real)), value))
            score, value = max(best)
            answers.append(Answer(str(value) if score > 0 else "nothing", None, 0.0))
        return answers


def picture(folder: Path, value: int) -> Path:
    path = folder / f"{value}.png"
    Image.fromarray(np.full((70, 70, 3), value, np.uint8)).save(path)
    return path


def served(capsys: pytest.CaptureFixture[str], *args: object, **options: object) -> dict:
    multiuser_command(*args, model=Reader(), json_=True, **options)  # type: ignore[arg-type]
    return json.loads(capsys.readouterr().out)


WISHES = ["vqa@10:How bright?", "classify@0", "caption@20", "vqa@5:How dark?"]


@pytest.mark.parametrize("layout", ["tdm", "ofdma"])
def test_users_of_one_picture_get_their_answers_of_one_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    found = served(capsys, [picture(tmp_path, 100)], WISHES, layout=layout)
    assert [row["answer"] for row in found["users"]] == ["100"] * 4
    assert [row["answer_alone"] for row in found["users"]] == ["100"] * 4
    assert [row["status"] for row in found["users"]] == ["received"] * 4
    assert [row["private_symbols"] for row in found["users"]] == [0, 0, 128, 0]
    totals = found["totals"]
    assert totals["public_share"] == pytest.approx(0.75)
    assert totals["together_ms"] < 0.5 * totals["unicast_ms"]
    assert totals["unicast_without_names_ms"] < totals["unicast_ms"]
    assert sum(row["alone_ms"] for row in found["users"]) == pytest.approx(totals["unicast_ms"])


def test_users_of_different_pictures_get_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [picture(tmp_path, value) for value in (0, 100, 200, 100)]
    found = served(capsys, files, ["vqa@10:Q?"] * 4, tolerance=0.01)
    assert [row["answer"] for row in found["users"]] == ["0", "100", "200", "100"]
    assert found["totals"]["public_share"] == pytest.approx(0.5)
    apart = served(capsys, files, ["vqa@10:Q?"] * 4, tolerance=-1.0)
    assert apart["totals"]["public_share"] == 0.0


def test_without_the_right_key_an_own_part_stays_hidden(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, others = tmp_path / "mine.json", tmp_path / "others.json"
    for file in (mine, others):
        assert main(["keys", "add", "3", "--file", str(file)]) == 0
    assert main(["keys", "list", "--file", str(mine)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3"
    one = [picture(tmp_path, 100)]
    right = served(capsys, one, WISHES, keys=mine)
    assert right["users"][2]["answer"] == "100" and right["users"][2]["status"] == "received"
    wrong = served(capsys, one, WISHES, keys=mine, receiver_keys=others)
    assert wrong["users"][2]["answer"] == "nothing"
    assert "not the one it was sent with" in wrong["users"][2]["status"]
    assert [row["answer"] for row in wrong["users"]][:2] == ["100", "100"]  # the others are undisturbed
    none = served(capsys, one, WISHES, keys=mine, receiver_keys=tmp_path / "none.json")
    assert "there is no key for it" in none["users"][2]["status"]
    assert main(["keys", "remove", "3", "--file", str(mine)]) == 0
    assert main(["keys", "remove", "3", "--file", str(mine)]) == 2


def test_the_page_and_the_table_hold_every_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    multiuser_command(
        [picture(tmp_path, 200)], [*WISHES[:3], "vqa@5:Is it <bright>?"], report=page, model=Reader()
    )  # type: ignore[arg-type]
    printed, html = capsys.readouterr().out, page.read_text()
    assert "one frame for all" in printed and "4 users, one frame" in html
    assert "Is it &lt;bright&gt;?" in html and "http" not in html
    assert html.count('<section class="card">') == 4


def test_scores_and_air_time_are_of_every_way_to_serve_the_users(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, page = [picture(tmp_path, 100)], tmp_path / "page.html"
    right = ["dim|100", "200", "", "100"]
    found = served(capsys, one, WISHES, right=right, report=page)
    rows, totals = found["users"], found["totals"]
    assert [row["score"] for row in rows] == [1.0, 0.0, None, 1.0]
    assert [row["score_alone"] for row in rows] == [1.0, 0.0, None, 1.0]
    ways = totals["ways"]
    assert [way["score"] for way in ways] == pytest.approx([2 / 3] * 5)
    times = [totals[f"{name}_ms"] for name in ("together", "unicast", "unicast_without_names", "answers")]
    assert [way["ms"] for way in ways] == [*times, totals["classical_ms"]]
    assert [row["own_ms"] > 0 for row in rows] == [False, False, True, False]
    whole = totals["shared_ms"] + sum(row["own_ms"] for row in rows)
    assert whole == pytest.approx(totals["together_ms"]) and totals["shared_ms"] > 0
    assert "Score 1.00, alone 1.00" in page.read_text() and "mean score" in page.read_text()
    unknown = served(capsys, one, WISHES, report=page)
    assert {way["score"] for way in unknown["totals"]["ways"]} == {None}
    assert "mean score" not in page.read_text()


def test_a_loss_scores_nothing_and_what_came_of_a_file_is_read_from_the_file(tmp_path: Path) -> None:
    examples = [replace(one, answers=("100",)) for one in session([100, 100]).examples]
    two = prepare(Reader(), Session(tuple(examples), (-40.0, 20.0)), WAVEFORM, SharingConfig())
    rows, totals = serve(Reader(), two, None, {}, 1)
    assert [row.score for row in rows] == [0.0, 1.0] and rows[0].status == "the frame was lost"
    assert rows[0].answer is None
    scores = {way.name.split()[0]: way.score for way in totals.ways}
    assert scores["one"] == 0.5 and scores["answers"] == 1.0


@pytest.mark.parametrize(
    ("wishes", "options", "message"),
    [
        (["sing@3"], [], "unknown task 'sing'"),
        (["classify"], [], "--user takes TASK@SNR"),
        (["classify@loud"], [], "--user takes TASK@SNR"),
        (["classify@3"], ["--layout", "cdma"], "--layout is 'cdma'"),
        (["classify@3", "caption@3"], ["--right", "cat"], "--right once for each of 2 users"),
        (["reconstruct@3"], ["--right", "cat"], "--right cannot name"),
        (["classify@3"], ["--channel", "cable"], "--channel is 'cable'"),
    ],
)
def test_bad_wishes_are_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wishes: list[str], options: list[str], message: str
) -> None:
    argv = ["multiuser", str(picture(tmp_path, 1)), *options]
    for wish in wishes:
        argv += ["--user", wish]
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert message in err and "Traceback" not in err


def test_two_files_for_three_users_and_too_many_users_are_refused(tmp_path: Path) -> None:
    files = [picture(tmp_path, value) for value in (1, 2)]
    with pytest.raises(ValueError, match="one for each of 3 users; got 2"):
        multiuser_command(files, ["classify@3"] * 3, model=Reader())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"80 users do not fit one frame .*; the first \d+ do"):
        multiuser_command(files[:1], ["classify@3"] * 80, model=Reader())  # type: ignore[arg-type]
    assert main(["keys", "add", "3", "--key", "xyz", "--file", str(tmp_path / "k")]) == 2


# --- what the benchmark measures with ----------------------------------------------------------------------


def session(values: Sequence[int], snr_db: float = 10.0) -> Session:
    examples = [
        Example(str(n), "image", "vqa", "Q?", (str(v),), "", np.full((70, 70, 3), v, np.uint8), str(v))
        for n, v in enumerate(values)
    ]
    return Session(tuple(examples), (snr_db,) * len(values))


def made(values: Sequence[int], tolerance: float = 0.01) -> Prepared:
    return prepare(Reader(), session(values), WAVEFORM, SharingConfig(tolerance))


def test_air_times_are_those_of_the_frames_and_unrelated_users_pay_no_more_than_alone() -> None:
    alike, apart = air_times(made([100] * 4), WAVEFORM), air_times(made([0, 100, 200, 50]), WAVEFORM)
    assert alike.symbols == 128 and alike.unicast_symbols == apart.symbols == 512
    assert alike.group < apart.group < sum(apart.unicast)
    assert alike.unicast == apart.unicast
    assert classical_air_time(session([100] * 4), WAVEFORM) < classical_air_time(session([0, 100]), WAVEFORM)
    assert answers_air_time(session([0]), ["one"], WAVEFORM) > 0


def test_ends_lose_a_group_that_is_buried_in_noise_and_say_so() -> None:
    ends, rng = Ends(WAVEFORM), np.random.default_rng(1)
    one = made([100, 200])
    assert all(taken is not None and not taken.reason for taken in ends.together(one, rng))
    assert all(received is not None for received in ends.apart(one, rng))
    deaf = replace(one, session=replace(one.session, snr_db=(-40.0, 20.0)))
    lost, heard = ends.together(deaf, rng)
    assert lost is None and heard is not None


def test_dividing_again_changes_the_group_alone() -> None:
    one = made([100, 100])
    again = divide(one.session, one.shared, one.alone, WAVEFORM, SharingConfig(-1.0))
    assert again.group.public_share == 0.0 and one.group.public_share == 1.0
    assert again.alone == one.alone


def test_the_benchmark_refuses_an_unknown_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "multiuser", "--data", str(tmp_path), "--sets", "nothing"]) == 2
    assert "--sets has no 'nothing'" in capsys.readouterr().err
    assert main(["bench", "multiuser", "--data", str(tmp_path), "--seeds", "a"]) == 2


def test_views_and_scores_come_from_the_data_they_name(tmp_path: Path) -> None:
    folder = tmp_path / "scene_views" / "images"
    folder.mkdir(parents=True)
    entries = []
    for scene, values in (("still", [100] * 8), ("moving", [0, 100, 200, 50, 150, 250, 25, 75])):
        for view, value in enumerate(values):
            name = f"{scene}{view}.png"
            Image.fromarray(np.full((70, 70, 3), value, np.uint8)).save(folder / name)
            entries.append({"image": name, "scene": scene, "view": view})
    (tmp_path / "scene_views" / "scenes.json").write_text(json.dumps(entries))
    trial = Trial(Reader(), tmp_path, 4, [0], SharingConfig(0.01))
    found = {figure.name: figure.value for figure in SETS["views"](trial)}
    assert 0.4 < found["public share, two views, 1 apart"] < 0.7  # the still scene's, of both
    assert found["air time, four views, 1 apart, over unicast"] < 0.5


def photographs_of_dogs(data: Path) -> None:
    folder = data / "flickr8k_1000" / "images"
    folder.mkdir(parents=True)
    captions = ["A dog runs over the grass.", "A brown dog plays.", "A dog is outside.", "The dog runs."]
    entries = []
    for k in range(8):
        Image.fromarray(np.full((40, 60, 3), 20 * k, np.uint8)).save(folder / f"{k}.jpg")
        entries.append({"image": f"{k}.jpg", "split": "dev", "captions": [*captions, "A dog."]})
    (folder.parent / "captions.json").write_text(json.dumps(entries))


def test_crops_of_a_photograph_are_each_users_own_and_of_the_size_asked_for(tmp_path: Path) -> None:
    photographs_of_dogs(tmp_path)
    made = sessions("cutouts", tmp_path, 4, (10.0, 5.0, 0.0), side=0.5)
    assert made
    for one in made:
        assert len({example.media_id for example in one.examples}) == 3
        assert {np.asarray(example.load()).shape for example in one.examples} == {(20, 30, 3)}
        assert all(example.task == "vqa" and example.answers[0] for example in one.examples)
    with pytest.raises(ValueError, match="none of"):
        sessions("fields", tmp_path, 4, (10.0,))


def test_a_scored_set_compares_together_and_alone_and_counts_what_else_could_be_sent(tmp_path: Path) -> None:
    photographs_of_dogs(tmp_path)
    trial = Trial(Reader(), tmp_path, 2, [0], SharingConfig(0.01))
    found = {
        figure.name: figure for figure in scored_set(trial, "cutouts", "small", 0.5, (10.0, 10.0, 20.0, 20.0))
    }
    assert found["public share, small, all at 10 dB"].value == 1.0  # the pictures are of one colour each
    assert 0.1 < found["air time, small, all at 10 dB, over unicast"].value < 0.25
    assert found["air time, small, over answers found at the transmitter"].value > 0
    detail = found["score together less alone, small, all users"].detail
    assert "n = 8 of 2 messages; 2 sessions, 1 seeds; messages lost: 0" in detail
    assert "n = 4 of 2 messages" in found["score together less alone, small, 20 dB"].detail


def test_a_message_is_encoded_once_for_a_task_and_a_budget() -> None:
    class Counting(Reader):
        calls = 0

        def encode(self, message: Message, task: str, *rest: object, **more: object) -> Payload:
            self.calls += 1
            return super().encode(message, task)

    system = Counting()
    kept = KeptPayloads(system)
    one, same, other = (Message("image", np.full((70, 70, 3), v, np.uint8)) for v in (1, 1, 2))
    assert kept.encode(one, "vqa") is kept.encode(same, "vqa") and system.calls == 1
    apart = [kept.encode(other, "vqa"), kept.encode(one, "caption"), kept.encode(one, "vqa", snr_db=5.0)]
    wide = Message("image", np.full((35, 140, 3), 1, np.uint8))  # the same bytes in another form
    apart += [kept.encode(one, "vqa", rate=4), kept.encode(wide, "vqa"), kept.encode(one, "vqa", "Why?")]
    assert system.calls == 7 and len({id(payload) for payload in apart}) == 6


def test_intervals_draw_messages_since_questions_about_one_are_right_or_wrong_together() -> None:
    rng = np.random.default_rng(0)
    of_message = np.repeat(rng.random((1, 40, 2)) < 0.5, 5, axis=1).astype(float)  # 5 users agree
    messages = [str(k // 5) for k in range(200)]
    together = compared("x", of_message, messages, "")[0]
    alone = compared("x", of_message, [str(k) for k in range(200)], "")[0]
    assert together.value == alone.value
    width = [one.high - one.low for one in (together, alone) if one.high is not None and one.low is not None]
    assert 1.7 < width[0] / width[1] < 2.8  # the square root of 5
    same = compared("x", np.repeat(of_message[..., :1], 2, axis=2), messages, "")
    assert (same[0].low, same[0].high, same[1].low, same[1].high) == (0, 0, 1, 1)
    assert compared("x", np.zeros((3, 0, 2)), [], "") == []
    assert len(compared("x", np.zeros((3, 4, 2)), list("abcd"), "")) == 1  # no ratio to nothing


def test_the_public_share_falls_as_pictures_differ_more(tmp_path: Path) -> None:
    photographs_of_dogs(tmp_path)
    images = tmp_path / "scene_views" / "images"
    images.mkdir(parents=True)
    ramp = np.tile(np.linspace(0, 250, 70).astype(np.uint8)[None, :, None], (70, 1, 3))
    entries = []
    for view in range(6):
        picture_of = ramp.copy()
        picture_of[:, : 10 * view] = 255 - picture_of[:, : 10 * view]
        picture_of[0, 0] = 10 * view // 20  # what the reader reads
        Image.fromarray(picture_of).save(images / f"{view}.png")
        entries.append({"image": f"{view}.png", "scene": "one", "view": view})
    (images.parent / "scenes.json").write_text(json.dumps(entries))
    (tmp_path / "daquar" / "images").mkdir(parents=True)
    rooms = []
    for number in range(1, 5):
        Image.fromarray(ramp).save(tmp_path / "daquar" / "images" / f"image{number}.png")
        asked = {"image": f"image{number}.png", "split": "test", "question": "what is it", "answers": ["x"]}
        rooms.append(asked)
    (tmp_path / "daquar" / "daquar_qa.json").write_text(json.dumps(rooms))
    found = SETS["differences"](Trial(Reader(), tmp_path, 4, [0], SharingConfig(0.01)))
    points = {one.series: [p for p in found if p.series == one.series] for one in found if one.plot}
    assert set(points) == {
        "views of a scene",
        "pictures of rooms",
        "crops of a photograph",
        "other photographs",
    }
    scene = points["views of a scene"]
    assert [one.x for one in scene] == sorted(one.x for one in scene)  # type: ignore[type-var]
    assert scene[0].value > scene[-1].value
    assert all(one.x == 0 and one.value == 1 for one in points["pictures of rooms"])
    assert all(one.value == 0 for one in points["other photographs"])
    falling = {one.name: one.value for one in found if one.unit == "rank correlation"}
    assert falling["public share with difference, all of them"] < -0.3


def test_air_time_of_more_users_is_measured_together_and_alone(tmp_path: Path) -> None:
    photographs_of_dogs(tmp_path)
    trial = Trial(Reader(), tmp_path, 2, [0], SharingConfig(0.01))
    found = {one.name: one for one in air_by_size(trial, "crowd", "tasks")}
    assert found["air time, tasks, 16 users over 2"].value < 2 < 8  # all of them share the picture
    alone = [found[f"air time, tasks, {users} users alone"].value for users in (2, 4, 8, 16)]
    assert alone == pytest.approx([alone[0] * users / 2 for users in (2, 4, 8, 16)], rel=0.3)
    assert found["air time, tasks, 16 users"].x == 16


def test_plots_are_drawn_with_the_numbers_in_them(tmp_path: Path) -> None:
    figures = [
        Figure("a", 1.5, "ms", "", plot="users_air_time", series="rooms", x=float(users)) for users in (2, 4)
    ]
    figures += [
        Figure("b", 0.9, "ratio", "", 0.8, 1.0, "beside_others", "tasks", 5.0),
        Figure("c", 7.0, "ms", "not in a plot"),
    ]
    written = write_plots(figures, tmp_path / "new")
    assert [path.name for path in written] == [
        "users_air_time.svg",
        "users_air_time.csv",
        "beside_others.svg",
        "beside_others.csv",
    ]
    assert written[3].read_text().splitlines() == [
        "series,x,value,unit,low,high",
        "tasks,5.0,0.9,ratio,0.8,1.0",
    ]
    assert written[1].read_text().splitlines()[1] == "rooms,2.0,1.5,ms,,"
    assert all("<svg" in path.read_text() for path in written if path.suffix == ".svg")


def seen(n: int, seed: int) -> Seen:
    """Messages of which a label makes the first symbol strong."""
    rng = np.random.default_rng(seed)
    symbols = rng.normal(size=(n, 24)) + 1j * rng.normal(size=(n, 24))
    labels = rng.random((n, len(WORDS))) < 0.5
    symbols[:, 0] *= np.where(labels[:, 0], 6.0, 1.0)
    symbols *= np.sqrt(24 / np.sum(np.abs(symbols) ** 2, axis=1, keepdims=True))  # as codecs do
    return Seen(symbols, labels[:, :1])


def test_the_attacker_finds_what_is_open_or_merely_permuted_and_nothing_of_what_is_hidden() -> None:
    train, test = seen(1500, 1), seen(600, 2)
    key = UserKey(1, bytes(32))
    assert attack(train, test, lambda x, _: x, 0)[0].auc > 0.9
    assert attack(train, test, key.turned, 0)[0].auc > 0.8
    hidden = attack(train, test, key.hide, 0)[0]
    assert hidden.low < 0.5 < hidden.high
