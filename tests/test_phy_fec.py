"""CRC, LDPC, QAM and the digital payload: published vectors, properties, limits of the channel."""

from __future__ import annotations

import binascii

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.fec import crc
from m4sc.phy.fec.base_graph import base_graph, lifting_sizes
from m4sc.phy.fec.ldpc import ldpc_code
from m4sc.phy.fec.ldpc_encoder import code_word
from m4sc.phy.modulation import digital, qam
from m4sc.phy.modulation.mcs import MCS_TABLE, get_mcs, select_mcs
from m4sc_app.bench.trials.bler import block_error_rate

SCHEMES = st.integers(0, len(MCS_TABLE) - 1)


@pytest.mark.parametrize(
    "check, value", [(crc.CRC24A, 0xCDE703), (crc.CRC24B, 0x23EF52), (crc.CRC16, 0x31C3)]
)
def test_crcs_have_the_published_check_values(check: crc.Crc, value: int) -> None:
    """CRC-24/LTE-A, CRC-24/LTE-B and CRC-16/XMODEM of "123456789" in the catalogue of CRCs."""
    bits = np.unpackbits(np.frombuffer(b"123456789", np.uint8))
    assert int("".join(map(str, check.parity(bits))), 2) == value


@given(st.binary(max_size=300))
def test_crc16_is_that_of_the_standard_library(data: bytes) -> None:
    parity = crc.CRC16.parity(np.unpackbits(np.frombuffer(data, np.uint8)))
    assert int.from_bytes(np.packbits(parity).tobytes(), "big") == binascii.crc_hqx(data, 0)


@pytest.mark.parametrize("check", [crc.CRC24A, crc.CRC24B, crc.CRC16])
@given(st.binary(min_size=1, max_size=60), st.data())
def test_crcs_find_every_short_burst(check: crc.Crc, data: bytes, draw: st.DataObject) -> None:
    bits = check.attach(np.unpackbits(np.frombuffer(data, np.uint8)))
    assert check.passes(bits)
    start = draw.draw(st.integers(0, bits.size - 1))
    burst = draw.draw(st.lists(st.integers(0, 1), max_size=check.bits - 1))
    burst = [1, *burst][: bits.size - start]
    bits[start : start + len(burst)] ^= np.array(burst, np.uint8)
    assert not check.passes(bits)


