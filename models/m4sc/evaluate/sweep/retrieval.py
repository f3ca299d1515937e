"""The rival that remembers the training split; its number of neighbours is chosen on validation examples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.codecs.rivals.nearest import Known, Nearest, most_votes
from m4sc.data.example import Example
from m4sc.evaluate.measures import measures_of
from m4sc.evaluate.sweep.ground import Ground
from m4sc.evaluate.sweep.training_sets import training_pool
from m4sc.message import Message
from m4sc.questions.statements import ask
from m4sc.space.consensus import Rarity, agreement
from m4sc.tasks import Task, get_task

NEIGHBOURS = (1, 5, 25, 50, 100)
_SHARPNESS = 20.0  # of a neighbour's vote for a caption, in its cosine
_PROBES, _STILL = 16, 1e-3
"""Messages that are placed anew to tell whether kept places hold, and how far a coordinate may be off."""
_PLACED_AS = {"vqa": "caption"}
"""Tasks whose messages lie where those of another do: photographs, with what is seen in them."""


def nearest(ground: Ground, task: str) -> tuple[Nearest, str]:
    """The retriever of a task, and what was chosen in words.

    Raises:
        ValueError: there is no training split.
        FileNotFoundError: a data set is missing.
    """
    if ground.place is None:
        raise ValueError("retrieval needs the folder of the data sets")
    pool = training_pool(task, ground.place.data, ground.seed, every_question=True)
    look = _look(ground.model, task)
    places = _places(pool, look, task, ground.place.cache)
    chosen = list(ground.training)[: ground.validation]
    tested = {example.media_id for example in chosen}
    measure = measures_of(task)[0]
    without = _remember(pool, places, task, leave_out=tested)
    scores = []
    for count in NEIGHBOURS:
        rival = Nearest(look, without, count, _key(task), _vote(without, task))
        said = [rival.at(places[example.media_id], example.instruction) for example in chosen]
        scores.append(float(measure.figure(np.asarray(measure.each(said, chosen)).mean(0))))
    best = NEIGHBOURS[int(np.argmax(scores))]
    known = _remember(pool, places, task)
    words = f"{best} neighbours (of {NEIGHBOURS}, by {len(chosen)} validation examples)"
    return Nearest(look, known, best, _key(task), _vote(known, task)), words


def _look(model: Any, task: str) -> Any:
    placed = get_task(_PLACED_AS.get(task, task))
    return lambda message, _task: model.place(message, placed)


def _key(task: str) -> Any:
    """What makes two questions the same: of pictures what they ask, of other tasks nothing differs."""
    return _statements if get_task(task).needs_question else lambda question: ""


def _statements(question: str) -> object:
    return ask(question).statements


def _vote(known: Known, task: str) -> Any:
    """How neighbours agree on an answer: the commonest one, of captions the one most like the others."""
    if get_task(task).scorer != "cider":
        return most_votes
    rarity = Rarity.of(known.answers)

    def consensus(captions: Sequence[str], near: np.ndarray) -> str:
        votes = np.exp(_SHARPNESS * (near - near.max()))
        return captions[int(np.argmax(agreement(captions, rarity) @ votes))]

    return consensus


def _remember(
    pool: Sequence[Example], places: dict[str, np.ndarray], task: str, leave_out: Collection[str] = ()
) -> Known:
    kept = [example for example in pool if example.media_id not in leave_out]
    row = {name: number for number, name in enumerate(dict.fromkeys(e.media_id for e in kept))}
    every = get_task(task).scorer == "cider"  # each of a picture's captions may be said
    said = [(e, answer) for e in kept for answer in (e.answers if every else e.answers[:1])]
    key = _key(task)
    keys = {question: key(question) for question in {e.instruction for e in kept}}
    return Known(
        np.stack([places[name] for name in row]),
        np.array([row[e.media_id] for e, _ in said]),
        tuple(answer for _, answer in said),
        tuple(keys[e.instruction] for e, _ in said),
    )


def _places(pool: Sequence[Example], look: Any, task: str, cache: Path) -> dict[str, np.ndarray]:
    """Places of all messages, kept in a file of `cache` that grows while they are made.

    What is kept holds as long as a few of the messages still lie where they did: weights that have nothing to
    do with it may change.
    """
    messages = {example.media_id: example for example in pool}
    entry: Task = get_task(task)
    names = list(messages)

    def place(name: str) -> np.ndarray:
        example = messages[name]
        return np.asarray(look(Message(example.modality, example.load()), entry), np.float32)

    mark = f"{_PLACED_AS.get(task, task)}-{len(messages)}"
    digest = hashlib.sha256("\n".join([mark, *messages]).encode()).hexdigest()[:16]
    path = cache / f"places-{digest}.npy"
    found = _kept(path, names, place)
    for number in range(len(found), len(names)):
        found.append(place(names[number]))
        if len(found) % 500 == 0 or len(found) == len(names):
            _keep(np.stack(found), path)
    return dict(zip(names, found, strict=True))


def _kept(path: Path, names: Sequence[str], place: Callable[[str], np.ndarray]) -> list[np.ndarray]:
    """The first places that a file holds; none where messages lie elsewhere by now."""
    if not path.exists():
        return []
    found = list(np.load(path))[: len(names)]
    for number in np.linspace(0, len(found) - 1, min(_PROBES, len(found))).astype(int):
        now = place(names[number])
        if now.shape != found[number].shape or np.abs(now - found[number]).max() > _STILL:
            return []
    return found


def _keep(places: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    spare = path.with_suffix(".tmp.npy")
    np.save(spare, places)
    spare.replace(path)
