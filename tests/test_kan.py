"""KAN layers: numerics against SciPy, grid update, equal size, learning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from m4sc.coding.kan import BSplineKanLayer, MlpLayer, RbfKanLayer, make_layer
from m4sc.coding.kan.basis import bspline_basis, quantile_knots
from m4sc.config import LAYER_KINDS, ModelConfig
from m4sc.mllm.network import Network
from m4sc.training.align import Alignment
from m4sc.training.features import Sample
from scipy.interpolate import BSpline
from tiny_model import tiny_config, write_tiny_llm
from torch import Tensor, nn


@settings(max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.floats(0.05, 1.5), min_size=6, max_size=14),
    degree=st.integers(0, 4),
    seed=st.integers(0, 2**16),
)
def test_basis_is_scipys(gaps: list[float], degree: int, seed: int) -> None:
    knots = np.cumsum(gaps)
    count = len(knots) - degree - 1
    rng = np.random.default_rng(seed)
    x = rng.uniform(knots[degree], knots[count], 50) if count > degree else np.zeros(0)
    assume(len(x))
    ours = bspline_basis(torch.from_numpy(x)[:, None], torch.from_numpy(knots)[None], degree)[:, 0]
    theirs = BSpline.design_matrix(x, knots, degree).toarray()
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(degree=st.integers(0, 4), repeats=st.integers(2, 5), seed=st.integers(0, 2**16))
def test_knots_that_fall_together_are_no_division_by_zero(degree: int, repeats: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    knots = np.sort(np.concatenate([rng.uniform(-2, 2, 9), np.full(repeats, 0.25)]))
    count = len(knots) - degree - 1
    x = rng.uniform(knots[degree], knots[count], 40)
    ours = bspline_basis(torch.from_numpy(x)[:, None], torch.from_numpy(knots)[None], degree)[:, 0]
    np.testing.assert_allclose(ours.numpy(), BSpline.design_matrix(x, knots, degree).toarray(), atol=1e-12)


def test_too_few_knots_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 5 knots"):
        bspline_basis(torch.zeros(1, 1), torch.arange(4.0)[None], 3)


def test_layer_is_the_sum_of_its_edges_curves() -> None:
    """Each edge as a SciPy spline of its own, and the SiLU branch."""
    torch.manual_seed(0)
    layer = BSplineKanLayer(3, 2, intervals=6, norm=False).double()
    layer.update_grid(torch.randn(300, 3, dtype=torch.float64))  # knots that differ from input to input
    x = torch.rand(40, 3, dtype=torch.float64) * 2 - 1
    weight = layer.spline.weight.detach().unflatten(1, (3, layer.n_basis)).numpy()
    edges = [
        [BSpline(layer.knots[i].numpy(), weight[j, i], 3)(x[:, i].numpy()) for i in range(3)]
        for j in range(2)
    ]
    wanted = np.sum(edges, axis=1).T + layer.base(nn.functional.silu(x)).detach().numpy()
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, atol=1e-10)


def _polynomial_layer(degree: int, seed: int) -> BSplineKanLayer:
    """A layer whose edges are polynomials over a wide grid."""
    generator = torch.Generator().manual_seed(seed)
    layer = BSplineKanLayer(4, 3, intervals=7, degree=degree, limits=(-6.0, 6.0), norm=False).double()
    x = torch.linspace(-5.99, 5.99, 400, dtype=torch.float64)
    basis = bspline_basis(x[:, None], layer.knots[:1].double(), degree)[:, 0]
    powers = (x[:, None] / 6) ** torch.arange(degree + 1)
    curves = powers @ torch.randn(degree + 1, 12, generator=generator, dtype=torch.float64)
    fit = torch.linalg.lstsq(basis, curves).solution  # (basis, 12)
    with torch.no_grad():
        layer.spline.weight.copy_(fit.T.reshape(3, 4, -1).flatten(1))
    return layer


@settings(max_examples=20, deadline=None)
@given(
    degree=st.integers(1, 4),
    seed=st.integers(0, 2**16),
    centre=st.floats(-2, 2),
    spread=st.floats(0.2, 1.0),
    share=st.floats(0.02, 1.0),
)
def test_grid_update_keeps_what_the_new_grid_can_hold(
    degree: int, seed: int, centre: float, spread: float, share: float
) -> None:
    layer = _polynomial_layer(degree, seed)
    x = centre + spread * torch.randn(400, 4, generator=torch.Generator().manual_seed(seed)).double()
    x = x.clamp(-5.9, 5.9)
    before, knots = layer(x), layer.knots.clone()
    layer.update_grid(x, share)
    assert not torch.allclose(layer.knots, knots)
    torch.testing.assert_close(layer(x), before, atol=1e-5, rtol=1e-4)


def test_grid_update_is_the_least_squares_fit() -> None:
    """Of a function that the new grid cannot hold: no other coefficients come nearer on the data."""
    torch.manual_seed(1)
    layer = BSplineKanLayer(1, 1, intervals=9, norm=False).double()
    nn.init.normal_(layer.spline.weight)
    x = torch.randn(500, 1, dtype=torch.float64) * 0.8
    wanted = bspline_basis(x, layer.knots, 3)[:, 0] @ layer.spline.weight[0].detach()
    layer.update_grid(x)
    basis = bspline_basis(x, layer.knots, 3)[:, 0]
    residual = wanted - basis @ layer.spline.weight[0].detach()
    assert residual.abs().max() > 1e-4  # it is a fit, not an identity
    assert (basis.T @ residual).abs().max() < 1e-6
    assert residual.square().mean() < 0.05 * wanted.var()


def test_grid_update_puts_as_many_points_into_each_interval() -> None:
    x = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) ** 3
    knots = quantile_knots(x, 8, 3, 0.0)
    for i in range(2):
        counts, _ = torch.histogram(x[:, i].contiguous(), knots[i, 3:-3].contiguous())
        assert counts.min() > 110 and counts.max() < 140
    assert (quantile_knots(x, 8, 3, 0.02).diff(dim=1) > 0).all()


def test_an_input_that_never_moves_keeps_a_usable_grid() -> None:
    torch.manual_seed(0)
    layer = BSplineKanLayer(1, 2, norm=False)
    x = torch.full((50, 1), 0.3)
    before = layer(x)
    layer.update_grid(x)
    torch.testing.assert_close(layer(x), before, atol=1e-5, rtol=0)
    assert (layer.knots.diff(dim=1) > 0).all() and torch.isfinite(layer(x + 1)).all()


def test_grid_update_says_what_is_wrong() -> None:
    layer = BSplineKanLayer(2, 2)
    with pytest.raises(ValueError, match="more than 8"):
        layer.update_grid(torch.randn(8, 2))
    with pytest.raises(ValueError, match="finite"):
        layer.update_grid(torch.full((20, 2), float("nan")))
    with pytest.raises(ValueError, match="uniform_share"):
        layer.update_grid(torch.randn(20, 2), 1.5)
    with pytest.raises(ValueError, match="no spline"):
        BSplineKanLayer(2, 2, intervals=0)


@given(
    in_dim=st.integers(4, 300),
    out_dim=st.integers(4, 300),
    grid=st.integers(1, 9),
)
@settings(max_examples=25, deadline=None)
def test_all_kinds_have_as_many_parameters(in_dim: int, out_dim: int, grid: int) -> None:
    counts = {
        kind: sum(p.numel() for p in make_layer(kind, in_dim, out_dim, grid).parameters())
        for kind in LAYER_KINDS
    }
    assert counts["rbf"] == counts["bspline"]
    assert abs(counts["mlp"] - counts["rbf"]) <= (in_dim + out_dim + 1) / 2 + 1


def test_kinds_and_errors_of_the_factory() -> None:
    kinds = {"rbf": RbfKanLayer, "bspline": BSplineKanLayer, "mlp": MlpLayer}
    for kind, layer in kinds.items():
        made = make_layer(kind, 5, 7, 4)
        assert type(made) is layer and made(torch.randn(2, 3, 5)).shape == (2, 3, 7)
    with pytest.raises(ValueError, match="rbf, bspline, mlp"):
        make_layer("wavelet", 5, 7, 4)
    with pytest.raises(ValueError, match="at least 1"):
        make_layer("rbf", 5, 7, 0)
    with pytest.raises(ValueError, match="rbf, bspline, mlp"):
        ModelConfig(projector="wavelet")
    assert ModelConfig.from_json('{"hidden_dim": 576}').projector == "rbf"  # weights older than the option


def _best_fit(layers: list[nn.Module], x: Tensor, y: Tensor, steps: int) -> float:
    net = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (net(x) - y).square().mean()
        loss.backward()
        optimizer.step()
    return loss.item()


@pytest.mark.parametrize("kind", ["rbf", "bspline", "mlp"])
def test_every_kind_learns_what_no_linear_map_can(kind: str) -> None:
    torch.manual_seed(0)
    x = torch.rand(256, 2) * 2 - 1
    y = x[:, :1] * x[:, 1:]  # of no correlation with either
    loss = _best_fit([nn.Linear(2, 8), make_layer(kind, 8, 8, 5), make_layer(kind, 8, 1, 5)], x, y, 250)
    assert loss < 0.2 * float(y.var())


@pytest.mark.parametrize("kind", ["bspline", "mlp"])
def test_a_network_with_another_projector_aligns_and_survives_saving(kind: str, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    classes = torch.randn(3, 16, 12, generator=generator)
    words = ("cat", "dog", "ship")
    pictures = [
        Sample("classify", "image", "", (words[i % 3],), (classes[i % 3] * 5 + 1).half()) for i in range(12)
    ]
    torch.manual_seed(1)
    config = ModelConfig(**{**vars(tiny_config(write_tiny_llm(tmp_path / "llm"))), "projector": kind})
    network = Network(config)
    before = network.projectors["image"].state_dict()
    first_knots = before["knots"].clone() if kind == "bspline" else None
    align = Alignment(network, pictures, 0)
    if first_knots is not None:
        assert not torch.equal(network.projectors["image"].knots, first_knots)  # laid on the features
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = align.loss("classify")
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:8])
    network.save(tmp_path / "weights")
    again = Network(ModelConfig.from_json((tmp_path / "weights" / "config.json").read_text()))
    again.load_trained(tmp_path / "weights")
    x = pictures[0].features
    assert x is not None
    with torch.no_grad():
        torch.testing.assert_close(
            again.projectors["image"](x.float()), network.projectors["image"](x.float()), atol=2e-2, rtol=2e-2
        )
