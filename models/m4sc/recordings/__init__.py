"""Files of IQ samples: SigMF and bare ones, read and written here for every program of the project."""

from m4sc.recordings.error import RecordingError
from m4sc.recordings.names import recording_paths
from m4sc.recordings.reading import Recording, open_recording
from m4sc.recordings.writing import RecordingWriter, write_recording

__all__ = [
    "Recording",
    "RecordingError",
    "RecordingWriter",
    "open_recording",
    "recording_paths",
    "write_recording",
]
