"""From the name that a person gives to the files of a recording."""

from __future__ import annotations

from pathlib import Path

from m4sc.recordings.error import RecordingError

DATA, META, ARCHIVE, COLLECTION = ".sigmf-data", ".sigmf-meta", ".sigmf", ".sigmf-collection"
ARCHIVES = (ARCHIVE, ".sigmf.gz", ".sigmf.xz", ".sigmf.zip")
BARE = ".cf32"


def recording_paths(name: str | Path) -> tuple[Path, Path]:
    """Paths of samples and description that a recording of this name has.

    ``NAME``, ``NAME.sigmf-data`` and ``NAME.sigmf-meta`` are one recording; ``NAME.cf32`` are bare samples
    with ``NAME.cf32.json`` beside them. Dots inside NAME stay.

    Raises:
        RecordingError: an empty name.
    """
    if not str(name) or not Path(name).name:
        raise RecordingError("the recording has no name; give a path such as burst.sigmf-meta")
    path = Path(name)
    if path.suffix == BARE:
        return path, path.with_name(path.name + ".json")
    stem = path.name.removesuffix(META).removesuffix(DATA)
    if not stem:
        raise RecordingError(f"'{path.name}' names no recording; give a path such as burst.sigmf-meta")
    return path.with_name(stem + DATA), path.with_name(stem + META)


def is_archive(path: Path) -> bool:
    """Whether the name is that of a SigMF archive, compressed or not."""
    return path.name.lower().endswith(ARCHIVES)
