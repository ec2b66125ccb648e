"""The B-spline basis is scipy's; refinement keeps a function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline  # pyright: ignore[reportUnknownVariableType]

from praxis_evolve.blocks.feedforward.splines import basis, basis_size, refine

orders = st.sampled_from((1, 2, 3))
grids = st.integers(1, 16)
extents = st.sampled_from((1.0, 2.0, 4.0))


def knots(grid: int, order: int, extent: float) -> np.ndarray[Any, Any]:
    return np.linspace(-extent, extent, grid + 1)[0] + (2 * extent / grid) * np.arange(
        -order, grid + order + 1
    )


def scipy_basis(
    x: torch.Tensor, *, grid: int, order: int, extent: float, slope: bool = False
) -> torch.Tensor:
    """Every basis function at x (P,), zero beyond its knots: (P, grid + order)."""
    t = knots(grid, order, extent)
    columns = list[Any]()
    for i in range(grid + order):
        element: Any = BSpline.basis_element(t[i : i + order + 2], extrapolate=False)
        element = element.derivative() if slope else element
        columns.append(np.nan_to_num(element(x.numpy())))
    return torch.from_numpy(np.stack(columns, -1))


def places(extent: float, seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return (torch.rand(60, generator=rng, dtype=torch.float64) - 0.5) * 6 * extent


@settings(max_examples=60)
@given(grid=grids, order=orders, extent=extents, seed=st.integers(0, 1000))
def test_basis_and_its_slope_are_those_of_scipy(grid: int, order: int, extent: float, seed: int):
    x = places(extent, seed).requires_grad_()
    ours = basis(x[:, None], grid=grid, order=order, extent=extent)[..., 0]
    theirs = scipy_basis(x.detach(), grid=grid, order=order, extent=extent)
    assert ours.shape == (60, basis_size(grid, order))
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)
    weights = torch.randn(basis_size(grid, order), dtype=torch.float64)
    (slope,) = torch.autograd.grad((ours @ weights).sum(), x)
    slopes = scipy_basis(x.detach(), grid=grid, order=order, extent=extent, slope=True)
    torch.testing.assert_close(slope, slopes @ weights, atol=1e-8, rtol=0)


@settings(max_examples=60)
@given(grid=grids, order=orders, extent=extents, seed=st.integers(0, 1000))
def test_basis_sums_to_one_on_the_grid_and_is_local(
    grid: int, order: int, extent: float, seed: int
):
    x = places(extent, seed)
    x = torch.cat((x, torch.tensor([-extent, extent], dtype=x.dtype)))
    every = basis(x[:, None], grid=grid, order=order, extent=extent)[..., 0]
    on_grid = x.abs() <= extent
    assert (every >= 0).all()
    assert ((every > 1e-12).sum(-1) <= order + 1).all()
    torch.testing.assert_close(every[on_grid].sum(-1), torch.ones_like(x[on_grid]))
    beyond = x.abs() >= extent * (1 + 2 * order / grid)
    assert (every[beyond].abs() < 1e-12).all()


def test_shapes_go_through_and_extremes_stay_finite():
    x = torch.tensor([0.0, 1e30, -1e30, torch.inf, torch.nan]).expand(2, 3, 5)
    every = basis(x, grid=5, order=3, extent=1.0)
    assert every.shape == (2, 3, 8, 5)
    assert torch.equal(every[..., 1:4], torch.zeros(2, 3, 8, 3))
    assert basis(x[:, :0], grid=5, order=3, extent=1.0).shape == (2, 0, 8, 5)


@pytest.mark.parametrize(("old", "new"), [(3, 6), (5, 15), (4, 4), (8, 16)])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_refinement_to_a_multiple_keeps_the_function(old: int, new: int, order: int):
    coefficients = torch.randn(7, old + order, 4, dtype=torch.float64)
    fine = refine(coefficients, order=order, extent=2.0, grid=new)
    x = torch.linspace(-2, 2, 200, dtype=torch.float64)[:, None].expand(-1, 4)
    before = basis(x, grid=old, order=order, extent=2.0)
    after = basis(x, grid=new, order=order, extent=2.0)
    torch.testing.assert_close(
        torch.einsum("pbi,obi->po", after, fine),
        torch.einsum("pbi,obi->po", before, coefficients),
    )


def test_refinement_elsewhere_is_the_nearest_function():
    """A cubic polynomial lies in the spline space of every grid."""
    x = torch.linspace(-1, 1, 300, dtype=torch.float64)
    cubic = x**3 - 0.5 * x + 0.2
    on_five = basis(x[:, None], grid=5, order=3, extent=1.0)[..., 0]
    old = torch.from_numpy(np.linalg.lstsq(on_five.numpy(), cubic[:, None].numpy())[0])
    new = refine(old, order=3, extent=1.0, grid=7)
    found = basis(x[:, None], grid=7, order=3, extent=1.0)[..., 0] @ new
    torch.testing.assert_close(found[:, 0], cubic)
