"""Questions on pictures: how they are read, the network with tiny weights, its codec, its training."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from m4sc.codecs.base import Answer, Budget, Payload, Received
from m4sc.codecs.by_size import BySizeCodec
from m4sc.codecs.questions import QuestionCodec, load_questions
from m4sc.codecs.trust import evidence, load_trust, probability_right
from m4sc.data.ordinary import names_subject, ordinary_photographs, question_examples
from m4sc.encoders.object_detector import FEATURES, THINGS
from m4sc.evaluate.measures import measures_of
from m4sc.evaluate.systems import Words
from m4sc.message import Message
from m4sc.questions import material as material_module
from m4sc.questions import training
from m4sc.questions.facts import tell
from m4sc.questions.instructed import DetailConfig, DetailLesson, DetailPath, share_right, train_path
from m4sc.questions.material import Material as LearnedFrom
from m4sc.questions.material import class_members
from m4sc.questions.network import INDOORS, TRUSTED, QuestionConfig, QuestionNetwork, answer_odds
from m4sc.questions.placed_training import PlacedQuestions
from m4sc.questions.statements import KINDS, ask, thing_statement
from m4sc.questions.training import Lesson, QuestionPlan, asked_often, made_up_things, trusted
from m4sc.questions.trial import Questions, answers_of, commonest, neighbour_answers, questions_on
from m4sc.questions.vocabulary import all_things, things_of
from m4sc.space.confidence import fit
from m4sc.tasks import Task, get_task
from m4sc.training.trust import add_trust
from torch.nn import functional

READ = {
    "Is there a dog in the picture?": ("existence", "A dog."),
    "is there any snow": ("existence", "Snow."),
    "Are there any people?": ("existence", "People."),
    "Can you see a rocket?": ("existence", "A rocket."),
    "Does the photo show an elephant?": ("existence", "An elephant."),
    "Can a horse be found here?": ("existence", "A horse."),
    "Is a dog part of the picture?": ("existence", "A dog."),
    "Is a dog there, yes or no?": ("existence", "A dog."),
    "Is the man wearing a hat?": ("sentence", "The man is wearing a hat."),
    "Is this a kitchen?": ("sentence", "This is a kitchen."),
    "Does this sentence describe the picture: A dog runs on grass.": ("sentence", "A dog runs on grass."),
    'Does "a man rides a horse" describe the picture?': ("sentence", "A man rides a horse."),
    "What colour is the car?": ("colour", "A black car."),
    "What color is the man's shirt?": ("colour", "A black man's shirt."),
    "How many people are there?": ("count", "One person."),
    "How many dogs do you see?": ("count", "One dog."),
    "Count the horses.": ("count", "One horse."),
    "Where is this?": ("where", "It is on a beach."),
    "Where was the photo taken?": ("where", "It is on a beach."),
    "What is the man doing?": ("doing", "Someone is running."),
    "What animal is this?": ("which", "A dog."),
    "Name the vehicle.": ("which", "A car."),
    "Is it a cat or a dog?": ("which", "A cat."),
    "Who is in the picture?": ("which", "A man."),
    "What is this?": ("what", "A dog."),
    "Quelle heure est-il ?": ("what", "A dog."),
}


@pytest.mark.parametrize("question", READ)
def test_questions_are_read_as_people_type_them(question: str) -> None:
    asked = ask(question)
    assert (asked.kind, asked.statements[0]) == READ[question]
    assert asked.yes_no == (asked.kind in ("existence", "sentence"))
    assert asked.yes_no or len(asked.answers) == len(asked.statements) >= 2


@given(st.text(max_size=80))
def test_whatever_is_asked_something_is_judged(question: str) -> None:
    asked = ask(question)
    assert asked.kind in KINDS and all(statement.strip(".") for statement in asked.statements)
    assert not asked.answers or len(asked.answers) == len(asked.statements)


def test_words_for_classes_are_everyday_ones_and_cover_what_they_say() -> None:
    from m4sc.space.picture_features import class_names

    names = class_names()
    covered = {thing.name: [names[n] for n in thing.classes] for thing in all_things()}
    assert "tabby" in covered["cat"] and "espresso" in covered["coffee"] and "missile" in covered["rocket"]
    assert len(covered["dog"]) == 118 and {"beagle", "pug"} <= set(covered["dog"])
    assert len(things_of(None)) == len(set(things_of(None)))
    assert thing_statement("dogs") == "Dogs." and thing_statement("two cats") == "Two cats."


def test_captions_tell_what_fits_and_what_may_be_asked() -> None:
    captions = [
        ["A brown dog runs on the beach.", "A dog is running along a beach.", "The brown dog runs."],
        ["Two men look at the camera.", "Two men stand in a kitchen.", "Men in a kitchen."],
    ]
    dog, men = tell(captions)
    assert "A dog." in dog.true and "A camera." not in men.true and "People." in men.true
    asked = {a.kind: a.answers[right] for a, right in dog.choices}
    assert asked["colour"] == "brown" and asked["which"] == "dog" and asked["where"] == "on a beach"
    counts = {a.statements[1]: a.answers[right] for a, right in men.choices if a.kind == "count"}
    assert counts["Two people."] == "two"


class Sentences:
    """Stands in for the sentence encoder: a point for each word, summed."""

    def __call__(self, sentences: tuple[str, ...]) -> torch.Tensor:
        rows = []
        for sentence in sentences:
            words = sentence.lower().rstrip(".").split() or ["?"]
            seeds = [zlib.crc32(word.encode()) for word in words if word not in ("a", "an")] or [0]
            parts = [torch.randn(384, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
            rows.append(torch.stack(parts).sum(0))
        return functional.normalize(torch.stack(rows), dim=-1)


class Pictures:
    """Stands in for the picture features: the red of the first pixel is the class."""

    def __call__(self, pictures: list[np.ndarray]) -> torch.Tensor:
        return functional.one_hot(torch.tensor([int(p[0, 0, 0]) for p in pictures]), 256).float()

    def class_scores(self, features: torch.Tensor) -> torch.Tensor:
        return 50 * functional.pad(features, (0, 1000 - 256))


NAMED = ("cat", "rocket", "boat", "horse")


def make_network() -> QuestionNetwork:
    """The judge goes by the class names alone; classes 0 to 3 are `NAMED`."""
    torch.manual_seed(0)
    network = QuestionNetwork(QuestionConfig(in_dim=256))
    points = functional.normalize(torch.randn(1000, 384), dim=-1)
    points[: len(NAMED)] = Sentences()(tuple(f"A {name}." for name in NAMED))
    network.set_classes(points)
    with torch.no_grad():
        network.judge.weight.zero_()
        network.judge.gain.copy_(torch.tensor([0.0, 40.0]))
        network.judge.bias.bias.fill_(-12.0)
        features = torch.eye(256)[torch.arange(200) % 8]
        names = network.names(Pictures().class_scores(features), features)
        noisy = network.points(features + 0.2 * torch.randn(200, 256), names + 0.05 * torch.randn(200, 384))
        network.codec.fit(noisy)
    trust = {kind: (0.3, 0.5, 0.0, -1.0) for kind in TRUSTED}
    network.config = replace(network.config, trust=trust)  # type: ignore[arg-type]
    return network


@pytest.fixture(scope="module")
def codec() -> QuestionCodec:
    made = QuestionCodec(make_network(), 77)
    made.__dict__["sentences"] = Sentences()
    made.__dict__["pictures"] = Pictures()
    return made


def picture(number: int) -> Message:
    return Message("image", np.full((40, 50, 3), number, np.uint8))


def heard(codec: QuestionCodec, number: int, noise_var: float, symbols: int | None = None) -> Received:
    latents = codec.encode(picture(number), get_task("vqa"), Budget(symbols)).latents
    assert latents is not None
    noise = np.random.default_rng(number).normal(size=latents.shape) * np.sqrt(noise_var / 2)
    y = latents + noise
    return Received((y[:, 0] + 1j * y[:, 1]).astype(np.complex64), np.full(len(y), noise_var, np.float32))


def test_one_point_answers_every_question_and_noise_costs_confidence(codec: QuestionCodec) -> None:
    task = get_task("vqa")
    for number, name in enumerate(NAMED):
        clear = heard(codec, number, 1e-3)
        asked = [
            f"Is there a {name}?",
            f"Is there a {NAMED[number - 1]}?",
            "What is this?",
            "A cat or a boat?",
        ]
        yes, no, what, _ = codec.decode_many([clear] * 4, task, list(asked))
        assert (yes.text, no.text, what.text) == ("yes", "no", name)
        drowned = codec.decode(heard(codec, number, 50.0), task, asked[0])
        assert yes.confidence is not None and drowned.confidence is not None
        assert 0 < drowned.confidence < yes.confidence < 1


def test_messages_that_are_read_at_once_are_answered_as_one_by_one(codec: QuestionCodec) -> None:
    task, asked = get_task("vqa"), ["What is this?", "Is there a boat?", None]
    received = [heard(codec, n % 3, 0.1 * (n + 1), (64, 12, 20)[n % 3]) for n in range(9)]
    questions = [asked[n // 3] for n in range(9)]
    together = codec.decode_many(received, task, questions)
    alone = [codec.decode(*pair) for pair in ((r, task, q) for r, q in zip(received, questions, strict=True))]
    assert [one.text for one in together] == [one.text for one in alone]
    assert [one.confidence for one in together] == pytest.approx([one.confidence for one in alone], abs=1e-5)
    assert codec.decode_many([], task, []) == []


def test_the_codec_keeps_to_its_budget_and_refuses_what_it_cannot_carry(codec: QuestionCodec) -> None:
    task = get_task("vqa")
    payload = codec.encode(picture(1), task, Budget())
    assert payload.latents is not None and payload.fingerprint == 77
    assert np.isclose(np.square(payload.latents).sum(1).mean(), 1.0, atol=1e-4)
    assert len(heard(codec, 1, 1e-3, 12).symbols) == 12 and codec.possible_symbols(task)[0] == 64
    assert codec.decode(heard(codec, 1, 1e-3, 12), task, "What is this?").text == "rocket"
    with pytest.raises(ValueError, match="at least 8 symbols; the budget has 3"):
        codec.encode(picture(1), task, Budget(3))
    with pytest.raises(ValueError, match="takes image"):
        codec.encode(Message("text", "A dog."), task, Budget())
    with pytest.raises(ValueError, match="different models"):
        codec.decode(Received(np.zeros(65, np.complex64), np.ones(65, np.float32)), task)
    with pytest.raises(ValueError, match="not finite"):
        codec.decode(Received(np.full(64, np.nan, np.complex64), np.ones(64, np.float32)), task)
    lost = heard(codec, 2, 1e-3)
    lost.symbols[40:], lost.noise_var[40:] = np.nan, np.inf
    assert codec.decode(lost, task, "Is there a boat?").text == "yes"


def test_weights_come_back_and_make_the_fingerprint(tmp_path: Path) -> None:
    network = make_network()
    network.save(tmp_path)
    again = load_questions(tmp_path)
    assert again.fingerprint == load_questions(tmp_path).fingerprint != 0
    assert again.config == network.config
    point, said = functional.normalize(torch.randn(1, 768), dim=-1), Sentences()(("A cat.", "A boat."))
    with torch.inference_mode():
        np.testing.assert_allclose(
            again.network.judge(point, said), network.eval().judge(point, said), atol=0.1
        )
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, "hidden": 64}))
    with pytest.raises(ValueError, match="do not fit"):
        load_questions(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**values, "colour": 1}))
    with pytest.raises(ValueError, match="unknown keys"):
        load_questions(tmp_path)
    with pytest.raises(ValueError, match="judge 'tree' is unknown"):
        QuestionConfig(judge="tree")


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=9))
def test_the_best_statement_is_the_answer(odds: list[float]) -> None:
    ((best, sure),) = answer_odds(torch.tensor([odds]))
    assert odds[best] == pytest.approx(max(odds), abs=1e-5)
    assert sure >= -np.log(len(odds)) - 1e-3 - np.log(1.0 + 1e-9) or sure > -3
    assert answer_odds(torch.tensor([[-2.5], [3.0]])) == [(0, 2.5), (1, 3.0)]


def test_the_judge_is_balanced_over_shared_and_own_statements() -> None:
    judge = make_network().judge.eval()
    torch.nn.init.normal_(judge.weight)
    points, said = torch.randn(3, 768), torch.randn(5, 384)
    with torch.inference_mode():
        shared = judge(points, said)
        torch.testing.assert_close(shared, judge(points, said[None].expand(3, -1, -1)), atol=1e-3, rtol=1e-3)
    assert shared.shape == (3, 5)


def test_ordinary_photographs_are_read_from_packages_and_told_when_missing() -> None:
    missing: list[str] = []
    found = ordinary_photographs(None, missing.append)
    names = {photograph.name for photograph in found}
    assert {"skimage/coffee.png", "skimage/chelsea.png"} <= names
    assert all(photograph.path.is_file() and photograph.questions for photograph in found)
    assert all(name.split("/")[0] in ("kodak", "coco_mini", "sklearn", "matplotlib") for name in missing)
    examples = question_examples(found)
    yes_no = [e.answers[0] for e in examples if e.kind == "yes-no"]
    assert 0.4 < yes_no.count("yes") / len(yes_no) < 0.6  # a constant answer is no better than a coin
    assert names_subject("A hot dog, on a bun.", ("hot dog",)) and not names_subject("A doghouse.", ("dog",))


def test_a_picture_that_another_system_delivered_is_read_as_if_no_noise_had_been(
    codec: QuestionCodec,
) -> None:
    task = get_task("vqa")
    drowned = codec.decode(heard(codec, 2, 50.0), task, "Is there a boat?")
    for number, name in enumerate(NAMED):
        assert codec.read(picture(number), task, "What is this?").text == name
        answer = codec.read(picture(number), task, f"Is there a {name}?")
        clear = codec.decode(heard(codec, number, 1e-9), task, f"Is there a {name}?")
        assert answer.text == "yes" and answer.confidence is not None and drowned.confidence is not None
        assert answer.confidence == pytest.approx(clear.confidence, abs=1e-3)
        assert answer.confidence > drowned.confidence
        assert codec.read(picture(number), task, f"Is there a {NAMED[number - 1]}?").text == "no"
    places = np.stack([codec.place(picture(number), task) for number in range(3)])
    assert np.allclose(places @ places.T, np.eye(3), atol=0.5)  # each nearest to itself
    assert np.allclose(np.linalg.norm(places, axis=1), 1, atol=1e-5)


def test_classify_sends_small_pictures_to_one_codec_and_photographs_to_another(codec: QuestionCodec) -> None:
    class Tokens:
        """Stands in for the language model's codec."""

        def encode(self, message: Message, task: Task, budget: Budget, wording: str | None = None) -> Payload:
            return Payload(task.task_id, "image", 77, np.full((64, 2), 0.5**0.5, np.float32))

        def decode_many(
            self, received: list[Received], task: Task, wordings: list[str | None]
        ) -> list[Answer]:
            return [Answer(f"small {wording}", None, 0.0) for wording in wordings]

        def possible_symbols(self, task: Task) -> tuple[int, ...]:
            return (32, 64, 128)

        def read(self, message: Message, task: Task, wording: str | None = None) -> Answer:
            return Answer(f"read {wording}", None, 0.0)

    both, task = BySizeCodec(Tokens(), codec), get_task("classify")  # type: ignore[arg-type]
    small = Message("image", np.zeros((32, 32, 3), np.uint8))
    large = Message("image", np.full((65, 20, 3), 3, np.uint8))
    sizes = []
    received = []
    for message in (large, small, large):
        latents = both.encode(message, task, Budget()).latents
        assert latents is not None
        sizes.append(len(latents))
        symbols = (latents[:, 0] + 1j * latents[:, 1]).astype(np.complex64)
        received.append(Received(symbols, np.full(len(symbols), 1e-3, np.float32)))
    assert sizes == [48, 64, 48] and set(sizes) <= set(both.possible_symbols(task))
    answers = both.decode_many(received, task, [None, "What is this?", "Classify the image."])
    assert [answer.text for answer in answers] == ["horse", "small What is this?", "horse"]
    read = [both.read(message, task, "What is it?").text for message in (large, small)]
    assert read == ["horse", "read What is it?"]


