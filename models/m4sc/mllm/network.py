"""The trained network: projectors, channel codecs and the language model at both ends."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from m4sc.coding.channel_codec import ChannelDecoder, ChannelEncoder
from m4sc.coding.kan import make_layer
from m4sc.config import LATENTS, ModelConfig
from m4sc.mllm.llm import LanguageModel
from m4sc.tensor_file import load_tensors, take_over
from m4sc.training.trainable import Trainable
from m4sc.training.warm_start import take_fitting

_MODALITIES = ("image", "speech", "text")
# The codec of words: texts cross by m4sc.codecs.text_code, so weights that are handed out may lack it.
FOR_TRAINING = ("encoders.text.", "decoders.text.")
_LLM = "llm.model."  # before the names of the language model's own tensors
_PART = 4096  # tokens at a time, for memory's sake
_FIRST_GAIN = 0.3  # of the transmitter's LLM, beside the message's own tokens


def _part_means(messages: list[Tensor], count: int) -> Tensor:
    """Mean token of each of `count` equal parts of n messages, each float (t, d): float (n, count, d).

    The parts of a message of fewer tokens overlap.
    """
    return torch.stack([nn.functional.adaptive_avg_pool1d(own.T, count).T for own in messages])


class Network(Trainable):
    """Everything that training changes, around frozen backbones."""

    config: ModelConfig

    def __init__(
        self, config: ModelConfig, llm_dtype: torch.dtype = torch.float32, to_train: bool = True
    ) -> None:
        """llm_dtype, to_train: of the frozen language model (see :class:`m4sc.mllm.llm.LanguageModel`)."""
        super().__init__()
        self.config = config
        self.llm = LanguageModel(config, llm_dtype, to_train)
        rms = self.llm.embedding_rms  # reads the whole table
        dims = {"image": config.image_dim, "speech": config.speech_dim}
        self.projectors = nn.ModuleDict(
            {
                name: make_layer(config.projector, dim, config.hidden_dim, config.projector_grid)
                for name, dim in dims.items()
            }
        )
        self.encoders = nn.ModuleDict()
        self.decoders = nn.ModuleDict()
        codecs: tuple[str, ...] = _MODALITIES
        if config.encode_tasks:
            codecs = (*_MODALITIES, LATENTS)
            most = max(config.latent_counts)
            self.queries = nn.Parameter(torch.randn(most, config.hidden_dim) * rms)
            self.state_gain = nn.Parameter(torch.full((config.hidden_dim,), _FIRST_GAIN))
            self._state_rms = rms
        for name in codecs:
            shape = (
                config.hidden_dim,
                config.codec_hidden,
                config.symbols_per_token(name),
                config.codec_grid,
            )
            # a text's receiver looks for code words, whose scale it must know
            self.encoders[name] = ChannelEncoder(*shape, per_token=name == "text")
            self.decoders[name] = ChannelDecoder(*shape, rms=rms)

    @property
    def device(self) -> torch.device:
        """Where the weights are; messages must be there too."""
        return self.llm.embedding.device

    def tokens(self, modality: str, features: Tensor) -> Tensor:
        """Features (n, t, dim) to tokens in the LLM's space; text's features are word embeddings already."""
        return features if modality == "text" else self.projectors[modality](features)

    def send(self, modality: str, features: Tensor, mask: Tensor, rate: int | None = None) -> Tensor:
        """Features, float (n, t, dim), to unit-power symbols, float (n, t, s, 2); rate: s, None for most."""
        return self.encoders[modality](self.tokens(modality, features), mask, rate)

    def semantic_latents(
        self, modality: str, features: list[Tensor], instructions: list[str], count: int
    ) -> Tensor:
        """What the transmitter's LLM makes of messages of a modality for instructions.

        Query i stands for the i-th of `count` equal parts of the message: a learned vector and the mean of
        that part's tokens. The LLM reads [instruction; tokens; queries]; a latent is its part's mean and,
        scaled, the final state at its query. So the latents say something of the message before anything is
        trained, and the LLM learns what to add for the instruction.

        Args:
            modality: of all messages.
            features: of each, float (t, dim).
            instructions: of each.
            count: latents a message, at most the highest of ``latent_counts``.

        Returns:
            float (n, count, hidden).
        """
        tokens = [self.tokens(modality, own[None])[0] for own in features]
        parts = _part_means(tokens, count)
        states = self.llm.encode(instructions, tokens, list(self.queries[:count] + parts))
        unit = nn.functional.rms_norm(states.float(), states.shape[-1:])
        return parts + self.state_gain * self._state_rms * unit

    def part_means(self, modality: str, features: list[Tensor], count: int) -> Tensor:
        """What of :meth:`semantic_latents` needs no LLM, float (n, count, hidden)."""
        return _part_means([self.tokens(modality, own[None])[0] for own in features], count)

    def send_latents(
        self, modality: str, features: list[Tensor], instructions: list[str], count: int
    ) -> Tensor:
        """Arguments as :meth:`semantic_latents`; to unit-power symbols, float (n, count, s, 2)."""
        return self.modulate(self.semantic_latents(modality, features, instructions, count))

    def modulate(self, latents: Tensor) -> Tensor:
        """Semantic latents, float (n, count, hidden), to unit-power symbols, float (n, count, s, 2)."""
        every = torch.ones(latents.shape[:2], dtype=torch.bool, device=latents.device)
        return self.encoders[LATENTS](latents, every)

    def receive(self, modality: str, symbols: Tensor, noise_var: Tensor) -> Tensor:
        """Symbols and complex noise variances to latents for the LLM, float (n, t, hidden)."""
        return self.decoders[modality](symbols, noise_var)

    def code_words(self, tokens: Tensor) -> Tensor:
        """Symbols of each token of a text by itself, float (n, hidden) to (n, symbols, 2)."""
        alone = torch.ones(1, len(tokens), dtype=torch.bool, device=tokens.device)
        return self.send("text", tokens[None], alone)[0]

    @torch.no_grad()
    def code_book(self) -> Tensor:
        """Code word of every token of the vocabulary, float (vocab, symbols, 2)."""
        return torch.cat([self.code_words(part.float()) for part in self.llm.embedding.split(_PART)])

    def is_trained(self, name: str) -> bool:
        """All but the frozen LLM."""
        return not name.startswith("llm.") or "lora_" in name

    def start_from(self, folder: Path) -> int:
        """Take over the tensors of other weights that have a name and shape of this network; their number.

        Raises:
            ValueError: none fits.
        """
        return take_fitting(self, self.trained_state(), folder)

    def load_trained(self, folder: Path) -> None:
        """Read what :meth:`save` wrote; what serves training alone (`FOR_TRAINING`) may be missing.

        Raises:
            ValueError: the file's tensors are not this network's.
        """
        state = {key: value.float() for key, value in load_tensors(folder / "model.safetensors").items()}
        shapes = self.llm.adapter_shapes()  # of tensors that are no parameters here
        wanted = set(self.trained_state()) | {_LLM + name for name in shapes}
        wanted -= {name for name in wanted - set(state) if name.startswith(FOR_TRAINING)}
        if set(state) != wanted:
            raise ValueError(
                f"the weights in {folder.name} do not fit their configuration "
                f"({len(wanted - set(state))} tensors missing, {len(set(state) - wanted)} unknown)"
            )
        if shapes:
            try:
                self.llm.take_adapters({name: state.pop(_LLM + name) for name in shapes})
            except ValueError as exc:
                raise ValueError(
                    f"the weights in {folder.name} do not fit their configuration: {exc}"
                ) from exc
        take_over(self, state, folder)
