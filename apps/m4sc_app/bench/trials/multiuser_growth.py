"""Air time and processor time of more and more users."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from m4sc.codecs.shared import encode_users
from m4sc.evaluate.multiuser import Ends, Session, air_times
from m4sc.evaluate.multiuser_sets import sessions
from m4sc.sharing.directory import OFDMA
from m4sc.sharing.group import to_group
from m4sc.sharing.layout import carriers_of, equal_share_rows

from m4sc_app.bench.trials.multiuser_trial import EQUAL_DB, Figure, Trial, over_alone

SIZES = (2, 4, 8, 16)
_TIMED = 6  # sessions of each size; no picture is in two of them, so that each is looked at anew
_KINDS = {
    "crowd": "tasks on one photograph",
    "questions": "questions about one mosaic",
    "rooms": "pictures of rooms",
    "unrelated": "other photographs",
}


def sizes(trial: Trial) -> list[Figure]:
    """Air time of 2 to 16 users at 10 dB, and what they cost the processor at both ends."""
    figures = []
    for name, kind in _KINDS.items():
        figures += air_by_size(trial, name, kind)
    for name in ("crowd", "unrelated"):
        figures += processor_by_size(trial, name, _KINDS[name])
    return figures


def air_by_size(trial: Trial, name: str, kind: str) -> list[Figure]:
    """Air time of 2 to 16 users of a set, together and alone; kind: of the set in words."""
    figures, totals = [], dict[int, float]()
    for users in SIZES:
        made = replace(trial, n=min(trial.n, 40)).prepared(name, (10.0,) * users)
        if not made:
            continue
        times = [air_times(one, trial.waveform) for one in made]
        totals[users] = 1e3 * float(np.mean([t.group for t in times]))
        alone = 1e3 * float(np.mean([sum(t.unicast) for t in times]))
        detail = f"n = {len(made)}, all at 10 dB; {alone:.2f} ms alone"
        x = float(users)
        figures += [
            Figure(
                f"air time, {kind}, {users} users", totals[users], "ms", detail,
                plot="users_air_time", series=kind, x=x,
            ),
            Figure(
                f"air time, {kind}, {users} users alone", alone, "ms", "a frame for each",
                plot="users_air_time", series="a frame for each" if name == "crowd" else "", x=x,
            ),
            Figure(f"air time, {kind}, {users} users, over unicast", over_alone(times), "share", detail),
        ]  # fmt: skip
    if len(totals) > 1:
        few, many = min(totals), max(totals)
        detail = f"{many // few} would be linear; {totals[few]:.2f} and {totals[many]:.2f} ms"
        figures.append(
            Figure(f"air time, {kind}, {many} users over {few}", totals[many] / totals[few], "ratio", detail)
        )
    return figures


def processor_by_size(trial: Trial, name: str, kind: str) -> list[Figure]:
    """Processor time of the transmitter over its users, and of one receiver until it has its message."""
    figures: list[Figure] = []
    for k, users in enumerate(SIZES):
        whole = sessions(name, trial.data, _TIMED * (len(SIZES) + 1), (10.0,) * users)
        made = whole[_TIMED * k : _TIMED * (k + 1)]
        if not made:
            continue
        if not figures:
            _cost(trial, whole[-1])  # what is slow once
        cost = np.array([_cost(trial, session) for session in made])
        send, take = 1e3 * np.median(cost, axis=0)
        for what, value in (("transmitter", send), ("receiver", take)):
            figures.append(
                Figure(
                    f"CPU of the {what}, {kind}, {users} users", float(value), "ms a user",
                    f"median of {len(made)}", plot="users_cpu", series=f"{what}, {kind}", x=float(users),
                )
            )  # fmt: skip
    return figures


def _cost(trial: Trial, session: Session) -> tuple[float, float]:
    """Processor seconds a user: encoding, dividing and composing; finding a frame and one's parts of it."""
    requests = session.requests()
    started = time.process_time()
    served = encode_users(trial.model, requests)
    group = to_group(served, trial.waveform, trial.config)
    sent = time.process_time()
    burst = group.frame.modulate(trial.waveform)
    ends, rng = Ends(trial.waveform), np.random.default_rng(0)
    arriving = [ends.through(burst, snr, rng) for snr in session.snr_db]
    begun = time.process_time()
    for n, samples in enumerate(arriving):
        ends.take(samples, n + 1)
    return (sent - started) / len(requests), (time.process_time() - begun) / len(requests)


def layouts(trial: Trial) -> list[Figure]:
    """OFDM symbols of users' own parts on carriers of their own: allocated, and in equal shares."""
    made = replace(trial, config=replace(trial.config, layout=OFDMA)).prepared("tasks", EQUAL_DB)
    carriers = trial.waveform.n_data_carriers
    chosen = [one.group.private_symbols for one in made if sum(one.group.private_symbols)]
    allocated = float(np.mean([carriers_of(sizes, carriers)[1] for sizes in chosen]))
    equal = float(np.mean([equal_share_rows(sizes, carriers) for sizes in chosen]))
    return [
        Figure("own parts, allocated carriers", allocated, "OFDM symbols", f"n = {len(chosen)}"),
        Figure("own parts, equal shares", equal, "OFDM symbols", f"n = {len(chosen)}"),
    ]
