"""Questions made from captions, and environmental sounds: right answers, balance, strict splits."""

import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from m4sc.data import augment, caption_questions, coco_text, esc50, mosaic
from m4sc.data.caption_facts import find_facts, place_answers
from m4sc.data.example import Example
from m4sc.tasks import TASKS


def captioned(name: str, *captions: str) -> Example:
    return Example(name, "image", "caption", "?", captions, "", np.zeros((8, 8, 3), np.uint8), name)


def test_facts_are_what_the_words_say() -> None:
    facts = find_facts(
        [
            "Two black and white dogs run in the tall grass.",
            "A man with a red hat stands near a grey bus.",
            "The man holds a teddy bear; people watch.",
        ]
    )
    assert facts.mentions == {"dog": 1, "grass": 1, "man": 2, "hat": 1, "bus": 1}
    assert facts.colours == {"dog": {"black and white"}, "hat": {"red"}, "bus": {"gray"}}
    assert facts.counts["dog"] == {"two"} and facts.counts["man"] == {"one"}
    assert facts.vague == {"person"}
    assert facts.places == {"dog": ["in the tall grass"]}  # before the bus stands a hat beside the man
    assert place_answers(["in the tall grass"]) == ("in the tall grass", "the tall grass")


def test_two_single_things_are_no_single_one() -> None:
    assert find_facts(["A black dog and a brown dog play."]).counts["dog"] == {"one", "several"}
    assert find_facts(["A man puts on his pants and rides past some sheep."]).counts == {"man": {"one"}}


def test_picture_questions_are_true_and_the_words_alone_tell_nothing() -> None:
    dogs = [captioned(f"d{i}", "A brown dog runs.", "The dog is on the beach.") for i in range(12)]
    cats = [captioned(f"c{i}", "A white cat sleeps.", "Two cats on a bed.") for i in range(8)]
    examples = caption_questions.picture_questions(dogs + cats, per_picture=9, seed=4)
    yes_no = Counter((e.instruction.count("dog"), e.answers[0]) for e in examples if "existence" in e.kind)
    assert yes_no[1, "yes"] == yes_no[1, "no"] > 0 and yes_no[0, "yes"] == yes_no[0, "no"] > 0
    for example in examples:
        own, other = ("dog", "cat") if example.media_id.startswith("d") else ("cat", "dog")
        wanted = {
            "captions-existence": "yes" if own in example.instruction else "no",
            "captions-colour": "brown" if own == "dog" else "white",
            "captions-count": "one",
            "captions-animal": own,
        }[example.kind]
        assert example.answers == (wanted,) and example.task == "vqa"
        assert example.kind == "captions-existence" or other not in example.instruction
    again = caption_questions.picture_questions(dogs + cats, per_picture=9, seed=4)
    assert [e.instruction for e in again] == [e.instruction for e in examples]


def test_what_a_vague_word_leaves_open_is_not_denied() -> None:
    crowd = [captioned(f"p{i}", "People stand here.", "Some people.") for i in range(6)]
    women = [captioned(f"w{i}", "A woman stands here.", "The woman waits.") for i in range(6)]
    examples = caption_questions.picture_questions(crowd + women, seed=1)
    assert not [e for e in examples if e.media_id.startswith("p")]


def test_singles_do_not_make_the_answer_one_a_safe_guess() -> None:
    ones = [captioned(f"a{i}", "A dog runs.", "A dog.") for i in range(60)]
    twos = [captioned(f"b{i}", "Two dogs run.", "Two dogs.") for i in range(15)]
    examples = caption_questions.picture_questions(ones + twos, seed=1)
    counts = Counter(e.answers[0] for e in examples if e.kind == "captions-count")
    assert counts["two"] == 15 and 4 <= counts["one"] <= 28


def test_heldout_wordings_are_none_of_the_seen() -> None:
    for kind in caption_questions.QUESTION_KINDS:
        seen, held = (set(caption_questions.WORDINGS[w][kind]) for w in ("seen", "heldout"))
        assert held and not seen & held


