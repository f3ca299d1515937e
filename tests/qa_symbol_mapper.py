"""Symbol mapper and demapper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_system import signature
from flow import run_block
from gnuradio import m4sc

pytestmark = pytest.mark.timeout(60)


def test_analog_pairs_become_i_and_q() -> None:
    sent = signature("cat")
    block = m4sc.symbol_mapper(interleave=False)
    sink = run_block(block, "payload", "symbols", [({"sequence": 4}, sent.view(np.float32))])
    meta, payload = sink.pdus[0]
    np.testing.assert_allclose(payload, sent, atol=1e-6)
    assert payload.dtype == np.complex64 and meta["payload_kind"] == "analog" and meta["sequence"] == 4


@pytest.mark.parametrize("order", [4, 16, 256])
def test_qam_symbols_lie_on_a_grid_of_that_order(order: int) -> None:
    sent = np.concatenate([signature(f"w{i}") for i in range(40)])
    block = m4sc.symbol_mapper("qam", order)
    meta, payload = run_block(block, "payload", "symbols", [({}, sent.view(np.float32))]).pdus[0]
    assert len(np.unique(np.round(payload.real, 4))) <= int(np.sqrt(order))
    assert meta["payload_kind"] == "qam" and meta["mcs"] == int(np.log2(order))
    assert not np.allclose(payload, sent)


def test_demapper_hands_on_symbols_and_noise_as_received() -> None:
    symbols, noise = signature("dog"), np.linspace(0.1, 1, 96).astype(np.float32)
    pdu = ({"payload_kind": "analog", "noise_var": noise}, symbols)
    meta, payload = run_block(m4sc.symbol_demapper(), "symbols", "payload", [pdu]).pdus[0]
    assert payload.dtype == np.float32
    np.testing.assert_allclose(payload.view(np.complex64), symbols, atol=1e-6)
    np.testing.assert_array_equal(meta["noise_var"], noise)


def test_what_is_not_latents_is_refused() -> None:
    odd = run_block(m4sc.symbol_mapper(), "payload", "symbols", [({}, np.ones(3, np.float32))])
    assert not odd.pdus and "pairs" in odd.status[0]["reason"]
    flat = ({"payload_kind": "analog"}, np.ones(4, np.float32))
    refused = run_block(m4sc.symbol_demapper(), "symbols", "payload", [flat])
    assert not refused.pdus and "complex64" in refused.status[0]["reason"]
    with pytest.raises(ValueError, match="4, 16"):
        m4sc.symbol_mapper("qam", 8)
    with pytest.raises(ValueError, match="analog"):
        m4sc.symbol_mapper("fax")
    with pytest.raises(ValueError, match="2 to 256"):
        m4sc.symbol_mapper("digital", levels=1)


def test_the_noise_of_a_grid_is_added() -> None:
    pdu = ({"payload_kind": "qam", "mcs": 4, "noise_var": np.full(96, 0.1, np.float32)}, signature("dog"))
    meta, payload = run_block(m4sc.symbol_demapper(), "symbols", "payload", [pdu]).pdus[0]
    np.testing.assert_allclose(payload.view(np.complex64), signature("dog"), atol=1e-6)  # no decision
    assert (meta["noise_var"] > 0.2).all() and (meta["noise_var"] < 0.25).all()


def digital_pdus(**options: Any) -> list[Any]:
    """Frames of two messages as they would arrive at 15 dB."""
    sent = [
        ({"sequence": i, "model_fingerprint": 1}, signature(w).view(np.float32)) for i, w in enumerate("ab")
    ]
    block = m4sc.symbol_mapper("digital", **options)
    found = []
    for meta, symbols in run_block(block, "payload", "symbols", sent).pdus:
        rng = np.random.default_rng(meta["sequence"])
        noise = rng.standard_normal((2, symbols.size)) * np.sqrt(10**-1.5 / 2)
        noise_var = np.full(symbols.size, 10**-1.5, np.float32)
        found.append(
            ({**meta, "noise_var": noise_var}, (symbols + noise[0] + 1j * noise[1]).astype(np.complex64))
        )
    return found


@pytest.mark.parametrize("levels", [16, 23])
def test_digital_latents_come_back_but_for_the_quantiser(levels: int) -> None:
    sent = digital_pdus(levels=levels, snr_db=15.0)
    assert all(m["payload_kind"] == "digital" and m["payload_bytes"] > 0 for m, _ in sent)
    sink = run_block(m4sc.symbol_demapper(), "symbols", "payload", sent)
    for (meta, payload), word in zip(sink.pdus, "ab", strict=True):
        error = np.abs(payload.view(np.complex64) - signature(word)) ** 2
        assert error.mean() < 0.03 and meta["noise_var"].shape == (96,)
        assert error.mean() == pytest.approx(meta["noise_var"].mean(), rel=0.5)


def test_a_failed_crc_is_a_counted_loss_and_the_next_message_comes_through() -> None:
    (meta, symbols), good = digital_pdus()
    block = m4sc.symbol_demapper()
    sink = run_block(block, "symbols", "payload", [(meta, -symbols), good])
    assert [m["sequence"] for m, _ in sink.pdus] == [1]
    assert block.counters["crc_errors"] == 1 and block.counters["errors"] == 0
    assert [(s["event"], s["sequence"]) for s in sink.status] == [("lost", 0)]


def test_a_right_crc_around_no_latents_is_an_error_not_a_crash() -> None:
    from m4sc.phy.modulation.digital import encode_transport

    symbols = encode_transport(b"no latents at all", 2)
    meta = {"payload_kind": "digital", "model_fingerprint": 1, "mcs": 2, "payload_bytes": 17}
    meta["noise_var"] = np.full(symbols.size, 0.01, np.float32)
    block = m4sc.symbol_demapper()
    sink = run_block(block, "symbols", "payload", [(meta, symbols)])
    assert not sink.pdus and block.counters["errors"] == 1 and "bytes" in sink.status[0]["reason"]


def test_the_scheme_of_a_digital_payload_follows_the_snr() -> None:
    sizes = [digital_pdus(snr_db=snr_db)[0][1].size for snr_db in (0.0, 20.0)]
    assert sizes[0] > 3 * sizes[1]


@pytest.mark.parametrize("interleave", [True, False])
@pytest.mark.parametrize("precode", [True, False])
def test_the_demapper_undoes_what_the_mapper_did(interleave: bool, precode: bool) -> None:
    sent = np.concatenate([signature(f"w{i}") for i in range(3)])
    block = m4sc.symbol_mapper(interleave=interleave, precode=precode)
    meta, air = run_block(block, "payload", "symbols", [({}, sent.view(np.float32))]).pdus[0]
    assert (meta["interleaved"], meta["precoded"]) == (interleave, precode)
    assert np.allclose(air, sent, atol=1e-5) == (not interleave and not precode)
    noisy = {**meta, "noise_var": np.full(sent.size, 0.2, np.float32)}
    back, payload = run_block(m4sc.symbol_demapper(), "symbols", "payload", [(noisy, air)]).pdus[0]
    np.testing.assert_allclose(payload.view(np.complex64), sent, atol=1e-5)
    np.testing.assert_allclose(back["noise_var"], 0.2, rtol=1e-5)


def test_interleaved_symbols_without_noise_variances_are_refused() -> None:
    pdu = ({"payload_kind": "analog", "interleaved": True}, signature("cat"))
    refused = run_block(m4sc.symbol_demapper(), "symbols", "payload", [pdu])
    assert not refused.pdus and "noise_var" in refused.status[0]["reason"]


def test_bytes_cross_and_come_back_as_bytes() -> None:
    data = np.frombuffer(bytes(range(256)) * 5, np.uint8)
    block = m4sc.symbol_mapper(segment_bytes=300, snr_db=12.0)
    frames = run_block(block, "payload", "symbols", [({"sequence": 3}, data)]).pdus
    assert len(frames) == 5 == frames[0][0]["n_segments"]
    heard = [({**m, "noise_var": np.full(s.size, 0.02, np.float32)}, s) for m, s in frames]
    ((meta, payload),) = run_block(m4sc.symbol_demapper(), "symbols", "payload", heard[::-1]).pdus
    assert payload.dtype == np.uint8 and payload.tobytes() == data.tobytes() and meta["sequence"] == 3


def test_a_lost_frame_of_latents_is_erased_symbols() -> None:
    sent = np.concatenate([signature(f"w{i}") for i in range(5)])
    block = m4sc.symbol_mapper(segment_symbols=100)
    frames = run_block(block, "payload", "symbols", [({}, sent.view(np.float32))]).pdus
    heard = [({**m, "noise_var": np.full(s.size, 0.1, np.float32)}, s) for m, s in frames]
    ((meta, payload),) = run_block(m4sc.symbol_demapper(), "symbols", "payload", heard[:2] + heard[3:]).pdus
    erased = np.isinf(meta["noise_var"])
    assert meta["lost_segments"] == 1 and erased.sum() == frames[2][1].size
    np.testing.assert_allclose(payload.view(np.complex64)[~erased], sent[~erased], atol=1e-5)
    assert not payload.view(np.complex64)[erased].any()
