"""The language model at both ends: frozen weights and a LoRA adapter for each, latents as embeddings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from m4sc.config import ModelConfig
from m4sc.mllm import instruction as template
from m4sc.mllm.decoding import Decoder, decoder_for
from m4sc.mllm.evidence import Evidence
from m4sc.mllm.packing import Exchange, attention_mask, pack
from m4sc.mllm.search import beam_search, greedy
from m4sc.pretrained import resolve
from m4sc.quiet import quiet_loading

_TEXT_BEAMS = 8
_CLEAR = 0.95
_ENCODE = ".encode."


class _AddEvidence:
    """Logits processor: the channel's evidence on the next token joins the LLM's own belief."""

    def __init__(self, texts: list[Tensor]) -> None:
        self.evidence = _stacked(texts)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids: (n * beams, answer tokens so far); scores: float (n * beams, vocab)."""
        step = min(input_ids.shape[1], self.evidence.shape[1] - 1)
        beams = len(scores) // len(self.evidence)
        return scores.log_softmax(-1) + self.evidence[:, step].repeat_interleave(beams, 0)


def _stacked(texts: list[Tensor]) -> Tensor:
    """Evidence of a batch, float (n, steps, vocab): behind a text's end only the end mark may come."""
    longest = max(len(rows) for rows in texts)
    return torch.stack([torch.cat([rows, rows[-1:].expand(longest - len(rows), -1)]) for rows in texts])


def _beams(evidence: Evidence | None) -> int:
    """Beams of the search: several only where the channel leaves more than one token likely."""
    if evidence is None:
        return 1
    surest = [float(rows.softmax(-1).amax(-1).mean()) for rows in evidence.rows]
    return 1 if min(surest) > _CLEAR else _TEXT_BEAMS


def _lora_targets(base: nn.Module, config: ModelConfig) -> list[str] | str:
    """Layers that get an adapter: the configuration's, or all linear ones of an LLM that has none of them."""
    names = {name.rpartition(".")[2] for name, _ in base.named_modules()}
    return [name for name in config.lora_targets if name in names] or "all-linear"


def _linear_layers(base: nn.Module, targets: list[str]) -> list[str]:
    """Names of the layers that get an adapter; none where one of them is no linear layer."""
    found = {name: layer for name, layer in base.named_modules() if name.rpartition(".")[2] in targets}
    return list(found) if all(type(layer) is nn.Linear for layer in found.values()) else []


def _adapter_key(layer: str, part: str, adapter: str) -> str:
    return f"base_model.model.{layer}.lora_{part}.{adapter}.weight"


