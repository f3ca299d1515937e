"""Link adapter: bounds, hysteresis, the share of losses it settles at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.modulation.link_adapter import LinkAdapter, LinkAdapterConfig
from m4sc.phy.modulation.mcs import MCS_TABLE, select_mcs
from m4sc_app.bench.trials.bler import block_error_rate

SNRS = st.floats(-30.0, 50.0)
EVENTS = st.lists(st.one_of(SNRS, st.booleans()), max_size=60)


def _run(adapter: LinkAdapter, events: list[float | bool]) -> list[int]:
    return [(adapter.report_block(e) if isinstance(e, bool) else adapter.report_snr(e)).index for e in events]


@given(EVENTS)
def test_the_scheme_is_always_one_that_the_snr_less_the_margin_carries(events: list[float | bool]) -> None:
    adapter, snr_db = LinkAdapter(), None
    for event in events:
        _run(adapter, [event])
        snr_db = snr_db if isinstance(event, bool) else event
        assert -2.0 <= adapter.margin_db <= 15.0
        if snr_db is None:
            assert adapter.mcs.index == 0
        else:
            assert adapter.mcs.index <= select_mcs(snr_db, adapter.margin_db).index
            assert adapter.mcs.index >= select_mcs(snr_db, adapter.margin_db + 0.5).index


@given(EVENTS, SNRS)
def test_a_loss_never_makes_it_faster_and_a_success_never_slower(
    events: list[float | bool], snr_db: float
) -> None:
    for outcome in (True, False):
        adapter = LinkAdapter()
        _run(adapter, [*events, snr_db])
        before, margin_db = adapter.mcs.index, adapter.margin_db
        after = adapter.report_block(outcome).index
        assert after >= before if outcome else after <= before
        assert adapter.margin_db <= margin_db if outcome else adapter.margin_db >= margin_db


@given(st.integers(1, len(MCS_TABLE) - 1), st.lists(st.floats(-0.24, 0.24), min_size=1, max_size=50))
def test_noise_of_the_estimate_within_the_hysteresis_does_not_make_it_swing(
    index: int, noise: list[float]
) -> None:
    edge = MCS_TABLE[index].snr_db
    seen = _run(LinkAdapter(), [edge + 0.25 + x for x in noise])  # too little to take the scheme up
    assert len(set(seen)) == 1 and seen[0] == index - 1
    seen = _run(LinkAdapter(), [edge + 0.51, *(edge + 0.25 + x for x in noise)])  # taken up: kept
    assert set(seen) == {index}


@settings(deadline=None, max_examples=6)
@given(st.floats(-3.0, 4.0), st.sampled_from([0.02, 0.05, 0.2]), st.integers(0, 100))
def test_losses_settle_at_the_target_whatever_the_reports_are_wrong_by(
    error_db: float, target: float, seed: int
) -> None:
    """A channel of 12 dB reported with an error; a block is lost by the distance to what its scheme needs."""
    config = LinkAdapterConfig(target_loss=target, least_margin_db=-10.0)
    adapter, rng, lost = LinkAdapter(config), np.random.default_rng(seed), []
    for _ in range(4000):
        snr_db = 12.0 + rng.standard_normal()
        mcs = adapter.report_snr(snr_db + error_db)
        chance = 1.0 / (1.0 + np.exp(4.6 + 6.0 * (snr_db - mcs.snr_db)))  # 1 % at what the scheme needs
        lost.append(bool(rng.random() < chance))
        adapter.report_block(not lost[-1])
    assert np.mean(lost[1000:]) == pytest.approx(target, rel=0.3)


def test_the_choice_delivers_in_awgn() -> None:
    for snr_db in (0.0, 9.5, 18.0):
        mcs = LinkAdapter().report_snr(snr_db)
        assert block_error_rate(mcs.index, snr_db, 256, 40, seed=4) <= 0.05
        faster = MCS_TABLE[mcs.index + 2]
        assert block_error_rate(faster.index, snr_db, 256, 20, seed=4) >= 0.5


@pytest.mark.parametrize(
    "change, match",
    [
        ({"target_loss": 0.0}, "target_loss is 0.0"),
        ({"target_loss": 1.0}, "between 0 and 1"),
        ({"step_db": 0.0}, "use a step above 0"),
        ({"hysteresis_db": -1.0}, "hysteresis of 0 or more"),
        ({"least_margin_db": 1.0}, "do not hold 0"),
        ({"n_bytes": 0}, "at least one byte"),
    ],
)
def test_wrong_settings_are_named(change: dict[str, float], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        LinkAdapterConfig(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize("snr_db", [float("nan"), float("inf"), float("-inf")])
def test_a_report_that_is_no_number_is_refused_and_changes_nothing(snr_db: float) -> None:
    adapter = LinkAdapter()
    adapter.report_snr(10.0)
    before = adapter.mcs
    with pytest.raises(ValueError, match="says nothing"):
        adapter.report_snr(snr_db)
    assert adapter.mcs == before
