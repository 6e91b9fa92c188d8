"""Relative norm alignment: its properties, the authors' formula, and its behaviour where norms vanish."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from egonorm.losses import hard_norm_alignment, mean_norm, relative_norm_alignment

MODALITIES = ("rgb", "audio", "flow")


def random_features(seed: int, count: int = 2, clips: int = 6):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(clips, 5 + k, generator=generator) * (k + 1) for k, name in enumerate(MODALITIES[:count])}


@given(st.integers(0, 1000), st.integers(2, 3), st.sampled_from(["second", "first"]))
@settings(deadline=None, max_examples=30)
def test_equals_the_authors_formula(seed, count, numerator):
    """RNA journal repository, models/task.py: `(mean||f_2|| / mean||f_1|| - 1)^2`; with three the mean over pairs."""
    features = random_features(seed, count)
    means = [torch.stack([row.pow(2).sum().sqrt() for row in x]).mean() for x in features.values()]
    terms = []
    for k in range(count):
        for m in range(k + 1, count):
            ratio = means[m] / means[k] if numerator == "second" else means[k] / means[m]
            terms.append((ratio - 1) ** 2)
    torch.testing.assert_close(relative_norm_alignment(features, numerator), sum(terms) / len(terms))


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_mean_of_ratios_divides_clip_by_clip(seed):
    features = random_features(seed)
    ratio = torch.stack([a.norm() / v.norm() for v, a in zip(*features.values(), strict=True)]).mean()
    torch.testing.assert_close(relative_norm_alignment(features, form="mean_of_ratios"), (ratio - 1) ** 2)


@given(st.integers(0, 1000), st.floats(0.01, 100))
@settings(deadline=None, max_examples=30)
def test_zero_at_balance_blind_to_rotation_and_common_scale(seed, scale):
    features = random_features(seed)
    loss = relative_norm_alignment(features)
    balanced = {name: x / mean_norm(x) for name, x in features.items()}
    assert relative_norm_alignment(balanced) < 1e-10
    rotated = {name: x @ torch.linalg.qr(torch.randn(x.shape[1], x.shape[1])).Q for name, x in features.items()}
    torch.testing.assert_close(relative_norm_alignment(rotated), loss, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(
        relative_norm_alignment({n: scale * x for n, x in features.items()}), loss, rtol=1e-3, atol=1e-5
    )


@given(st.floats(0.05, 20))
@settings(deadline=None, max_examples=30)
def test_ratio_r_costs_r_minus_one_squared(ratio):
    features = {"rgb": torch.tensor([[3.0, 4.0]]), "audio": torch.tensor([[0.0, 5.0 * ratio]])}
    torch.testing.assert_close(relative_norm_alignment(features), torch.tensor((ratio - 1) ** 2), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("numerator", ["second", "first"])
def test_descent_shrinks_the_larger_and_grows_the_smaller(numerator):
    small, large = torch.ones(4, 3, requires_grad=True), torch.full((4, 3), 5.0, requires_grad=True)
    relative_norm_alignment({"rgb": small, "audio": large}, numerator).backward()
    assert (small.grad < 0).all() and (large.grad > 0).all()


@pytest.mark.parametrize("form", ["ratio_of_means", "mean_of_ratios"])
@pytest.mark.parametrize("zero", [("rgb",), ("audio",), ("rgb", "audio")])
def test_finite_value_and_gradient_at_zero_norm(zero, form):
    features = {name: torch.randn(4, 3) * (name not in zero) for name in ("rgb", "audio")}
    for x in features.values():
        x.requires_grad_()
    loss = relative_norm_alignment(features, form=form)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(x.grad).all() for x in features.values())


@pytest.mark.parametrize("form", ["ratio_of_means", "mean_of_ratios"])
@pytest.mark.parametrize(("length", "below"), [(0.0, 1e-6), (1e-8, 1e-6), (1e-5, 1e-5)])
def test_a_norm_that_divides_is_a_millionth_or_more(length, below, form):
    features = {"rgb": torch.tensor([[length, 0.0]]), "audio": torch.tensor([[3.0, 4.0]])}
    expected = torch.tensor((5 / below - 1) ** 2)
    torch.testing.assert_close(relative_norm_alignment(features, form=form), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(relative_norm_alignment(features, "first", form), torch.tensor((length / 5 - 1) ** 2))


def test_float32_whatever_the_precision():
    features = {name: (x * 300).half() for name, x in random_features(0).items()}
    assert mean_norm(features["rgb"]).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        loss = relative_norm_alignment(features)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, relative_norm_alignment({n: x.float() for n, x in features.items()}))


def test_one_modality_is_refused():
    with pytest.raises(ValueError, match=r"got: +rgb\n.*two modalities or more"):
        relative_norm_alignment({"rgb": torch.ones(2, 2)})


@given(st.integers(0, 1000), st.floats(0.1, 30))
@settings(deadline=None, max_examples=30)
def test_hard_alignment_is_the_hard_variant_of_adaptive_feature_norm(seed, radius):
    """AFN, HAFN train.py: `(x.norm(p=2, dim=1).mean() - radius) ** 2`, here of each modality."""
    features = random_features(seed, 3)
    expected = sum((x.norm(p=2, dim=1).mean() - radius) ** 2 for x in features.values())
    torch.testing.assert_close(hard_norm_alignment(features, radius), expected)
