"""From what a person writes to the address of a radio end: a recording may be named as a plain path."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from m4sc.recordings.names import ARCHIVES, BARE, DATA, META
from m4sc.recordings.sample_types import RAW_TYPES, RAW_UNKNOWN
from m4sc_flowgraphs.radio_ends.address import KINDS, Address, RadioEndError, parse_address

from m4sc_app.errors import UserError

_SIMULATED = ("sim", "file")
_ENDINGS = (META, DATA, BARE, *ARCHIVES)


def read_address(text: str | Address, sends: bool) -> Address:
    """The address that a person means.

    ``KIND:PLACE?OPTIONS`` as of :mod:`m4sc_flowgraphs.radio_ends.address`; the path of a recording, with
    ``?OPTIONS`` or without, is ``file:``. A transmitter writes SigMF and .cf32; a receiver reads any
    recording that is there.

    Raises:
        RadioEndError: no such kind, and no name of a recording either.
    """
    if isinstance(text, Address):
        return text
    if text.partition(":")[0] in KINDS and ":" in text:
        return parse_address(text)
    if not sends and _is_there(text):
        return Address("file", text, {}, f"file:{text}")
    path = text.partition("?")[0]
    endings = _ENDINGS if sends else (*_ENDINGS, *RAW_TYPES, *RAW_UNKNOWN)
    if path.lower().endswith(endings) or (not sends and _is_there(path)):
        return parse_address(f"file:{text}")
    try:
        return parse_address(text)
    except RadioEndError as exc:
        more = ", or a recording by --out NAME" if sends else ", or the path of a recording"
        raise RadioEndError(f"{exc}{more}") from exc


def _is_there(text: str) -> bool:
    try:
        return Path(text).exists() or Path(f"{text}{META}").exists()
    except (OSError, ValueError):  # too long a name, a NUL in it
        return False


def with_channel(address: Address, snr_db: float | None, cfo_hz: float | None, seed: int | None) -> Address:
    """The address with what the options say of a simulated channel; its own options come first.

    Raises:
        UserError: a number that is none, or a carrier offset for an end with air of its own.
    """
    from m4sc.phy.channel.config import MOST_SNR_DB

    for name, value in (("--snr-db", snr_db), ("--cfo-hz", cfo_hz)):
        if value is not None and not math.isfinite(value):
            raise UserError(f"{name} is {value}; give a finite number")
    if snr_db is not None and abs(snr_db) > MOST_SNR_DB:
        raise UserError(f"--snr-db is {snr_db:g}; give {-MOST_SNR_DB:g} to {MOST_SNR_DB:g}")
    given = {"snr_db": snr_db, "cfo_hz": cfo_hz, "seed": seed}
    if address.kind not in _SIMULATED:
        for name in ("cfo_hz", "seed"):
            if given[name] is not None:
                option = f"--{name.replace('_', '-')}"
                raise UserError(
                    f"{option} is of a simulated channel, sim: or a recording, not '{address.text}'"
                )
        return address
    added = {name: repr(value) for name, value in given.items() if value is not None}
    return replace(address, options={**added, **address.options})


def with_sample_format(address: Address, datatype: str | None, rate: float | None) -> Address:
    """The address of a recording with what ``--datatype`` and ``--rate`` say of its samples.

    Raises:
        UserError: the address is no recording's.
    """
    given = {"datatype": datatype, "rate": None if rate is None else repr(rate)}
    added = {name: value for name, value in given.items() if value is not None}
    if added and address.kind != "file":
        raise UserError(f"--{next(iter(added))} is of a recording, not of '{address.text}'")
    return replace(address, options={**added, **address.options})
