"""Choice of a modulation and coding scheme from reported SNR and from what was acknowledged.

Outer-loop link adaptation: the margin grows by a step with each loss and shrinks with each success by just as
much as keeps the share of losses at its target (Pedersen et al., "Frequency domain scheduling for OFDMA with
limited and noisy channel feedback", VTC Fall 2007).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from m4sc.phy.modulation.mcs import MCS_TABLE, Mcs, select_mcs


@dataclass(frozen=True)
class LinkAdapterConfig:
    """How carefully the scheme is chosen.

    Attributes:
        target_loss: share of lost blocks that the outer loop aims at, 0 to 1 exclusive.
        step_db: growth of the margin with a lost block.
        least_margin_db, most_margin_db: bounds of the margin.
        hysteresis_db: SNR above its need at which a faster scheme is taken up.
        n_bytes: of the transport blocks.
    """

    target_loss: float = 0.05
    step_db: float = 0.5
    least_margin_db: float = -2.0
    most_margin_db: float = 15.0
    hysteresis_db: float = 0.5
    n_bytes: int = 256

    def __post_init__(self) -> None:
        if not 0.0 < self.target_loss < 1.0:
            raise ValueError(f"target_loss is {self.target_loss}; it is a share between 0 and 1")
        if not (self.step_db > 0.0 and self.hysteresis_db >= 0.0):
            raise ValueError(
                f"step_db is {self.step_db}, hysteresis_db {self.hysteresis_db}; use a step above 0 and a "
                "hysteresis of 0 or more"
            )
        if not self.least_margin_db <= 0.0 <= self.most_margin_db:
            raise ValueError(
                f"margins of {self.least_margin_db} to {self.most_margin_db} dB do not hold 0, their start"
            )
        if self.n_bytes < 1:
            raise ValueError(f"n_bytes is {self.n_bytes}; a block has at least one byte")


class LinkAdapter:
    """Follows one receiver; the scheme is the most robust until an SNR is known.

    Down at once where the SNR less the margin no longer carries the scheme; up only where it carries the
    faster one with the hysteresis to spare, so that noise of the estimate does not make it swing.
    """

    def __init__(self, config: LinkAdapterConfig | None = None) -> None:
        self.config = config or LinkAdapterConfig()
        self._margin_db = 0.0
        self._snr_db: float | None = None
        self._mcs = MCS_TABLE[0]

    @property
    def mcs(self) -> Mcs:
        """Scheme of the next block."""
        return self._mcs

    @property
    def margin_db(self) -> float:
        """What the outer loop takes off the reported SNR, dB."""
        return self._margin_db

    def report_snr(self, snr_db: float) -> Mcs:
        """Es/N0 per data subcarrier as the receiver measured it; the scheme that follows from it.

        Raises:
            ValueError: not a finite number.
        """
        if not math.isfinite(snr_db):
            raise ValueError(f"an SNR of {snr_db} dB says nothing; report a finite number or none")
        self._snr_db = float(snr_db)
        return self._choose()

    def report_block(self, acknowledged: bool) -> Mcs:
        """Whether a block of the present scheme arrived; the scheme that follows from it."""
        up, target = self.config.step_db, self.config.target_loss
        change = -up * target / (1.0 - target) if acknowledged else up
        self._margin_db = min(
            max(self._margin_db + change, self.config.least_margin_db), self.config.most_margin_db
        )
        return self._choose()

    def _choose(self) -> Mcs:
        if self._snr_db is None:
            return self._mcs
        config = self.config
        carried = select_mcs(self._snr_db, self._margin_db, config.n_bytes)
        sure = select_mcs(self._snr_db, self._margin_db + config.hysteresis_db, config.n_bytes)
        if carried.index < self._mcs.index:
            self._mcs = carried
        elif sure.index > self._mcs.index:
            self._mcs = sure
        return self._mcs
