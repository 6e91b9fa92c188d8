"""Accuracies, recalls, the paper's delta, and the share of a norm that the largest numbers make."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from egonorm.metrics import mean_class_accuracy, mean_norm_difference, recall, top1, top_share


def test_accuracies_by_hand():
    scores = np.eye(3)[[0, 0, 1, 2]]
    labels = np.array([0, 0, 1, 1])
    assert top1(scores, labels) == 75.0
    assert mean_class_accuracy(scores, labels) == 75.0
    assert mean_class_accuracy(scores[:3], labels[:3]) == 100.0


def test_recall_of_each_class_that_has_clips_and_of_how_many():
    scores = np.eye(4)[[0, 0, 0, 1, 2, 3]]
    assert recall(scores, np.array([0, 0, 0, 0, 2, 2])) == {0: (75.0, 4), 2: (50.0, 2)}


def test_delta_is_the_first_norm_minus_the_second():
    assert mean_norm_difference({"rgb": 6.0, "audio": 15.5}) == {"rgb-audio": -9.5}
    assert list(mean_norm_difference({"a": 1.0, "b": 2.0, "c": 4.0})) == ["a-b", "a-c", "b-c"]


def drawn(seed: int, size: int, clips: int = 3) -> torch.Tensor:
    return torch.randn(clips, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(seed=st.integers(0, 2**31), size=st.integers(2, 64), share=st.floats(0.01, 1.0))
@settings(deadline=None)
def test_the_share_of_the_largest_is_the_formula_written_out(seed, size, share):
    features, k = drawn(seed, size), max(1, round(share * size))
    expected = [
        sum(x * x for x in sorted(map(abs, row), reverse=True)[:k]) ** 0.5 / sum(x * x for x in row) ** 0.5
        for row in features.tolist()
    ]
    assert top_share(features, share).tolist() == pytest.approx(expected, rel=1e-12)


def test_the_paper_takes_300_of_1024_and_the_same_share_of_other_sizes():
    for size, k in {1024: 300, 256: 75, 8: 2, 1: 1}.items():
        assert float(top_share(torch.ones(1, size))) == pytest.approx((k / size) ** 0.5, rel=1e-6)


@given(seed=st.integers(0, 2**31), scale=st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_the_share_of_the_largest_is_one_when_the_others_are_zero_and_blind_to_scale_and_sign(seed, scale):
    features = drawn(seed, 64)
    torch.testing.assert_close(top_share(-scale * features), top_share(features))
    lone = torch.zeros(3, 64, dtype=torch.float64)
    lone[:, 5:20] = features[:, 5:20]
    torch.testing.assert_close(top_share(lone), torch.ones(3, dtype=torch.float64))
    assert top_share(torch.zeros(1, 64)).tolist() == [1.0]


def test_the_share_of_the_largest_of_half_precision_is_that_of_float32():
    """The norm of 1024 numbers of 60000 is beyond half precision."""
    share = top_share(torch.full((1, 1024), 6e4).half())
    assert share.dtype == torch.float32 and float(share) == pytest.approx((300 / 1024) ** 0.5, rel=1e-6)
