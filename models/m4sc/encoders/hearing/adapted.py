"""The speech backbone with the adapter merged, as a folder that CTranslate2 loads."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from m4sc.encoders.hearing.config import HearingConfig
from m4sc.pretrained import resolve
from m4sc.pretrained.cache import cache_home, convert_once, sha256_file
from m4sc.shipped import weights_folder

_VERSION = 1


def adapter_config(adapter: Path) -> HearingConfig:
    """Configuration of the adapter in a folder."""
    return HearingConfig.from_json((adapter / "config.json").read_text(encoding="utf-8"))


def adapted_speech(adapter: Path) -> str:
    """Name of the backbone that an adapter was trained on."""
    return adapter_config(adapter).speech


def speech_folder(name: str) -> Path:
    """Folder of a speech backbone, or of one with an adapter, as a model's configuration names it.

    Args:
        name: as for :func:`m4sc.pretrained.resolve`, or "backbone+adapter" with shipped weights' name or the
            folder of an adapter.

    Raises:
        ValueError: no such weights, or an adapter of another backbone.
        BackboneError: as of :func:`m4sc.pretrained.resolve`.
    """
    backbone, plus, adapter = name.partition("+")
    if not plus or Path(name).is_dir():
        return resolve(name, "speech")
    folder = weights_folder(adapter)
    if adapted_speech(folder) != backbone:
        raise ValueError(f"the adapter {adapter} is of {adapted_speech(folder)}, not of {backbone}")
    return adapted_folder(folder)


def adapted_folder(adapter: Path) -> Path:
    """Folder with the backbone that `adapter` was trained on and the adapter in its weights; made once.

    Args:
        adapter: folder with ``config.json`` and ``model.safetensors``, as :meth:`HearingNetwork.save` writes.

    Raises:
        ValueError: the adapter does not fit its backbone.
        BackboneError: no such backbone, or the cache folder cannot be written.
    """
    config = adapter_config(adapter)
    backbone = resolve(config.speech, "speech")
    digest = hashlib.sha256(
        f"{sha256_file(adapter / 'model.safetensors')} {sha256_file(backbone / 'model.bin')}".encode()
    ).hexdigest()

    def convert(folder: Path) -> None:
        from m4sc.encoders.hearing.ct2_file import read_ct2, write_ct2
        from m4sc.encoders.hearing.network import HearingNetwork

        weights = read_ct2(backbone / "model.bin")
        network = HearingNetwork(config, weights)
        network.load_trained(adapter)
        write_ct2(network.merged(weights), folder / "model.bin")
        for path in backbone.iterdir():
            if path.is_file() and path.name != "model.bin":
                shutil.copy(path, folder / path.name)

    return convert_once(cache_home() / "backbones" / f"adapted-{digest[:16]}", digest, _VERSION, convert)
