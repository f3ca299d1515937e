"""The language model at the receiver: frozen weights, one LoRA adapter, latents as input embeddings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from m4sc import instruction as template
from m4sc.config import ModelConfig
from m4sc.pretrained import resolve


class LanguageModel(nn.Module):
    """A causal LM that reads [instruction; received latents] and writes the answer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder = str(resolve(config.llm, "llm"))
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        base.requires_grad_(False)
        lora = LoraConfig(
            r=config.lora_rank,
            lora_alpha=config.lora_alpha,
            target_modules=["q_proj", "v_proj", "o_proj"],
            task_type="CAUSAL_LM",
        )
        self.model: Any = get_peft_model(base, lora, adapter_name="decode")
        self.end_id = self.token_ids(template.END)[0]

    @property
    def embedding(self) -> Tensor:
        """Word embeddings, float32 (vocab, hidden)."""
        return self.model.get_input_embeddings().weight

    @property
    def embedding_rms(self) -> float:
        """Root mean square of a word embedding's entries."""
        return float(self.embedding.float().square().mean().sqrt())

    def token_ids(self, text: str) -> list[int]:
        """Token numbers of a text, special tokens recognised."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def embed_text(self, text: str) -> Tensor:
        """Word embeddings of a text, float32 (tokens, hidden)."""
        return self.embedding[torch.tensor(self.token_ids(text))]

    def prompt(self, instruction: str, latents: Tensor) -> Tensor:
        """Template around one message's latents, float (t, hidden) -> (t + text, hidden)."""
        before = self.embed_text(template.before_latents(instruction))
        after = self.embed_text(template.after_latents())
        return torch.cat([before, latents, after])

    def loss(self, prompts: list[Tensor], answers: list[str]) -> Tensor:
        """Mean cross entropy of the answers' tokens after their prompts."""
        ids = [torch.tensor(self.token_ids(template.answer_text(answer))) for answer in answers]
        rows = [torch.cat([p, self.embedding[i[:-1]]]) for p, i in zip(prompts, ids, strict=True)]
        embeds = nn.utils.rnn.pad_sequence(
            rows, batch_first=True
        )  # right padding: causal, so no mask is needed
        hidden = self.model.base_model.model.model(inputs_embeds=embeds, use_cache=False).last_hidden_state
        # Only answer positions meet the vocabulary: it is a fifth of the model's cost.
        picked = torch.cat(
            [
                hidden[n, len(p) - 1 : len(p) - 1 + len(i)]
                for n, (p, i) in enumerate(zip(prompts, ids, strict=True))
            ]
        )
        return nn.functional.cross_entropy(picked @ self.embedding.T, torch.cat(ids))

    @torch.inference_mode()
    def generate(self, prompts: list[Tensor], max_new_tokens: int) -> list[str]:
        """Greedy answers, one a prompt."""
        longest = max(len(p) for p in prompts)
        embeds = torch.stack([nn.functional.pad(p, (0, 0, longest - len(p), 0)) for p in prompts])
        mask = torch.stack([torch.arange(longest) >= longest - len(p) for p in prompts]).long()
        out = self.model.generate(
            inputs_embeds=embeds,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=self.end_id,
            pad_token_id=self.end_id,
        )
        return [str(text).strip() for text in self.tokenizer.batch_decode(out, skip_special_tokens=True)]
