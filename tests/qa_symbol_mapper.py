"""Symbol mapper and demapper."""

from __future__ import annotations

import numpy as np
import pytest
from fake_system import signature
from flow import run_block
from gnuradio import m4sc

pytestmark = pytest.mark.timeout(60)


def test_analog_pairs_become_i_and_q() -> None:
    sent = signature("cat")
    block = m4sc.symbol_mapper(interleave=False)
    sink = run_block(block, "latents", "symbols", [({"sequence": 4}, sent.view(np.float32))])
    meta, payload = sink.pdus[0]
    np.testing.assert_allclose(payload, sent, atol=1e-6)
    assert payload.dtype == np.complex64 and meta["payload_kind"] == "analog" and meta["sequence"] == 4


@pytest.mark.parametrize("order", [4, 16, 256])
def test_qam_symbols_lie_on_a_grid_of_that_order(order: int) -> None:
    sent = np.concatenate([signature(f"w{i}") for i in range(40)])
    block = m4sc.symbol_mapper("qam", order)
    meta, payload = run_block(block, "latents", "symbols", [({}, sent.view(np.float32))]).pdus[0]
    assert len(np.unique(np.round(payload.real, 4))) <= int(np.sqrt(order))
    assert meta["payload_kind"] == "qam" and meta["mcs"] == int(np.log2(order))
    assert not np.allclose(payload, sent)


def test_demapper_hands_on_symbols_and_noise_as_received() -> None:
    symbols, noise = signature("dog"), np.linspace(0.1, 1, 96).astype(np.float32)
    pdu = ({"payload_kind": "qam", "noise_var": noise}, symbols)
    meta, payload = run_block(m4sc.symbol_demapper(), "symbols", "latents", [pdu]).pdus[0]
    assert payload.dtype == np.float32
    np.testing.assert_allclose(payload.view(np.complex64), symbols, atol=1e-6)
    np.testing.assert_array_equal(meta["noise_var"], noise)


def test_what_is_not_latents_is_refused() -> None:
    odd = run_block(m4sc.symbol_mapper(), "latents", "symbols", [({}, np.ones(3, np.float32))])
    assert not odd.pdus and "pairs" in odd.status[0]["reason"]
    digital = ({"payload_kind": "digital"}, np.ones(4, np.complex64))
    refused = run_block(m4sc.symbol_demapper(), "symbols", "latents", [digital])
    assert not refused.pdus and "classical decoder" in refused.status[0]["reason"]
    with pytest.raises(ValueError, match="4, 16"):
        m4sc.symbol_mapper("qam", 8)
    with pytest.raises(ValueError, match="analog"):
        m4sc.symbol_mapper("digital")


@pytest.mark.parametrize("interleave", [True, False])
@pytest.mark.parametrize("precode", [True, False])
def test_the_demapper_undoes_what_the_mapper_did(interleave: bool, precode: bool) -> None:
    sent = np.concatenate([signature(f"w{i}") for i in range(3)])
    block = m4sc.symbol_mapper(interleave=interleave, precode=precode)
    meta, air = run_block(block, "latents", "symbols", [({}, sent.view(np.float32))]).pdus[0]
    assert (meta["interleaved"], meta["precoded"]) == (interleave, precode)
    assert np.allclose(air, sent, atol=1e-5) == (not interleave and not precode)
    noisy = {**meta, "noise_var": np.full(sent.size, 0.2, np.float32)}
    back, payload = run_block(m4sc.symbol_demapper(), "symbols", "latents", [(noisy, air)]).pdus[0]
    np.testing.assert_allclose(payload.view(np.complex64), sent, atol=1e-5)
    np.testing.assert_allclose(back["noise_var"], 0.2, rtol=1e-5)


def test_interleaved_symbols_without_noise_variances_are_refused() -> None:
    pdu = ({"payload_kind": "analog", "interleaved": True}, signature("cat"))
    refused = run_block(m4sc.symbol_demapper(), "symbols", "latents", [pdu])
    assert not refused.pdus and "noise_var" in refused.status[0]["reason"]
