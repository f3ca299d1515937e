from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.codecs.base import Payload
from m4sc.codecs.semantic import SemanticCodec
from m4sc.coding.channel_codec import ChannelDecoder, ChannelEncoder
from m4sc.coding.kan import RbfKanLayer
from m4sc.coding.torch_link.link import transmit
from m4sc.config import ModelConfig
from m4sc.gaze.network import GazeConfig
from m4sc.message import Message, MessageError
from m4sc.mllm.network import Network
from m4sc.mllm.packing import Exchange
from m4sc.system import SemanticSystem, load
from m4sc.tasks import TASKS, UnknownTaskError, get_task, task_by_id
from m4sc.training.align import Alignment
from m4sc.training.features import Sample
from m4sc.training.instruct import Instruction
from tiny_model import HIDDEN, tiny_config, write_tiny_llm


@pytest.fixture(scope="module")
def llm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llm(tmp_path_factory.mktemp("llm"))


@pytest.fixture
def network(llm_folder: Path) -> Network:
    torch.manual_seed(1)
    return Network(tiny_config(llm_folder))


def samples() -> list[Sample]:
    generator = torch.Generator().manual_seed(3)
    classes = torch.randn(3, 16, 12, generator=generator)
    words = ("cat", "dog", "ship")
    pictures = [Sample("classify", "image", "", (words[i % 3],), classes[i % 3].half()) for i in range(12)]
    texts = [Sample("text", "text", "", (word,), None, word) for word in words]
    return pictures + texts


