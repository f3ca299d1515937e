"""What sounds are called, in several wordings each: the sentences that sounds are trained to meet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from m4sc.space.sentence_encoder import SentenceEncoder

WORDINGS = ("{}", "the sound of {}", "a recording of {}", "one can hear {}", "it sounds like {}")

# Said in full, what the short names of ESC-50's and UrbanSound8K's classes stand for.
IN_FULL = {
    "air conditioner": "an air conditioner humming",
    "airplane": "an airplane flying over",
    "breathing": "someone breathing",
    "brushing teeth": "someone brushing their teeth",
    "can opening": "a drinks can being opened",
    "car horn": "a car blowing its horn",
    "cat": "a cat meowing",
    "chainsaw": "a chainsaw running",
    "children playing": "children playing outdoors",
    "chirping birds": "birds chirping",
    "church bells": "church bells ringing",
    "clapping": "people clapping",
    "clock alarm": "an alarm clock ringing",
    "clock tick": "a clock ticking",
    "coughing": "someone coughing",
    "cow": "a cow mooing",
    "crackling fire": "a fire crackling",
    "crickets": "crickets chirping",
    "crow": "a crow cawing",
    "crying baby": "a baby crying",
    "dog": "a dog barking",
    "dog bark": "a dog barking in the street",
    "door wood creaks": "a wooden door creaking",
    "door wood knock": "knocking on a wooden door",
    "drilling": "a drill drilling",
    "drinking sipping": "someone sipping a drink",
    "engine": "an engine running",
    "engine idling": "a vehicle's engine idling",
    "fireworks": "fireworks going off",
    "footsteps": "footsteps of someone walking",
    "frog": "a frog croaking",
    "glass breaking": "glass breaking",
    "gun shot": "a gun being fired",
    "hand saw": "someone sawing wood with a hand saw",
    "helicopter": "a helicopter flying",
    "hen": "a hen clucking",
    "insects": "insects buzzing",
    "jackhammer": "a jackhammer breaking the road",
    "keyboard typing": "someone typing on a keyboard",
    "laughing": "someone laughing",
    "mouse click": "a computer mouse clicking",
    "pig": "a pig grunting",
    "pouring water": "water being poured",
    "rain": "rain falling",
    "rooster": "a rooster crowing",
    "sea waves": "waves of the sea",
    "sheep": "a sheep bleating",
    "siren": "a siren wailing",
    "sneezing": "someone sneezing",
    "snoring": "someone snoring",
    "street music": "music played in the street",
    "thunderstorm": "thunder in a storm",
    "toilet flush": "a toilet being flushed",
    "train": "a train passing",
    "vacuum cleaner": "a vacuum cleaner running",
    "washing machine": "a washing machine running",
    "water drops": "drops of water falling",
    "wind": "the wind blowing",
}


def sentences_of(name: str) -> tuple[str, ...]:
    """Wordings of one name; what it stands for in full comes with the same frames where that is known."""
    full = IN_FULL.get(name)
    return tuple(frame.format(said) for said in (name, full or name) for frame in WORDINGS)


def sentence_points(names: Sequence[str], encoder: SentenceEncoder) -> Tensor:
    """Unit vectors of every wording of every name, float32 (names, wordings, dim)."""
    sentences = [sentences_of(name) for name in names]
    flat = encoder([sentence for group in sentences for sentence in group])
    return flat.reshape(len(names), -1, flat.shape[-1])


def middles(wordings: Tensor) -> Tensor:
    """Middle of each name's wordings: float (names, wordings, dim) to unit vectors, float (names, dim)."""
    return functional.normalize(wordings.mean(1), dim=-1)


def name_points(names: Sequence[str], encoder: SentenceEncoder) -> Tensor:
    """The middle of the wordings of each name, unit vectors, float32 (names, dim)."""
    return middles(sentence_points(names, encoder))


def nearest_names(points: Tensor, others: Tensor, least: float) -> Tensor:
    """For each of `points` the nearest of `others` if its cosine is at least `least`, else -1; int64 (n,)."""
    best, number = (points @ others.T).max(1)
    return torch.where(best >= least, number, -1)
