"""SigMF archives: .sigmf (tar), .sigmf.gz, .sigmf.xz and .sigmf.zip."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from lzma import LZMAError
from pathlib import Path
from typing import IO, Any

import numpy as np

from m4sc.recordings.description import MAX_BYTES, parse_description
from m4sc.recordings.error import RecordingError
from m4sc.recordings.names import DATA, META

MAX_UNPACKED = 1 << 30  # bytes of samples that a compressed archive may unpack to


def read_archive(path: Path) -> tuple[bytes, np.ndarray]:
    """The description and the samples of an archive that holds one recording.

    Returns:
        The bytes of the description, and those of the samples as uint8 (n,), a memory map.

    Raises:
        RecordingError: broken, without a recording, with several, or of more than a gibibyte when unpacked.
    """
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as zipped:
                files = [info for info in zipped.infolist() if not info.filename.endswith("/")]
                sizes = {info.filename: info.file_size for info in files}
                return _pair(path, sizes, zipped.open)
        with tarfile.open(path) as tar:
            members = {entry.name: entry for entry in tar if entry.isfile() and not entry.issparse()}
            sizes = {name: entry.size for name, entry in members.items()}
            if path.name.lower().endswith((".gz", ".xz")):
                return _pair(path, sizes, lambda name: _open(tar, members[name]))
            text, name = _description(path, sizes, lambda name: _open(tar, members[name]))
            entry = members[name]
        if entry.offset_data + entry.size > path.stat().st_size:
            raise RecordingError(f"{path.name} is cut: its samples end behind the end of the file")
        raw = np.memmap(path, np.uint8, "r", entry.offset_data, (entry.size,)) if entry.size else _NOTHING
        return text, raw
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        LZMAError,
        zlib.error,
        EOFError,
        RuntimeError,
        NotImplementedError,
    ) as exc:
        raise RecordingError(
            f"{path.name} is not a whole SigMF archive: {' '.join(str(exc).split())[:80]}"
        ) from exc
    except OSError as exc:  # gzip tells a broken file so
        raise RecordingError(f"{path.name} cannot be read: {exc.strerror or str(exc)[:80]}") from exc


_NOTHING = np.zeros(0, np.uint8)


def _open(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(member)
    if stream is None:
        raise tarfile.ReadError(f"{member.name} is no file")
    return stream


def _description(path: Path, sizes: dict[str, int], open_: Callable[[str], IO[bytes]]) -> tuple[bytes, str]:
    """The description, and the name of the member that holds its samples."""
    metas = [name for name in sizes if name.endswith(META)]
    if len(metas) != 1:
        raise RecordingError(
            f"{path.name} holds {len(metas)} recordings; an archive with exactly one is read"
        )
    if sizes[metas[0]] > MAX_BYTES:
        raise RecordingError(
            f"{path.name}: its description has {sizes[metas[0]]} bytes; at most {MAX_BYTES} are read"
        )
    with open_(metas[0]) as stream:
        text = stream.read(MAX_BYTES + 1)
    folder, _, base = metas[0].rpartition("/")
    dataset = parse_description(text, base).dataset
    for name in (dataset, base.removesuffix(META) + DATA):
        if name is not None and (member := f"{folder}/{name}" if folder else name) in sizes:
            return text, member
    raise RecordingError(f"{path.name} holds the description {base} and not its samples")


def _pair(path: Path, sizes: dict[str, int], open_: Callable[[str], Any]) -> tuple[bytes, np.ndarray]:
    """Description and samples, the samples unpacked into a temporary file up to a bound."""
    text, name = _description(path, sizes, open_)
    if sizes[name] > MAX_UNPACKED:
        raise RecordingError(
            f"{path.name} unpacks to {sizes[name]} bytes, over the {MAX_UNPACKED} held; unpack it first"
        )
    with tempfile.TemporaryFile() as unpacked:  # its name is gone, its bytes stay as long as they are mapped
        with open_(name) as stream:
            shutil.copyfileobj(stream, unpacked)
        if (count := unpacked.tell()) != sizes[name]:
            raise RecordingError(f"{path.name} is cut: {count} of {sizes[name]} bytes of samples are there")
        raw = np.memmap(unpacked, np.uint8, "r", 0, (count,)) if count else _NOTHING
    return text, raw