def test_confidence_of_the_language_model_falls_with_surprise_and_noise(tmp_path: Path) -> None:
    clean, noisy = np.full(8, 0.01), np.array([np.inf] * 4 + [2.0] * 4)
    weights = (0.5, 0.3, -0.2, 0.5)
    sure = probability_right(weights, evidence(-0.01, clean))
    assert sure > probability_right(weights, evidence(-1.5, clean))
    assert sure > probability_right(weights, evidence(-0.01, noisy)) > 0
    assert load_trust(tmp_path) == {}
    add_trust(tmp_path, "digits", (0.0, 0.0, 0.0, 1.0), "before")
    add_trust(tmp_path, "classify", weights, "made up")
    assert json.loads((tmp_path / "trust.json").read_text())["how"] == {
        "classify": "made up",
        "digits": "before",
    }
    assert load_trust(tmp_path)["classify"] == weights
    (tmp_path / "trust.json").write_text('{"weights": {"classify": [1, 2]}}')
    with pytest.raises(ValueError, match="another number"):
        load_trust(tmp_path)
    (tmp_path / "trust.json").write_text("[]")
    with pytest.raises(ValueError, match="holds no weights"):
        load_trust(tmp_path)


def test_calibration_error_is_told_beside_the_score() -> None:
    measure = {one.name: one for one in measures_of("vqa")}["calibration_error"]
    example = question_examples(ordinary_photographs(None))[0]
    yes = replace(example, answers=("yes",))
    said = [Words("yes", confidence=0.75)] * 3 + [Words("no", confidence=0.75)]
    exactly = measure.figure(measure.each(said, [yes] * 4).mean(0))
    assert exactly == pytest.approx(0.0)
    boasting = [Words("no", confidence=0.95), Words("no"), Words("yes", confidence=0.95), None]
    assert measure.figure(measure.each(boasting, [yes] * 4).mean(0)) == pytest.approx((0.95 + 1.0 - 0.05) / 4)


