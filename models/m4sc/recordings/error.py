"""What is wrong with a recording."""


class RecordingError(ValueError):
    """A recording cannot be read or written; the message is one sentence that says why."""