def test_every_task_has_wordings_to_learn_and_others_to_be_tested_with() -> None:
    for task in TASKS.values():
        assert not set(task.instructions) & set(task.held_out)
        if not task.needs_question:  # of the others the questions themselves are worded in many ways
            assert task.held_out, task.name
        if task.name not in ("reconstruct", "spoken-question") and not task.needs_question:
            assert len(task.instructions) >= 8, task.name
    for kind in mosaic.KINDS:
        assert len(mosaic.SEEN[kind]) >= 6 and not set(mosaic.SEEN[kind]) & set(mosaic.HELDOUT[kind])


def test_text_questions_ask_about_the_sentences_shown() -> None:
    captions = {
        i: ("A red bus drives on a street.", "Three men wait.", "A dog sits in the grass.", "Nobody is here.")
        if i % 2
        else ("A white cat sleeps on a bed.", "It is late.", "A lamp burns.")
        for i in range(24)
    }
    examples = coco_text.text_question_examples(captions, seed=2)
    assert {e.kind for e in examples} >= {"text-existence", "text-colour", "text-where", "text-animal"}
    for example in examples:
        text = str(example.load()).lower()
        assert example.modality == "text" and text.count(".") >= 3
        if example.kind in ("text-colour", "text-where"):
            assert example.answers[0] in text
        if example.kind == "text-animal":
            assert example.answers in (("dog",), ("cat",)) and example.answers[0] in text


def test_copies_of_a_picture_ask_about_one_crop() -> None:
    picture = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)
    asked = [
        Example(f"q{i}", "image", "vqa", q, ("yes",), "", picture, "pic")
        for i, q in enumerate(["Is it red?", "What is left of the door?"])
    ]
    first, second, *others = augment.asked_copies(asked, 2, seed=5)
    assert first.media_id == second.media_id and np.array_equal(first.load(), second.load())
    assert {e.media_id for e in others} == {"copy1-5-pic"} and not first.source.mirror


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    (tmp_path / "esc50_part").mkdir()
    rows = ["file,fold,target,category,clip_id"]
    with zipfile.ZipFile(tmp_path / "esc50_part" / "clips.zip", "w") as archive:
        for i in range(40):
            for letter in "AB":
                buffer = io.BytesIO()
                tone = np.sin(np.arange(8000) * 0.05).astype(np.float32) / 2
                soundfile.write(buffer, tone, 16_000, format="OGG")
                archive.writestr(f"4-{i}-{letter}-0.ogg", buffer.getvalue())
                rows.append(f"4-{i}-{letter}-0.ogg,4,0,{'car_horn' if i % 2 else 'dog'},{i}")
    (tmp_path / "esc50_part" / "meta.csv").write_text("\n".join(rows))
    return tmp_path


def test_sounds_of_one_recording_stay_on_one_side(sounds: Path) -> None:
    train, test = (esc50.sound_examples(sounds, split) for split in ("train", "test"))
    recordings = [{e.id.split("-")[2] for e in side} for side in (train, test)]
    assert len(train) + len(test) == 80 and not recordings[0] & recordings[1]
    assert 2 <= len(recordings[1]) <= 16
    assert {e.answers[0] for e in train} == {"dog", "car horn"}
    assert np.asarray(test[0].load()).shape == (8000,)
    with pytest.raises(ValueError, match="none of train, test"):
        esc50.sound_examples(sounds, "dev")
    with pytest.raises(FileNotFoundError, match="ESC-50"):
        esc50.sound_examples(sounds / "nowhere", "train")


def test_altered_sounds_repeat_exactly_and_differ(sounds: Path) -> None:
    original = esc50.sound_examples(sounds, "train")[0]
    copies = esc50.altered_copies([original], 3, seed=7)
    assert len({copy.media_id for copy in copies} | {original.media_id}) == 4
    loaded = [np.asarray(copy.load()) for copy in copies]
    assert all(np.array_equal(x, copy.load()) for x, copy in zip(loaded, copies, strict=True))
    assert not np.allclose(loaded[0], loaded[1]) and all(np.max(np.abs(x)) <= 1 for x in loaded)