def test_kan_layer_learns_a_product_that_no_linear_map_can() -> None:
    torch.manual_seed(0)
    x = torch.rand(512, 2) * 2 - 1
    y = x[:, :1] * x[:, 1:]
    net = torch.nn.Sequential(torch.nn.Linear(2, 8), RbfKanLayer(8, 16), RbfKanLayer(16, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(600):
        optimizer.zero_grad()
        loss = (net(x) - y).square().mean()
        loss.backward()
        optimizer.step()
    best_linear = torch.linalg.lstsq(torch.cat([x, torch.ones(512, 1)], 1), y).solution
    linear_error = (torch.cat([x, torch.ones(512, 1)], 1) @ best_linear - y).square().mean()
    assert loss < 0.5 * linear_error


@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_symbols_of_each_message_have_unit_mean_power(lengths: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    encoder = ChannelEncoder(8, 8, 3, 4)
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    symbols = encoder(torch.randn(len(lengths), max(lengths), 8), mask)
    power = symbols.square().sum((1, 2, 3)) / (mask.sum(1) * 3)
    assert torch.allclose(power, torch.ones(len(lengths)), atol=1e-4)
    assert not symbols[~mask].any()


def test_decoder_output_has_the_embedding_rms_and_no_leak_from_hopeless_symbols() -> None:
    torch.manual_seed(0)
    decoder = ChannelDecoder(24, 16, 4, 5, rms=0.13)
    with torch.no_grad():
        out = decoder(torch.randn(2, 5, 4, 2), torch.full((2, 5, 4), 0.1))
    assert out.square().mean().sqrt() == pytest.approx(0.13, rel=0.05)
    loud, quiet = torch.full((1, 1, 4, 2), 300.0), torch.full((1, 1, 4, 2), -300.0)
    hopeless = torch.full((1, 1, 4), 1e8)
    assert torch.allclose(decoder(loud, hopeless), decoder(quiet, hopeless), atol=1e-3)


@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
def test_link_noise_has_the_variance_it_states(channel: str) -> None:
    generator = torch.Generator().manual_seed(0)
    symbols = torch.zeros(4, 500, 8, 2)
    received, noise_var = transmit(symbols, torch.tensor([0.0, 5.0, 10.0, 20.0]), channel, generator)
    ratio = (received.square().sum(-1) / noise_var).mean((1, 2))  # E|n|^2 per complex symbol
    assert torch.allclose(ratio, torch.ones(4), atol=0.06)


def test_link_refuses_an_unknown_channel() -> None:
    with pytest.raises(ValueError, match="unknown"):
        transmit(torch.zeros(1, 1, 1, 2), torch.zeros(1), "fog")


def test_generation_does_not_depend_on_the_batch(network: Network) -> None:
    prompts = [network.llm.prompt("What?", torch.randn(n, 32) * 0.1) for n in (2, 7)]
    together = network.llm.generate(prompts, 5)
    assert together == [network.llm.generate([p], 5)[0] for p in prompts]


def test_packed_questions_cost_what_they_cost_alone(network: Network) -> None:
    messages = [torch.randn(n, 32) * 0.2 for n in (3, 6)]
    asked = [
        [Exchange("What?", network.llm.answer_ids("cat")), Exchange("How many are there?", [7, 8])],
        [Exchange("Where?", network.llm.answer_ids("left of it"))],
    ]
    with torch.no_grad():
        together = network.llm.loss(messages, asked)
        alone = [
            (network.llm.loss([message], [[exchange]]) * len(exchange.answer), len(exchange.answer))
            for message, exchanges in zip(messages, asked, strict=True)
            for exchange in exchanges
        ]
    assert torch.allclose(together, sum(x for x, _ in alone) / sum(n for _, n in alone), atol=1e-5)


def test_what_is_trained_is_what_is_generated_from(network: Network) -> None:
    llm, latents = network.llm, torch.randn(4, 32) * 0.2
    with torch.no_grad():
        losses = [llm.loss([latents], [[Exchange("What?", [i])]]) for i in range(len(llm.embedding))]
    likeliest = int(torch.stack(losses).argmin())
    said = llm.generate([llm.prompt("What?", latents)], 1)[0]
    assert said == llm.tokenizer.decode([likeliest], skip_special_tokens=True).strip()


def test_a_picture_can_be_sent_at_every_rate_and_no_other(network: Network) -> None:
    network.requires_grad_(False)
    features = torch.randn(2, 16, 12)
    mask = torch.ones(2, 16, dtype=torch.bool)
    for rate in network.config.image_rates:
        symbols = network.send("image", features, mask, rate)
        assert symbols.shape == (2, 16, rate, 2)
        assert float(symbols.square().sum((1, 2, 3)).mean()) == pytest.approx(16 * rate, rel=1e-3)
        assert network.receive("image", symbols, torch.full((2, 16, rate), 0.1)).shape == (2, 16, 32)
    low, high = (network.send("image", features, mask, rate) for rate in (2, 8))
    ratio = low / high[:, :, :2]
    assert torch.allclose(ratio, ratio[:, :1, :1, :1].expand_as(ratio), atol=1e-3)  # nested but for scale
    system = SemanticSystem(network)
    with pytest.raises(ValueError, match="whole tokens"):
        system.decode(np.zeros(16 * 5, np.complex64), np.ones(16 * 5, np.float32), "classify")
    with pytest.raises(ValueError, match="no rate"):
        system.encode(Message("image", np.zeros((8, 8, 3), np.uint8)), "classify", rate=5)


def test_weights_survive_saving(network: Network, tmp_path: Path) -> None:
    network.save(tmp_path)
    assert load(str(tmp_path)).fingerprint != 0
    torch.manual_seed(2)
    other = Network(network.config)
    other.load_trained(tmp_path)
    for name, value in other.trained_state().items():
        assert torch.equal(value, network.trained_state()[name]), name


def test_a_served_model_says_what_the_trained_one_says(network: Network, tmp_path: Path) -> None:
    for name, value in network.llm.named_parameters():
        if "lora_B" in name:  # an adapter that does something
            torch.nn.init.normal_(value, std=0.1)
    network.save(tmp_path)
    served = load(str(tmp_path)).network
    with torch.no_grad():
        prompt = torch.randn(6, 32) * 0.3
        trained, quick = (
            n.llm.model(inputs_embeds=prompt[None].to(n.llm.embedding.dtype)).logits.float()
            for n in (network, served)
        )
        plain = network.llm.model.unload()(inputs_embeds=prompt[None]).logits
    assert (quick - trained).std() < 0.1 * (trained - plain).std()


@pytest.mark.parametrize("encode_tasks", [(), ("summarize",)])
def test_serving_merges_the_adapter_as_peft_does(
    llm_folder: Path, tmp_path: Path, encode_tasks: tuple[str, ...]
) -> None:
    """The served network is read without PEFT; its weights must be those that PEFT's own merge gives."""
    config = replace(tiny_config(llm_folder), encode_tasks=encode_tasks, lora_alpha=12)
    trained = Network(config)
    for name, value in trained.llm.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.1)
    trained.save(tmp_path)
    served, by_peft = (Network(config, torch.bfloat16, to_train=to_train) for to_train in (False, True))
    assert not any("lora_" in name for name, _ in served.named_parameters())
    for network in (served, by_peft):
        network.load_trained(tmp_path)
        network.llm.serve()
    wanted = by_peft.state_dict()
    assert {name: torch.equal(value, wanted[name]) for name, value in served.state_dict().items()} == {
        name: True for name in wanted
    }
    if encode_tasks:
        asked = ["What?"], [torch.ones(3, HIDDEN) * 0.1], [torch.ones(2, HIDDEN) * 0.1]
        assert torch.equal(served.llm.encode(*asked), by_peft.llm.encode(*asked))


def test_an_adapter_of_another_shape_is_refused_by_name(network: Network, tmp_path: Path) -> None:
    network.save(tmp_path)
    from safetensors.torch import load_file, save_file

    state = load_file(str(tmp_path / "model.safetensors"))
    name = next(name for name in state if "lora_A" in name)
    state[name] = state[name][:1]
    save_file(state, str(tmp_path / "model.safetensors"))
    other = Network(network.config, torch.bfloat16, to_train=False)
    with pytest.raises(ValueError, match=r"do not fit their configuration: .*lora_A"):
        other.load_trained(tmp_path)


def test_other_weights_give_what_fits(network: Network, llm_folder: Path, tmp_path: Path) -> None:
    network.save(tmp_path)
    wider = Network(replace(network.config, codec_hidden=24))
    taken = wider.start_from(tmp_path)
    assert 0 < taken < len(wider.trained_state())
    name = "projectors.image.base.weight"
    assert torch.allclose(wider.state_dict()[name], network.state_dict()[name], atol=1e-2)


def test_weights_of_another_shape_are_refused_by_name(network: Network, tmp_path: Path) -> None:
    network.save(tmp_path)
    from safetensors.torch import load_file, save_file

    state = load_file(str(tmp_path / "model.safetensors"))
    state.pop(next(iter(state)))
    save_file(state, str(tmp_path / "model.safetensors"))
    with pytest.raises(ValueError, match="do not fit"):
        load(str(tmp_path))


def test_configuration_round_trip_and_unknown_key() -> None:
    config = ModelConfig(text_symbols=4)
    assert ModelConfig.from_json(config.to_json()) == config
    with pytest.raises(ValueError, match="unknown keys"):
        ModelConfig.from_json('{"colour": 1}')
    with pytest.raises(ValueError, match="at least 1"):
        ModelConfig(text_symbols=0)


def test_system_sends_text_in_chunks_and_answers(network: Network) -> None:
    system = SemanticSystem(network)
    text = "a quick brown fox jumps over the lazy dog near the old stone bridge"
    encoded = system.encode(Message("text", text), "text")
    assert len(encoded.latents) == 6 * len(text)  # the tiny tokenizer's tokens are letters
    symbols = (encoded.latents[:, 0] + 1j * encoded.latents[:, 1]).astype(np.complex64)
    answer = system.decode(symbols, np.full(len(symbols), 0.1, np.float32), "text")
    assert answer.text == text and answer.verified and answer.seconds > 0
    whole = system.answer_without_channel(Message("text", text), "text")
    assert whole.text == text  # who has the message itself loses nothing in the codec


def test_the_transmitters_llm_sends_latents_for_an_instruction(network: Network) -> None:
    text = network.llm.embed_text("two cats sleep on a red chair")
    longer = network.llm.embed_text("a bus stops in the rain, and nobody gets on")
    wording = "Sum it up."
    with torch.no_grad():
        few = network.semantic_latents("text", [text], [wording], 4)
        batch = network.semantic_latents("text", [longer, text], [wording, wording], 4)
        other = network.semantic_latents("text", [text], ["Which animal is it?"], 4)
        symbols = network.send_latents("text", [longer, text], [wording, wording], 16)
    assert few.shape == (1, 4, HIDDEN) and batch.shape == (2, 4, HIDDEN)
    torch.testing.assert_close(few[0], batch[1], rtol=1e-4, atol=1e-5)  # padding is not seen
    assert (few - other).abs().max() > 1e-3  # the instruction matters
    assert symbols.shape == (2, 16, network.config.latent_symbols, 2)
    torch.testing.assert_close(symbols.square().sum(-1).mean((1, 2)), torch.ones(2), rtol=1e-4, atol=1e-4)


def test_a_step_trains_both_ends_adapters(network: Network) -> None:
    words = ("cat", "dog", "bus")
    rows = [Sample("summarize", "text", "", (word,), None, f"a {word} in the street", word) for word in words]
    loss = Instruction(network, rows, seed=0, batch_size=3).loss("summarize")
    loss.backward()
    for adapter in ("encode", "decode"):
        slopes = [p.grad for n, p in network.named_parameters() if f"lora_B.{adapter}." in n]
        assert slopes and all(slope is not None and slope.abs().max() > 0 for slope in slopes)
    assert network.queries.grad is not None and network.queries.grad.abs().max() > 0


@pytest.mark.parametrize("count", [4, 16])
def test_system_sends_semantic_latents(network: Network, tmp_path: Path, count: int) -> None:
    network.config = replace(network.config, tasks=("text-question",))
    message = Message("text", "two cats sleep on a red chair. a cat lies on a chair.")
    before = SemanticSystem(network).encode(message, "text-question", latents=count)
    network.save(tmp_path)
    system = load(str(tmp_path))
    del system.codecs["reading"]  # its weights, where there are any, carry this task
    encoded = system.encode(message, "text-question", latents=count)
    assert encoded.latents.shape == (count * network.config.latent_symbols, 2)
    assert np.abs(encoded.latents - before.latents).mean() < 0.05  # bfloat16 beside float32
    symbols = (encoded.latents[:, 0] + 1j * encoded.latents[:, 1]).astype(np.complex64)
    assert isinstance(
        system.decode(symbols, np.full(len(symbols), 0.1, np.float32), "text-question").text, str
    )
    with pytest.raises(ValueError, match="latents are no rate"):
        system.encode(message, "text-question", latents=5)
    with pytest.raises(ValueError, match="whole tokens"):
        system.decode(symbols[:-8], np.ones(len(symbols) - 8, np.float32), "text-question")


def test_a_transmitter_is_told_a_free_question_only_to_look() -> None:
    for name in ("vqa", "mosaic", "text-question"):
        assert get_task(name).told("Where?") is None and get_task(name).told("Where?", True) == "Where?"
    assert get_task("caption").told("A title.") == "A title." and get_task("caption").told(None) is None


def test_a_second_look_sends_the_part_that_is_meant(network: Network) -> None:
    class Left:
        config = GazeConfig()

        def part(self, picture: np.ndarray, instruction: str) -> tuple[np.ndarray, tuple[float, ...]]:
            if "left" in instruction:
                return picture[:, :20], (0.0, 0.0, 0.5, 1.0)
            return picture, (0.0, 0.0, 1.0, 1.0)

    class Pixels(SemanticCodec):
        def encode(self, message: Message, *_: object) -> Payload:
            return Payload(3, "image", 0, np.asarray(message.data, np.float32)[:, :, :2].reshape(-1, 2))

    picture = np.random.default_rng(2).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    whole, left = Message("image", picture), Message("image", np.ascontiguousarray(picture[:, :20]))
    system = SemanticSystem(network, second_look=Left())  # type: ignore[arg-type]
    system.codecs["semantic"] = Pixels(system._network, system.senses)

    def sent(message: Message, *told: str, **look: bool) -> np.ndarray:
        return np.asarray(system.encode(message, "mosaic", *told, **look).symbols)

    np.testing.assert_array_equal(sent(whole, "What is on the left?", look=True), sent(left))
    np.testing.assert_array_equal(sent(whole, "What is it?", look=True), sent(whole))
    np.testing.assert_array_equal(sent(whole, "What is on the left?"), sent(whole))
    told = [
        system.encode(whole, "mosaic", q, look=True).look for q in ("What is on the left?", "What is it?")
    ]
    assert told[0] == "looked at 0 to 50 % of the width and 0 to 100 % of the height"
    assert "names no place" in told[1] and system.encode(whole, "mosaic").look == ""
    with pytest.raises(ValueError, match="needs an instruction that says where"):
        system.encode(whole, "mosaic", look=True)
    with pytest.raises(ValueError, match="needs an instruction that says where"):
        system.encode(whole, "mosaic", " \n ", look=True)
    with pytest.raises(ValueError, match="takes a picture, but the message is text"):
        system.encode(Message("text", "left"), "text", "the left", look=True)
    with pytest.raises(ValueError, match="m4sc train gaze"):
        SemanticSystem(network).encode(whole, "mosaic", "the left", look=True)


def test_system_says_what_is_wrong(network: Network) -> None:
    network.config = replace(network.config, tasks=("classify", "text"))
    system = SemanticSystem(network)
    with pytest.raises(ValueError, match="takes image"):
        system.encode(Message("text", "hello"), "classify")
    with pytest.raises(UnknownTaskError, match="known tasks"):
        system.encode(Message("text", "hello"), "dance")
    with pytest.raises(ValueError, match="not trained"):
        system.encode(Message("text", "hello"), "summarize")
    with pytest.raises(ValueError, match="whole tokens"):
        system.decode(np.zeros(5, np.complex64), np.ones(5, np.float32), "text")
    with pytest.raises(ValueError, match="not finite"):
        system.decode(np.full(6, np.nan, np.complex64), np.ones(6, np.float32), "text")
    with pytest.raises(MessageError, match="empty"):
        Message("text", "  ")


def test_a_message_takes_no_more_symbols_than_are_allowed(network: Network) -> None:
    system, text = SemanticSystem(network), Message("text", "two cats sleep on a red chair")
    usual = len(system.encode(text, "text").symbols)
    fewer = len(system.encode(text, "text", symbols=usual * 2 // 3).symbols)
    assert fewer <= usual * 2 // 3
    fixed = len(system.encode(text, "text-question").symbols)
    assert len(system.encode(text, "text-question", symbols=fixed).symbols) == fixed
    with pytest.raises(ValueError, match=f"sends {fixed} symbols for this message, but 3 are allowed"):
        system.encode(text, "text-question", symbols=3)


def test_task_numbers_are_unique_and_found_again() -> None:
    assert len({task.task_id for task in TASKS.values()}) == len(TASKS)
    for task in TASKS.values():
        assert task_by_id(task.task_id) is get_task(task.name)
    with pytest.raises(UnknownTaskError):
        task_by_id(255)


def descend(
    network: Network, loss_of: Callable[[str], torch.Tensor], tasks: tuple[str, ...], steps: int
) -> None:
    """A number of steps, not a time: a busy machine must not change what is learned."""
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=3e-3)
    for step in range(steps):
        optimizer.zero_grad()
        loss_of(tasks[step % len(tasks)]).backward()
        optimizer.step()


def test_both_stages_learn(network: Network) -> None:
    data = samples()
    align = Alignment(network, data, 0)
    before = float(np.mean([align.loss("classify").item() for _ in range(4)]))
    descend(network, align.loss, ("classify", "text"), 100)
    assert np.mean([align.loss("classify").item() for _ in range(4)]) < 0.7 * before
    instruct = Instruction(network, data, 0, 6)
    first = float(np.mean([instruct.loss("classify").item() for _ in range(4)]))
    descend(network, instruct.loss, ("classify",), 150)
    assert np.mean([instruct.loss("classify").item() for _ in range(4)]) < 0.7 * first
