"""The model side: PyTorch and what breaks it, backbones, weights, memory."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

from m4sc.shipped import SHIPPED

from m4sc_app.doctor.check import FAILED, OK, WARNING, Check, ask_interpreter

MIN_FREE_MEMORY_GB = 3.0


_ASK_TORCH = """
import json, torch
gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
print(json.dumps([torch.__version__, torch.__file__, torch.get_num_threads(), gpu]))
"""


def check_torch() -> Check:
    """Does PyTorch import, which one is it, and on what does it run?"""
    # asked in a process of its own, for its import is the slowest part of all that is checked
    works, answer = ask_interpreter(Path(sys.executable), _ASK_TORCH, 120.0)
    if not works:
        return Check("PyTorch", FAILED, answer, "Run script/bootstrap.")
    version, file, threads, gpu = json.loads(answer)
    whose = "of this environment" if Path(file).is_relative_to(sys.prefix) else "of the system"
    detail = f"{version} {whose}, {threads} threads, {gpu or 'CPU only'}"
    if gpu is None and Path("/dev/nvidia0").exists():
        cure = "Run `M4SC_TORCH=cuda script/bootstrap`; if it stays so, the driver is older than this CUDA."
        return Check("PyTorch", WARNING, f"{detail}, though there is a GPU", cure)
    return Check("PyTorch", OK, detail)


def check_torchvision() -> Check:
    """Is torchvision or torchaudio there and broken? transformers imports it, and fails with it."""
    name, broken = "torchvision, torchaudio", []
    present = [package for package in ("torchvision", "torchaudio") if _installed(package)]
    for package in present:
        works, answer = ask_interpreter(Path(sys.executable), f"import {package}", 60.0)
        if not works:
            broken.append(f"{package}: {answer}")
    if broken:
        cure = f"Run `{sys.executable} -m pip uninstall {' '.join(present)}`; nothing here needs them."
        return Check(name, FAILED, "; ".join(broken), cure)
    return Check(name, OK, f"{', '.join(present)} work" if present else "absent, and not needed")


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_backbones() -> list[Check]:
    """Is each packaged backbone installed with the right checksums?"""
    from m4sc.pretrained import BACKBONES
    from m4sc.pretrained.cache import check_files
    from m4sc.pretrained.resolver import install_hint, package_folder

    checks = []
    for row in BACKBONES:
        # only scores of texts need the one, only naming of sounds the other
        missing = WARNING if row.kind in ("similarity", "sound") else FAILED
        try:
            folder = package_folder(row)
            check_files(folder, row.files, install_hint(row))
        except ValueError as error:
            sentence, _, cure = str(error).partition("; ")
            checks.append(Check(f"backbone {row.name}", missing, sentence, cure[:1].upper() + cure[1:]))
        else:
            checks.append(Check(f"backbone {row.name}", OK, f"{row.requirement}, SHA-256 right"))
    return checks


def shipped_weights() -> Path:
    """Folder of the shipped weights: in the wheel, or in the checkout."""
    import m4sc

    package = Path(m4sc.__file__).resolve().parent
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"


def check_weights(folder: Path | None = None) -> list[Check]:
    """Are the trained weights of this project there? folder: of all of them, the shipped one if None."""
    return [_weights_check(name, (folder or shipped_weights()) / name) for name in SHIPPED]


def _weights_check(name: str, folder: Path) -> Check:
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    if not files or not (folder / "config.json").is_file():
        return Check(
            f"weights {name}",
            FAILED,
            f"no *.safetensors with config.json in {folder}",
            "Run `git checkout -- models/weights`, or train them with `m4sc train`.",
        )
    size_mb = sum(path.stat().st_size for path in files) / 1e6
    return Check(f"weights {name}", OK, f"{size_mb:.1f} MB in {folder}")


def check_memory(needed_gb: float = MIN_FREE_MEMORY_GB) -> Check:
    """Is there room for the models (about 2 GB with both adapters in fp32)?"""
    import psutil

    free_gb = psutil.virtual_memory().available / 1e9
    if free_gb < needed_gb:
        return Check(
            "free memory",
            FAILED,
            f"{free_gb:.1f} GB of {needed_gb:.0f} GB",
            "Close other programs or add swap; the models need about 3 GB.",
        )
    return Check("free memory", OK, f"{free_gb:.1f} GB")
