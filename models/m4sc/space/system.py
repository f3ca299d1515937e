"""The space as a system: a picture or a sentence to symbols, symbols to a sentence with a confidence."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from m4sc.message import Message
from m4sc.space.channel_codec import SpaceCodec, receive_all
from m4sc.space.confidence import confidence, evidence
from m4sc.space.config import ANY_STYLE, NEAR_STYLE, SpaceConfig
from m4sc.space.consensus import Rarity, agreement
from m4sc.space.expectation import Expectation
from m4sc.space.knowledge_base import FILE, KnowledgeBase
from m4sc.space.naming import Naming, named_classes, named_things, thing_scores
from m4sc.space.picture_features import PictureFeatures
from m4sc.space.projector import ProjectorEnsemble
from m4sc.space.repeats import says_twice
from m4sc.space.sentence_encoder import RememberedSentences, SentenceEncoder
from m4sc.space.word_speaker import LENGTH_POWER, UNKNOWN, WordSpeaker, WordSpeakerConfig, padded
from m4sc.tensor_file import load_network, packed, save_network

NOT_SURE = "Not sure."
_WORDS = "words.txt"
_LEAST_QUALITY = 0.1
_BESIDE = 0.5  # weight of the second speaker in the first style beside 1 for what the styles share out
_LEAST_WEIGHT = 0.02  # of a voice that is searched


@dataclass(frozen=True)
class Spoken:
    """A speaker's sentence.

    Attributes:
        text: the sentence.
        closeness: its cosine to the point.
        accord: how much it agrees with the speaker's other sentences, 0 to 1.
    """

    text: str
    closeness: float
    accord: float


@dataclass(frozen=True)
class SpaceAnswer:
    """What the receiver says.

    Attributes:
        text: a sentence, or `NOT_SURE`.
        confidence: 0 to 1, how probably it is right.
        neighbours: the nearest sentences of the knowledge base with their cosines, nearest first.
        seen: what the confidence was made of (:func:`m4sc.space.confidence.evidence`).
    """

    text: str
    confidence: float
    neighbours: tuple[tuple[str, float], ...]
    seen: tuple[float, ...] = ()


@dataclass(frozen=True)
class Voice:
    """A speaker in a style.

    Attributes:
        speaker: who speaks.
        style: index of its styles.
        weight: of what it says of each point, float (n,).
    """

    speaker: WordSpeaker
    style: int
    weight: Tensor


class SpaceNetwork(Naming):
    """The trained parts: projector, channel codec, points of the class names, and the speaker, if any."""

    def __init__(self, config: SpaceConfig, words: Sequence[str] = ()) -> None:
        """words: the speaker's vocabulary; without one a receiver chooses among the sentences it knows."""
        super().__init__(config.projector.out_dim, config.things)
        c, shape = config, config.speaker
        self.config = config
        self.projector = ProjectorEnsemble(c.projector, c.members)
        self.expectation: Expectation | None = None
        if c.expecting:
            self.expectation = Expectation(c.projector.in_dim, c.projector.out_dim, c.expecting_hidden)
        self.codec = SpaceCodec(c.codec)
        self.speaker: WordSpeaker | None = None
        self.second: WordSpeaker | None = None
        if words:
            sizes = (c.projector.out_dim, shape.width, shape.hidden, shape.most_words)
            wording = WordSpeakerConfig(tuple(words), shape.styles, *sizes)
            self.speaker = WordSpeaker(wording)
            if c.second:
                self.second = WordSpeaker(wording)
                self.manner = nn.Linear(c.projector.out_dim, 1)

    def style_shares(self, points: Tensor) -> Tensor:
        """How probably each style's source has a picture at each point, float (n, dim): float (n, styles)."""
        style, styles = self.config.speaking.style, self.config.speaker.styles
        if style == ANY_STYLE:
            return torch.full((len(points), len(styles)), 1 / len(styles))
        found = torch.zeros(len(points), len(styles))
        if style in styles:
            found[:, styles.index(style)] = 1.0
            return found
        last = torch.zeros(len(points)) if self.second is None else torch.sigmoid(self.manner(points)[:, 0])
        found[:, 0] = 1 - last
        found[:, -1] += last
        return found

    def voices(self, shares: Tensor) -> list[Voice]:
        """Who speaks, in which style and with which weight of a point; the weights of a point sum to one.

        Each style's speaker as far as its source is likely: of the last one the second speaker. That speaks
        in the first style too, whatever the source: what it names there others name in people's usual words.

        shares: of the styles, float (n, styles), as :meth:`style_shares` gives them.
        """
        assert self.speaker is not None
        styles = shares.shape[1]
        if self.second is None:
            return [Voice(self.speaker, style, shares[:, style]) for style in range(styles)]
        last = styles - 1
        near = self.config.speaking.style == NEAR_STYLE
        beside = torch.full((len(shares),), _BESIDE) if near else _BESIDE * shares[:, 0]
        every = 1 / (1 + beside)
        own = [Voice(self.speaker, style, every * shares[:, style]) for style in range(last)]
        others = [Voice(self.second, 0, every * beside), Voice(self.second, last, every * shares[:, last])]
        return own + others

    def picture_points(self, features: Tensor, scores: Tensor) -> Tensor:
        """Features, float (n, in_dim), and class scores, float (n, 1000), to unit vectors of the space.

        The projector's point, `naming` times the mean point of the head's five likeliest classes and `seeing`
        times that of what the detector sees: what the captions never showed is named by the backbones' own
        knowledge.
        """
        return self._named(self.projector(features), features, scores)

    def meanings(self, features: Tensor, scores: Tensor) -> Tensor:
        """What is sent of pictures: as :meth:`picture_points`, where the projector's point is drawn towards
        what the captions probably mean before the backbones name what they see."""
        points = self.projector(features)
        if self.expectation is not None:
            points = self.meant(points, self.expectation(features))
        return self._named(points, features, scores)

    def _named(self, points: Tensor, features: Tensor, scores: Tensor) -> Tensor:
        return self.named(points, scores, thing_scores(features) if self.config.things else None)

    def meant(self, points: Tensor, expected: Tensor) -> Tensor:
        """The projector's points, float (n, dim), drawn towards what is expected, float (n, dim)."""
        return nn.functional.normalize(points + self.config.expecting * expected, dim=-1)

    def named(self, points: Tensor, scores: Tensor, seen: Tensor | None = None) -> Tensor:
        """Points of pictures, float (n, dim), drawn towards what the backbones' heads name.

        scores: of the 1,000 classes, float (n, 1000); seen: of the detector, float (n, 80).
        """
        if self.config.naming > 0.0:
            points = points + self.config.naming * named_classes(self.classes, scores)
        if seen is not None:
            points = points + self.config.seeing * named_things(self.things, self.rarity, seen)
        return nn.functional.normalize(points, dim=-1)


