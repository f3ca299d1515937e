"""Questions for what is beside, on or in something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from m4sc.questions import placed_training
from m4sc.questions.network import TRUSTED, QuestionConfig, QuestionNetwork
from m4sc.questions.placed import all_names, asks_what_is_placed, placed_in
from m4sc.questions.placed_training import PlacedQuestions, PlacedStage, captioned, room_split, with_placed
from m4sc.questions.statements import ask
from m4sc.questions.vocabulary import things_of
from test_questions import Sentences
from torch.nn import functional


@pytest.mark.parametrize(
    ("question", "placed"),
    [
        ("What is on the left side of the bed?", True),
        ("What's behind the chair?", True),
        ("What is the object in front of the wall?", True),
        ("Which objects are found on the table?", True),
        ("What is on the left of the bed?", True),
        ("What is at the top left?", False),
        ("What's on the right-hand side of the picture?", False),
        ("Which object is in the middle?", False),
        ("What is in the picture?", False),
        ("What is this?", False),
        ("What animal is on the bed?", False),
        ("What colour is the chair near the wall?", False),
        ("How many chairs are near the table?", False),
        ("Is there a dog on the bed?", False),
        ("Where is the dog?", False),
    ],
)
def test_what_is_asked_of_a_place_is_told_from_other_questions(question: str, placed: bool) -> None:
    names = ("lamp", "dog")
    asked = ask(question, names)
    assert (asked.kind == "placed") == placed
    assert (asked.answers == names) == placed
    assert ask(question).kind != "placed"  # weights that know no names answer as before


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    assert asks_what_is_placed(text) in (True, False)
    found = placed_in(text)
    assert found is None or asks_what_is_placed(found[0].lower().strip(" ?"))


@pytest.mark.parametrize(
    ("caption", "told"),
    [
        ("A dog sleeps on a red couch.", ("What is on the red couch?", "dog")),
        ("A man sits in front of a stony wall in a city.", ("What is in front of the stony wall?", "man")),
        ("A dog runs through the grass.", None),
        ("A man in a red shirt.", None),  # what he wears is no place
        ("A brown dog looks at the camera.", None),
        ("", None),
    ],
)
def test_captions_tell_what_is_placed_where(caption: str, told: tuple[str, str] | None) -> None:
    assert placed_in(caption) == told


def made_up(count: int, seed: int) -> PlacedQuestions:
    """Two kinds of room, two places in each; what stands there depends on both."""
    generator = torch.Generator().manual_seed(seed)
    rooms = torch.nn.functional.normalize(
        torch.randn(2, 768, generator=torch.Generator().manual_seed(1)), dim=-1
    )
    kind = torch.arange(count) % 2
    points = functional.normalize(rooms[kind] + 0.01 * torch.randn(count, 768, generator=generator), dim=-1)
    table = {0: ("lamp", "pillow"), 1: ("sink", "towel")}
    asked, answers, picture = [], [], []
    for row, room in enumerate(kind.tolist()):
        for place, where in enumerate(("table", "floor")):
            asked.append(f"What is on the {where}?")
            answers.append(table[room][place])
            picture.append(row)
    return PlacedQuestions(points, torch.tensor(picture), tuple(asked), tuple(answers))


def test_names_are_learned_from_picture_and_question_and_trusted_on_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(placed_training, "SentenceEncoder", Sentences)
    torch.manual_seed(0)
    network = QuestionNetwork(QuestionConfig(in_dim=64, hidden=8)).eval().requires_grad_(False)
    questions = made_up(60, 0)
    network.codec.fit(questions.points)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    learned = with_placed(network, [questions], [made_up(20, 5)], PlacedStage(steps=150, batch=64))
    assert learned.config.placed == all_names(("lamp", "pillow", "sink", "towel"))
    assert set(things_of(None)) <= set(learned.config.placed)
    assert all(torch.equal(learned.state_dict()[name], value) for name, value in before.items())
    new = made_up(20, 9)
    assert placed_right(learned, new, new.points) > 0.9
    swapped = new.points.roll(1, 0)  # the other kind of room
    assert placed_right(learned, new, swapped) < 0.1
    assert learned.config.trust["placed"] != network.config.trust["placed"]
    learned.save(tmp_path)
    assert placed_right(QuestionNetwork.load(tmp_path), new, new.points) > 0.9


def placed_right(network: QuestionNetwork, questions: PlacedQuestions, points: torch.Tensor) -> float:
    assert network.placed is not None
    statements = Sentences()(ask("What is on the bed?", network.config.placed).statements)
    hits = []
    for row, question, answer in zip(
        questions.picture.tolist(), questions.asked, questions.answers, strict=True
    ):
        point = points[row][None]
        odds = network.placed(Sentences()((question,)), point, statements, network.judge(point, statements))
        hits.append(network.config.placed[int(odds.argmax())] == answer)
    return sum(hits) / len(hits)


def test_trust_is_fitted_on_other_pictures_than_names_are_learned_from() -> None:
    questions = made_up(30, 0)
    learn, validate = room_split(questions)
    assert not set(learn.picture.tolist()) & set(validate.picture.tolist())
    assert len(learn.asked) + len(validate.asked) == len(questions.asked)
    told = captioned(torch.zeros(2, 768), [("A dog is on a bed.", "A dog is on a bed."), ("A dog.",)])
    assert (
        told.asked == ("What is on the bed?",) and told.answers == ("dog",) and told.picture.tolist() == [0]
    )


def test_a_configuration_of_no_names_is_told() -> None:
    assert "placed" in TRUSTED
    config = replace(QuestionConfig(), placed=("lamp", "sink"))
    assert QuestionConfig.from_json(config.to_json()) == config
    for wrong in ('"lamp"', '["lamp", ""]', "[1]"):
        text = config.to_json().replace('[\n  "lamp",\n  "sink"\n ]', wrong)
        assert text != config.to_json()
        with pytest.raises(ValueError, match="no list of names"):
            QuestionConfig.from_json(text)
