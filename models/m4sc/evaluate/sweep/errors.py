"""What ends a sweep early."""


class SweepError(ValueError):
    """The sweep cannot go on; what was measured is kept."""