def test_training_learns_what_captions_say_and_balanced_questions_tell(tmp_path: Path) -> None:
    material = small_material()
    rows = torch.arange(len(material))
    asked = questions_on("existence", material, rows, 0)[0]
    for column in asked.rows.unique():
        right = asked.right[asked.rows[:, 0] == column]
        assert right.float().mean() == 0.5  # a question alone does not tell its answer
    assert commonest([asked]) == 0.5
    torch.manual_seed(0)
    network = QuestionNetwork(QuestionConfig(in_dim=2560, hidden=16, symbols=16))
    points = torch.nn.functional.normalize(torch.randn(1000, 384), dim=-1)
    network.set_classes(points)
    plan = QuestionPlan(steps=25, minutes=5, batch=24, learning_rate=3e-3)
    lesson = Lesson(network, material, rows, plan, points)
    before = accuracy(network, material, asked)
    lesson.run(False, lambda text: None)
    lesson.run(True, lambda text: None)
    assert accuracy(network, material, asked) > max(0.8, before)
    network = trusted(network, material, rows, 0)
    assert network.config.trust["existence"] != (1.0, 0.0, 0.0, 0.0)
    with torch.inference_mode():
        near = network.points(
            material.views[0].float(), network.names(material.scores[0].float(), material.views[0].float())
        )
    assert (neighbour_answers(asked, near, material, near) == asked.right).float().mean() >= 0.5


