"""Losses on angles: the cosine written out, blindness to lengths, and what the gradient does."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from egonorm.losses import cosine_distance, squared_cosine


def features(seed: int, count: int):
    generator = torch.Generator().manual_seed(seed)
    return {f"m{k}": torch.randn(6, 5, generator=generator, dtype=torch.float64) for k in range(count)}


@given(st.integers(0, 1000), st.integers(2, 3))
@settings(deadline=None, max_examples=30)
def test_equal_the_cosine_written_out(seed, count):
    found = features(seed, count)
    distances, squares = [], []
    for k in range(count):
        for m in range(k + 1, count):
            for a, b in zip(found[f"m{k}"], found[f"m{m}"], strict=True):
                cosine = sum(a * b) / (sum(a * a) ** 0.5 * sum(b * b) ** 0.5)
                distances.append(1 - cosine)
                squares.append(cosine**2)
    torch.testing.assert_close(cosine_distance(found), sum(distances) / len(distances))
    torch.testing.assert_close(squared_cosine(found), sum(squares) / len(squares))


@pytest.mark.parametrize("loss", [cosine_distance, squared_cosine])
def test_lengths_do_not_matter(loss):
    found = features(0, 2)
    longer = {"m0": 7 * found["m0"], "m1": 0.1 * found["m1"]}
    torch.testing.assert_close(loss(longer), loss(found))


def test_what_is_best_for_each():
    x = torch.tensor([[1.0, 2.0, 0.0]])
    assert cosine_distance({"a": x, "b": 3 * x}).item() == pytest.approx(0, abs=1e-6)
    assert squared_cosine({"a": x, "b": torch.tensor([[-2.0, 1.0, 5.0]])}).item() == 0
    assert (
        squared_cosine({"a": x, "b": -x}).item() == pytest.approx(1) and cosine_distance({"a": x, "b": -x}).item() == 2
    )


@pytest.mark.parametrize("loss", [cosine_distance, squared_cosine])
def test_one_modality_has_no_angle(loss):
    with pytest.raises(ValueError, match=r"got: +m0\n.*two modalities or more"):
        loss(features(0, 1))
