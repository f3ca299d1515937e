"""`m4sc doctor`: looks at everything the radio and the models need and names the cure for what fails."""

from __future__ import annotations

import importlib
import importlib.util
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

OK, WARNING, FAILED = "ok", "warning", "failed"
SYSTEM_PYTHON = Path("/usr/bin/python3")
ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "models" / "weights" / "default"
MIN_FREE_MEMORY_GB = 3.0


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Args:
        name: what was looked at.
        status: "ok", "warning" (something optional is missing) or "failed".
        detail: what was found.
        cure: what to do about it; empty when all is well.
    """

    name: str
    status: str
    detail: str
    cure: str = ""


def ask_interpreter(python: Path, code: str, timeout_s: float = 30.0) -> tuple[bool, str]:
    """Run a line of Python in another interpreter, outside the checkout.

    Args:
        python: the interpreter.
        code: what it runs; what it prints is the answer.
        timeout_s: limit in seconds.

    Returns:
        (True, what was printed) or (False, last line of the error).
    """
    try:
        done = subprocess.run(
            [str(python), "-c", code], cwd="/", capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else ""


def check_interpreter() -> Check:
    """Is this Python, or its virtual environment, made from the one that GNU Radio is built for?"""
    detail = f"Python {platform.python_version()} at {sys.executable}"
    if Path(sys.base_prefix) != Path("/usr") and SYSTEM_PYTHON.exists():
        return Check(
            "interpreter",
            WARNING,
            f"{detail}, not made from {SYSTEM_PYTHON}",
            "Delete .venv and run script/bootstrap; Debian's GNU Radio belongs to /usr/bin/python3.",
        )
    return Check("interpreter", OK, detail)


def check_gnuradio() -> Check:
    """Does this interpreter import GNU Radio 3.10?"""
    cure = "Install it with `apt-get install gnuradio` and run script/bootstrap, which makes .venv see it."
    if importlib.util.find_spec("gnuradio") is None:
        return Check("GNU Radio", FAILED, "no module named gnuradio in this interpreter", cure)
    try:
        version = str(importlib.import_module("gnuradio.gr").version())
    except Exception as error:  # a NumPy or ABI mismatch raises almost anything
        return Check("GNU Radio", FAILED, f"import gnuradio.gr fails: {error}", cure)
    if not version.lstrip("v").startswith("3.10"):
        return Check(
            "GNU Radio", FAILED, f"version {version}", "Use GNU Radio 3.10; the blocks are made for it."
        )
    return Check("GNU Radio", OK, f"version {version}")


def check_numpy() -> Check:
    """Is NumPy older than 2, as GNU Radio 3.10's compiled modules need it?"""
    try:
        version = metadata.version("numpy")
    except metadata.PackageNotFoundError:
        return Check("NumPy", FAILED, "not installed", "Run script/bootstrap.")
    if int(version.split(".")[0]) >= 2:
        return Check(
            "NumPy",
            FAILED,
            f"version {version}; GNU Radio 3.10 fails with 2",
            "Run `.venv/bin/pip install 'numpy<2'`.",
        )
    return Check("NumPy", OK, f"version {version}")


def check_module() -> Check:
    """Can the interpreter of GNU Radio import gnuradio.m4sc, and from which prefix?"""
    name = "module gnuradio.m4sc"
    python = SYSTEM_PYTHON if SYSTEM_PYTHON.exists() else Path(sys.executable)
    code = "import importlib.util as u; s = u.find_spec('gnuradio.m4sc'); print(s.origin if s else '')"
    found, origin = ask_interpreter(python, code)
    if not found or not origin:
        return Check(
            name,
            FAILED,
            f"{python} does not find it" + (f" ({origin})" if origin else ""),
            "Run script/bootstrap, or `cmake -B build && cmake --install build` as root; with an install "
            "prefix of your own put its dist-packages on PYTHONPATH.",
        )
    imported, answer = ask_interpreter(
        Path(sys.executable), "import gnuradio.m4sc as m; print(m.__file__)", 60.0
    )
    if not imported:
        return Check(
            name,
            FAILED,
            f"installed at {origin}, but importing it fails: {answer}",
            "Run script/bootstrap, which reinstalls it from this checkout.",
        )
    return Check(name, OK, f"installed at {Path(origin).parent}")


def grc_block_folders() -> list[Path]:
    """Return the folders in which gnuradio-companion looks for block files, by default and by prefix."""
    folders = [
        Path("/usr/local/share/gnuradio/grc/blocks"),
        Path("/usr/share/gnuradio/grc/blocks"),
        Path.home() / ".grc_gnuradio",
    ]
    return [folder for folder in folders if folder.is_dir()]


