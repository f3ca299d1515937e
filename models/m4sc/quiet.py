"""Libraries that load models, one thread at a time and without bars that say nothing to a person."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_one_at_a_time = threading.RLock()


@contextmanager
def quiet_loading() -> Iterator[None]:
    """No progress bars of transformers and no FutureWarning inside; errors pass.

    transformers and PEFT are imported inside, too: they import parts of each other when first used, and two
    threads that do so at once, as a transmitter and a receiver in one process may, find halves of modules.
    """
    with _one_at_a_time:
        from transformers.utils import logging

        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                yield
        finally:
            if shown:
                logging.enable_progress_bar()