class LanguageModel(nn.Module):
    """A causal LM.

    With the adapter "decode" it reads [received latents; instruction] and writes the answer; with the adapter
    "encode", where a task needs one, [instruction; message; queries] and gives its states at the queries.
    """

    def __init__(
        self, config: ModelConfig, dtype: torch.dtype = torch.float32, to_train: bool = True
    ) -> None:
        """dtype: of the frozen weights; float32 to train, bfloat16 takes half of the memory to serve.

        to_train: False for a model that will be served (:meth:`take_adapters`, :meth:`serve`) and no more:
        PEFT, which takes seconds to import, is left out.
        """
        super().__init__()
        self._config = config
        self._folder = str(resolve(config.llm, "llm"))
        with quiet_loading():
            from transformers import AutoModelForCausalLM, AutoTokenizer

            self.tokenizer: Any = AutoTokenizer.from_pretrained(self._folder)
            base = AutoModelForCausalLM.from_pretrained(self._folder, dtype=dtype)
        base.requires_grad_(False)
        width = base.get_input_embeddings().embedding_dim
        if width != config.hidden_dim:
            raise ValueError(
                f"hidden_dim is {config.hidden_dim}, but the embeddings of {config.llm} have {width}"
            )
        self._marks = template.marks_of(self.tokenizer)
        targets = _lora_targets(base, config)
        self._lora = {
            "r": config.lora_rank,
            "lora_alpha": config.lora_alpha,
            "target_modules": targets,
            "task_type": "CAUSAL_LM",
        }
        self._adapted = [] if to_train or isinstance(targets, str) else _linear_layers(base, targets)
        self._adapters: dict[str, Tensor] = {}
        self.model: Any = base
        if not self._adapted:
            self.model = self._with_adapter(base, "decode")
        if config.encode_tasks and not self._adapted:
            self.model.add_adapter("encode", self.model.peft_config["decode"])
            self._adapters_trainable()
        self._served = False
        self._served_encoder: Any = None
        self._encode_state: dict[str, Tensor] = {}
        (self.end_id,) = self.token_ids(template.END)
        self.decoder: Decoder | None = None

    def serve(self) -> None:
        """Merge the adapter and hold the weights in int8 where a lean decoder knows them, else in bfloat16.

        A token costs one pass over all weights: their size decides its time. No training after this.
        """
        state = self._adapters or self.model.state_dict()
        self._encode_state = {key: value.to(torch.bfloat16) for key, value in state.items() if _ENCODE in key}
        if self._adapted:
            merged = self._merged()
        else:
            if self._encode_state:
                self.model.delete_adapter("encode")
                self.model.set_adapter("decode")
            merged = self.model.merge_and_unload()
        self.decoder = decoder_for(merged, shrink=True)
        self.model = merged.to(torch.bfloat16)
        self._served = True

    def adapter_shapes(self) -> dict[str, tuple[int, int]]:
        """Names of the adapters' tensors as PEFT has them, and their shapes; none where PEFT holds them."""
        names = ["decode", "encode"] if self._config.encode_tasks else ["decode"]
        rank, shapes = self._config.lora_rank, {}
        for layer in self._adapted:
            wide, narrow = self.model.get_submodule(layer).weight.shape
            for name in names:
                shapes[_adapter_key(layer, "A", name)] = (rank, narrow)
                shapes[_adapter_key(layer, "B", name)] = (wide, rank)
        return shapes

    def take_adapters(self, tensors: dict[str, Tensor]) -> None:
        """Hold the adapters for :meth:`serve`: float32, by the names of :meth:`adapter_shapes`.

        Raises:
            ValueError: a tensor has another shape.
        """
        for name, shape in self.adapter_shapes().items():
            if tensors[name].shape != shape:
                raise ValueError(f"{name} has shape {tuple(tensors[name].shape)}, not {shape}")
        self._adapters = tensors

    @torch.no_grad()
    def _merged(self) -> Any:
        """The LLM with the adapter "decode" in its weights, as PEFT merges it: W + (B A) alpha / r."""
        scale = self._config.lora_alpha / self._config.lora_rank
        for layer in self._adapted:
            down, up = (self._adapters[_adapter_key(layer, part, "decode")] for part in "AB")
            self.model.get_submodule(layer).weight += (up @ down) * scale
        self._adapters, self._adapted = {}, []
        return self.model

    def _with_adapter(self, base: Any, name: str) -> Any:
        with quiet_loading():
            from peft import LoraConfig, get_peft_model

            return get_peft_model(base, LoraConfig(**self._lora), adapter_name=name)  # type: ignore[arg-type]

    def _encoder(self) -> Any:
        """The LLM with the adapter "encode"; a served model loads it when first called."""
        if not self._served:
            self._use("encode")
            return self.model
        if self._served_encoder is None:
            with quiet_loading():
                from transformers import AutoModelForCausalLM

                base = AutoModelForCausalLM.from_pretrained(self._folder, dtype=torch.bfloat16)
            encoder = self._with_adapter(base, "encode")
            encoder.load_state_dict(self._encode_state, strict=False)
            self._served_encoder = encoder.eval().requires_grad_(False)
        return self._served_encoder

    def _use(self, adapter: str) -> None:
        """Switch the adapter. PEFT freezes the other one, but a step trains both."""
        if len(self.model.peft_config) > 1:
            self.model.set_adapter(adapter)
            self._adapters_trainable()

    def _adapters_trainable(self) -> None:
        for name, parameter in self.model.named_parameters():
            if "lora_" in name:
                parameter.requires_grad_(True)

    @property
    def embedding(self) -> Tensor:
        """Word embeddings, (vocab, hidden), float32, or bfloat16 after :meth:`serve`."""
        return self.model.get_input_embeddings().weight

    @property
    def head(self) -> Tensor:
        """Weights from final states to scores, (vocab, hidden); the word embeddings, where they are tied."""
        return self.model.get_output_embeddings().weight

    @property
    def embedding_rms(self) -> float:
        """Root mean square of a word embedding's entries."""
        return float(self.embedding.float().square().mean().sqrt())

    def token_ids(self, text: str) -> list[int]:
        """Token numbers of a text of ours, marks recognised; the template's become this LLM's own.

        What comes from a person goes through :meth:`text_ids`.
        """
        return list(self.tokenizer(self._marks.put_into(text), add_special_tokens=False)["input_ids"])

    def text_ids(self, text: str) -> list[int]:
        """Token numbers of what a person wrote: the names of special tokens in it are letters like others."""
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def text_of(self, ids: list[int]) -> str:
        """Inverse of :meth:`text_ids`, as far as the vocabulary has every byte."""
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    def embed_text(self, text: str) -> Tensor:
        """Word embeddings of a text, float32 (tokens, hidden)."""
        return self.embed_ids(self.text_ids(text))

    def _embed_asked(self, instruction: str) -> Tensor:
        """What asks an instruction: its mark, then a person's words."""
        return self.embed_ids(self.token_ids(template.TURN) + self.text_ids(template.asked(instruction)))

    def embed_ids(self, ids: list[int]) -> Tensor:
        """Word embeddings of token numbers, float32 (tokens, hidden)."""
        return self.embedding[self._placed(torch.tensor(ids, dtype=torch.long))].float()

    def _placed(self, values: Tensor) -> Tensor:
        """A tensor made on the host, where the model is; nothing waits for the copy."""
        return values.to(self.embedding.device, non_blocking=True)

    def prompt(self, instruction: str, latents: Tensor) -> Tensor:
        """Template around one message's latents, float (t, hidden) -> (t + text, hidden)."""
        return torch.cat([self.prefix(latents), self._embed_asked(instruction)])

    def prefix(self, latents: Tensor) -> Tensor:
        """What all prompts about one message begin with, float (t, hidden) -> (t + 1, hidden)."""
        return torch.cat([self.embed_ids(self.token_ids(template.TURN)), latents])

    def answer_ids(self, answer: str) -> list[int]:
        """Token numbers of an answer as it is trained, with its end mark."""
        return [*self.text_ids(answer.strip()), self.end_id]

    def encode(self, instructions: list[str], messages: list[Tensor], queries: list[Tensor]) -> Tensor:
        """Final states at the queries behind each message, for its instruction.

        Args:
            instructions: one a message.
            messages: tokens of each, float (t, hidden).
            queries: of each, float (count, hidden).

        Returns:
            float (n, count, hidden).
        """
        rows = [
            torch.cat([self._embed_asked(wording), tokens, asked])
            for wording, tokens, asked in zip(instructions, messages, queries, strict=True)
        ]
        model = self._encoder()
        # padding stands on the right, where causal attention does not look
        embeds = nn.utils.rnn.pad_sequence(rows, batch_first=True).to(
            model.get_input_embeddings().weight.dtype
        )
        # given whole, since transformers would look at positions for packed texts and so wait for the device
        mask = attention_mask([torch.zeros(len(row), dtype=torch.long) for row in rows])
        hidden = model.base_model.model.model(
            inputs_embeds=embeds, attention_mask=self._placed(mask), use_cache=False
        ).last_hidden_state
        count = len(queries[0])
        return torch.stack(
            [states[len(row) - count : len(row)] for states, row in zip(hidden, rows, strict=True)]
        )

    def loss(
        self, messages: list[Tensor], asked: list[list[Exchange]], evidence: Evidence | None = None
    ) -> Tensor:
        """Mean cross entropy of the answers' tokens, all questions about a message in one sequence.

        Args:
            messages: latents of each, float (t, hidden).
            asked: questions about each, with their answers; none sees another.
            evidence: of texts that are to be repeated, one question each, added to the LLM's own
                log-probabilities.
        """
        packed = [
            pack(
                self.prefix(latents),
                [self._embed_asked(e.instruction) for e in exchanges],
                [self.embed_ids(e.answer[:-1]) for e in exchanges],
            )
            for latents, exchanges in zip(messages, asked, strict=True)
        ]
        embeds = nn.utils.rnn.pad_sequence([row.embeds for row in packed], batch_first=True)
        self._use("decode")
        hidden = self.model.base_model.model.model(
            inputs_embeds=embeds,
            attention_mask=self._placed(attention_mask([row.owner for row in packed])),
            position_ids=self._placed(
                nn.utils.rnn.pad_sequence([row.position for row in packed], batch_first=True)
            ),
            use_cache=False,
        ).last_hidden_state
        # Only answer positions meet the vocabulary: it is a fifth of the model's cost.
        places = torch.cat([n * hidden.shape[1] + row.asks for n, row in enumerate(packed)])
        picked = hidden.flatten(0, 1)[self._placed(places)]
        target = self._placed(torch.tensor([i for exchanges in asked for e in exchanges for i in e.answer]))
        if evidence is None or evidence.candidates is None:
            scores = (picked @ self.head.T).float()
        else:  # sorted, the answers' tokens among them
            scores = (picked @ self.head[evidence.candidates].T).float()
            target = torch.searchsorted(evidence.candidates, target)
        if evidence is not None:
            heard = torch.cat([row[: len(e[0].answer)] for row, e in zip(evidence.rows, asked, strict=True)])
            scores = scores.log_softmax(-1) + heard
        return nn.functional.cross_entropy(scores, target)

    @torch.inference_mode()
    def generate(
        self, prompts: list[Tensor], max_new_tokens: int, evidence: Evidence | None = None
    ) -> list[str]:
        """Answers, one a prompt: greedy, or the most probable texts that a beam search finds.

        evidence: over the whole vocabulary, rows for each prompt; it calls for a search if it is unclear.
        With it, spaces around an answer are kept: they were sent.
        """
        if evidence is None:
            return [text for text, _ in self.answer(prompts, max_new_tokens)]
        embeds, begins = self._padded(prompts)
        beams = _beams(evidence)
        if self.decoder is None or embeds.device.type != "cpu":
            said = self._generate_by_transformers(embeds, begins, max_new_tokens, evidence)[0]
        else:
            asked = (self.decoder, embeds, begins, max_new_tokens, self.end_id, _stacked(evidence.rows))
            said = greedy(*asked)[0] if beams == 1 else beam_search(*asked, beams)
        return self._texts(said)

    @torch.inference_mode()
    def answer(self, prompts: list[Tensor], max_new_tokens: int) -> list[tuple[str, float]]:
        """The greedy answer to each prompt, and its log-probability."""
        embeds, begins = self._padded(prompts)
        if self.decoder is None or embeds.device.type != "cpu":
            said, total = self._generate_by_transformers(embeds, begins, max_new_tokens, None)
        else:
            said, total = greedy(self.decoder, embeds, begins, max_new_tokens, self.end_id, None)
        return [(text.strip(), odds) for text, odds in zip(self._texts(said), total.tolist(), strict=True)]

    def _padded(self, prompts: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Prompts padded on the left, float (n, t, hidden), and where each begins, int64 (n,)."""
        if not self._served:
            self._use("decode")
        longest = max(len(p) for p in prompts)
        embeds = torch.stack([nn.functional.pad(p, (0, 0, longest - len(p), 0)) for p in prompts])
        return embeds, torch.tensor([longest - len(p) for p in prompts])

    def _texts(self, said: list[list[int]]) -> list[str]:
        texts = self.tokenizer.batch_decode(
            said, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return [str(text) for text in texts]

    def _generate_by_transformers(
        self, embeds: Tensor, begins: Tensor, max_new_tokens: int, evidence: Evidence | None
    ) -> tuple[list[list[int]], Tensor]:
        """Tokens and log-probabilities of any causal LM.

        embeds: float (n, t, hidden), padded on the left up to `begins`, int64 (n,).
        """
        beams = _beams(evidence)
        out = self.model.generate(
            inputs_embeds=embeds.to(self.embedding.dtype),
            attention_mask=self._placed((torch.arange(embeds.shape[1]) >= begins[:, None]).long()),
            max_new_tokens=max_new_tokens,
            logits_processor=None if evidence is None else [_AddEvidence(evidence.rows)],
            do_sample=False,
            # the evidence fixes each text's length, so that long ones need no favour
            **({"num_beams": beams, "length_penalty": 0.0} if beams > 1 else {}),
            eos_token_id=self.end_id,
            pad_token_id=self.end_id,
            return_dict_in_generate=True,
            output_scores=beams == 1,
        )
        said = [list(row) for row in out.sequences.tolist()]
        total = torch.zeros(len(said))
        for row, ids in enumerate(said if beams == 1 else []):
            for step, token in enumerate(ids):
                total[row] += float(out.scores[step][row].float().log_softmax(-1)[token])
                if token == self.end_id:
                    break
        return said, total
