"""What a system is to the transport: a codec makes a payload of a message and an answer of a payload."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from m4sc.gaze.box import WHOLE, Box
from m4sc.message import Message
from m4sc.tasks import Task

CLEAN_NOISE_VAR = 1e-6
"""Complex noise variance, -60 dB, of a message that no channel touched."""


@dataclass(frozen=True)
class Budget:
    """What a codec may spend on a message, and what it may assume.

    Attributes:
        symbols: complex data symbols at most; None: what the codec takes by itself.
        snr_db: Es/N0 per data subcarrier that the sender expects, dB; None where unknown.
        picture: of a task on a picture, send the picture itself behind the task's own symbols.
        rate: complex symbols a token, of the rates that the weights were trained for; None: the task's own.
        latents: semantic latents, of the numbers that the weights were trained for; None: the task's own.
    """

    symbols: int | None = None
    snr_db: float | None = None
    picture: bool = False
    rate: int | None = None
    latents: int | None = None


@dataclass(frozen=True)
class Payload:
    """What a codec gives to the transport: either analogue symbols or bytes.

    Attributes:
        task_id: number of the task (:mod:`m4sc.tasks`).
        modality: of the message.
        fingerprint: 32 bits of configuration and weights that both ends must share; 0 for a codec without.
        latents: float32 (k, 2), I and Q of k complex symbols of unit mean power; None of a payload of bytes.
        data: bytes; empty of a payload of symbols.
        spread: the symbols' powers differ widely, so each OFDM symbol's data are to be DFT-spread: an error
            of the channel estimate, in proportion to a symbol, would else hit the strongest alone.
        unit: symbols that belong together, such as a tile's: behind the essential ones a segment holds whole
            units, so that a lost segment spoils none by half.
        essential: leading symbols without which the rest cannot be read. The transport repeats them in every
            segment, so that any segment may be lost.
        mcs: scheme that the codec fitted its bytes to; -1: the transport chooses. A transport that is told a
            scheme keeps to that.
        looked_at: of a picture that was looked at twice the part that is sent: left, top, right and bottom as
            shares of width and height; None of every other message. The receiver is not told.
    """

    task_id: int
    modality: str
    fingerprint: int = 0
    latents: np.ndarray | None = None
    data: bytes = b""
    essential: int = 0
    unit: int = 1
    spread: bool = False
    mcs: int = -1
    looked_at: Box | None = None

    def __post_init__(self) -> None:
        if (self.latents is None) == (not self.data):
            raise ValueError("a payload holds either symbols or bytes")
        if self.latents is not None and (self.latents.ndim != 2 or self.latents.shape[1] != 2):
            raise ValueError(f"latents are float32 (k, 2); got shape {self.latents.shape}")

    @property
    def look(self) -> str:
        """In words where was looked; empty where nobody looked twice."""
        if self.looked_at is None:
            return ""
        if self.looked_at == WHOLE:
            return "the instruction names no place: all of the picture is sent"
        left, top, right, bottom = (round(100 * share) for share in self.looked_at)
        return f"looked at {left} to {right} % of the width and {top} to {bottom} % of the height"

    @property
    def symbols(self) -> np.ndarray:
        """The latents as complex64 (k,); raises ValueError for a payload of bytes."""
        if self.latents is None:
            raise ValueError("the payload holds bytes, not symbols")
        return (self.latents[:, 0] + 1j * self.latents[:, 1]).astype(np.complex64)


@dataclass(frozen=True)
class Received:
    """What the transport hands to a codec: a payload as the air left it.

    Attributes:
        symbols: complex64 (k,), equalised and unbiased; empty of a payload of bytes.
        noise_var: float32 (k,), complex noise variance of each symbol; infinite where a segment was lost.
        data: bytes, whole and checked; empty of a payload of symbols.
        min_confidence: an answer less sure than this is of no use, so a codec need not look for it.
    """

    symbols: np.ndarray = field(default_factory=lambda: np.zeros(0, np.complex64))
    noise_var: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    data: bytes = b""
    min_confidence: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What the receiver says.

    Attributes:
        text: words; empty where a picture alone was sent.
        image: uint8 (H, W, 3) where a picture was sent, else None.
        seconds: that decoding took.
        message: the message itself, where the codec delivers it (classical).
        confidence: 0 to 1, how probably the answer is right; None where the codec does not say.
        verified: whether a check over the message passed; None where there is none.
    """

    text: str
    image: np.ndarray | None
    seconds: float
    message: Message | None = None
    confidence: float | None = None
    verified: bool | None = None


class Codec(ABC):
    """One system: how a message of a task crosses the channel."""

    name: str

    @abstractmethod
    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """Message to payload.

        Args:
            message: of the task's modality.
            task: what the receiver is to do with it.
            budget: symbols to spend and SNR to expect.
            instruction: what the transmitter is asked for; the task's own wording if None.

        Raises:
            ValueError: the message or the budget does not suit the codec.
        """

    @abstractmethod
    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """Payloads of one task to answers, in one batch.

        Args:
            received: of each message.
            task: of all.
            instructions: the receiver's question to each; the task's own wording where None.

        Raises:
            ValueError: lengths that do not fit the codec.
        """

    def decode(self, received: Received, task: Task, instruction: str | None = None) -> Answer:
        """Payload to answer; see :meth:`decode_many`."""
        return self.decode_many([received], task, [instruction])[0]

    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """Answer to a message that lies before the receiver itself, as another system delivered it.

        A codec whose receiver can be given a message's features takes them in full precision. This one,
        for codecs without that way, sends the most symbols that it has to itself with a noise variance of
        -60 dB.

        Args:
            message: of the task's modality.
            task: what is to be done with it.
            instruction: the receiver's question; the task's own wording if None.

        Raises:
            ValueError: the message does not suit the codec.
        """
        sent = self.encode(message, task, self.most(task), instruction)
        noise_var = np.full(len(sent.symbols), CLEAN_NOISE_VAR, np.float32)
        return self.decode(Received(sent.symbols, noise_var, sent.data), task, instruction)

    def more(self, task: Task, sent: int, budget: Budget) -> Budget:
        """What to spend on another copy of a message of which the receiver is not sure.

        Args:
            task: of the message.
            sent: symbols of the last copy.
            budget: of the first copy; here of every one, so that all are combined symbol by symbol.
        """
        return budget

    def combine(self, copies: Sequence[Received], task: Task) -> Received:
        """What the copies of a message say together, as :meth:`decode_many` takes it; at least one."""
        from m4sc.codecs.combining import of_one_length  # which is about what this module defines

        return of_one_length(copies)

    def prepare(self) -> None:
        """Load now what is else loaded with the first message: for ends that must answer at once."""
        return

    def most(self, task: Task) -> Budget:
        """The largest budget of a task that the codec has a use for."""
        return Budget()

    def place(self, message: Message, task: Task) -> np.ndarray:
        """Where a message lies among others: features before the channel codec, float32 (dim,), unit norm.

        Raises:
            ValueError: the codec has no such place for the message.
        """
        raise ValueError(f"the codec '{self.name}' has no place for a message of task '{task.name}'")
