"""LDPC: code words of an independent encoder, redundancy versions, batch and stream, compiled code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.fec import compiled as compiled_module
from m4sc.phy.fec.ldpc import LdpcCode, choose_base_graph, ldpc_code
from m4sc.phy.fec.ldpc_encoder import code_word
from m4sc.phy.fec.ldpc_stream import LdpcStream
from m4sc.phy.modulation.digital import transport_format
from m4sc.phy.modulation.mcs import MCS_TABLE
from m4sc_app.bench.trials.ldpc_gap import count_lost, measure_gap, reference_cases

VECTORS = Path(__file__).with_name("data") / "ldpc_vectors.npz"  # script/reference_ldpc.py vectors
FORCED = {(1024, 3072, 1), (1000, 1500, 1)}  # vectors of a base graph that the standard would not choose


def _vectors() -> Iterator[tuple[LdpcCode, int, int, np.ndarray, np.ndarray]]:
    """Code, redundancy version, lifting size, information bits, coded bits."""
    with np.load(VECTORS) as data:
        cases, bits, words = data["cases"], data["bits"], data["words"]
    bit = word = 0
    for k, n, step, number, version, lifting in cases.tolist():
        info = np.unpackbits(bits[bit:], count=k)
        coded = np.unpackbits(words[word:], count=n)
        bit, word = bit + -(-k // 8), word + -(-n // 8)
        yield ldpc_code(k, n, step, number), version, lifting, info, coded


def _case(k: int, n: int, seed: int, blocks: int = 1) -> tuple[LdpcCode, np.ndarray]:
    code = ldpc_code(k, n, 2, choose_base_graph(k, k / n))
    return code, np.random.default_rng(seed).integers(0, 2, (blocks, k), dtype=np.uint8)


def _llr(code: LdpcCode, bits: np.ndarray, snr_db: float, seed: int, version: int = 0) -> np.ndarray:
    """BPSK at a real Es/N0 of `snr_db` + 3 dB, (blocks, n)."""
    variance = 0.5 * 10 ** (-snr_db / 10)
    noise = np.random.default_rng(seed).standard_normal((len(bits), code.n)) * np.sqrt(variance)
    return 2 * (1.0 - 2.0 * np.stack([code.encode(row, version) for row in bits]) + noise) / variance


def test_code_words_are_those_of_sionna() -> None:
    tried = set()
    for code, version, lifting, info, coded in _vectors():
        assert code.graph.lifting == lifting
        assert np.array_equal(code.encode(info, version), coded), (code.k, code.n, version)
        own = choose_base_graph(code.k, code.k / code.n) == code.graph.number
        assert own != ((code.k, code.n, code.graph.number) in FORCED)
        tried.add((code.graph.number, version))
    assert tried == {(graph, version) for graph in (1, 2) for version in range(4)}


def _standard_bits(code: LdpcCode, info: np.ndarray, limit: int, version: int) -> np.ndarray:
    """Clauses 5.4.2.1 and 5.4.2.2 as they are written, with the whole code word given."""
    z, number = code.graph.lifting, code.graph.number
    word = code_word(code.graph, info)
    every = (66 if number == 1 else 50) * z
    d = [None if code.k <= i + 2 * z < code.k + code.fillers else word[i + 2 * z] for i in range(every)]
    n_cb = min(every, limit)
    factor = {1: (0, 17, 33, 56), 2: (0, 13, 25, 43)}[number][version]
    k0 = factor * n_cb // every * z
    e, j = [], 0
    while len(e) < code.n:
        if d[(k0 + j) % n_cb] is not None:
            e.append(d[(k0 + j) % n_cb])
        j += 1
    rows = np.array(e, np.uint8).reshape(code.bits_per_symbol, -1)
    return rows.T.ravel()


@settings(max_examples=40, deadline=None)
@given(
    k=st.integers(30, 2000),
    more=st.floats(1.1, 4.0),
    share=st.floats(0.5, 1.2),
    step=st.sampled_from([1, 2, 4]),
    version=st.integers(0, 3),
)
def test_a_limited_buffer_sends_the_bits_of_the_standard_and_decodes(
    k: int, more: float, share: float, step: int, version: int
) -> None:
    number = choose_base_graph(k, 1 / more)
    whole = ldpc_code(k, step, step, number)
    z, least = whole.graph.lifting, whole.graph.info_columns * whole.graph.lifting
    limit = max(int(share * (66 if number == 1 else 50) * z), least)
    code = ldpc_code(k, step * int(np.ceil(more * k / step)), step, number, limit)
    info = np.random.default_rng(k).integers(0, 2, k, dtype=np.uint8)
    coded = code.encode(info, version)
    assert np.array_equal(coded, _standard_bits(code, info, limit, version))
    soft = code.soft_buffer(8.0 * (1.0 - 2.0 * coded), version)
    for other in (0, 3):  # those hold the information
        soft = soft + code.soft_buffer(8.0 * (1.0 - 2.0 * code.encode(info, other)), other)
    assert np.array_equal(code.decode_buffer(soft), info)


def test_too_small_a_buffer_is_refused() -> None:
    with pytest.raises(ValueError, match="circular buffer"):
        ldpc_code(1000, 2000, 2, 1, 500)


def test_code_words_of_sionna_are_decoded() -> None:
    """Versions 0 and 3 hold the information bits; they decode by themselves."""
    for code, version, _, info, coded in _vectors():
        if version in (0, 3):
            llr = 4.0 * (1.0 - 2.0 * coded)
            assert np.array_equal(code.decode(llr, version=version), info)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3000), st.sampled_from([0.2, 1 / 3, 0.5, 0.75, 8 / 9]), st.integers(0, 3), st.data())
def test_versions_start_at_the_columns_of_the_standard(
    k: int, rate: float, version: int, draw: st.DataObject
) -> None:
    """Bit by bit, as clause 5.4.2.1 writes it: from k0 on, around the buffer, past the fillers."""
    number = draw.draw(st.sampled_from([1, 2]))
    code = ldpc_code(k, int(np.ceil(k / rate)), 1, number)
    z, bits = code.graph.lifting, np.random.default_rng(k).integers(0, 2, k, dtype=np.uint8)
    size = (66 if number == 1 else 50) * z
    first = {1: {0: 0, 1: 17, 2: 33, 3: 56}, 2: {0: 0, 1: 13, 2: 25, 3: 43}}[number][version] * z
    mother = ldpc_code(k, code.buffer.size, 1, number)
    whole = iter(mother.encode(bits))
    filler = range(k - 2 * z, (22 if number == 1 else 10) * z - 2 * z)
    buffer = [None if place in filler else int(next(whole)) for place in range(size)]
    wanted: list[int] = []
    place = first
    while len(wanted) < code.n:
        if (bit := buffer[place % size]) is not None:
            wanted.append(bit)
        place += 1
    assert code.encode(bits, version).tolist() == wanted


@pytest.mark.parametrize("k, n", [(400, 500), (2000, 2400), (6000, 7000)])
def test_a_second_version_decodes_what_the_first_could_not(k: int, n: int) -> None:
    code, bits = _case(k, n, 1, 6)
    snr_db = -1.5
    first = code.soft_buffer(_llr(code, bits, snr_db, 1))
    same = code.soft_buffer(_llr(code, bits, snr_db, 2))
    fresh = code.soft_buffer(_llr(code, bits, snr_db, 2, version=2), version=2)
    assert (code.decode_buffer(first) != bits).any(axis=1).all()
    lost_same = (code.decode_buffer(first + same) != bits).any(axis=1).sum()
    lost_fresh = (code.decode_buffer(first + fresh) != bits).any(axis=1).sum()
    assert lost_fresh == 0 < lost_same  # new parity is worth more than the same bits again


def test_a_third_and_fourth_version_add_up() -> None:
    code, bits = _case(1500, 1800, 5, 4)
    soft = sum(code.soft_buffer(_llr(code, bits, -5.6, 10 + v, v), v) for v in (0, 2, 3))
    assert (code.decode_buffer(soft) != bits).any(axis=1).all()
    soft = soft + code.soft_buffer(_llr(code, bits, -5.6, 20, 1), 1)
    assert np.array_equal(code.decode_buffer(soft), bits)


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([(20, 40), (256, 512), (1000, 1300), (4000, 6000)]), st.integers(0, 1000))
def test_a_batch_is_decoded_as_its_blocks(sizes: tuple[int, int], seed: int) -> None:
    code, bits = _case(*sizes, seed, 5)
    llr = _llr(code, bits, 1.0, seed)
    assert np.array_equal(code.decode(llr, 6), np.stack([code.decode(row, 6) for row in llr]))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 900), max_size=12), st.integers(0, 100))
def test_a_stream_gives_its_blocks_whatever_the_pieces(sizes: list[int], seed: int) -> None:
    code, bits = _case(150, 300, seed, 6)
    llr = _llr(code, bits, 4.0, seed).ravel()
    stream, found, place = LdpcStream(code), [], 0
    for size in sizes:
        found.append(stream.push(llr[place : place + size]))
        place = min(place + size, llr.size)
    assert stream.waiting == place % code.n
    found.append(stream.push(llr[place:]))
    assert np.array_equal(np.concatenate(found), bits) and stream.waiting == 0


@pytest.mark.parametrize("k, rate", [(256, "1/3"), (256, "5/6"), (1024, "1/2"), (1024, "2/3")])
def test_the_decoder_needs_no_more_snr_than_sionnas(k: int, rate: str) -> None:
    """The bar of 0.2 dB; `m4sc bench phy --only ldpc` measures every case with more blocks."""
    cases = [c for c in reference_cases() if (c.k, c.rate, c.modulation) == (k, rate, "BPSK")]
    gap = measure_gap(cases[0], megabits=0.8, errors=40)
    assert gap.gap_db - gap.half_interval_db < 0.2
    assert gap.gap_db > -0.6  # better than that would be an error of the SNR


@pytest.mark.parametrize("rate", ["1/3", "1/2"])
def test_no_block_is_lost_where_the_code_has_room(rate: str) -> None:
    """Bytes that saturate under the many checks of a long code lose some however high the SNR is."""
    case = next(c for c in reference_cases() if (c.k, c.rate, c.modulation) == (8448, rate, "BPSK"))
    code = ldpc_code(case.k, case.n, 1, case.base_graph)
    lost, sent = count_lost(code, case.snr_db + 0.5, 3, 600, 20, np.random.default_rng(7))
    assert lost == 0 and sent >= 600


def test_a_decoder_with_few_iterations_shows_a_gap() -> None:
    case = next(c for c in reference_cases() if (c.k, c.rate) == (1024, "1/2"))
    assert measure_gap(case, 0.3, 20, iterations=4).gap_db > 0.3


@pytest.mark.parametrize("level", [1e-20, 1e20])
def test_the_level_of_the_llrs_does_not_matter(level: float) -> None:
    code, bits = _case(300, 600, 2, 3)
    assert np.array_equal(code.decode(level * (1.0 - 2.0 * np.stack([code.encode(b) for b in bits]))), bits)


def test_llrs_that_are_no_numbers_count_as_not_received() -> None:
    code, bits = _case(1000, 2000, 3, 2)
    llr = _llr(code, bits, 3.0, 3)
    llr[:, 100:160] = np.nan
    llr[:, 200:210] = np.inf * np.sign(1.0 - 2.0 * np.stack([code.encode(b) for b in bits])[:, 200:210])
    assert np.array_equal(code.decode(llr), bits)


def test_wrong_shapes_and_versions_are_named() -> None:
    code, bits = _case(100, 200, 1)
    with pytest.raises(ValueError, match="no redundancy version 4; use 0 to 3"):
        code.encode(bits[0], 4)
    with pytest.raises(ValueError, match="takes 200 LLRs a block, not"):
        code.decode(np.zeros((2, 199)))
    with pytest.raises(ValueError, match="takes 100 bits"):
        code.encode(bits[0][:-1])


def test_compiled_code_works_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    real = compiled_module.njit

    def no_cache(cache: bool = False, **options: bool) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(compiled_module, "njit", no_cache)
    assert compiled_module.compiled(lambda x: x + 1)(2) == 3


@pytest.mark.parametrize("mcs", range(len(MCS_TABLE)))
@pytest.mark.parametrize("sure", [12.0, 60.0, 1e4])
def test_bits_that_are_sure_bring_back_those_that_are_erased(mcs: int, sure: float) -> None:
    """Bytes saturate: what is sure must leave room for what is not."""
    rng = np.random.default_rng(mcs)
    code = transport_format(96, mcs).code
    bits = rng.integers(2, size=(12, code.k), dtype=np.uint8)
    llr = sure * (1.0 - 2.0 * np.stack([code.encode(row) for row in bits]))
    erased = rng.random(llr.shape) < 0.4 * (1.0 - code.k / code.n)
    llr[erased] = rng.normal(size=int(erased.sum()))
    np.testing.assert_array_equal(code.decode(llr.astype(np.float32)), bits)