def test_what_people_ask_in_rooms_lowers_trust_there_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SentenceEncoder", Sentences)
    torch.manual_seed(0)
    network = QuestionNetwork(QuestionConfig(in_dim=64, hidden=8)).eval().requires_grad_(False)
    points = functional.normalize(torch.randn(40, 768), dim=-1)
    network.codec.fit(points)
    monkeypatch.setattr(network, "indoors", lambda heard, statement: torch.ones(len(heard)))
    asked = ("How many chairs are there?", "Is there a chair?") * 20
    rooms = PlacedQuestions(points, torch.arange(40), asked, ("17", "yes") * 20)
    generator = torch.Generator().manual_seed(0)
    people = training._people_told(network, rooms, generator, Sentences()((INDOORS,)))
    assert list(people.right) == ["count"] and people.right["count"] == [False] * 80
    told = training._Told()
    for known in people.seen["count"] * 2:  # as sure on captions, outdoors, and right there
        told.add("count", [*known[:2], 0.0, 1.0], True)
    assert len(told.balanced("count", people)[1]) == 160  # of so few nothing is learned
    monkeypatch.setattr(training, "_FEWEST_ASKED", 80)
    seen, right = told.balanced("count", people)
    assert len(right) == 320 and right.mean() == 0.5
    network.config = replace(network.config, trust={**network.config.trust, "count": _four(fit(seen, right))})
    odds, heard = torch.zeros(2, 9), torch.full((2,), 0.9)
    (_, outdoors), (_, room) = network.answers("count", odds, torch.randn(9, 384), heard, torch.eye(2)[1])
    assert room < 0.3 < 0.7 < outdoors


