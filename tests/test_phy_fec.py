"""CRC, LDPC, QAM and the digital payload: published vectors, properties, limits of the channel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy import digital, qam
from m4sc.phy.bler import block_error_rate
from m4sc.phy.fec import crc
from m4sc.phy.fec.base_graph import base_graph, lifting_sizes
from m4sc.phy.fec.ldpc import ldpc_code
from m4sc.phy.fec.ldpc_encoder import code_word
from m4sc.phy.mcs import MCS_TABLE, get_mcs, select_mcs

SCHEMES = st.integers(0, len(MCS_TABLE) - 1)


def test_crc24a_is_the_published_one() -> None:
    bits = np.unpackbits(np.frombuffer(b"123456789", np.uint8))
    value = int("".join(map(str, crc.crc24(bits))), 2)
    assert value == 0xCDE703  # CRC-24/LTE-A, catalogue check value
    assert int("".join(map(str, crc.crc24(bits, crc.CRC24B))), 2) == 0x23EF52


@given(st.binary(min_size=1, max_size=60), st.data())
def test_crc_finds_every_flipped_bit(data: bytes, draw: st.DataObject) -> None:
    bits = crc.attach(np.unpackbits(np.frombuffer(data, np.uint8)))
    assert crc.passes(bits)
    bits[draw.draw(st.integers(0, bits.size - 1))] ^= 1
    assert not crc.passes(bits)


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
    assert len(digital.transport_format(3000, mcs).codes) > 1
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