class SpaceSystem:
    """Transmitter and receiver around one set of weights and one knowledge base."""

    def __init__(self, network: SpaceNetwork, knowledge: KnowledgeBase, fingerprint: int = 0) -> None:
        """fingerprint: of configuration and weights; the knowledge base's own is added to it."""
        self.network = network.eval().requires_grad_(False)
        self.config = network.config
        self.knowledge = knowledge
        self.fingerprint = zlib.crc32(fingerprint.to_bytes(4, "big"), knowledge.fingerprint)

    @cached_property
    def pictures(self) -> PictureFeatures:
        """Loaded when the first picture comes."""
        return PictureFeatures(self.config.vision, things=self.config.things)

    @cached_property
    def sentences(self) -> Callable[[Sequence[str]], Tensor]:
        """Loaded when the first sentence comes."""
        return SentenceEncoder(self.config.sentences)

    def remember_sentences(self) -> None:
        """Keep the vector of every sentence: for measurements that say most of them again and again."""
        self.sentences = RememberedSentences(self.sentences)

    @cached_property
    def _points(self) -> Tensor:
        return self.knowledge.points

    @cached_property
    def _rarity(self) -> Rarity:
        return Rarity.of(self.knowledge.sentences)

    def points_of(self, messages: Sequence[Message]) -> Tensor:
        """Messages to their points, unit vectors, float32 (n, dim): near what is like them.

        Raises:
            ValueError: a message is neither picture nor text.
        """
        return self._vectors(messages, self.network.picture_points)

    def meanings_of(self, messages: Sequence[Message]) -> Tensor:
        """Messages to what is sent of them, unit vectors, float32 (n, dim); raises as :meth:`points_of`."""
        return self._vectors(messages, self.network.meanings)

    @torch.inference_mode()
    def _vectors(
        self, messages: Sequence[Message], of_pictures: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """of_pictures: features and class scores to unit vectors; a text has one point, its own."""
        if any(message.modality not in ("image", "text") for message in messages):
            kinds = ", ".join(sorted({message.modality for message in messages} - {"image", "text"}))
            raise ValueError(f"the space has no place for {kinds}; send a picture or a text")
        found = torch.zeros(len(messages), self.config.projector.out_dim)
        seen = [n for n, message in enumerate(messages) if message.modality == "image"]
        said = [n for n, message in enumerate(messages) if message.modality == "text"]
        if seen:
            features = self.pictures([np.asarray(messages[n].data) for n in seen])
            scores = self.pictures.class_scores(features)
            found[seen] = of_pictures(features, scores)
        if said:
            found[said] = self.sentences([str(messages[n].data) for n in said])
        return found

    def encode(self, message: Message, symbols: int | None = None) -> np.ndarray:
        """Message to float32 (symbols, 2), I and Q of unit mean power.

        symbols: of ``config.codec.least_symbols`` to ``symbols``; None for the configured number.

        Raises:
            ValueError: number of symbols or modality that the space does not have.
        """
        codec = self.config.codec
        count = self.config.symbols if symbols is None else symbols
        if not codec.least_symbols <= count <= codec.symbols:
            raise ValueError(
                f"a point is sent with {codec.least_symbols} to {codec.symbols} symbols; got {count}"
            )
        with torch.inference_mode():
            sent = self.network.codec.send(self.meanings_of([message]), count)
        return np.asarray(sent[0].numpy(), dtype=np.float32)

    def decode(
        self, symbols: np.ndarray, noise_var: np.ndarray, least_confidence: float = 0.0
    ) -> SpaceAnswer:
        """Received symbols to an answer; see :meth:`decode_many`."""
        return self.decode_many([(symbols, noise_var)], least_confidence)[0]

    @torch.inference_mode()
    def received_points(self, received: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor]:
        """Received symbols to unit vectors, float32 (n, dim), and their qualities, float32 (n,), 0 to 1.

        Raises:
            ValueError: lengths that do not fit, or values that are not numbers.
        """
        pairs, noise = [], []
        for symbols, noise_var in received:
            self._check(symbols, noise_var)
            lost = ~np.isfinite(noise_var)
            y = np.where(lost, 0, symbols)
            pairs.append(torch.from_numpy(np.stack([y.real, y.imag], -1).astype(np.float32)))
            noise.append(torch.from_numpy(np.array(noise_var, np.float32)))
        return receive_all(self.network.codec, pairs, noise)

    def _check(self, symbols: np.ndarray, noise_var: np.ndarray) -> None:
        most = self.config.codec.symbols
        if not 1 <= len(symbols) <= most or len(symbols) != len(noise_var):
            raise ValueError(
                f"{len(symbols)} symbols with {len(noise_var)} noise variances are no point of at most "
                f"{most} symbols; transmitter and receiver use different models"
            )
        heard = np.isfinite(noise_var)
        if np.isnan(noise_var).any() or not np.isfinite(symbols[heard]).all():
            raise ValueError("received symbols or noise variances are not numbers")

    def decode_many(
        self, received: Sequence[tuple[np.ndarray, np.ndarray]], least_confidence: float = 0.0
    ) -> list[SpaceAnswer]:
        """Received messages to answers.

        Args:
            received: pairs of symbols, complex64 (k,), unbiased, and their complex noise variances,
                float32 (k,); infinite where a symbol was lost.
            least_confidence: an answer less sure than this becomes `NOT_SURE`.

        Raises:
            ValueError: as of :meth:`received_points`.
        """
        if not received:
            return []
        answers = self.speak(*self.received_points(received))
        return [a if a.confidence >= least_confidence else replace(a, text=NOT_SURE) for a in answers]

    @torch.inference_mode()
    def speak(self, points: Tensor, quality: Tensor) -> list[SpaceAnswer]:
        """Points, unit vectors float (n, dim), and qualities, float (n,), to sentences.

        Of the knowledge base the sentence that the point's neighbours agree on; said is the speaker's own
        instead, where that is about as near to the point. Noise makes the nearest of many sentences look
        nearer than it is, so the margin grows with it.
        """
        c = self.config.speaking
        cosines, which = (points @ self._points.T).topk(min(c.neighbours, len(self.knowledge)))
        spoken = self._spoken(points, quality)
        answers = []
        for near, rows, own, whole in zip(
            cosines.numpy(), which.tolist(), spoken, quality.tolist(), strict=True
        ):
            known = [self.knowledge.sentences[row] for row in rows]
            votes = np.exp(c.sharpness * (near - near.max()))
            votes /= votes.sum()
            said = [] if own is None else [own.text]
            alike = agreement([*known, *said], self._rarity)[:, : len(known)] @ votes  # with the neighbours
            best = int(np.argmax(alike[: len(known)] + c.nearness * near))
            text, closeness, agreed = known[best], float(near[best]), float(alike[best])
            if own is not None and own.closeness + c.margin / max(whole, _LEAST_QUALITY) >= closeness:
                text, closeness, agreed = own.text, own.closeness, float(alike[-1])
            accord = 0.0 if own is None else own.accord
            seen = evidence(closeness, float(near.mean()), agreed, accord, whole)
            answers.append(
                SpaceAnswer(
                    text,
                    confidence(seen, self.config.confidence),
                    tuple(zip(known, near.tolist(), strict=True)),
                    tuple(seen.tolist()),
                )
            )
        return answers

    def _spoken(self, points: Tensor, quality: Tensor) -> list[Spoken | None]:
        """The speaker's own sentence for each point; None without a speaker.

        Of the likeliest few of each voice, weighed by how probably the point is of its style's source, the
        one that agrees most with the others, is near to the point and is likely with all of them: least Bayes
        risk, as translation has it (Kumar and Byrne, NAACL 2004). What says something twice is worth less.
        """
        if self.network.speaker is None:
            return [None] * len(points)
        shares = self.network.style_shares(points)
        voices = self.network.voices(shares)
        found = self._beams(points, quality, voices)
        likely = self._likelihoods(points, quality, voices, found)
        trained = shares[:, 0].tolist()  # how far what the speakers find likely is to be believed
        kept = [self._compared(*each) for each in zip(found, likely, trained, strict=True)]
        texts = list(dict.fromkeys(text for texts in kept for text in texts))
        place = {text: row for row, text in enumerate(texts)}
        vectors = self.sentences(texts)
        chosen: list[Spoken | None] = []
        for point, sentences in zip(points, kept, strict=True):
            near = (vectors[[place[text] for text in sentences]] @ point).numpy()
            worth, accord = np.array(list(sentences.values())).T
            best = int(np.argmax(near + worth))
            chosen.append(Spoken(list(sentences)[best], float(near[best]), float(accord[best])))
        return chosen

    def _compared(
        self, beams: dict[str, float], likelihood: np.ndarray, trained: float
    ) -> dict[str, tuple[float, float]]:
        """The few sentences that the sentence encoder is asked for, with worth by all else and accord."""
        c = self.config.speaking
        accord = agreement(list(beams), self._rarity) @ np.array(list(beams.values()))
        twice = np.array([says_twice(text) for text in beams])
        worth = c.accord * accord + c.likelihood * trained * likelihood - c.repeats * twice
        texts = list(beams)
        best = np.argsort(-worth, kind="stable")[: c.compared]
        return {texts[n]: (float(worth[n]), float(accord[n])) for n in best.tolist()}

    def _likelihoods(
        self, points: Tensor, quality: Tensor, voices: Sequence[Voice], found: Sequence[dict[str, float]]
    ) -> list[np.ndarray]:
        """Logarithms of how probably any of the voices says each sentence of a point, over words**0.7."""
        row = torch.tensor([n for n, beams in enumerate(found) for _ in beams])
        said = padded(voices[0].speaker, [text for beams in found for text in beams])
        parts = []
        for voice in voices:
            each = torch.full((len(row),), voice.style)
            weight = voice.weight[row].clamp_min(_LEAST_WEIGHT / 10).log()
            parts.append(weight + voice.speaker.log_probability(points[row], quality[row], each, said))
        words = (said > UNKNOWN).sum(1).clamp_min(1)
        worth = torch.logsumexp(torch.stack(parts), 0) / words**LENGTH_POWER
        return [part.numpy() for part in worth.split([len(beams) for beams in found])]

    def _beams(self, points: Tensor, quality: Tensor, voices: Sequence[Voice]) -> list[dict[str, float]]:
        """The likeliest sentences for each point with their weights, of every voice that may fit."""
        count = self.config.speaking.beams
        found: list[dict[str, float]] = [{} for _ in points]
        for voice in voices:
            rows = (voice.weight >= _LEAST_WEIGHT).nonzero()[:, 0]
            if not len(rows):
                continue
            searched = voice.speaker.beam_search(points[rows], quality[rows], voice.style, count)
            for row, beams in zip(rows.tolist(), searched, strict=True):
                for text, _ in beams:
                    weight = float(voice.weight[row]) / len(beams)
                    found[row][text] = found[row].get(text, 0.0) + weight
        return found

    def save(self, folder: Path) -> None:
        """Write configuration, weights (large matrices as int8), vocabulary and knowledge base."""
        save_network(packed(self.network.state_dict()), self.config.to_json(), folder)
        speaker = self.network.speaker
        words = [] if speaker is None else speaker.config.words
        (folder / _WORDS).write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
        self.knowledge.save(folder / FILE)

    @classmethod
    def load(cls, folder: Path, knowledge: KnowledgeBase | None = None) -> SpaceSystem:
        """Read what :meth:`save` wrote; knowledge: instead of the folder's own.

        Raises:
            FileNotFoundError: no such files.
            ValueError: the weights do not fit their configuration.
        """
        text = (folder / "config.json").read_text(encoding="utf-8")
        words = (folder / _WORDS).read_text(encoding="utf-8").split()
        config = SpaceConfig.from_json(text)
        network = load_network(lambda: SpaceNetwork(config, words), folder)
        crc = zlib.crc32("\n".join(words).encode(), zlib.crc32(text.encode()))
        crc = zlib.crc32((folder / "model.safetensors").read_bytes(), crc)
        return cls(network, knowledge or KnowledgeBase.load(folder / FILE), crc)
