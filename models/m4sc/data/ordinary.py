"""Ordinary photographs that nobody made a data set of, with questions written by looking at them.

The list is data of this project (`photographs.json`); the photographs come with installed packages or lie in
the folder of data sets. Nothing is trained or chosen on them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources, util
from pathlib import Path

from m4sc.data.example import Example, ImageFile

_PACKAGES = {
    "skimage": "data",
    "sklearn": "datasets/images",
    "matplotlib": "mpl-data/sample_data",
}
_FOLDERS = {"kodak": "kodak", "coco_mini": "coco_mini/images"}


@dataclass(frozen=True)
class Photograph:
    """One photograph.

    Attributes:
        name: source and file.
        path: of the picture.
        subject: words of which a caption that names the subject has one.
        questions: each with its accepted answers.
    """

    name: str
    path: Path
    subject: tuple[str, ...]
    questions: tuple[tuple[str, tuple[str, ...]], ...]


def ordinary_photographs(
    data: Path | None, missing: Callable[[str], None] = lambda name: None
) -> list[Photograph]:
    """The photographs of the list that are at hand.

    Args:
        data: folder of the data sets; None for those of packages alone.
        missing: told the name of each that is not.
    """
    text = resources.files("m4sc.data").joinpath("photographs.json").read_text(encoding="utf-8")
    found = []
    for entry in json.loads(text)["photographs"]:
        name = f"{entry['source']}/{entry['file']}"
        folder = _folder(entry["source"], data)
        if folder is None or not (folder / entry["file"]).is_file():
            missing(name)
            continue
        asked = tuple((one["question"], tuple(one["answers"])) for one in entry["questions"])
        found.append(Photograph(name, folder / entry["file"], tuple(entry["subject"]), asked))
    return found


def question_examples(photographs: list[Photograph]) -> list[Example]:
    """`vqa` examples of all their questions; their kind is "yes-no" or "open"."""
    return [
        Example(
            id=f"{photograph.name}-q{number}",
            modality="image",
            task="vqa",
            instruction=question,
            answers=answers,
            kind="yes-no" if set(answers) <= {"yes", "no"} else "open",
            source=ImageFile(photograph.path),
            media_id=photograph.name,
        )
        for photograph in photographs
        for number, (question, answers) in enumerate(photograph.questions)
    ]


def subject_examples(photographs: list[Photograph], task: str, instruction: str) -> list[Example]:
    """Examples of a task whose answer should name the subject; the answers are the accepted words."""
    return [
        Example(
            id=f"{photograph.name}-{task}",
            modality="image",
            task=task,
            instruction=instruction,
            answers=photograph.subject,
            kind="subject",
            source=ImageFile(photograph.path),
            media_id=photograph.name,
        )
        for photograph in photographs
    ]


def names_subject(said: str, subject: tuple[str, ...]) -> bool:
    """Whether a sentence has one of the subject's words."""
    words = f" {' '.join(''.join(c if c.isalnum() else ' ' for c in said.lower()).split())} "
    return any(f" {word.lower()} " in words for word in subject)


def _folder(source: str, data: Path | None) -> Path | None:
    if source in _FOLDERS:
        return None if data is None else data / _FOLDERS[source]
    spec = util.find_spec(source)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / _PACKAGES[source]