@given(st.integers(1, 20_000), SCHEMES)
def test_segmentation_is_that_of_the_standard(n_bytes: int, mcs: int) -> None:
    """Clauses 7.2.1 and 5.2.2 with their own letters."""
    form, rate = digital.transport_format(n_bytes, mcs), get_mcs(mcs).rate
    a = 8 * n_bytes
    b = a + (24 if a > 3824 else 16)
    graph = 2 if a <= 292 or (a <= 3824 and rate <= 0.67) or rate <= 0.25 else 1
    k_cb = 8448 if graph == 1 else 3840
    if b <= k_cb:
        c, b_prime = 1, b
    else:
        c = -(-b // (k_cb - 24))
        b_prime = b + c * 24
    assert (form.code.graph.number, form.blocks) == (graph, c)
    assert form.code.k == -(-b_prime // c) <= k_cb
    assert 0 <= form.padding < c and form.padding == c * form.code.k - b_prime
    k_b = 22 if graph == 1 else 10 if b > 640 else 9 if b > 560 else 8 if b > 192 else 6
    assert form.code.graph.lifting == min(z for z in lifting_sizes() if k_b * z >= form.code.k)
    assert form.code.n * rate == pytest.approx(form.code.k, abs=2 * form.code.bits_per_symbol)


def test_base_graphs_have_the_size_of_the_standard() -> None:
    assert len(lifting_sizes()) == 51 and max(lifting_sizes()) == 384
    one, two = base_graph(1, 384), base_graph(2, 384)
    assert (one.rows, one.columns, one.column.size) == (46, 68, 316)
    assert (two.rows, two.columns, two.column.size) == (42, 52, 197)
    with pytest.raises(ValueError, match="not in TS"):
        base_graph(1, 17)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("lifting", [2, 7, 13, 36, 40, 96, 176, 384])
def test_code_words_meet_every_parity_check(number: int, lifting: int) -> None:
    graph = base_graph(number, lifting)
    bits = np.random.default_rng(lifting).integers(0, 2, graph.info_columns * lifting).astype(np.uint8)
    word = code_word(graph, bits).reshape(graph.columns, lifting)
    for row in range(graph.rows):
        total = np.zeros(lifting, np.int64)
        for edge in range(graph.start[row], graph.start[row + 1]):
            places = (np.arange(lifting) + graph.shift[edge]) % lifting
            total += word[graph.column[edge], places]
        assert not (total % 2).any()


@pytest.mark.parametrize("bits_per_symbol", qam.BITS_PER_SYMBOL)
def test_constellations_are_gray_with_unit_energy(bits_per_symbol: int) -> None:
    labels = np.arange(2**bits_per_symbol)
    bits = (labels[:, None] >> np.arange(bits_per_symbol - 1, -1, -1)) & 1
    points = qam.map_bits(bits.ravel(), bits_per_symbol)
    assert np.mean(np.abs(points) ** 2) == pytest.approx(1.0, abs=1e-5)
    distance = np.abs(points[:, None] - points) + 10 * np.eye(points.size)
    for a, b in zip(*np.nonzero(distance < 1.01 * distance.min()), strict=True):
        assert (bits[a] != bits[b]).sum() == 1


def test_16qam_is_that_of_38_211() -> None:
    points = qam.map_bits(np.array([0, 0, 0, 0, 1, 0, 1, 1]), 4) * np.sqrt(10)
    assert np.allclose(points, [1 + 1j, -3 + 3j])


def test_llrs_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(3)
    symbols = rng.standard_normal(20) + 1j * rng.standard_normal(20)
    variance = rng.uniform(0.05, 2.0, 20)
    labels = np.arange(16)
    bits = (labels[:, None] >> np.arange(3, -1, -1)) & 1
    points = qam.map_bits(bits.ravel(), 4).astype(complex)
    likelihood = np.exp(-(np.abs(symbols[:, None] - points) ** 2) / variance[:, None])
    wanted = [
        np.log(likelihood[:, bits[:, i] == 0].sum(1) / likelihood[:, bits[:, i] == 1].sum(1))
        for i in range(4)
    ]
    assert np.allclose(qam.soft_demap(symbols, variance, 4).reshape(-1, 4), np.transpose(wanted), atol=1e-4)


@settings(deadline=None, max_examples=60)
@given(st.binary(min_size=1, max_size=300), SCHEMES)
def test_bytes_survive_a_good_channel_of_any_scheme(data: bytes, mcs: int) -> None:
    symbols = digital.encode_transport(data, mcs)
    assert symbols.size == digital.n_symbols(len(data), mcs)
    noise_var = np.full(symbols.size, 1e-3)
    assert digital.decode_transport(symbols, noise_var, mcs, len(data)) == data


@pytest.mark.parametrize("mcs", [0, 2, 5])
def test_long_blocks_are_segmented(mcs: int) -> None:
    data = np.random.default_rng(mcs).bytes(3000)
    assert digital.transport_format(3000, mcs).blocks > 1
    symbols = digital.encode_transport(data, mcs)
    assert digital.decode_transport(symbols, np.full(symbols.size, 0.01), mcs, 3000) == data
    noise = np.random.default_rng(1).standard_normal(symbols.size) * 3
    assert digital.decode_transport(symbols + noise, np.full(symbols.size, 9.0), mcs, 3000) is None


def test_noise_alone_is_never_a_message() -> None:
    rng = np.random.default_rng(5)
    for mcs in range(len(MCS_TABLE)):
        n = digital.n_symbols(40, mcs)
        noise = rng.standard_normal(n) + 1j * rng.standard_normal(n)
        assert digital.decode_transport(noise, np.full(n, 2.0), mcs, 40) is None


@pytest.mark.parametrize("n_bytes", [8, 3000])
def test_silence_is_never_a_message(n_bytes: int) -> None:
    """All LLRs zero: the word of zeros, which is a code word with a right CRC."""
    n = digital.n_symbols(n_bytes, 2)
    assert digital.decode_transport(np.zeros(n, complex), np.ones(n), 2, n_bytes) is None


@pytest.mark.parametrize("mcs", [0, 3, 7, 10])
def test_the_table_names_the_edge_of_each_scheme(mcs: int) -> None:
    edge = get_mcs(mcs).snr_db
    assert block_error_rate(mcs, edge + 0.4, 256, 40, seed=9) <= 0.05
    assert block_error_rate(mcs, edge - 1.5, 256, 20, seed=9) >= 0.5


def test_the_link_adapter_takes_the_fastest_that_fits() -> None:
    rates = [m.bits_per_symbol * m.rate for m in MCS_TABLE]
    snrs = [m.snr_db for m in MCS_TABLE]
    assert rates == sorted(rates) and snrs == sorted(snrs)
    assert select_mcs(-30.0).index == 0
    assert select_mcs(snrs[4]).index == 4 and select_mcs(snrs[4], margin_db=0.2).index == 3
    assert select_mcs(60.0).index == len(MCS_TABLE) - 1


@given(SCHEMES, st.integers(700, 20_000))
def test_most_bytes_fill_a_frame_and_no_more(mcs: int, limit: int) -> None:
    size = digital.most_bytes(mcs, limit)
    assert digital.n_symbols(size, mcs) <= limit < digital.n_symbols(size + 8, mcs)


def test_wrong_lengths_are_named() -> None:
    with pytest.raises(ValueError, match="there is no scheme 99"):
        digital.encode_transport(b"x", 99)
    with pytest.raises(ValueError, match="at least one byte"):
        digital.encode_transport(b"", 2)
    with pytest.raises(ValueError, match="symbols came where"):
        digital.decode_transport(np.zeros(5), np.ones(5), 2, 10)
    with pytest.raises(ValueError, match="code block"):
        ldpc_code(9000, 18000, 2, 1)
    with pytest.raises(ValueError, match="multiple"):
        ldpc_code(100, 301, 2, 2)