def check_grc_blocks() -> Check:
    """Are the .block.yml files where gnuradio-companion looks?"""
    found = sorted({p for folder in grc_block_folders() for p in folder.glob("m4sc_*.block.yml")})
    if not found:
        return Check(
            "GRC blocks",
            FAILED,
            "no m4sc_*.block.yml found",
            "Run script/bootstrap; with an install prefix of your own set GRC_BLOCKS_PATH to its "
            "share/gnuradio/grc/blocks.",
        )
    return Check("GRC blocks", OK, f"{len(found)} in {found[0].parent}")


def check_backbones() -> list[Check]:
    """Is each packaged backbone installed with the right checksums?"""
    from m4sc.pretrained import BACKBONES
    from m4sc.pretrained.cache import check_files
    from m4sc.pretrained.resolver import install_hint, package_folder

    checks = []
    for row in BACKBONES:
        try:
            folder = package_folder(row)
            check_files(folder, row.files, install_hint(row))
        except ValueError as error:
            sentence, _, cure = str(error).partition("; ")
            checks.append(Check(f"backbone {row.name}", FAILED, sentence, cure[:1].upper() + cure[1:]))
        else:
            checks.append(Check(f"backbone {row.name}", OK, f"{row.requirement}, SHA-256 right"))
    return checks


def check_weights(folder: Path = WEIGHTS) -> Check:
    """Are the trained weights of this project there?"""
    name = "weights default"
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    if not files or not (folder / "config.json").is_file():
        return Check(
            name,
            FAILED,
            f"no *.safetensors with config.json in {folder}",
            "Run `git checkout -- models/weights`, or train them with `m4sc train`.",
        )
    size_mb = sum(path.stat().st_size for path in files) / 1e6
    return Check(name, OK, f"{len(files)} files, {size_mb:.1f} MB in {folder}")


def check_torch() -> Check:
    """Does PyTorch import, and on what does it run?"""
    try:
        import torch
    except ImportError as error:
        return Check("PyTorch", FAILED, str(error), "Run script/bootstrap.")
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU only"
    return Check("PyTorch", OK, f"{torch.__version__}, {torch.get_num_threads()} threads, {device}")


def check_radios() -> Check:
    """Are the drivers of real radios there? They are optional: simulation and files need none."""
    found = [name for name in ("uhd", "soapy") if importlib.util.find_spec("gnuradio") and _has(name)]
    if not found:
        return Check(
            "radio drivers",
            WARNING,
            "neither gnuradio.uhd nor gnuradio.soapy",
            "Install libgnuradio-uhd3.10.5 or libgnuradio-soapy3.10.5 for hardware.",
        )
    return Check("radio drivers", OK, ", ".join(f"gnuradio.{name}" for name in found))


def _has(name: str) -> bool:
    return importlib.util.find_spec(f"gnuradio.{name}") is not None


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


def run_checks() -> list[Check]:
    """Run every check; one that raises becomes a failed check, never a traceback."""
    probes: list[Callable[[], Check | list[Check]]] = [
        check_interpreter,
        check_numpy,
        check_gnuradio,
        check_module,
        check_grc_blocks,
        check_torch,
        check_backbones,
        check_weights,
        check_radios,
        check_memory,
    ]
    checks: list[Check] = []
    for probe in probes:
        try:
            result = probe()
        except Exception as error:
            name = probe.__name__.removeprefix("check_")
            result = Check(name, FAILED, f"{type(error).__name__}: {error}", "Run script/bootstrap.")
        checks.extend(result if isinstance(result, list) else [result])
    return checks


def doctor_command(
    json_: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON on stdout.")] = False,
) -> None:
    """Check interpreter, GNU Radio, module, weights, devices and memory; exit code 1 when one fails."""
    checks = run_checks()
    if json_:
        typer.echo(json.dumps({"checks": [asdict(check) for check in checks]}, indent=2))
    else:
        print_table(checks)
    if any(check.status == FAILED for check in checks):
        raise typer.Exit(1)


def print_table(checks: list[Check]) -> None:
    """Print the checks as a table and the cures below it."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    marks = {OK: "[green]ok[/]", WARNING: "[yellow]warning[/]", FAILED: "[red]failed[/]"}
    table = Table("check", "", "found", title="m4sc doctor")
    for check in checks:
        table.add_row(check.name, marks[check.status], escape(check.detail))
    console = Console()
    console.print(table)
    for check in checks:
        if check.cure:
            console.print(f"{marks[check.status]} {check.name}: {escape(check.cure)}")
