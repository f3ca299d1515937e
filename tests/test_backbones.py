"""Any language model and vision model: tiny random checkpoints through training, saving, loading and use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from m4sc.config import ModelConfig
from m4sc.encoders import ImageEncoder
from m4sc.message import Message
from m4sc.mllm.backbones import config_for
from m4sc.mllm.instruction import END, TURN
from m4sc.mllm.llm import LanguageModel
from m4sc.mllm.network import Network
from m4sc.mllm.packing import Exchange
from m4sc.system import load
from m4sc.training.align import Alignment
from m4sc.training.feature_record import check_record, write_record
from m4sc.training.features import Sample
from m4sc.training.instruct import Instruction
from m4sc.training.run import Stage, train
from PIL import Image
from tiny_model import CHATML, HIDDEN, PLAIN, write_tiny_llm, write_tiny_vision

BASE = ModelConfig(codec_hidden=16, speech_dim=6, lora_rank=4)


def pictures(n: int, side: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(n)]


def samples_of(config: ModelConfig) -> list[Sample]:
    encoder = ImageEncoder(config.vision, config.image_size, config.small_image_size, config.image_grid)
    words = ("cat", "dog", "ship")
    seen = encoder(pictures(6))
    found = [Sample("classify", "image", "", (words[i % 3],), seen[i].half(), media=str(i)) for i in range(6)]
    return found + [Sample("text", "text", "", (word,), None, word + END * 2) for word in words]


@pytest.mark.parametrize(
    ("llm", "special", "vision"), [("llama", CHATML, "clip"), ("qwen2", PLAIN, "siglip")]
)
def test_other_backbones_from_training_to_answer(
    llm: str, special: dict[str, object], vision: str, tmp_path: Path
) -> None:
    llm_folder = write_tiny_llm(tmp_path / "llm", llm, special)
    vision_folder = write_tiny_vision(tmp_path / "vision", vision)
    config = config_for(BASE, str(llm_folder), str(vision_folder))
    assert (config.hidden_dim, config.image_dim, config.image_size) == (HIDDEN, 24, 32)
    torch.manual_seed(1)
    network = Network(config)
    data, tasks = samples_of(config), {"classify": 1.0, "text": 1.0}
    before = {key: value.clone() for key, value in network.trained_state().items()}
    train(Alignment(network, data, 0), Stage("align", 1, tasks, 1e-3, 0.0, steps=4), tmp_path)
    train(Instruction(network, data, 0, 4), Stage("instruct", 1, tasks, 1e-3, 1e-3, steps=4), tmp_path)
    changed = {key for key, value in network.trained_state().items() if not torch.equal(value, before[key])}
    assert any("projectors.image" in key for key in changed) and any(".decode." in key for key in changed)
    network.save(tmp_path / "weights")
    system = load(str(tmp_path / "weights"))
    for message, task in ((Message("image", pictures(1)[0]), "classify"), (Message("text", "a cat"), "text")):
        encoded = system.encode(message, task)
        symbols = (encoded.latents[:, 0] + 1j * encoded.latents[:, 1]).astype(np.complex64)
        answer = system.decode(symbols, np.full(len(symbols), 1e-3, np.float32), task)
        assert isinstance(answer.text, str)
    # nearly without noise the channel's evidence alone tells a text, whatever the untrained LLM believes
    assert answer.text == "a cat"


def test_marks_are_the_tokenizers_own_where_it_has_no_chatml(tmp_path: Path) -> None:
    config = config_for(BASE, str(write_tiny_llm(tmp_path / "plain", "qwen2", PLAIN)))
    llm = LanguageModel(config)
    begin, end = (llm.tokenizer.convert_tokens_to_ids(token) for token in ("<s>", "</s>"))
    assert llm.end_id == end
    assert llm.token_ids(f"{TURN}a{END}") == [begin, *llm.token_ids("a"), end]
    other = LanguageModel(config_for(BASE, str(write_tiny_llm(tmp_path / "chat", "qwen2", CHATML))))
    assert other.end_id == other.tokenizer.convert_tokens_to_ids(END)
    with pytest.raises(ValueError, match="token that ends a text"):
        nothing = write_tiny_llm(tmp_path / "none", "llama", {"additional_special_tokens": ["<x>"]})
        LanguageModel(config_for(BASE, str(nothing)))


def test_scores_come_from_the_head_and_not_from_the_word_embeddings(tmp_path: Path) -> None:
    llm = LanguageModel(config_for(BASE, str(write_tiny_llm(tmp_path, "qwen2", PLAIN))))
    assert not torch.equal(llm.head, llm.embedding)
    latents = torch.randn(4, HIDDEN, generator=torch.Generator().manual_seed(0)) * 0.2
    with torch.no_grad():
        losses = [llm.loss([latents], [[Exchange("What?", [i])]]) for i in range(len(llm.tokenizer))]
        logits = llm.model(inputs_embeds=llm.prompt("What?", latents)[None]).logits[0, -1]
    wanted = -logits.log_softmax(-1)[: len(losses)]
    assert torch.allclose(torch.stack(losses), wanted, atol=1e-4)


@pytest.mark.parametrize("kind", ["clip", "siglip", "vit"])
def test_features_are_the_models_own_patches_normalised_as_it_says(kind: str, tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = str(write_tiny_vision(tmp_path, kind))
    picture = pictures(1)[0]
    ours = ImageEncoder(folder, 32, 32, grid=4)([picture])[0]
    image = Image.fromarray(picture).resize((32, 32), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.asarray(image) / 255.0).float()
    pixels = (pixels - torch.tensor([0.48, 0.46, 0.41])) / torch.tensor([0.27, 0.26, 0.28])
    model = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        out = getattr(model, "vision_model", model)(
            pixel_values=pixels.permute(2, 0, 1)[None], output_hidden_states=True
        )
    states = out.hidden_states[-2] if kind == "clip" else out.last_hidden_state
    patches = states[0] if kind == "siglip" else states[0, 1:]  # a class token stands first
    assert torch.allclose(ours, patches, atol=1e-4)
    coarse = ImageEncoder(folder, 32, 32, grid=2)([picture])[0]
    assert torch.allclose(coarse[0], patches[[0, 1, 4, 5]].mean(0), atol=1e-4)


def test_a_vision_folder_without_its_processor_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_vision(tmp_path, "vit")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ValueError, match=r"preprocessor_config\.json"):
        ImageEncoder(str(folder), 32, 32)


def test_a_width_that_does_not_fit_the_language_model_is_named(tmp_path: Path) -> None:
    folder = write_tiny_llm(tmp_path)
    with pytest.raises(ValueError, match=r"hidden_dim is 576.*have 32"):
        LanguageModel(replace(BASE, llm=str(folder)))


def test_features_of_another_encoder_are_refused(tmp_path: Path) -> None:
    config = config_for(BASE, vision=str(write_tiny_vision(tmp_path / "vit", "vit")))
    check_record(tmp_path, config)  # an empty folder is everybody's
    (tmp_path / "train_caption.safetensors").touch()
    check_record(tmp_path, BASE)  # older caches have no record and are of the default encoders
    with pytest.raises(ValueError, match="efficientnet-lite2"):
        check_record(tmp_path, config)
    write_record(tmp_path, config)
    check_record(tmp_path, config)
    with pytest.raises(ValueError, match="--vision"):
        check_record(tmp_path, BASE)
    assert json.loads((tmp_path / "encoders.json").read_text())["image_size"] == 32
