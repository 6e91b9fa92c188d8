"""Maximum mean discrepancy: MM-SADA's formula written out, and its properties."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from egonorm.losses import squared_mmd
from egonorm.losses.divergence import BANDWIDTHS


def samples(seed: int, shift: float = 0.0):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda n: torch.randn(n, 4, generator=generator, dtype=torch.float64)  # noqa: E731
    return draw(5), draw(7) + shift


def test_the_twelve_kernels():
    """MM-SADA model.py: `gammas=[(2.0 ** gamma) * 9.7 for gamma in np.arange(-8.0, 8.0, 2.0 ** 0.5)]`."""
    np.testing.assert_allclose(BANDWIDTHS, [9.7 * 2.0**e for e in np.arange(-8.0, 8.0, 2.0**0.5)])
    assert len(BANDWIDTHS) == 12


@given(st.integers(0, 1000), st.sampled_from([None, (2.0,), (0.5, 30.0)]))
@settings(deadline=None, max_examples=20)
def test_equals_the_formula_pair_by_pair(seed, bandwidths):
    """MM-SADA mmd.py, biased: sum K_XX / m^2 + sum K_YY / n^2 - 2 sum K_XY / (m n), summed over kernels exp(-d^2 / g)."""
    x, y = samples(seed)
    kernel = lambda a, b: sum(np.exp(-float(((a - b) ** 2).sum()) / g) for g in bandwidths or BANDWIDTHS)  # noqa: E731
    total = sum(kernel(a, b) for a in x for b in x) / 25 + sum(kernel(a, b) for a in y for b in y) / 49
    total -= 2 * sum(kernel(a, b) for a in x for b in y) / 35
    found = squared_mmd(x, y) if bandwidths is None else squared_mmd(x, y, bandwidths)
    np.testing.assert_allclose(float(found), total, rtol=1e-9, atol=1e-12)


def test_zero_for_the_same_sample_and_larger_for_farther_ones():
    x, _ = samples(0)
    assert abs(float(squared_mmd(x, x))) < 1e-12
    near, far = (float(squared_mmd(*samples(1, shift))) for shift in (0.5, 3.0))
    assert 0 < near < far


def test_rounding_of_long_features_makes_no_kernel_larger_than_one():
    x = torch.randn(16, 1024, generator=torch.Generator().manual_seed(0)) * 100
    assert 0 < squared_mmd(x[:8], x[8:]) <= 2 * len(BANDWIDTHS)


def test_the_gradient_draws_the_samples_together():
    x, y = samples(2, 2.0)
    y.requires_grad_()
    before = squared_mmd(x, y)
    before.backward()
    assert torch.isfinite(y.grad).all()
    assert squared_mmd(x, (y - 0.5 * y.grad / y.grad.norm()).detach()) < before
