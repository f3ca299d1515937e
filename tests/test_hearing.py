"""The adapter of the speech backbone: its file format, torch against CTranslate2, what it hears."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from m4sc.data.espeak import Utterance, speak
from m4sc.data.example import Example
from m4sc.encoders import SpeechEncoder
from m4sc.encoders.hearing import (
    HearingConfig,
    HearingNetwork,
    Listener,
    Transcript,
    adapted_folder,
    speech_folder,
)
from m4sc.encoders.hearing.ct2_file import Ct2Weights, read_ct2, write_ct2
from m4sc.encoders.hearing.listener import pieces
from m4sc.encoders.hearing.mel import log_mel, padded_seconds
from m4sc.encoders.hearing.training import TASK, Listening
from m4sc.encoders.hearing.vocabulary import Vocabulary
from m4sc.evaluate.metrics.speech import word_error_rate
from m4sc.pretrained import resolve
from m4sc.shipped import weights_folder
from m4sc.training.run import Stage, train

pytestmark = pytest.mark.timeout(200)
SENTENCES = (
    ("A brown horse is eating grass behind a wooden fence.", "en-us+f2", 160),
    ("Several people are waiting for the bus in the rain.", "en-gb+m3", 150),
    ("A plate of rice and green beans stands on the table.", "en-us+m7", 180),
)


@pytest.fixture(scope="module")
def backbone() -> Path:
    return resolve("whisper-tiny.en", "speech")


@pytest.fixture(scope="module")
def weights(backbone: Path) -> Ct2Weights:
    return read_ct2(backbone / "model.bin")


@pytest.fixture(scope="module")
def adapter(weights: Ct2Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that changes every matrix a little."""
    torch.manual_seed(0)
    network = HearingNetwork(HearingConfig(rank=4, alpha=4), weights)
    for name, values in network.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(values, std=0.02)
    folder = tmp_path_factory.mktemp("adapter")
    network.save(folder)
    return folder


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_file_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kinds = st.sampled_from([np.float32, np.int8, np.int16, np.int32, np.float16])
    shapes = array_shapes(min_dims=0, max_dims=3, max_side=4)
    values = arrays(data.draw(kinds), data.draw(shapes), elements={"min_value": -9, "max_value": 9})
    names = st.text("abc/_0", min_size=1, max_size=12)
    variables = data.draw(st.dictionaries(names, values, max_size=4))
    kept = Ct2Weights("Spec", 3, variables, data.draw(st.dictionaries(names, names, max_size=2)))
    path = tmp_path_factory.mktemp("file") / "model.bin"
    write_ct2(kept, path)
    found = read_ct2(path)
    assert (found.kind, found.revision, found.aliases) == (kept.kind, kept.revision, kept.aliases)
    assert list(found.variables) == list(variables)
    for name, value in variables.items():
        assert found.variables[name].dtype == value.dtype
        np.testing.assert_array_equal(found.variables[name], value)


def test_backbone_is_written_as_it_was(backbone: Path, weights: Ct2Weights, tmp_path: Path) -> None:
    write_ct2(weights, tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == (backbone / "model.bin").read_bytes()


def test_broken_files_are_refused(backbone: Path, tmp_path: Path) -> None:
    whole = (backbone / "model.bin").read_bytes()
    path = tmp_path / "model.bin"
    path.write_bytes(whole[:100_000])
    with pytest.raises(ValueError, match="ends too early"):
        read_ct2(path)
    path.write_bytes(b"\x05" + whole[1:])
    with pytest.raises(ValueError, match="version 5"):
        read_ct2(path)
    with pytest.raises(ValueError, match="float64"):
        write_ct2(Ct2Weights("Spec", 3, {"x": np.zeros(2)}), path)
    with pytest.raises(ValueError, match="no Whisper"):
        HearingNetwork(HearingConfig(), Ct2Weights("Other", 3, {}))


def test_adapted_model_is_the_same_in_torch_and_in_ctranslate2(
    weights: Ct2Weights, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ctranslate2

    monkeypatch.setenv("M4SC_HOME", str(tmp_path))
    folder = adapted_folder(adapter)
    written = (folder / "model.bin").stat().st_mtime_ns
    assert adapted_folder(adapter) == folder and (folder / "model.bin").stat().st_mtime_ns == written
    network = HearingNetwork(HearingConfig(rank=4, alpha=4), weights)
    mel = torch.from_numpy(log_mel(speak(Utterance("two red cars", "en-us+m3", 150, 50)), 3.0))[None]
    plain = network.encode(mel)
    network.load_trained(adapter)
    with torch.no_grad():
        ours = network.encode(mel).numpy()
    model = ctranslate2.models.Whisper(str(folder), compute_type="float32")
    theirs = np.array(model.encode(ctranslate2.StorageView.from_array(mel.numpy()), to_cpu=True))
    moved = np.abs(ours - plain.detach().numpy()).max()
    assert np.abs(ours - theirs).max() < 0.05 < 0.2 * moved


def test_adapter_of_another_shape_is_refused(weights: Ct2Weights, adapter: Path, tmp_path: Path) -> None:
    network = HearingNetwork(HearingConfig(rank=4, alpha=4), weights)
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, str(tmp_path / "model.safetensors"))
    with pytest.raises(ValueError, match=r"no adapter of whisper-tiny\.en"):
        network.load_trained(tmp_path)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100 * 16_000), st.integers(0, 2**31))
