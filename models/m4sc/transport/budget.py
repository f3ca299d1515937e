"""What a frame's header must stand, so that it is never lost before its payload and costs no more."""

from __future__ import annotations

from m4sc.phy.header.protection import NORMAL, Protection, get_protection, protection_for
from m4sc.phy.modulation.mcs import get_mcs

AUTO = -1
FADING_MARGIN_DB = 6.0
"""Below the mean SNR: how far a fade may reach before an analogue message's header is lost."""


def digital_protection(mcs: int, n_bytes: int) -> Protection:
    """For a transport block: the shortest that holds where the block itself is decoded."""
    return protection_for(get_mcs(mcs).required_snr_db(n_bytes))


def analogue_protection(snr_db: float) -> Protection:
    """For symbols, which are worth something at any SNR: never the lightest.

    snr_db: mean Es/N0 that the sender expects.
    """
    return max(NORMAL, protection_for(snr_db, FADING_MARGIN_DB), key=lambda protection: protection.index)


def chosen_protection(asked: int, automatic: Protection) -> Protection:
    """The protection asked for by its number, or `automatic` for `AUTO`.

    Raises:
        ValueError: no such protection.
    """
    return automatic if asked == AUTO else get_protection(asked)
