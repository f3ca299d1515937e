"""Several users served in one frame and in every other way: answers, scores and air time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from m4sc.data.example import Example
    from m4sc.evaluate.multiuser import Prepared, Session
    from m4sc.sharing.privacy import UserKey

    Keys = Mapping[int, UserKey]


@dataclass(frozen=True)
class UserRow:
    """What came of one user.

    Attributes:
        user, task, question, snr_db: as asked.
        answer, answer_alone: of the frame for all, and of a frame of its own; None for a loss.
        score, score_alone: by the task's scorer, 0 to 1; None where nobody said what is right.
        public_symbols, private_symbols: complex data symbols, public ones those that it takes part in.
        own_ms, alone_ms: on the air for it alone: of the frame for all, and a frame of its own.
        status: what is missing and why.
    """

    user: int
    task: str
    question: str
    snr_db: float
    answer: str | None
    answer_alone: str | None
    score: float | None
    score_alone: float | None
    public_symbols: int
    private_symbols: int
    own_ms: float
    alone_ms: float
    status: str


@dataclass(frozen=True)
class Way:
    """A way to serve all users: its name, milliseconds on the air, and their mean score where it is known."""

    name: str
    ms: float
    score: float | None


@dataclass(frozen=True)
class Totals:
    """Milliseconds on the air, preambles, headers, pilots and cyclic prefixes counted.

    Attributes:
        together_ms: one frame for all; shared_ms: what of it is not some user's own part.
        unicast_ms, unicast_without_names_ms: a frame for each.
        answers_ms: answers found at the transmitter, a frame for each.
        classical_ms: every distinct message's file, once for all.
        public_share: of all users' symbols, 0 to 1.
        directory_bytes: that say whose part stands where.
        ways: the same, with scores.
    """

    together_ms: float
    shared_ms: float
    unicast_ms: float
    unicast_without_names_ms: float
    answers_ms: float
    classical_ms: float
    public_share: float
    directory_bytes: int
    ways: tuple[Way, ...]


def serve(
    system: Any, prepared: Prepared, channel: Any, keys: Keys, seed: int
) -> tuple[list[UserRow], Totals]:
    """Send a session in every way; a row for each user, and what all of it took."""
    from m4sc.evaluate.multiuser import Ends, air_times, answer_all, answers_air_time, classical_air_time
    from m4sc.evaluate.systems import Semantic
    from m4sc.phy.waveform import WaveformConfig
    from m4sc.sharing.aside import shipped_aside

    waveform = WaveformConfig()
    ends, session, group = Ends(waveform, channel, shipped_aside()), prepared.session, prepared.group
    rng = np.random.default_rng(seed)
    taken = ends.together(prepared, rng, keys)
    alone = ends.apart(prepared, rng)
    said = {
        "together": answer_all(system, [None if t is None else t.received for t in taken], session.examples),
        "alone": answer_all(system, alone, session.examples),
        "here": _without_channel(Semantic(system), session.examples),
        "file": _without_channel(Semantic(system), _of_files(session)),
    }
    scores = {way: _scores(answers, session.examples) for way, answers in said.items()}
    times = air_times(prepared, waveform)
    own_ms = 1e3 * waveform.symbol_len / waveform.samp_rate / waveform.n_data_carriers  # of one data symbol
    rows = []
    for n, (example, one) in enumerate(zip(session.examples, taken, strict=True)):
        rows.append(
            UserRow(
                n + 1,
                example.task,
                example.instruction,
                session.snr_db[n],
                _words(said["together"][n]),
                _words(said["alone"][n]),
                scores["together"][n],
                scores["alone"][n],
                0 if one is None else one.public_symbols,
                group.private_symbols[n],
                own_ms * group.private_symbols[n],
                1e3 * times.unicast[n],
                "the frame was lost" if one is None else one.reason or "received",
            )
        )
    texts = [_words(answer) or "" for answer in said["here"]]
    together, unicast, compact = 1e3 * times.group, 1e3 * sum(times.unicast), 1e3 * sum(times.compact)
    answers = 1e3 * answers_air_time(session, texts, waveform)
    files = 1e3 * classical_air_time(session, waveform)
    mean = {way: _mean(values) for way, values in scores.items()}
    ways = (
        Way("one frame for all", together, mean["together"]),
        Way("a frame for each", unicast, mean["alone"]),
        Way("a frame for each that names no user", compact, mean["alone"]),
        Way("answers found at the transmitter, a frame for each", answers, mean["here"]),
        Way("files for all (WebP, Opus, Brotli; LDPC)", files, mean["file"]),
    )
    return rows, Totals(
        together,
        together - sum(row.own_ms for row in rows),
        unicast,
        compact,
        answers,
        files,
        group.public_share,
        group.frame.header.payload_bytes,
        ways,
    )


def _without_channel(system: Any, examples: Sequence[Example]) -> list[Any]:
    """Answers to the messages themselves, task by task."""
    found: list[Any] = [None] * len(examples)
    for task in sorted({example.task for example in examples}):
        chosen = [n for n, example in enumerate(examples) if example.task == task]
        answers = system.all_without_channel([examples[n] for n in chosen])
        for n, answer in zip(chosen, answers, strict=True):
            found[n] = answer
    return found


def _of_files(session: Session) -> list[Example]:
    """The session's messages as a classical file brings them; bytes that arrive are as they were sent."""
    from m4sc.codecs.source_coding import source_decode, source_encode
    from m4sc.message import Message

    decoded = {}
    for example in session.examples:
        if example.media_id not in decoded:
            data = source_encode(Message(example.modality, example.load()))
            decoded[example.media_id] = source_decode(data, example.modality).data
    return [replace(example, source=decoded[example.media_id]) for example in session.examples]


def _scores(answers: Sequence[Any], examples: Sequence[Example]) -> list[float | None]:
    """Of each answer, where the example says what is right; a loss scores 0."""
    from m4sc.evaluate.metrics.scoring import score

    return [
        score(example.task, _words(answer), example.answers, example.kind) if any(example.answers) else None
        for answer, example in zip(answers, examples, strict=True)
    ]


def _mean(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if known else None


def _words(answer: Any) -> str | None:
    return None if answer is None else str(answer) if isinstance(answer, str) else "a picture"