def _four(weights: tuple[float, ...]) -> tuple[float, float, float, float]:
    judge, share, known, one = weights
    return judge, share, known, one


@pytest.mark.parametrize(("said", "meant"), [("3", "three"), ("17", "17"), ("red", "red")])
def test_people_write_numbers_in_digits(said: str, meant: str) -> None:
    assert training._in_words(said) == meant


@pytest.mark.parametrize(
    ("count", "asked", "times"), [(48, 1920, 40), (700, 3000, 5), (5000, 3000, 1), (0, 0, 0)]
)
def test_few_questions_are_asked_through_many_channels(count: int, asked: int, times: int) -> None:
    places = asked_often(count, torch.Generator().manual_seed(0))
    often = torch.bincount(places, minlength=count)
    assert len(places) == asked and int(often.sum()) == asked
    assert not count or (int(often.max()) == times and int(often.min()) >= times - 1)


def test_made_up_pictures_show_what_class_and_detector_name() -> None:
    things, generator = things_of(None), torch.Generator().manual_seed(0)
    members = class_members(things)
    network = QuestionNetwork(QuestionConfig(in_dim=2560 + FEATURES, things=True, hidden=4))
    network.set_things(Sentences()([f"A {name}." for name in THINGS]), torch.ones(len(THINGS)))
    photographs = torch.randn(60, 2560 + FEATURES, generator=generator)
    photographs[:, 2560 : 2560 + len(THINGS)] -= 4.0  # nothing is seen on most
    photographs[torch.arange(60), 2560 + torch.arange(60) % 2] = 2.0  # but a person or a bicycle
    made = photographs[torch.randint(60, (2, 1000), generator=generator)]
    by_class, by_kind = made_up_things(made, members, photographs, torch.zeros(1000, 384), network, generator)
    assert by_class.features.shape == made.shape and by_kind.features.shape[1:] == (80, 2560 + FEATURES)
    odds = by_kind.features[..., 2560 : 2560 + len(THINGS)]
    assert (odds.diagonal(dim1=1, dim2=2) > 1.0).all()  # of every kind, those that no photograph shows too
    assert (odds.argmax(2) == torch.arange(80)).float().mean() > 0.5  # or what the photograph shows
    names = [things[int(row.int().argmax())] for row in by_kind.members]
    assert by_kind.members.sum(1).tolist() == [1] * 80
    assert names[THINGS.index("zebra")] == "zebra" and names[THINGS.index("tv")] == "television"
    zebra = 340  # of ImageNet's classes
    before, after = made[:, zebra], by_class.features[:, zebra]
    seen = after[:, 2560 + THINGS.index("zebra")] > before[:, 2560 + THINGS.index("zebra")] + 1
    unknown = 0  # a tench is no kind of the detector's
    assert seen.any() and torch.equal(made[:, unknown], by_class.features[:, unknown])


