"""The harness with small systems whose scores are known."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer
from m4sc.codecs.base import Answer, Payload
from m4sc.codecs.classical import ClassicalCodec
from m4sc.data.example import Example
from m4sc.evaluate.catalogue import test_examples
from m4sc.evaluate.channels import transmit
from m4sc.evaluate.harness import measure, measure_controls, read_rows, run, shifted
from m4sc.evaluate.measures import measures_of
from m4sc.evaluate.probe import probe_row
from m4sc.evaluate.systems import Classical, Semantic, Words
from m4sc.message import Message
from m4sc.tasks import Task
from m4sc_app.evaluate import eval_command
from typer.testing import CliRunner

NAMES = ("cat", "dog", "ship", "frog")


class FakeModel:
    """Sends the class of a flat picture as one of four QPSK symbols, 4 times; refuses very strong noise."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, message: Message, task: str, instruction: str | None = None) -> Payload:
        self.encoded += 1
        angle = np.pi / 4 + np.pi / 2 * message.data[0, 0, 0]
        return Payload(1, "image", 1, np.tile([np.cos(angle), np.sin(angle)], (4, 1)).astype(np.float32))

    def decode(
        self, symbols: np.ndarray, noise_var: np.ndarray, task: str, instruction: str
    ) -> SimpleNamespace:
        if noise_var[0] > 100:
            raise ValueError("too noisy")
        name = NAMES[int(np.angle(symbols.mean()) % (2 * np.pi) // (np.pi / 2))]
        return SimpleNamespace(text=name, verified=None)

    def decode_many(
        self, received: list[tuple[np.ndarray, np.ndarray]], task: str, instructions: list[str]
    ) -> list[SimpleNamespace]:
        return [self.decode(y, n, task, i) for (y, n), i in zip(received, instructions, strict=True)]

    def answer_without_channel(self, message: Message, task: str, instruction: str) -> SimpleNamespace:
        return SimpleNamespace(text=NAMES[message.data[0, 0, 0]])


def examples(n: int = 40) -> list[Example]:
    return [
        Example(
            id=str(i),
            modality="image",
            task="classify",
            instruction="What is it?",
            answers=(NAMES[i % 4],),
            kind="tiny",
            source=np.full((2, 2, 3), i % 4, np.uint8),
            media_id=str(i),
        )
        for i in range(n)
    ]


def test_a_transmitter_that_looks_is_told_each_question() -> None:
    told: list[tuple[str | None, bool]] = []

    class Looking(FakeModel):
        def encode(
            self, message: Message, task: str, instruction: str | None = None, look: bool = False
        ) -> Payload:
            told.append((instruction, look))
            return super().encode(message, task)

    asked = [replace(one, task="vqa", instruction=f"What is at the {where}?", media_id="the same")
             for one, where in zip(examples(2), ("left", "right"), strict=True)]  # fmt: skip
    for look, wanted in ((True, [("What is at the left?", True), ("What is at the right?", True)]),
                         (False, [(None, False)])):  # fmt: skip
        told.clear()
        system = Semantic(Looking(), look=look)
        for one in asked:
            system.symbols(one)
        assert told == wanted


def test_scores_fall_with_noise_and_to_chance_without_latents() -> None:
    found = list(run(Semantic(FakeModel()), {"classify": examples()}, snrs_db=(-30, -10, 20)))
    rows = [row for row in found if row["metric"] == "exact"]
    # answers without a confidence count as sure: of those at hand as many are wrong as the score lacks
    (boast,) = [r["score"] for r in found if r["metric"] == "calibration_error" and r["snr_db"] == -10]
    assert boast == pytest.approx(1 - rows[1]["score"] - rows[1]["lost"] / 40) and boast > 0
    assert [row["score"] for row in rows][2] == 1.0 and rows[0]["score"] == 0.0
    assert 0.2 < rows[1]["score"] < 0.9 and rows[1]["ci_low"] < rows[1]["score"] < rows[1]["ci_high"]
    assert rows[0]["lost"] == 40 and rows[2]["lost"] == 0  # a refusal counts as a zero
    assert all(row["blind_score"] == 0.25 and row["no_channel_score"] == 1.0 for row in rows)
    assert all(row["symbols"] == 4 and row["n"] == 40 for row in rows)


def test_each_message_is_encoded_once_for_all_snrs() -> None:
    model = FakeModel()
    list(run(Semantic(model), {"classify": examples(8)}, snrs_db=(0, 10, 20)))
    assert model.encoded == 8


class Counting(Semantic):
    """Counts what its receiver is asked."""

    asked = 0

    def read_all(self, received, examples):
        self.asked += len(examples)
        return super().read_all(received, examples)


def test_controls_of_some_examples_are_evenly_spaced_and_leave_the_score() -> None:
    plain, rows, asked = examples(40), {}, {}
    for most in (None, 20, 0, 99):
        system = Counting(FakeModel())
        controls = measure_controls(system, plain, most)
        asked[most] = system.asked
        found = measure(system, plain, "awgn", 0.0, controls, [0])
        (rows[most],) = [row for row in found if row.metric == "exact" and row.kind == "all"]
    assert asked == {None: 40 + 40 + 1, 20: 40 + 20 + 1, 0: 40, 99: 40 + 40 + 1}  # zeros are asked once
    assert len({(row.score, row.no_channel_score, row.ci_low, row.n) for row in rows.values()}) == 1
    assert [rows[most].controls for most in rows] == [None, 20, 0, None]
    assert rows[None].blind_score == 0.25 and rows[0].blind_score is rows[0].shuffled_score is None
    assert rows[20].blind_score == 0.5  # every second message has one of two numbers
    np.testing.assert_array_equal(measure_controls(Counting(FakeModel()), plain, 3).held, [0, 13, 26])


def test_shuffled_takes_another_message() -> None:
    plain = examples(7)
    assert all(a.media_id != b.media_id for a, b in zip(plain, shifted(plain), strict=True))


def test_resumes_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    whole = list(run(Semantic(FakeModel()), {"classify": examples()}, snrs_db=(0, 10), results=path))
    lines = path.read_text().splitlines()
    path.write_text(lines[0] + "\n" + lines[1][:30])  # cut within the second line
    model = FakeModel()
    again = list(run(Semantic(model), {"classify": examples()}, snrs_db=(0, 10), results=path))
    assert again == whole and model.encoded == 40
    model = FakeModel()
    list(run(Semantic(model), {"classify": examples()}, snrs_db=(0,), results=path))
    assert model.encoded == 0
    list(run(Semantic(model), {"classify": examples()}, snrs_db=(0,), results=path, config={"weights": "b"}))
    assert model.encoded == 40  # other weights: measured anew
    assert all(json.dumps(row) for row in read_rows(path))


class OneByte:
    """A source codec of flat pictures."""

    def source_encode(self, message: Message) -> bytes:
        return bytes([message.data[0, 0, 0]]) * 8

    def source_decode(self, payload: bytes, modality: str) -> Message:
        return Message(modality, np.full((2, 2, 3), payload[0], np.uint8))


def test_classical_loses_whole_messages() -> None:
    def read(message: Message, task: Task, instruction: str | None) -> Answer:
        return Answer(NAMES[message.data[0, 0, 0]], None, 0.0)

    codec = ClassicalCodec(read, OneByte())
    rows = list(run(Classical(codec), {"classify": examples()}, snrs_db=(-15, 20)))
    rows = [row for row in rows if row["metric"] == "exact"]
    assert [row["score"] for row in rows] == [0.0, 1.0] and rows[0]["lost"] == 40
    assert rows[0]["blind_score"] is None and rows[0]["symbols"] > 10 * rows[1]["symbols"]
    assert rows[0]["air_time_ms"] > rows[1]["air_time_ms"] > 0.3


def test_each_seed_sends_every_example_anew_and_narrows_the_interval() -> None:
    def row(seeds: tuple[int, ...]) -> dict:
        return next(run(Semantic(FakeModel()), {"classify": examples()}, snrs_db=(-10,), seeds=seeds))

    one, other, both = row((0,)), row((1,)), row((0, 1))
    assert one["score"] != other["score"] and both["n"] == 40 and both["seeds"] == [0, 1]
    assert both["score"] == pytest.approx((one["score"] + other["score"]) / 2)
    assert both["no_channel_ratio"] == pytest.approx(both["score"])  # without a channel all are right
    many = row(tuple(range(12)))
    assert many["ci_high"] - many["ci_low"] < one["ci_high"] - one["ci_low"]


def test_a_wrong_text_that_says_so_is_no_silent_error() -> None:
    text = Example("0", "text", "text", "Repeat.", ("at nine",), "tiny", "at nine", "0", "seen")
    right, wrong = "at nine", "at ten"
    answers = [Words(right, True), Words(right, False), Words(wrong, False), None]
    answers += [Words(wrong, True), Words(wrong), wrong, Words("At nine", True)]
    scores = {
        measure.name: measure.each(answers, [text] * 8)[:, 0].tolist() for measure in measures_of("text")[1:4]
    }
    assert scores["exact"] == [1, 1, 0, 0, 0, 0, 0, 0]
    assert scores["flagged"] == [0, 1, 1, 1, 0, 0, 0, 0]
    assert scores["silent_errors"] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_text_has_a_row_of_bleu_and_resumes_by_its_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from m4sc.evaluate.metrics import scoring

    class Echo(FakeModel):
        def encode(self, message: Message, task: str, instruction: str | None = None) -> Payload:
            self.encoded += 1
            return Payload(7, "text", 1, np.ones((4, 2), np.float32))

        def decode(self, symbols: np.ndarray, noise_var: np.ndarray, task: str, instruction: str):  # type: ignore[no-untyped-def]
            return SimpleNamespace(text="a cat sits on the mat", verified=None)

    class Near:
        def nearest(self, answer: str, references: tuple[str, ...]) -> float:
            return 0.5

    monkeypatch.setattr(scoring, "default_minilm", Near)
    said = [("a cat sits on the mat", "0"), ("a dog sits on the mat", "1")]
    texts = [Example(i, "text", "text", "Repeat.", (text,), "tiny", text, i, "seen") for text, i in said]
    path = tmp_path / "rows.jsonl"
    rows = list(run(Semantic(Echo()), {"text": texts}, snrs_db=(10,), results=path))[-5:]
    assert [row["metric"] for row in rows] == ["similarity", "exact", "silent_errors", "flagged", "bleu4"]
    assert [row["score"] for row in rows[:4]] == [0.5, 0.5, 0.5, 0.0] and 0.5 < rows[4]["score"] < 1.0
    assert rows[4]["ci_low"] < rows[4]["score"] < rows[4]["ci_high"] == 1.0
    path.write_text(path.read_text().splitlines()[0] + "\n")  # killed between two rows of a point
    model = Echo()
    assert list(run(Semantic(model), {"text": texts}, snrs_db=(10,), results=path))[-5:] == rows
    assert model.encoded == 2


def test_probe_learns_what_features_hold(tmp_path: Path) -> None:
    (tmp_path / "cifar10").mkdir()
    labels = np.arange(60) % 10
    pictures = np.zeros((60, 32, 32, 3), np.uint8) + (20 * labels[:, None, None, None]).astype(np.uint8)
    arrays = {f"x_{s}": pictures for s in ("train", "test")} | {f"y_{s}": labels for s in ("train", "test")}
    np.savez(tmp_path / "cifar10" / "tiny.npz", names=np.array([f"c{i}" for i in range(10)]), **arrays)

    class Model:
        config = SimpleNamespace(vision="tiny", small_image_size=32)
        calls = 0

        senses = property(lambda self: self)

        def image_encoder(self, given: list[np.ndarray]) -> torch.Tensor:
            Model.calls += 1
            level = torch.tensor([float(p[0, 0, 0]) for p in given])
            return torch.stack([torch.stack([(level == 20 * k).float() for k in range(10)], 1)] * 4, 1)

    drawn = test_examples("classify", tmp_path, 20, cache_dir=tmp_path)
    row = probe_row(drawn, Model(), tmp_path, tmp_path, pictures=50)
    assert row["score"] > 0.9 and row["n"] == 20 and row["config"]["trained_on"] == 50
    before = Model.calls
    assert probe_row(drawn, Model(), tmp_path, tmp_path, pictures=50) == row
    assert Model.calls - before == 2  # the pictures asked about: the others' features were kept


@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
def test_noise_variance_is_what_it_says(channel: str) -> None:
    rng = np.random.default_rng(0)
    sent = np.ones(200_000, np.complex64)
    received, noise_var = transmit(sent, channel, 3.0, rng)
    assert np.mean(np.abs(received - sent) ** 2 / noise_var) == pytest.approx(1.0, rel=0.02)
    assert np.mean(1 / noise_var) == pytest.approx(10**0.3, rel=0.02)  # the mean SNR
    framed, estimated = transmit(sent[:500], "tdl-a", 20.0, np.random.default_rng(1))
    error = np.abs(framed - sent[:500]) ** 2
    assert 0.2 < np.mean(error / estimated) < 5 and len(np.unique(estimated)) > 5  # frequency-selective
    again = transmit(sent[:500], "tdl-a", 20.0, np.random.default_rng(1))
    assert np.array_equal(framed, again[0]) and np.array_equal(estimated, again[1])
    with pytest.raises(ValueError, match="none of awgn, rayleigh"):
        transmit(sent, "rician", 3.0, rng)


def test_command_prints_rows_and_refuses_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import m4sc
    from m4sc.evaluate import catalogue

    class Loaded(FakeModel):
        fingerprint = 7

    app = typer.Typer()
    app.command()(eval_command)
    monkeypatch.setattr(m4sc, "load", lambda name: Loaded(), raising=False)
    missing = CliRunner().invoke(app, ["--data", str(tmp_path / "nowhere"), "--tasks", "classify"])
    assert missing.exit_code == 2 and "CIFAR-10 is not at" in missing.output
    unknown = CliRunner().invoke(app, ["--data", str(tmp_path), "--tasks", "dance"])
    assert unknown.exit_code == 2 and "no test set for the task 'dance'" in unknown.output
    monkeypatch.setattr(catalogue, "test_examples", lambda *args, **options: examples())
    done = CliRunner().invoke(app, ["--data", str(tmp_path), "--tasks", "classify", "--snr", "20", "--json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [r["score"] for r in rows if r["metric"] == "exact"] == [1.0] and rows[0]["config"][
        "fingerprint"
    ] == 7
    wrong = CliRunner().invoke(app, ["--data", str(tmp_path), "--seeds", "one"])
    assert wrong.exit_code == 2 and "whole numbers" in wrong.output


def test_catalogue_draws_at_most_n_of_the_test_split(tmp_path: Path) -> None:
    (tmp_path / "cifar10").mkdir()
    arrays = {f"x_{s}": np.zeros((30, 32, 32, 3), np.uint8) for s in ("train", "test")}
    labels = {f"y_{s}": np.arange(30) % 10 for s in ("train", "test")}
    np.savez(
        tmp_path / "cifar10" / "tiny.npz", names=np.array([f"c{i}" for i in range(10)]), **arrays, **labels
    )
    for task in ("classify", "mosaic"):
        drawn = test_examples(task, tmp_path, 12, cache_dir=tmp_path)
        assert len(drawn) == 12 and all("test" in example.media_id for example in drawn)
        assert [e.id for e in drawn] == [e.id for e in test_examples(task, tmp_path, 12, cache_dir=tmp_path)]
