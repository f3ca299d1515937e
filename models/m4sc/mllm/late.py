"""A network that is read when somebody first asks it: most tasks never do, and it takes seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

from m4sc.config import ModelConfig
from m4sc.mllm.network import Network


class LateNetwork:
    """Where a codec finds its network.

    Attributes:
        config: known before the network is read.
    """

    def __init__(self, config: ModelConfig, read: Callable[[], Network]) -> None:
        """read: gives the trained network; called once, by whichever thread comes first."""
        self.config, self._read = config, read
        self._network: Network | None = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, network: Network) -> LateNetwork:
        """A network that is there already."""
        return cls(network.config, lambda: network)

    def __call__(self) -> Network:
        """The network; ValueError, each time, where it cannot be read."""
        with self._lock:
            if self._network is None:
                with torch.inference_mode(False):  # its tensors outlive the call that first needs them
                    self._network = self._read().eval()
            return self._network