def test_long_sounds_are_cut_to_fit_and_lose_nothing(length: int, seed: int) -> None:
    sound = np.random.default_rng(seed).standard_normal(length, np.float32)
    parts = pieces(sound)
    np.testing.assert_array_equal(np.concatenate(parts), sound)
    assert all(len(part) / 16_000 + 0.3 <= padded_seconds(len(part)) <= 30.0 for part in parts)


def test_a_long_sound_is_cut_where_it_is_quiet() -> None:
    sound = np.ones(40 * 16_000, np.float32)
    sound[22 * 16_000 : 23 * 16_000] = 0.0
    assert 22 * 16_000 < len(pieces(sound)[0]) < 23 * 16_000


def test_an_adapter_can_be_part_of_the_backbones_name(
    adapter: Path, backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M4SC_HOME", str(tmp_path))
    assert speech_folder("whisper-tiny.en") == backbone
    sound = speak(Utterance("two red cars", "en-us+m3", 150, 50))
    plain, adapted = SpeechEncoder(), SpeechEncoder(f"whisper-tiny.en+{adapter}")
    assert (plain(sound) - adapted(sound)).abs().max() > 0.1
    with pytest.raises(ValueError, match="not of whisper-base"):
        speech_folder(f"whisper-base+{adapter}")


def test_only_the_words_and_the_end_are_asked_for(backbone: Path) -> None:
    vocabulary = Vocabulary(backbone)
    ids, asked = vocabulary.batch(["a red car on a road", ""])
    assert ids.shape == asked.shape and not asked[:, :2].any()
    assert vocabulary.text(ids[0][asked[0]].tolist()) == "a red car on a road"
    assert ids[1][asked[1]].tolist() == [vocabulary.end]


def test_training_lowers_the_loss_and_changes_the_adapter_alone(
    backbone: Path, weights: Ct2Weights, tmp_path: Path
) -> None:
    sounds = {text: speak(Utterance(text, "en-us+f4", 170, 60)) for text in ("a tabby cat", "zebras fight")}
    said = [
        Example(text, "speech", "transcribe", "", (text,), "clean", sound, text)
        for text, sound in sounds.items()
    ]
    torch.manual_seed(0)
    network = HearingNetwork(HearingConfig(rank=4, alpha=8), weights)
    objective = Listening(network, said, Vocabulary(backbone), 0, 4)
    frozen = {k: v.clone() for k, v in network.state_dict().items() if "lora_" not in k}

    def mean_loss() -> float:
        losses = []
        for step in range(900, 903):
            objective.begin_step(step)
            with torch.no_grad():
                losses.append(float(objective.loss(TASK)))
        return float(np.mean(losses))

    before = mean_loss()
    train(objective, Stage("listen", 1.0, {TASK: 1.0}, 2e-3, 0.0, steps=12), tmp_path)
    assert mean_loss() < 0.5 * before
    state = network.state_dict()
    assert all(torch.equal(state[key], value) for key, value in frozen.items())


def test_shipped_adapter_hears_voices_that_the_backbone_mishears() -> None:
    spoken = [(speak(Utterance(text, voice, speed, 40, 15.0, 3)), text) for text, voice, speed in SENTENCES]
    adapted, plain = SpeechEncoder(adapter=weights_folder("listen")), SpeechEncoder()
    errors = [
        float(np.mean([word_error_rate(ear.transcribe(sound), text) for sound, text in spoken]))
        for ear in (adapted, plain)
    ]
    assert errors[0] <= 0.1 < errors[1]


def test_noise_of_any_level_is_heard_without_an_error() -> None:
    listener = Listener(adapted_folder(weights_folder("listen")))
    rng = np.random.default_rng(0)
    for level in (0.0, 0.1):
        assert len(listener(level * rng.standard_normal(16_000, np.float32)).split()) <= 2


class _Fixed:
    """Hears the same, as surely, whatever the sound."""

    def __init__(self, text: str, log_probability: float) -> None:
        self.found = Transcript(text, log_probability)

    def listen(self, _: np.ndarray) -> Transcript:
        return self.found


@pytest.mark.parametrize(
    ("adapted", "plain", "words"),
    [
        (("a dog runs", -0.1), ("a dock ruins", -0.8), "a dog runs"),  # a synthetic voice
        (("eight two", -0.5), ("Echo.", -0.6), "Echo."),  # a person: surer by too little
        (("two", -2.0), ("", -np.inf), "two"),
    ],
)
def test_the_surer_of_two_hearings_is_taken(
    adapted: tuple[str, float], plain: tuple[str, float], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = SpeechEncoder(adapter=weights_folder("listen"))
    ear._listener = _Fixed(*adapted)  # type: ignore[assignment, misc]
    monkeypatch.setattr(ear, "_plain", lambda _: Transcript(*plain))
    tone = np.sin(np.arange(16_000) / 9).astype(np.float32)
    assert ear.transcribe(tone) == words
    assert ear.transcribe(0 * tone) == ""  # in silence Whisper invents


def test_a_transcript_of_pieces_weighs_them_by_their_tokens() -> None:
    whole = Transcript.of([(" one ", -1.0, 2), ("", -9.0, 0), ("two", -0.1, 6)])
    assert whole.text == "one two" and whole.log_probability == pytest.approx(-2.6 / 8)
    assert Transcript.of([]).log_probability == -np.inf