def accuracy(network: QuestionNetwork, material: LearnedFrom, asked: Questions) -> float:
    network.eval()
    with torch.inference_mode():
        points = network.points(
            material.views[0].float(), network.names(material.scores[0].float(), material.views[0].float())
        )
        odds = network.judge(points[asked.picture], asked.statements)
    return float((answers_of(odds) == asked.right).float().mean())


def small_material() -> LearnedFrom:
    """Forty photographs of four things, whose features are the thing's and noise."""
    generator = torch.Generator().manual_seed(0)
    things = ("dog", "horse", "boat", "car")
    captions = [[f"A {things[n % 4]} stands on a street."] * 5 for n in range(40)]
    told = tell(captions)
    statements = material_module._statements(told)
    place = {statement: row for row, statement in enumerate(statements)}
    centres = torch.randn(4, 2560, generator=generator).abs()
    views = torch.stack(
        [(centres.repeat(10, 1) + 0.3 * torch.randn(40, 2560, generator=generator)).half() for _ in range(2)]
    )
    said = Sentences()(tuple(captions[n][0] for n in range(40)))
    return LearnedFrom(
        views,
        torch.zeros(2, 40, 1000, dtype=torch.float16),
        said[:, None].expand(-1, 5, -1),
        Sentences()(tuple(statements)),
        tuple(statements),
        material_module._fits(told, statements, place),
        material_module._choices(told, place),
        torch.zeros(0, 2560, dtype=torch.float16),
        torch.zeros(0, 1000, dtype=torch.float16),
        torch.zeros(0, dtype=torch.long),
        torch.tensor([place[thing_statement(name)] for name in things_of(None)]),
    )


