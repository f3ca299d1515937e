"""Cache folder, checksums, and a conversion that either happened whole or did not happen."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from m4sc.pretrained.registry import BackboneError

MANIFEST = "conversion.json"
LOCK_TIMEOUT_S = 600.0
_LOCK_MODE = 0o666  # whoever converts next may be another user


def cache_home() -> Path:
    """Return the project's cache folder.

    ``M4SC_HOME``, else ``$XDG_CACHE_HOME/m4sc``, else ``~/.cache/m4sc``. The folder need not exist yet.
    """
    chosen = os.environ.get("M4SC_HOME", "").strip()
    if chosen:
        return Path(chosen).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME", "").strip()
    # The XDG base directory specification says that a relative path is to be ignored.
    base = Path(xdg) if xdg and Path(xdg).is_absolute() else Path.home() / ".cache"
    return base / "m4sc"


def open_to_readers(folder: Path) -> None:
    """Let every user read a finished folder: libraries write their files for their own user alone."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file, as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_files(folder: Path, files: Iterable[tuple[str, str]], cure: str) -> None:
    """Compare files with the checksums they must have.

    Args:
        folder: where the files lie.
        files: (name inside `folder`, SHA-256 in hex).
        cure: what the reader should do, put at the end of the message.

    Raises:
        BackboneError: a file is missing, or its checksum differs.
    """
    for name, expected in files:
        path = folder / name
        if not path.is_file():
            raise BackboneError(f"{path} is missing; {cure}")
        if sha256_file(path) != expected:
            raise BackboneError(
                f"{path} does not have the SHA-256 {expected[:12]}... that this release knows; {cure}"
            )


def is_converted(folder: Path, source_sha256: str, version: int) -> bool:
    """Say whether `folder` holds a whole, unchanged conversion of that source by that converter version."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["source_sha256"] != source_sha256 or manifest["version"] != version:
            return False
        return all(sha256_file(folder / name) == digest for name, digest in manifest["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def convert_once(
    target: Path,
    source_sha256: str,
    version: int,
    convert: Callable[[Path], None],
) -> Path:
    """Fill `target` by `convert(folder)` unless a whole conversion is there already.

    A second process waits on a file lock; the work is done in a neighbouring temporary folder that is renamed
    at the end, so that an interrupted conversion leaves nothing that could be taken for a finished one.

    Args:
        target: folder of the result.
        source_sha256: checksum of what is converted; another source is converted again.
        version: version of the converter; another version converts again.
        convert: writes the result into the empty folder it is given.

    Returns:
        `target`.

    Raises:
        BackboneError: the cache folder cannot be written, or another process holds the lock for ten minutes.
    """
    if is_converted(target, source_sha256, version):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock", timeout=LOCK_TIMEOUT_S, mode=_LOCK_MODE):
            if not is_converted(target, source_sha256, version):
                _convert_into(target, source_sha256, version, convert)
    except Timeout:
        raise BackboneError(
            f"Another process has been converting {target.name} for {LOCK_TIMEOUT_S:.0f} s; end it, "
            f"or delete {target}.lock, and try again."
        ) from None
    except OSError as error:
        raise BackboneError(
            f"The cache folder {target.parent} cannot be written ({error.strerror or error}); "
            "set M4SC_HOME to a folder with 400 MB of free space."
        ) from None
    return target


def _convert_into(target: Path, source_sha256: str, version: int, convert: Callable[[Path], None]) -> None:
    """Run `convert` in a temporary folder beside `target` and put the result in its place."""
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        convert(scratch)
        digests = {
            str(path.relative_to(scratch)): sha256_file(path)
            for path in sorted(scratch.rglob("*"))
            if path.is_file()
        }
        manifest = {"source_sha256": source_sha256, "version": version, "files": digests}
        (scratch / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        open_to_readers(scratch)
        if target.exists():
            shutil.rmtree(target)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
