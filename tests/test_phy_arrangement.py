"""Interleaver, precoder and their flags in the header."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.modulation.arrangement import arrange, restore
from m4sc.phy.modulation.interleaver import deinterleave, interleave, permutation
from m4sc.phy.modulation.precoder import precode, undo_precoding


def gaussian(n: int, seed: int) -> np.ndarray:
    pairs = np.random.default_rng(seed).standard_normal((2, n))
    return ((pairs[0] + 1j * pairs[1]) / np.sqrt(2)).astype(np.complex64)


@given(n=st.integers(1, 3000), carriers=st.integers(1, 300))
def test_interleaving_is_a_permutation_with_an_exact_inverse(n: int, carriers: int) -> None:
    values = np.arange(n)
    sent = interleave(values, carriers)
    np.testing.assert_array_equal(np.sort(sent), values)
    np.testing.assert_array_equal(deinterleave(sent, carriers), values)


@pytest.mark.parametrize("k", [96, 128, 480, 1000])
def test_a_token_is_spread_over_the_band_and_the_frame(k: int) -> None:
    places = permutation(k, 48)
    for token in places[: k // 8 * 8].reshape(-1, 8):
        carriers, rows = np.sort(token % 48), token // 48
        assert len(set(carriers)) >= 7 and np.ptp(carriers) >= 28
        assert len(set(rows)) >= min(2, -(-k // 48))


@settings(deadline=None)
@given(
    n=st.integers(1, 700),
    carriers=st.sampled_from([1, 7, 48]),
    interleaved=st.booleans(),
    precoded=st.booleans(),
    seed=st.integers(0, 99),
)
def test_restore_is_the_inverse_of_arrange(
    n: int, carriers: int, interleaved: bool, precoded: bool, seed: int
) -> None:
    sent = gaussian(n, seed)
    air = arrange(sent, carriers, interleaved, precoded)
    assert np.sum(np.abs(air) ** 2) == pytest.approx(np.sum(np.abs(sent) ** 2), rel=1e-4)
    got, noise_var = restore(air, np.full(n, 0.3, np.float32), carriers, interleaved, precoded)
    np.testing.assert_allclose(got, sent, atol=2e-5)
    np.testing.assert_allclose(noise_var, 0.3, rtol=1e-5)


def test_noise_variances_go_back_to_their_symbols() -> None:
    noise_var = np.linspace(0.1, 1.0, 130).astype(np.float32)
    air = interleave(noise_var, 48)
    _, back = restore(gaussian(130, 0), air, 48, True, False)
    np.testing.assert_array_equal(back, noise_var)
    with pytest.raises(ValueError, match="noise variances"):
        restore(gaussian(4, 0), noise_var, 48, True, False)


@pytest.mark.parametrize("kind", ["dft", "scramble"])
def test_despread_noise_has_the_variance_stated_over_unequal_carriers(kind: str) -> None:
    rng = np.random.default_rng(1)
    v = np.tile((0.05 / rng.exponential(size=48)).astype(np.float32), 400)
    sent = gaussian(len(v), 2)
    noise = gaussian(len(v), 3) * np.sqrt(v)
    got, stated = undo_precoding(precode(sent, 48, kind) + noise, v, 48, kind)
    assert np.mean(np.abs(got - sent) ** 2 / stated) == pytest.approx(1.0, abs=0.05)
    assert np.vdot(sent, got).real / np.vdot(sent, sent).real == pytest.approx(1.0, abs=0.02)  # unbiased
    assert stated[0] < np.mean(v)  # better than zero forcing
    with pytest.raises(ValueError, match="scramble"):
        precode(sent, 48, "hadamard")


@given(a=st.booleans(), b=st.booleans(), c=st.booleans())
def test_flags_do_not_disturb_one_another(a: bool, b: bool, c: bool) -> None:
    header = FrameHeader(PayloadKind.ANALOG, 5, announced=a, interleaved=b, precoded=c)
    assert FrameHeader.unpack(header.pack()) == header
