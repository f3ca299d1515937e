"""The polar code of 5G NR against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.fec.crc import CRC24C, Crc
from m4sc.phy.fec.polar import PolarCode, mother_length, reliability_sequence
from m4sc.phy.fec.polar_list import decode_clean, decode_list


def generator(length: int) -> np.ndarray:
    """G_N of clause 5.3.1.2: Kronecker power of [[1, 0], [1, 1]]."""
    one, found = np.array([[1, 0], [1, 1]]), np.ones((1, 1), int)
    while len(found) < length:
        found = np.kron(found, one)
    return found


def block_errors(k: int, n: int, snr_db: float, blocks: int, paths: int) -> float:
    """Share of blocks lost, BPSK at Es/N0 `snr_db`, CRC24C among the k bits."""
    code, rng = PolarCode(k, n), np.random.default_rng(3)
    sigma, wrong = np.sqrt(0.5 * 10 ** (-snr_db / 10)), 0
    for _ in range(blocks):
        bits = CRC24C.attach(rng.integers(0, 2, k - 24).astype(np.uint8))
        received = 1.0 - 2.0 * code.encode(bits) + sigma * rng.standard_normal(n)
        found = code.decode(2 * received / sigma**2, CRC24C, paths)
        wrong += found is None or not np.array_equal(found, bits)
    return wrong / blocks


def test_sequence_is_a_permutation_that_keeps_the_partial_order() -> None:
    sequence = reliability_sequence()
    assert sorted(sequence) == list(range(1024))
    assert sequence[:16].tolist() == [0, 1, 2, 4, 8, 16, 32, 3, 5, 64, 9, 6, 17, 10, 18, 128]
    assert sequence[-4:].tolist() == [1019, 1021, 1022, 1023]
    rank = np.argsort(sequence)
    for place in range(1024):  # one more 1 among its binary digits makes a place more reliable
        more = [place | 1 << bit for bit in range(10) if not place >> bit & 1]
        assert all(rank[place] < rank[other] for other in more)


@pytest.mark.parametrize(
    ("k", "n", "length"),
    [
        (96, 192, 256),
        (96, 288, 256),
        (96, 290, 512),
        (96, 480, 512),
        (96, 1488, 512),
        (30, 70, 64),
        (40, 70, 128),
        (12, 20, 32),
    ],
)
def test_mother_code_is_as_long_as_clause_5_3_1_says(k: int, n: int, length: int) -> None:
    assert mother_length(k, n) == length


@pytest.mark.parametrize(("k", "n"), [(30, 64), (96, 256), (40, 160), (96, 192), (96, 1000)])
def test_code_words_are_those_of_the_generator_matrix(k: int, n: int) -> None:
    code = PolarCode(k, n)
    bits = np.random.default_rng(1).integers(0, 2, (20, k)).astype(np.uint8)
    u = np.zeros((20, code.length), int)
    u[:, code.information] = bits
    assert np.array_equal(code.encode(bits), (u @ generator(code.length) % 2)[:, code.places])
    assert len(set(code.places)) == min(n, code.length)


def test_shortened_bits_are_always_zero_and_punctured_ones_carry_nothing() -> None:
    shortened, punctured = PolarCode(96, 192), PolarCode(96, 480)
    bits = np.random.default_rng(2).integers(0, 2, (50, 96)).astype(np.uint8)
    u = np.zeros((50, 256), int)
    u[:, shortened.information] = bits
    left_out = np.setdiff1d(np.arange(256), shortened.places)
    assert len(left_out) == 64 and not (u @ generator(256) % 2)[:, left_out].any()
    assert np.array_equal(np.flatnonzero(shortened.known), left_out)
    left_out = np.setdiff1d(np.arange(512), punctured.places)
    assert len(left_out) == 32 and not np.isin(left_out, punctured.information).any()


@settings(max_examples=60, deadline=None)
@given(
    k=st.integers(25, 200),
    more=st.integers(0, 900),
    paths=st.sampled_from([1, 2, 8]),
    seed=st.integers(0, 99),
)
def test_what_was_encoded_is_decoded_without_noise(k: int, more: int, paths: int, seed: int) -> None:
    code, rng = PolarCode(k, k + 8 + more), np.random.default_rng(seed)
    bits = CRC24C.attach(rng.integers(0, 2, k - 24).astype(np.uint8))
    llr = (1.0 - 2.0 * code.encode(bits)) * rng.uniform(0.5, 3.0, code.n)
    assert np.array_equal(code.decode(llr, CRC24C, paths), bits)


def test_a_list_as_long_as_the_code_book_is_maximum_likelihood() -> None:
    code, rng, none = PolarCode(6, 32), np.random.default_rng(4), Crc(0, 0)
    book = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(np.uint8)
    words = 1.0 - 2.0 * code.encode(book)
    for _ in range(300):
        received = words[rng.integers(64)] + 1.2 * rng.standard_normal(32)
        best = book[np.argmax(words @ received)]
        assert np.array_equal(code.decode(received, none, 64), best)


def test_a_list_needs_3_db_at_rate_one_half_and_one_path_loses_more() -> None:
    rate_db = 10 * np.log10(96 / 192)
    assert block_errors(96, 192, 2.9 + rate_db, 300, 8) < 0.02
    assert block_errors(96, 192, 0.5 + rate_db, 100, 8) > 0.1
    assert block_errors(96, 192, 2.0 + rate_db, 200, 1) > 3 * block_errors(96, 192, 2.0 + rate_db, 200, 8)


@settings(max_examples=60, deadline=None)
@given(n=st.sampled_from([192, 256, 288, 480, 1488]), wrong=st.integers(0, 40), seed=st.integers(0, 99))
def test_signs_alone_find_what_the_list_finds_or_nothing(n: int, wrong: int, seed: int) -> None:
    code, rng, check = PolarCode(96, n), np.random.default_rng(seed), (CRC24C.bits, CRC24C.polynomial)
    bits = CRC24C.attach(rng.integers(0, 2, 72).astype(np.uint8))
    sent = 1.0 - 2.0 * code.encode(bits)
    llr = sent * rng.uniform(0.5, 3.0, n)
    llr[rng.permutation(n)[:wrong]] *= -0.2
    mother = code.mother_llrs(llr)
    found, valid = decode_clean(mother, code.information, *check)
    clean = bool((mother[code.places] * sent > 0).all()) and not (mother == 0).any()
    assert valid or not clean
    if valid:
        listed, right = decode_list(mother, code.schedule, code.k, 1, *check)
        assert right and np.array_equal(found, listed) and np.array_equal(found, bits)


def test_no_crc_is_found_in_noise_and_what_does_not_fit_is_refused() -> None:
    code, rng = PolarCode(96, 480), np.random.default_rng(5)
    assert all(code.decode(rng.standard_normal(480), CRC24C) is None for _ in range(200))
    with pytest.raises(ValueError, match="does not hold 300"):
        PolarCode(300, 200)
