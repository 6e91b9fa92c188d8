"""Accuracies, the paper's delta and Wilson's interval."""

import numpy as np
import pytest

from egonorm.metrics import accuracy_interval, mean_class_accuracy, mean_norm_difference, top1


def test_accuracies_by_hand():
    scores = np.eye(3)[[0, 0, 1, 2]]
    labels = np.array([0, 0, 1, 1])
    assert top1(scores, labels) == 75.0
    assert mean_class_accuracy(scores, labels) == 75.0
    assert mean_class_accuracy(scores[:3], labels[:3]) == 100.0


def test_delta_is_the_first_norm_minus_the_second():
    assert mean_norm_difference({"rgb": 6.0, "audio": 15.5}) == {"rgb-audio": -9.5}
    assert list(mean_norm_difference({"a": 1.0, "b": 2.0, "c": 4.0})) == ["a-b", "a-c", "b-c"]


def test_wilsons_interval_by_its_formula():
    n, p, z = 435, 0.45, 1.959964
    centre, half = (
        (p + z * z / 2 / n) / (1 + z * z / n),
        z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n),
    )
    low, high = accuracy_interval(100 * p, n)
    assert low == pytest.approx(100 * (centre - half), abs=0.1)
    assert high == pytest.approx(100 * (centre + half), abs=0.1)
    assert accuracy_interval(100.0, 10)[1] == 100.0
