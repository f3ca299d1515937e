"""What a transmitter and a receiver of the space must agree on, weights and knowledge aside."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import partial

from m4sc.json_fields import from_json, from_object
from m4sc.space.channel_codec import SpaceCodecConfig
from m4sc.space.confidence import EVIDENCE
from m4sc.space.projector import ProjectorConfig

PICTURE_DIM = 2560  # without things
ANY_STYLE, NEAR_STYLE = "any", "near"
_MOST_MEMBERS = 16
_MOST_HIDDEN = 1 << 16


@dataclass(frozen=True)
class SpeakingConfig:
    """How a receiver turns a point into a sentence.

    Attributes:
        neighbours: sentences of the knowledge base, nearest first, that are candidates and vote.
        sharpness: their votes are the softmax of cosine times this.
        nearness: weight of a known sentence's cosine to the point beside the votes.
        beams: of each speaker's search, in each style.
        style: of the speaker, by its name; "any" for all of them alike; "near" for each as probably as the
            point is one of its source's pictures.
        accord: weight of a sentence's agreement with the speaker's others beside its cosine to the point.
        likelihood: weight of the logarithm of how probably the speakers say it, over words**0.7, as far as
            the point is probably of the first style's source, whose pictures they have learned from.
        repeats: what is taken off a sentence that says something twice.
        compared: the best sentences by all this, whose cosines to the point are asked for: the sentence
            encoder is the slowest part of a receiver.
        margin: the speaker's sentence is said unless its cosine to the point falls short of the known
            sentence's by more than this over the point's quality: what the speaker has no words for, the
            knowledge base may have.
    """

    neighbours: int = 60
    sharpness: float = 20.0
    nearness: float = 0.2
    beams: int = 10
    style: str = NEAR_STYLE
    accord: float = 1.0
    likelihood: float = 0.3
    repeats: float = 0.3
    compared: int = 8
    margin: float = 0.15

    def __post_init__(self) -> None:
        if min(self.neighbours, self.beams, self.compared) < 1:
            raise ValueError("a receiver needs at least one neighbour, one beam and one sentence to compare")


@dataclass(frozen=True)
class WordSpeakerShape:
    """Shape of the word speaker; its vocabulary lies in a file of its own."""

    styles: tuple[str, ...] = ("flickr", "coco")
    width: int = 192
    hidden: int = 320
    most_words: int = 18


@dataclass(frozen=True)
class SpaceConfig:
    """Everything but weights, vocabulary and knowledge base.

    Attributes:
        vision, sentences: backbones' names.
        things: what a detector of everyday things sees goes into the projector too.
        projector, codec, speaker: shapes.
        speaking: how the receiver chooses its words.
        second: another speaker speaks too, in the last style alone: one that learned to see where nobody is.
        members: projectors: the first learns from captioned photographs, others from class prototypes too.
        naming: weight of the class names that the backbone's own head gives beside the projector's point.
        seeing: weight of what the detector sees.
        expecting: weight, beside the projector's point, of what a picture's captions probably mean
            (:mod:`m4sc.space.expectation`) in what is sent of it; 0 sends the picture's point.
        expecting_hidden: units of the network that foretells it.
        symbols: complex symbols of a message, unless asked otherwise.
        confidence: coefficients of the logistic regression from what a receiver sees to the chance that its
            caption is right (:mod:`m4sc.space.confidence`).
    """

    vision: str = "efficientnet-lite2"
    sentences: str = "minilm"
    things: bool = False
    projector: ProjectorConfig = field(default_factory=lambda: ProjectorConfig(PICTURE_DIM, dropout=0.5))
    codec: SpaceCodecConfig = field(default_factory=SpaceCodecConfig)
    speaker: WordSpeakerShape = field(default_factory=WordSpeakerShape)
    speaking: SpeakingConfig = field(default_factory=SpeakingConfig)
    second: bool = False
    members: int = 2
    naming: float = 0.35
    seeing: float = 0.6
    expecting: float = 0.0
    expecting_hidden: int = 384
    symbols: int = 128
    confidence: tuple[float, ...] = (0.0,) * EVIDENCE

    def __post_init__(self) -> None:
        known = (ANY_STYLE, NEAR_STYLE, *self.speaker.styles)
        if self.speaking.style not in known:
            raise ValueError(f"style is '{self.speaking.style}'; give one of {', '.join(known)}")
        if len(self.confidence) != EVIDENCE:
            raise ValueError(f"confidence has {len(self.confidence)} coefficients; give {EVIDENCE}")
        if not 1 <= self.members <= _MOST_MEMBERS:
            raise ValueError(f"members is {self.members}; give 1 to {_MOST_MEMBERS}")
        if self.expecting < 0 or not 1 <= self.expecting_hidden <= _MOST_HIDDEN:
            raise ValueError(
                f"expecting is {self.expecting:g} with {self.expecting_hidden} units; give a weight from 0 "
                f"and 1 to {_MOST_HIDDEN} units"
            )

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SpaceConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        parts = {
            "projector": ProjectorConfig,
            "codec": SpaceCodecConfig,
            "speaker": WordSpeakerShape,
            "speaking": SpeakingConfig,
        }
        what = "the space's configuration"
        special = {key: partial(from_object, kind, what=f"{key} of {what}") for key, kind in parts.items()}
        return from_json(cls, text, what, special)