def test_knowing_the_instruction_leaves_room_for_the_detail_alone() -> None:
    """Four cells of one of four classes each, and one symbol: only what is asked fits."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (200, 4), generator=generator)
    cells = functional.one_hot(labels, 4).float() * 2 + 0.1 * torch.randn(200, 4, 4, generator=generator)
    asked = functional.normalize(torch.randn(4, 2, 384, generator=generator), dim=-1)
    lesson = DetailLesson(cells, asked, labels)
    right = {}
    for instructed in (True, False):
        torch.manual_seed(0)
        path = DetailPath(DetailConfig(instructed, 4, cells=4, answers=4, symbols=2, parts=4, width=16))
        train_path(path, lesson, 120, 1.0)
        symbols = path.encode(cells[:3], asked[:3, 0])
        assert symbols.shape == (3, 2, 2)
        torch.testing.assert_close(symbols.square().sum((1, 2)), torch.full((3,), 2.0))
        right[instructed] = share_right(path, lesson, 15.0)
        if instructed:
            foreign = share_right(path, lesson, 15.0, torch.zeros(384))
    assert right[True] > right[False] + 0.1 and right[True] > foreign + 0.2


def _points(network: QuestionNetwork, material: LearnedFrom) -> torch.Tensor:
    features = material.views[0].float()
    return network.points(features, network.names(material.scores[0].float(), features))
