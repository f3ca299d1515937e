"""PDUs made from bytes are those that GNU Radio's own calls make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pmt
import pytest
from gnuradio.m4sc.pdu import PduError, make_entries, make_pdu, read_pdu
from hypothesis import given
from hypothesis import strategies as st

floats = st.floats(width=32, allow_nan=False)
arrays = st.one_of(
    st.lists(floats, max_size=20).map(lambda v: np.array(v, np.float32)),
    st.lists(st.tuples(floats, floats), max_size=20).map(
        lambda v: np.array(v, np.float32).reshape(-1, 2).view(np.complex64).ravel()
    ),
    st.binary(max_size=20).map(lambda v: np.frombuffer(v, np.uint8)),
)
values = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30),
    arrays,
    floats.map(np.float32),
    st.integers(0, 255).map(np.uint8),
)
metas = st.dictionaries(st.text(st.characters(min_codepoint=33, max_codepoint=126)), values, max_size=8)


def by_calls(value: Any) -> Any:
    """One value by pmt's own functions."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, np.ndarray):
        return pmt.to_pmt(value)
    make = {"u1": pmt.init_u8vector, "f4": pmt.init_f32vector, "c8": pmt.init_c32vector}
    return make[value.dtype.str[1:]](value.size, value.tolist())


@given(meta=metas, payload=arrays)
def test_a_pdu_is_what_the_calls_make(meta: dict[str, Any], payload: np.ndarray) -> None:
    pairs = pmt.make_dict()
    for key, value in meta.items():
        pairs = pmt.dict_add(pairs, pmt.intern(key), by_calls(value))
    assert pmt.equal(make_pdu(meta, payload), pmt.cons(pairs, by_calls(payload)))


@given(meta=metas, payload=arrays)
def test_a_pdu_reads_back(meta: dict[str, Any], payload: np.ndarray) -> None:
    found, data = read_pdu(make_pdu(meta, payload))
    assert set(found) == set(meta) and np.array_equal(data, payload)
    for key, value in meta.items():
        assert np.array_equal(found[key], value) and isinstance(found[key], np.ndarray) == isinstance(
            value, np.ndarray
        )


def test_other_values_bytes_and_none() -> None:
    found, data = read_pdu(make_pdu({"a": [1, 2], "b": None, "c": "x" * 20_000, "d": {"k": 2}}, b"xyz"))
    assert found == {"a": [1, 2], "c": "x" * 20_000, "d": {"k": 2}} and bytes(data) == b"xyz"
    with pytest.raises(TypeError, match="int64"):
        make_pdu({}, np.zeros(3, np.int64))


def test_values_that_are_equal_keep_their_types() -> None:
    for value in (1, True, 1.0, "1", 0, False):
        for _ in range(2):
            found, _ = read_pdu(make_pdu({"key": value}, b""))
            assert found["key"] == value and type(found["key"]) is type(value)


def test_entries_that_many_pdus_share_stay_as_they_are() -> None:
    shared = make_entries({"a": 1, "b": "x"})
    first, second = make_pdu({"c": 2.5}, b"1", shared), make_pdu({"c": 3.5}, b"2", shared)
    assert read_pdu(first)[0] == {"a": 1, "b": "x", "c": 2.5} and read_pdu(second)[0]["c"] == 3.5
    assert pmt.equal(shared, make_entries({"a": 1, "b": "x"}))


def test_of_a_key_that_is_there_twice_the_newer_value_counts() -> None:
    pairs = make_entries({"a": 2}, make_entries({"a": 1}))
    assert read_pdu(pmt.cons(pairs, pmt.make_u8vector(1, 7)))[0] == {"a": 2}


@pytest.mark.parametrize("entry", [(1, "no list"), ("no pair", None), (1.5, {"a": 1})], ids=str)
def test_a_list_that_is_no_dictionary_is_told(entry: tuple[Any, Any]) -> None:
    first, rest = (pmt.to_pmt(part) for part in entry)
    with pytest.raises(PduError):
        read_pdu(pmt.cons(pmt.cons(first, rest), pmt.make_u8vector(1, 7)))


def test_parts_of_arrays_and_another_byte_order() -> None:
    values = np.arange(12, dtype=np.complex64)
    assert np.array_equal(read_pdu(make_pdu({}, values[::3]))[1], values[::3])
    assert np.array_equal(read_pdu(make_pdu({}, values.astype(">c8")))[1], values)
